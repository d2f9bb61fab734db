"""Real Whisper-base weights: our encoder is transformers' WhisperEncoder on 30 s."""

import pytest
import torch
from transformers import WhisperFeatureExtractor

from modeling_uniwhisper import UniWhisperEncoder, UniWhisperEncoderConfig, UniWhisperFeatureExtractor

RATE = 16_000


@pytest.fixture(scope="module")
def whisper(whisper_base):
    from training.ctranslate2 import load_whisper

    return load_whisper(whisper_base).model.encoder


@pytest.fixture(scope="module")
def encoder(whisper):
    encoder = UniWhisperEncoder(UniWhisperEncoderConfig()).eval()
    encoder.load_state_dict(whisper.state_dict())
    return encoder


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@torch.no_grad()
def test_every_layer_equals_whisper_on_a_full_window(whisper, encoder, make_audio, attention):
    """With the same attention kernel; Whisper's outlier channels amplify what kernels round differently."""
    features = WhisperFeatureExtractor()(make_audio(30.0), sampling_rate=RATE, return_tensors="pt").input_features
    for model in (whisper, encoder):
        model.set_attn_implementation(attention)
    expected = whisper(features, output_hidden_states=True)
    actual = encoder(features, torch.ones_like(features[:, 0]), output_hidden_states=True)
    assert len(actual.hidden_states) == len(expected.hidden_states) == 7
    for ours, theirs in zip(actual.hidden_states, expected.hidden_states):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)
    torch.testing.assert_close(actual.last_hidden_state, expected.last_hidden_state, atol=1e-4, rtol=0)


@torch.no_grad()
def test_batch_of_cut_windows_equals_singles(encoder, make_audio):
    extract = UniWhisperFeatureExtractor()
    audios = [make_audio(seconds, seed) for seed, seconds in enumerate((0.4, 2.3, 7.0))]
    batch = extract(audios, sampling_rate=RATE)
    together = encoder(batch.input_features, batch.input_features_mask).last_hidden_state
    for row, audio in enumerate(audios):
        alone = encoder(**{k: v for k, v in extract(audio, sampling_rate=RATE).items() if k.startswith("input")})
        frames = int(batch.window_frames[row])
        torch.testing.assert_close(together[row, :frames], alone.last_hidden_state[0], atol=1e-4, rtol=1e-4)
