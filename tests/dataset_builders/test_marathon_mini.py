"""The shipped mini, from its sound files on, and longer items of a tiny open audio made of tones."""

import json
import re
import shutil
from collections import Counter
from functools import partial
from pathlib import Path

import datasets
import numpy as np
import pytest
import soundfile
from datasets import load_dataset

import dataset_builders  # noqa: F401
from dataset_builders.audiomarathon.builder import MINI
from dataset_builders.audiomarathon.construct import extend, recordings
from dataset_builders.audiomarathon.construct.choices import choices, counts
from dataset_builders.audiomarathon.construct.recordings import TooLittleAudioError
from dataset_builders.audiomarathon.construct.speech import passages
from dataset_builders.audiomarathon.items import ItemsError, read_items, write_items
from dataset_builders.audiomarathon.tasks import LETTERS, NEEDLE, TASKS, find_task
from dataset_builders.open_audio import build as building
from dataset_builders.open_audio.clips import SAMPLE_RATE, Clip
from dataset_builders.open_audio.configs import TaskConfig
from dataset_builders.open_audio.packages import PackageStore

EVERY = (*TASKS.values(), NEEDLE)
ITEMS = {task.abbreviation: read_items(MINI, task) for task in EVERY}
MADE = {"ER", "SAR"}


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    return partial(load_dataset, "audiomarathon", split="mini", cache_dir=str(cache))


@pytest.mark.parametrize("task", EVERY, ids=lambda task: task.abbreviation)
def test_a_task_loads_by_every_name(load, task):
    names = {task.name, task.abbreviation, task.abbreviation.lower()} if task is not NEEDLE else {task.name}
    for name in names:
        rows = load(name=name)
        assert len(rows) >= 3
        assert set(rows["task"]) == {task.name}
        for row in rows:
            assert row["source"] and row["license"] and row["group"]
            assert Path(row["audio"]["path"]).is_file()
            assert (row["left_out"] or "").startswith("made") == (task.abbreviation in MADE)
            if task.answer == "transcript":
                assert row["letter"] is None
            else:
                assert row["answer"] == row["choices"][LETTERS.index(row["letter"])]


def test_all_is_the_ten(load):
    assert Counter(load(name="all")["task"]) == {task.name: len(ITEMS[task.abbreviation]) for task in TASKS.values()}


def test_a_release_has_no_needle_and_the_mini_goes_on(load, tmp_path):
    (tmp_path / "SLUE").mkdir()
    assert load(name="needle", data_dir=str(tmp_path)).to_list() == load(name="needle").to_list()
    with pytest.raises(ValueError, match=r'Unknown split "test". Should be one of \[\'mini\'\]'):
        load(name="needle", split="test", data_dir=str(tmp_path))


def test_a_folder_of_items_without_the_task_matters_only_to_its_test(load, tmp_path):
    folder = tmp_path / "items"
    shutil.copytree(MINI, folder, ignore=shutil.ignore_patterns("speech_detection.jsonl"))
    for name in ("SD", "all"):
        assert len(load(name=name, data_dir=str(folder))) == len(load(name=name))
        for split, streaming in (("test", False), ("test[:2]", False), (None, False), ("test", True)):
            with pytest.raises(ItemsError, match=r"speech_detection.jsonl is missing: the folder has .*needle"):
                load(name=name, data_dir=str(folder), split=split, streaming=streaming)
    shutil.copy(MINI / "speech_detection.jsonl", folder)
    assert len(load(name="SD", data_dir=str(folder), split="test")) == len(ITEMS["SD"])


