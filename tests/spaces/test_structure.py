"""What is where in a recording: equal to asking about each stretch alone, and drawn as it was said."""

import re
from itertools import pairwise

import numpy as np
import pytest
import structure
import torch
from asking import Listener
from strip import draw
from structure import FURTHER, MOST_STRETCHES, WHICH_DOMAIN, Question, Stretch, describe

from modeling_uniwhisper.listening import listen


@pytest.fixture(scope="module")
def listener(tiny_checkpoint):
    return Listener(tiny_checkpoint)


@pytest.fixture(scope="module")
def hear(listener, make_audio):
    return lambda seconds: listen(listener.model, listener.processor, make_audio(seconds), progress=iter)


@pytest.mark.parametrize(("seconds", "stretches"), [(0.4, 1), (5.0, 1), (62.0, 12), (640.0, MOST_STRETCHES)])
def test_stretches_cover_the_recording(hear, seconds, stretches):
    described = describe(hear(seconds))
    assert len(described) == stretches
    assert described[0].start == 0 and described[-1].end == seconds
    assert all(one.end == other.start for one, other in pairwise(described))
    lengths = [stretch.end - stretch.start for stretch in described]
    assert max(lengths) - min(lengths) < 0.05
    for stretch in described:
        assert stretch.label in FURTHER[stretch.domain].labels
        assert 1 / 3 < stretch.domain_confidence <= 1 and 0 < stretch.label_confidence <= 1


def ask_alone(listener, audio, question):
    """Each label's share of the likelihood, from whole prompts."""
    processor = listener.processor
    content = [{"type": "audio", "audio": audio}, {"type": "text", "text": question.text}]
    likelihoods = []
    for label in question.labels:
        prompt = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
        inputs = processor(
            text=prompt + label + processor.tokenizer.eos_token, audio=audio, sampling_rate=16000, audio_token_rate=6.25
        )
        answer = len(processor.tokenizer(label + processor.tokenizer.eos_token).input_ids)
        with torch.no_grad():
            said = listener.model(**inputs).logits[0, -answer - 1 : -1].log_softmax(-1)
        likelihoods.append(float(said.gather(1, inputs["input_ids"][0, -answer:, None]).sum()))
    shares = np.exp(np.array(likelihoods) - max(likelihoods))
    return shares / shares.sum()


def test_one_stretch_is_answered_as_if_asked_alone(listener, hear, make_audio, monkeypatch):
    monkeypatch.setattr(structure, "MOST_COMPARED", 99)  # the share among all
    [stretch] = describe(hear(5.0))
    audio = make_audio(5.0)
    domains = ask_alone(listener, audio, WHICH_DOMAIN)
    assert stretch.domain_confidence == pytest.approx(domains.max(), abs=1e-4)
    assert stretch.domain == list(FURTHER)[domains.argmax()]
    question = FURTHER[stretch.domain]
    labels = ask_alone(listener, audio, question)
    assert stretch.label == question.labels[labels.argmax()]
    assert stretch.label_confidence == pytest.approx(labels.max(), abs=1e-4)


def test_each_stretch_of_a_batch_is_answered_for_itself(hear, monkeypatch):
    recording = hear(33.0)
    together = describe(recording)
    monkeypatch.setattr(structure, "STRETCHES_PER_BATCH", 1)
    for one, other in zip(together, describe(recording), strict=True):
        assert (one.domain, one.label) == (other.domain, other.label)
        assert one.domain_confidence == pytest.approx(other.domain_confidence, abs=1e-4)
        assert one.label_confidence == pytest.approx(other.label_confidence, abs=1e-4)


def test_labels_compared_in_full_are_those_that_begin_likeliest(hear, monkeypatch):
    recording = hear(5.0)
    monkeypatch.setattr(structure, "MOST_COMPARED", 1)
    monkeypatch.setitem(FURTHER, "speech", Question("?", ("aaaa", "b")))
    assert describe(recording)[0].label_confidence == 1


SURE = Stretch(0.0, 5.0, "speech", 0.98, "French", 0.93)
STRETCHES = [
    SURE,
    Stretch(5.0, 10.0, "speech", 0.9, "French", 0.6),
    Stretch(10.0, 15.0, "music", 0.8, "brass", 0.3),
    Stretch(15.0, 20.0, "sound", 0.45, "train", 0.99),
]


def test_the_strip_says_what_was_said():
    drawn = draw(STRETCHES)
    assert drawn.count("flex-grow:5.00") == 4 and "--sure:0.98" in drawn
    assert 'title="0:05.0 to 0:10.0: speech (90%), French (60%)"' in drawn
    rows = [re.sub("<.*?>", "", row) for row in re.findall("<li>.*?</li>", drawn)]
    assert rows == [
        "0:00.0 to 0:10.0: speech 90% to 98%, French 60% to 93%",
        "0:10.0 to 0:15.0: music 80%",  # the instruments are a guess
        "0:15.0 to 0:20.0: unsure 45%",
    ]
    assert re.findall('<span style="left:.*?>(.*?)</span>', drawn) == ["French", "music", "unsure"]
    assert re.findall(r'<div class="times".*?</div>', drawn)[0].count("<span>") == 5


def test_a_part_too_narrow_for_its_name_is_not_named():
    drawn = draw([SURE, Stretch(5.0, 100.0, "music", 0.8, "brass", 0.3)])
    assert '<span style="left:5.00%;width:95.00%">music</span>' in drawn and ">French</span>" not in drawn
    assert "width:100.00%" in draw([SURE])
