"""`embed`: recordings and their windows as vectors."""

import numpy as np
import pytest
import torch

RATE = 16_000


@pytest.fixture
def encoder(tiny_model):
    return tiny_model.model


def test_an_audio_is_the_duration_weighted_mean_of_its_windows(encoder, tiny_processor, make_audio):
    extract = tiny_processor.feature_extractor
    output = encoder.embed(**extract([make_audio(2.5), make_audio(0.7)], sampling_rate=RATE, window_seconds=1.0))
    assert output.window_embeddings.shape == (4, 16)
    durations = output.window_ends - output.window_starts
    torch.testing.assert_close(durations, torch.tensor([1.0, 1.0, 0.5, 0.7]))
    expected = (output.window_embeddings * durations[:, None])[:3].sum(0) / 2.5
    assert_close(output.embeddings[0], expected)
    assert_close(output.embeddings[1], output.window_embeddings[3])


@torch.no_grad()
def test_a_window_is_the_mean_of_its_real_frames(encoder, tiny_processor, make_audio):
    features = tiny_processor.feature_extractor(make_audio(1.0), sampling_rate=RATE, tail_seconds=0.5)
    hidden = encoder(features.input_features).last_hidden_state
    assert hidden.shape[1] == 75
    assert_close(encoder.embed(**features).embeddings[0], hidden[0, :50].mean(0))


@pytest.mark.parametrize("layer", [0, 1, 2])
@torch.no_grad()
def test_layers(encoder, tiny_processor, make_audio, layer):
    features = tiny_processor.feature_extractor(make_audio(0.5), sampling_rate=RATE)
    states = encoder(features.input_features, output_hidden_states=True).hidden_states
    output = encoder.embed(**features, layer=layer, normalize=True)
    expected = torch.nn.functional.normalize(states[layer].mean(1), dim=-1)
    assert_close(output.embeddings, expected)
    assert_close(output.window_embeddings.norm(dim=-1), torch.ones(1))


@pytest.mark.parametrize("layer", [-1, 3])
def test_unknown_layer(encoder, tiny_processor, make_audio, layer):
    with pytest.raises(ValueError, match=f"layer is {layer}, but the encoder has layers 0 to 2"):
        encoder.embed(**tiny_processor.feature_extractor(make_audio(0.5), sampling_rate=RATE), layer=layer)


def test_batch_size_changes_nothing(encoder, tiny_processor, make_audio):
    features = tiny_processor.feature_extractor(
        [make_audio(seconds, seed) for seed, seconds in enumerate((0.3, 2.2, 1.1))], sampling_rate=RATE
    )
    together, alone = (encoder.embed(**features, batch_size=size) for size in (3, 1))
    assert_close(together.embeddings, alone.embeddings)


@pytest.mark.parametrize(("samples", "windows"), [(400, 1), (30 * RATE, 1), (30 * RATE + 1, 2), (300 * RATE, 10)])
def test_any_length(encoder, tiny_processor, samples, windows):
    audio = np.random.default_rng(0).standard_normal(samples).astype(np.float32)
    output = encoder.embed(**tiny_processor.feature_extractor(audio, sampling_rate=RATE))
    assert output.embeddings.shape == (1, 16) and output.embeddings.isfinite().all()
    assert output.window_starts[0] == 0 and len(output.window_starts) == windows
    torch.testing.assert_close(output.window_starts[1:], output.window_ends[:-1])
    assert 0 <= output.window_ends[-1] * RATE - samples <= 321


def assert_close(actual: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(actual, expected, atol=1e-4, rtol=0)