def test_a_folder_of_items_is_read_again_when_it_changes(load, tmp_path, monkeypatch):
    task = find_task("SD")
    for folder, items in (("one", ITEMS["SD"]), ("one", ITEMS["SD"][1:]), ("two", ITEMS["SD"][1:])):
        shutil.copytree(MINI / "audio", tmp_path / folder / "items/audio", dirs_exist_ok=True)
        write_items(tmp_path / folder / "items", task, items)
        monkeypatch.chdir(tmp_path / folder)
        rows = load(name="SD", split="test", data_dir="items")
        assert [row["audio"]["path"] for row in rows] == [str(tmp_path / folder / "items" / i.audio) for i in items]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answer": 5}, "field 'answer' should be a text, but is 5"),
        ({"label": 5}, "field 'label' should be a text, but is 5"),
        ({"choices": ["real", 5]}, "choices should be 2 to 5 texts that differ"),
        ({"choices": [*"abcdef"]}, "choices should be 2 to 5 texts that differ"),
        ({"choices": ["real", "real"]}, "choices should be 2 to 5 texts that differ"),
        ({"choices": ["a", "b"]}, "the answer '.*' is none of"),
        ({"choices": []}, "lacks choices, which is not how speech_detection is answered"),
        ({"duration": "long"}, "'>' not supported"),
        ({"start": 3.0, "end": None}, "evidence should be 0 <= start <= end"),
        ({"start": 3.0, "end": 2.0}, "evidence should be 0 <= start <= end"),
        ({"speaker": "me"}, "unexpected keyword argument 'speaker' .the fields are id, audio"),
        ({"audio": "gone.wav"}, "gone.wav is missing"),
    ],
)
def test_a_wrong_line_of_a_folder_of_items_is_named(tmp_path, change, message):
    shutil.copytree(MINI, tmp_path, dirs_exist_ok=True)
    file = tmp_path / "speech_detection.jsonl"
    first, second, *rest = file.read_text("utf-8").splitlines()
    file.write_text("\n".join([first, json.dumps(json.loads(second) | change), *rest]), "utf-8")
    with pytest.raises(ItemsError, match=f"speech_detection.jsonl, line 2: .*{message}"):
        read_items(tmp_path, find_task("SD"))


def test_the_sound_files_are_what_the_items_say():
    seconds = {MINI / item.audio: item.duration for items in ITEMS.values() for item in items}
    assert seconds.keys() == set(MINI.glob("audio/*")), "none is missing, none is left over"
    assert sum(file.stat().st_size for file in MINI.rglob("*")) < 15e6
    for file, duration in seconds.items():
        held = soundfile.info(file)
        assert (held.subtype, held.samplerate, held.channels) == ("OPUS", SAMPLE_RATE, 1)
        assert held.duration == pytest.approx(duration, abs=0.01)
        assert 90 <= duration <= 300
        middle, _ = soundfile.read(file, start=40 * SAMPLE_RATE, frames=20 * SAMPLE_RATE)
        assert 0.05 < np.abs(middle).max() < 1
        assert (np.abs(middle).reshape(20, -1).max(axis=1) > 1e-3).mean() > 0.8


@pytest.mark.parametrize("task", [task for task in EVERY if task.answer != "transcript"], ids=lambda task: task.name)
def test_answers_are_spread_and_no_recording_returns(task):
    items = ITEMS[task.abbreviation]
    letters = Counter(item.choices.index(item.answer) for item in items)
    assert max(letters.values()) - min(letters.values()) <= 1
    assert len(letters) == min(len(items), len(items[0].choices), 4)
    assert len({item.audio for item in items}) == len(items)


def test_evidence_is_early_in_the_middle_and_late():
    for name in ("SED", "NEEDLE"):
        thirds = {int(3 * item.start / item.duration) for item in ITEMS[name]}
        assert thirds == {0, 1, 2}
    for name in ("SED", "NEEDLE", "SD"):
        timed = [item for item in ITEMS[name] if item.answer != "real"]
        assert all(0 <= item.start < item.end <= item.duration for item in timed)
    assert all(item.start is None for item in ITEMS["SD"] if item.answer == "real")


def test_names_are_counted_right():
    transcripts = {item.group: item.answer for item in ITEMS["ASR"]}
    asked = {group: asked["names"] for group, asked in passages().items() if "names" in asked}
    assert {item.group: int(item.answer) for item in ITEMS["SER"]} == {group: len(asked[group]) for group in asked}
    for group, names in asked.items():
        rest = transcripts[group]
        for name in names:
            _, found, rest = rest.partition(name)
            assert found, f"{group}: {name} is not said, or not in this order"
        assert Counter(names) == {name: transcripts[group].count(name) for name in names}


def test_the_page_names_every_source_and_counts_right():
    page, _, sources = (MINI / "README.md").read_text("utf-8").partition("## Sources")
    named = set(re.findall(r"^\| ([^|]+?) \|", sources, re.MULTILINE)) - {"source", "---"}
    assert named == {one for items in ITEMS.values() for item in items for one in item.source.split(" + ")}
    assert page.split("\n\n")[1].startswith(f"{sum(map(len, ITEMS.values()))} items of 92 to 245 seconds")


def test_options_have_the_answer_at_each_place_in_turn():
    assert [choices("a", "abcdef", number).index("a") for number in range(5)] == [0, 1, 2, 3, 0]
    assert counts(11, 2) == ("5", "8", "11", "14")


EVENTS = dict(zip(("cow", "door", "hammer", "horse", "saw", "train"), range(1000, 7000, 1000)))
"""Kind to the hertz of its tone."""


def tone(hertz, seconds):
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE)).astype(np.float32)


SPLITS = ("test", "train", "validation")


