"""generate: the audio is heard, whatever the decoding, the batch and the cache."""

import pytest
import torch

QUESTIONS = ["What is heard?", "Is there speech?"]


@pytest.fixture
def batch(ask, make_audio):
    return ask([make_audio(0.6), make_audio(2.3, seed=3)], QUESTIONS)


def answers(model, batch, **kwargs) -> torch.Tensor:
    """New token ids `(rows, 8)`."""
    kwargs = {"max_new_tokens": 8, "min_new_tokens": 8, "do_sample": False, **kwargs}
    return model.generate(**batch, **kwargs)[:, batch["input_ids"].shape[1] :]


@torch.no_grad()
def test_greedy_is_the_argmax_of_the_whole_forward(tiny_model, batch):
    expected = []
    inputs = dict(batch)
    for _ in range(8):
        logits = tiny_model(**inputs).logits[:, -1]
        logits[:, 2] = -torch.inf  # min_new_tokens
        token = logits.argmax(-1, keepdim=True)
        inputs["input_ids"] = torch.cat([inputs["input_ids"], token], 1)
        inputs["attention_mask"] = torch.cat([inputs["attention_mask"], torch.ones_like(token)], 1)
        expected.append(token)
    assert torch.equal(answers(tiny_model, batch), torch.cat(expected, 1))


def test_answers_depend_on_the_audio(tiny_model, ask, make_audio):
    quiet, loud = (answers(tiny_model, ask([make_audio(1.0, seed)], ["?"]), output_scores=True) for seed in (0, 4))
    assert not torch.equal(quiet, loud)


@pytest.mark.parametrize("kwargs", [{}, {"num_beams": 3}, {"num_beams": 2, "num_return_sequences": 2}])
def test_cache_changes_nothing(tiny_model, batch, kwargs):
    with_cache, without = (answers(tiny_model, batch, use_cache=cache, **kwargs) for cache in (True, False))
    assert torch.equal(with_cache, without)


@pytest.mark.parametrize("kwargs", [{}, {"num_beams": 3}, {"num_beams": 3, "num_return_sequences": 3}])
def test_batch_equals_singles(tiny_model, ask, make_audio, batch, kwargs):
    singles = [
        answers(tiny_model, ask([audio], [question]), **kwargs)
        for audio, question in zip([make_audio(0.6), make_audio(2.3, seed=3)], QUESTIONS)
    ]
    assert torch.equal(answers(tiny_model, batch, **kwargs), torch.cat(singles))


def test_several_samples_of_each_row(tiny_model, batch):
    torch.manual_seed(0)
    sampled = answers(tiny_model, batch, do_sample=True, num_return_sequences=3)
    assert sampled.shape == (6, 8)


def test_rows_may_hold_several_audios_or_none(tiny_model, tiny_processor, make_audio):
    """Beams of a row get that row's audio tokens, however many those are."""
    prompts = ["<|audio|>and<|audio|>?", "no audio at all", "<|audio|>?"]
    audios = [make_audio(seconds, seed) for seed, seconds in enumerate((0.5, 1.2, 0.3))]
    singles = [
        answers(tiny_model, tiny_processor(text=prompt, audio=heard or None, sampling_rate=16000), num_beams=2)
        for prompt, heard in zip(prompts, (audios[:2], [], audios[2:]))
    ]
    batch = tiny_processor(text=prompts, audio=audios, sampling_rate=16000)
    assert torch.equal(answers(tiny_model, batch, num_beams=2), torch.cat(singles))


def test_audio_is_encoded_once(tiny_model, batch, monkeypatch):
    calls = []
    encode = tiny_model.model.encoder.forward
    monkeypatch.setattr(tiny_model.model.encoder, "forward", lambda *a, **k: calls.append(1) or encode(*a, **k))
    answers(tiny_model, batch, num_beams=3)
    assert len(calls) == 1


def test_audio_embeds_instead_of_features(tiny_model, batch):
    names = ("input_features", "input_features_mask", "window_frames", "audio_token_rate")
    embeds = tiny_model.get_audio_features(**{name: batch[name] for name in names}).pooler_output
    text = {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"]}
    assert torch.equal(answers(tiny_model, {**text, "audio_embeds": embeds}), answers(tiny_model, batch))


def test_long_audio_of_many_windows(tiny_model, ask, make_audio):
    batch = ask([make_audio(65.0)], ["?"], audio_token_rate=3.125)
    assert batch["num_windows"].tolist() == [3]
    assert answers(tiny_model, batch).shape == (1, 8)
