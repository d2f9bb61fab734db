import re

import numpy as np
import pytest

from dataset_builders.open_audio.clips import SAMPLE_RATE, Clip, Unusable
from dataset_builders.open_audio.domains import VOICES
from dataset_builders.open_audio.packages import PackageStore
from dataset_builders.open_audio.pinned import PACKAGES
from dataset_builders.open_audio.sound import captions, recordings
from dataset_builders.open_audio.sound.captions import (
    BACKGROUND_LEVEL,
    BACKGROUNDS,
    CLAUSES,
    EVENT_LEVEL,
    mix,
    sentence,
)
from dataset_builders.open_audio.sound.events import animal, footstep_surface, sound_event
from dataset_builders.open_audio.sound.names import ANIMALS, BROADER, GROUNDS, KINDS, SOUND_EVENTS, SOURCES
from dataset_builders.open_audio.sound.recordings import WALKERS, split_packages
from dataset_builders.open_audio.splits import SPLITS

STEPS = ("dirt", "snow")
MEMBERS = {
    "qabcs": ("dog.ogg", "calf.ogg", "cow.ogg", "fire.ogg", "accordion.ogg"),
    "tuxpaint": ("animals/mammals/dogs/dog.ogg", "animals/mammals/bovines/cow.ogg"),
    "scorched3d": ("apoc/data/wav/misc/dog.wav", "apoc/data/wav/misc/dog2.wav", "apoc/data/wav/misc/moo.wav"),
    "minetest": tuple(f"default/sounds/default_{ground}_footstep.{take}.ogg" for ground in STEPS for take in (1, 2)),
    "ardentryst": ("NYX/NYX_STEP_DIRT1.ogg", "NYX/NYX_STEP_SNOW1.ogg"),
    "lugaru": ("FootStepSnow1.ogg",),
}


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A store of six packages that hold a few empty files."""
    monkeypatch.setattr(recordings, "SOURCES", {short: SOURCES[short] for short in MEMBERS})
    for short, names in MEMBERS.items():
        package, folder = SOURCES[short]
        for name in names:
            path = tmp_path / "unpacked" / f"{package}-{PACKAGES[package].sha256[:12]}" / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    return PackageStore(tmp_path)


def sound(samples: np.ndarray, kind: str = "dog") -> Clip:
    return Clip((samples.astype(np.float32),), kind, "train", f"pack/{kind}", "pack", "CC0", kind, "sound")


def tone(seconds: float, hertz: float = 440) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE)


def level(samples: np.ndarray) -> float:
    return 20 * np.log10(np.sqrt(np.mean(samples**2)))


@pytest.mark.parametrize("weights", [{"a": 1, "b": 1, "c": 1}, {"a": 3, "b": 40, "c": 20, "d": 1, "e": 2}])
def test_largest_package_trains_and_every_split_has_one(weights):
    splits = split_packages(weights, "dog")
    assert splits == split_packages(dict(reversed(weights.items())), "dog")
    assert set(splits.values()) == set(SPLITS)
    assert splits[max(splits, key=weights.__getitem__)] == "train"


def test_a_recording_has_one_split_in_all_tasks(store):
    seen: dict[tuple[str, str], set[str]] = {}
    for task in (sound_event, animal, footstep_surface):
        for clip in task(store):
            seen.setdefault((clip.source, clip.name), set()).add(clip.split)
    assert len(seen) == sum(map(len, MEMBERS.values())) - 1  # without the accordion
    assert all(len(splits) == 1 for splits in seen.values())


def test_a_package_is_in_one_split_of_a_kind(store):
    splits: dict[tuple[str, str], set[str]] = {}
    for clip in animal(store):
        splits.setdefault((clip.answer, clip.source), set()).add(clip.split)
    assert all(len(found) == 1 for found in splits.values())
    for answer in ("dog", "cow"):
        assert {split for (a, _), found in splits.items() if a == answer for split in found} == set(SPLITS)


def test_training_and_test_footsteps_are_of_different_games(store):
    steps = list(footstep_surface(store))
    assert {(clip.source, clip.split) for clip in steps if clip.answer == "snow"} == {
        ("ardentryst", "train"),
        ("lugaru-data", "validation"),
        ("minetest-data", "test"),
    }
    dirt = sorted((clip.split, clip.name) for clip in steps if clip.answer == "dirt")
    assert [split for split, _ in dirt] == ["test", "train", "validation"]
    assert {clip.answer for clip in sound_event(store) if clip.answer in (*GROUNDS, "footsteps")} == {"footsteps"}


def test_tables_agree():
    shorts = {short for patterns in KINDS.values() for short in patterns}
    assert shorts == SOURCES.keys()
    assert {package for package, _ in SOURCES.values()} <= PACKAGES.keys()
    assert {short for patterns in GROUNDS.values() for short in patterns} <= WALKERS.keys()
    for kind, patterns in KINDS.items():
        assert len(patterns) >= (2 if kind in GROUNDS else 3), kind
        assert all(re.compile(pattern) for pattern in patterns.values())
    assert BROADER.keys() <= KINDS.keys() and not set(BROADER) - set(ANIMALS) - set(GROUNDS)
    assert set(VOICES) <= set(SOUND_EVENTS)
    assert CLAUSES.keys() | BACKGROUNDS.keys() == KINDS.keys() and not CLAUSES.keys() & BACKGROUNDS.keys()


@pytest.mark.parametrize(
    ("kinds", "background", "text"),
    [
        (["dog", "glass breaking"], "rain", "A dog barks, then glass breaks, while it rains."),
        (["cat"], "wind", "A cat meows while the wind blows."),
        (["cow", "owl", "laughter"], None, "A cow moos, then an owl hoots, then someone laughs."),
    ],
)
def test_sentence(kinds, background, text):
    assert sentence(kinds, background) == text


def test_mix_keeps_order_and_levels():
    silence = np.zeros(SAMPLE_RATE)
    first, second = sound(np.concatenate([silence, tone(1), silence]), "dog"), sound(tone(9, 1000), "cat")
    mixed = mix([first, second], None, "seed")
    assert mixed.dtype == np.float32
    assert level(mixed[:SAMPLE_RATE]) == pytest.approx(EVENT_LEVEL, abs=0.1)
    first_second, third_second = mixed[:SAMPLE_RATE], mixed[2 * SAMPLE_RATE : 3 * SAMPLE_RATE]
    pitch = [np.abs(np.fft.rfft(part)).argmax() for part in (first_second, third_second)]
    assert pitch == [440, 1000]
    assert 4.8 < len(mixed) / SAMPLE_RATE < 6.2  # 1 s, 3.5 s and two pauses
    over = mix([first], sound(tone(0.5, 3000), "rain"), "seed")
    assert len(over) == 4 * SAMPLE_RATE
    assert level(over[-SAMPLE_RATE:]) == pytest.approx(BACKGROUND_LEVEL, abs=0.1)


def test_mix_refuses_silence():
    with pytest.raises(Unusable, match="silent"):
        mix([sound(np.zeros(SAMPLE_RATE))], None, "seed")


def test_captions_stay_in_their_split(store, monkeypatch):
    monkeypatch.setattr(captions, "CAPTIONS", dict.fromkeys(SPLITS, 20))
    split_of = {clip.group: clip.split for clip in recordings.recordings(store)}
    made = list(captions.sound_caption(store))
    assert [clip.answer for clip in made] == [clip.answer for clip in captions.sound_caption(store)]
    assert {clip.split for clip in made} == set(SPLITS)
    for clip in made:
        assert {split_of[group] for group in clip.group.split(" + ")} == {clip.split}
        assert all(package in PACKAGES for package in clip.source.split(" + "))