def clip(split, label, group, hertz, seconds):
    """A clip that no other split has, as what is heard twice is left out."""
    parts = (tone(hertz, seconds + SPLITS.index(split) / 10),)
    names = {"group": group if split == "test" else f"{split}/{group}", "name": f"{split}/{group}"}
    return Clip(
        parts=parts, answer=label, split=split, source="tones", license="CC0", domain="sound", longest=300.0, **names
    )


BACKGROUNDS = (("supertux/rain", "rain"), ("lugaru/wind", "wind"), ("flare/wind", "wind"))
CLIPS = {
    "sound_event": [
        *((kind, kind, hertz, 2.0) for kind, hertz in EVENTS.items()),
        *((label, group, 100.0 + 10 * n, 8.0) for n, (group, label) in enumerate(BACKGROUNDS)),
    ],
    "asr_long": [(f"talk {n}", f"talk-{n}", 300.0 + n, 50.0) for n in range(3)],
    "long_music": [("Flare", "track", 200.0, 5.0)],
    "spoken_phrase": [("hello", "voice", 500.0, 1.5)],
}
"""What a needle, events and transcripts are made of: label, group, hertz, seconds."""


@pytest.fixture(scope="module")
def open_audio(tmp_path_factory):
    folder = tmp_path_factory.mktemp("open_audio")
    with pytest.MonkeyPatch.context() as patch:
        for name, rows in CLIPS.items():
            clips = [clip(split, *row) for split in SPLITS for row in rows]
            labels = () if name == "asr_long" else tuple(sorted({label for label, *_ in rows}))
            patch.setitem(building.CONFIGS, name, TaskConfig(lambda _, clips=clips: iter(clips), "tones", labels))
            building.build(name, PackageStore(folder), folder)
        patch.setenv("UNIWHISPER_DATA", str(folder))
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", folder / "cache")
        recordings.read.cache_clear()
        yield
    recordings.read.cache_clear()


def test_longer_items_hide_their_evidence_where_they_say(open_audio, tmp_path):
    extend(tmp_path, [1.5], ["SED", "needle"], depths=[0.7], items=1)
    files = {file: file.stat().st_mtime_ns for file in tmp_path.glob("audio/*")}
    for name in ("SED", "needle"):
        [item] = read_items(tmp_path, find_task(name))
        samples, rate = soundfile.read(tmp_path / item.audio)
        assert len(samples) / rate == item.duration == 90
        assert 0.5 < item.start / item.duration < 0.8
        hertz = EVENTS[item.answer]
        seconds = len(samples) // rate
        spectrum = np.abs(np.fft.rfft(samples[: seconds * rate].reshape(seconds, rate), axis=1))[:, hertz]
        heard = np.flatnonzero(spectrum > 0.1 * spectrum.max())
        assert heard.min() == int(item.start)
        assert heard.max() == int(item.end - 1e-6)
    lines = (tmp_path / "needle.jsonl").read_bytes()
    extend(tmp_path, [1.5], ["SED", "needle"], depths=[0.7], items=1)
    assert {file: file.stat().st_mtime_ns for file in tmp_path.glob("audio/*")} == files, "what is there stays"
    assert (tmp_path / "needle.jsonl").read_bytes() == lines
    assert len(load_dataset("audiomarathon", "needle", split="test", data_dir=str(tmp_path))) == 1


def test_a_transcript_is_that_of_all_dialogues_and_the_rest_is_warned_of(open_audio, tmp_path):
    with pytest.warns(UserWarning, match=r"speech_recognition: .* too small for 2 items of 1.5 minutes: 50 s are left"):
        extend(tmp_path, [1.5], ["ASR"])
    [item] = read_items(tmp_path, find_task("ASR"))
    assert len(item.answer.split(" talk ")) == 2
    assert item.duration == 50 + 0.5 + 50


@pytest.mark.parametrize(
    ("minutes", "task", "depth", "message"),
    [
        (61, "SED", 0.5, "an item lasts 1.5 to 60 minutes, not 61"),
        (10, "SED", 1.5, "a depth is from 0 to 1, not 1.5"),
        (10, "XYZ", 0.5, "AudioMarathon has no task 'XYZ'"),
        (10, "ASR", 0.5, "too small for 2 items of 10 minutes: 151 s are left for 600 s"),
    ],
)
def test_what_cannot_be_made_is_told_and_nothing_written(open_audio, tmp_path, minutes, task, depth, message):
    with pytest.raises((ValueError, TooLittleAudioError), match=message):
        extend(tmp_path, [minutes], ["needle", task], depths=[depth])
    assert not any(tmp_path.iterdir())
