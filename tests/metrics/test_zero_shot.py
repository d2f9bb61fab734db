"""Likelihood of labels as answers, against reading each answer whole."""

import io

import numpy as np
import pytest
import soundfile
import torch
from datasets import Dataset

from metrics.probe.zero_shot import ZeroShot

LABELS = ["rain", "a very long answer indeed", "dog"]


@pytest.fixture(scope="module")
def asked(tiny_checkpoint):
    return ZeroShot(tiny_checkpoint, dtype="float32")


@torch.inference_mode()
def test_answers_read_together_are_as_likely_as_one_by_one(asked, make_audio):
    audio, tokenizer = make_audio(1.3, 0), asked.processor.tokenizer
    content = [{"type": "audio", "audio": audio}, {"type": "text", "text": "What makes this sound?"}]
    inputs = asked.processor.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=True, return_dict=True
    )
    answers = [torch.tensor(tokenizer(label + tokenizer.eos_token).input_ids) for label in LABELS]
    found = asked.likelihoods(audio, "What makes this sound?", answers)
    for likelihood, answer in zip(found, answers):
        whole = torch.cat([inputs["input_ids"], answer[None]], 1)
        given = {**inputs, "input_ids": whole, "attention_mask": torch.ones_like(whole)}
        logits = asked.model(**given).logits[0, -len(answer) - 1 : -1].log_softmax(-1)
        assert likelihood == pytest.approx(float(logits.gather(1, answer[:, None]).sum()), abs=1e-3)


def test_each_clip_is_asked_in_its_place(asked, make_audio):
    sounds = []
    for seed in range(2):
        buffer = io.BytesIO()
        soundfile.write(buffer, make_audio(0.7 + seed, seed), 16_000, format="FLAC")
        sounds.append({"audio": {"bytes": buffer.getvalue(), "path": f"{seed}.flac"}})
    outputs = asked.outputs(Dataset.from_list(sounds), "sound_event", LABELS)
    assert outputs.shape == (2, 3) and (outputs < 0).all()
    swapped = asked.outputs(Dataset.from_list(sounds[::-1]), "sound_event", LABELS)
    np.testing.assert_allclose(swapped, outputs[::-1], atol=1e-4)
    with pytest.raises(ValueError, match="nothing_known"):
        asked.outputs(Dataset.from_list(sounds), "nothing_known", LABELS)
