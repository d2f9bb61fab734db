"""Clips of a task in one long recording: what goes together, what is asked, and what is heard."""

import io
from itertools import pairwise

import numpy as np
import pytest
import soundfile

from training import config
from training.collator import heard, recast
from training.long_recordings import ABOVE, GAP, LEVEL, buried, companions, joined
from training.mixture import Mixture

from .test_training import DRUMS, task

RATE = 16_000
LABELS = np.array([f"kind {number % 9}" for number in range(90)])


def test_a_recording_is_alike_or_has_one_that_is_asked_for():
    rng, seconds = np.random.default_rng(0), np.linspace(0.5, 2.0, 90)
    drawn = [companions(LABELS, seconds, 7, 20.0, rng) for _ in range(50)]
    for one in drawn:
        assert 7 not in one.places and len(set(one.places)) == len(one.places)
        assert seconds[[7, *one.places]].sum() + GAP * len(one.places) <= 20
        assert 0 <= one.before <= len(one.places)
        others = set(LABELS[one.places])
        assert one.labels == others | {"kind 7"}
        assert others == {"kind 7"} or ("kind 7" not in others and len(one.labels) < 9)
    assert 10 < sum(len(one.labels) == 1 for one in drawn) < 40


def test_two_labels_are_never_asked_apart():
    labels = np.array(["a", "b"] * 20)
    rng = np.random.default_rng(0)
    assert all(companions(labels, np.ones(40), 0, 10.0, rng).labels == {"a"} for _ in range(20))


def sound(level: float, seconds: float) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, np.full(round(seconds * RATE), level), RATE, format="WAV", subtype="FLOAT")
    return buffer.getvalue()


def test_clips_are_joined_in_order_at_one_level_with_gaps():
    waveform = joined(sound(0.5, 0.1), [sound(-0.2, 0.2), sound(0.0, 0.3)], before=1)
    places = np.cumsum([0, 0.2, GAP, 0.1, GAP, 0.3]) * RATE
    levels = [waveform[round(start) : round(end)] for start, end in pairwise(places)]
    assert len(waveform) == round(places[-1])
    for part, level in zip(levels, (-LEVEL, 0, LEVEL, 0, 0)):
        np.testing.assert_allclose(part, level, atol=1e-6)


def test_a_clip_is_buried_louder_than_what_is_around_it():
    rng = np.random.default_rng(0)
    for _ in range(20):
        mixed = buried(sound(0.5, 0.1), sound(-0.2, 0.4), rng)
        event = np.flatnonzero(mixed > -0.9 * LEVEL)
        assert len(mixed) == round(0.4 * RATE) and len(event) == round(0.1 * RATE) == np.ptp(event) + 1
        louder = 20 * np.log10((mixed[event].mean() + LEVEL) / LEVEL)
        assert ABOVE[0] <= louder <= ABOVE[1]
    assert len(buried(sound(0.5, 0.4), sound(-0.2, 0.1), rng)) == round(0.4 * RATE)


@pytest.fixture
def mixture(make_audio) -> Mixture:
    recipe = config.Mixture(
        tasks={"drum_class": 1.0, "asr_en": 1.0},
        examples=80,
        batch_seconds=12.0,
        max_seconds=1.0,
        joined=0.6,
        joined_seconds=6.0,
    )
    tasks = {"drum_class": task("drum_class", DRUMS, 40, make_audio), "asr_en": task("asr_en", [], 8, make_audio)}
    return Mixture(recipe, tasks, seed=0)


def test_the_mixture_hears_some_clips_in_long_recordings(mixture):
    rows = [mixture[index] for index in range(len(mixture))]
    long = [row for row in rows if "companions" in row]
    assert {row["task"] for row in long} == {"drum_class"} and {row["task"] for row in rows} > {"drum_class"}
    assert 0.4 < len(long) / sum(row["task"] == "drum_class" for row in rows) < 0.8
    for row in rows:
        assert len(heard(row)) == pytest.approx(row["duration"] * RATE, abs=RATE / 10)
    for batch in mixture.batches:
        assert len(batch) * max(rows[index]["duration"] for index in batch) <= 12


def test_what_is_asked_of_a_mixed_recording_names_one_that_is_heard(mixture):
    rows = map(mixture.__getitem__, mixture.companions)
    mixed = [row for row in rows if len(row["companions"].labels) > 1]
    assert len(mixed) > 3
    for row in mixed:
        asked = recast(row)
        offered = asked["instruction"].removesuffix(".").split(" Choose: ")[1].split(", ")
        assert asked["answer"] == row["label"] and set(offered) & row["companions"].labels == {row["label"]}


def test_the_mixture_buries_sounds_in_speech(make_audio):
    recipe = config.Mixture(
        tasks={"drum_class": 1.0, "asr_en": 1.0}, examples=80, batch_seconds=12.0, max_seconds=1.0, buried=0.6
    )
    tasks = {"drum_class": task("drum_class", DRUMS, 40, make_audio), "asr_en": task("asr_en", [], 8, make_audio)}
    rows = [mixture[index] for mixture in [Mixture(recipe, tasks, seed=0)] for index in range(80)]
    lying = [row for row in rows if "bed" in row]
    lines = {line["audio"]["bytes"] for line in tasks["asr_en"]}
    assert {row["task"] for row in lying} == {"drum_class"} and {row["bed"] for row in lying} <= lines
    assert 0.4 < len(lying) / sum(row["task"] == "drum_class" for row in rows) < 0.8
    for row in lying:
        assert len(heard(row)) == pytest.approx(row["duration"] * RATE, abs=RATE / 10)
        np.testing.assert_array_equal(heard(row), heard(row))


def test_streams_are_not_joined():
    with pytest.raises(config.RecipeError, match="joined is not for streams"):
        config.Mixture(tasks={"a": 1.0}, streaming=True, joined=0.5)
    with pytest.raises(config.RecipeError, match="buried is not for streams"):
        config.Mixture(tasks={"a": 1.0}, streaming=True, buried=0.5)
    with pytest.raises(config.RecipeError, match=r"joined_seconds is 60.0, more than the 30"):
        config.Mixture(tasks={"a": 1.0}, batch_seconds=30.0, joined=0.5)
