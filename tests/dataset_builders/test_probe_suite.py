import io
import json
import random
import tarfile
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import datasets
import numpy as np
import pytest
import soundfile
import yaml

from dataset_builders.loading import decode
from dataset_builders.open_audio.clips import SAMPLE_RATE
from dataset_builders.open_audio.configs import CONFIGS as OPEN_AUDIO
from dataset_builders.open_audio.music.harmony import PITCHES
from dataset_builders.open_audio.music.render import Passage
from dataset_builders.open_audio.packages import PackageStore
from dataset_builders.open_audio.sound.names import SOUND_EVENTS
from dataset_builders.open_audio.speech.sources import Line
from dataset_builders.open_audio.splits import SPLITS
from dataset_builders.probe_suite import notes, sound_mix, spoken_words
from dataset_builders.probe_suite.build import build
from dataset_builders.probe_suite.configs import CONFIGS
from dataset_builders.probe_suite.registry import DOMAINS, METRICS, TASKS, chance, load_probe, load_splits, weight
from dataset_builders.probe_suite.xares import XARES, XaresError, read_tar

from .conftest import clip, tone

RECIPES = Path(__file__).parents[2] / "training/recipes"


@pytest.fixture(autouse=True)
def caches(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets")
    monkeypatch.setenv("UNIWHISPER_DATA", str(tmp_path))
    monkeypatch.setenv("UNIWHISPER_XARES", str(tmp_path / "xares"))


def wav(samples: np.ndarray, rate: int = SAMPLE_RATE, form: str = "WAV") -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=form)
    return buffer.getvalue()


def test_twenty_tasks_or_more_of_all_domains_and_kinds():
    assert len(TASKS) >= 20
    assert {task.domain for task in TASKS.values()} == set(DOMAINS)
    assert {task.kind for task in TASKS.values()} == set(METRICS)
    assert all(task.metric == METRICS[task.kind] for task in TASKS.values())
    assert len({task.why for task in TASKS.values()}) == len(TASKS)


def test_every_config_exists_and_has_labels_where_they_are_asked_for():
    for task in TASKS.values():
        config = {"open_audio": OPEN_AUDIO, "probe_suite": CONFIGS}[task.dataset][task.config]
        assert task.dataset == "probe_suite" or bool(config.labels) == (task.kind == "clip"), task.name


def test_unseen_is_what_no_recipe_trains_on():
    recipes = [yaml.safe_load(path.read_text("utf-8")) for path in RECIPES.glob("*.yaml")]
    mixtures = [recipe["mixture"] for recipe in recipes if "dataset" not in recipe["mixture"]]  # of open_audio
    trained = set().union(*(mixture["tasks"] for mixture in mixtures))
    of_open_audio = [task for task in TASKS.values() if task.dataset == "open_audio"]
    assert len(trained) > 10
    assert {task.name for task in of_open_audio if task.unseen} == {
        task.name for task in of_open_audio if task.config not in trained
    }, "unseen=True in the registry is for what no recipe names"
    assert sum(task.unseen for task in TASKS.values()) >= 6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"domain": "smell"}, "domain 'smell' is not one of speech, sound, music"),
        ({"kind": "guess"}, "kind 'guess' is not one of clip"),
        ({"metric": "map"}, "map does not measure kind 'clip'"),
        ({"segment": 0.5}, "only frame tasks have one"),
    ],
)
def test_impossible_tasks_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(TASKS["animal"], **changes)


def test_unknown_split_is_named():
    with pytest.raises(ValueError, match="animal has no split 'dev', only train, validation, test"):
        load_probe(TASKS["animal"], "dev")


def test_weight_is_the_size_up_to_a_limit_unless_a_benchmark_sets_it():
    assert [weight(TASKS["animal"], n) for n in (53, 2001)] == [53, 2000]
    assert weight(XARES["librispeech"], 2620) == 10_000


def test_captions_that_two_clips_share_are_left_out(monkeypatch):
    rows = {"answer": ["A dog.", "A cat.", "A dog.", "A cow."], "label": [None] * 4}
    shared = {"audio": [{"bytes": b"", "path": str(n)} for n in range(4)], "duration": [1.0] * 4, "group": [""] * 4}
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: datasets.Dataset.from_dict(rows | shared))
    held = load_probe(TASKS["caption_retrieval"], "test")
    assert [(row["key"], row["text"], row["audio"]["path"]) for row in held] == [
        ("A cat.", "A cat.", "1"),
        ("A cow.", "A cow.", "3"),
    ]
    assert chance(TASKS["caption_retrieval"], held) == 0.5


def test_chance():
    labels = datasets.Dataset.from_dict({"label": ["cow", "cow", "cow", "cat"]})
    assert chance(TASKS["animal"], labels) == 0.75
    several = datasets.Dataset.from_dict({"labels": [["cow", "cat"], ["cow"]]})
    assert chance(TASKS["sound_mix"], several) == 0.75
    assert chance(TASKS["asr_ctc"], labels) is None


HERTZ = {"cow": 500, "saw": 1500, "bird": 3000, "fire": 5000}


@pytest.fixture
def mixes(monkeypatch):
    """Few mixes of fake recordings: in each split and class a tone of the class's own pitch; and some wind."""
    noise = np.random.default_rng(0).normal(0, 0.1, SAMPLE_RATE)
    held = [
        clip(0, parts=(tone(hertz, 1.3),), answer=label, split=split, group=f"{split}/{label}", domain="sound")
        for split in SPLITS
        for label, hertz in HERTZ.items()
    ]
    held += [clip(0, parts=(noise,), answer="wind", split=split, group=f"{split}/wind") for split in SPLITS]
    held.append(clip(0, parts=(np.zeros(SAMPLE_RATE),), answer="cow", split="train", group="silence"))
    monkeypatch.setattr(sound_mix, "recordings", lambda store: held)
    monkeypatch.setattr(sound_mix, "MIXES", dict.fromkeys(SPLITS, 6))


def loudness(samples: np.ndarray, hertz: float, start: float, end: float) -> float:
    part = samples[int(start * SAMPLE_RATE) : int(end * SAMPLE_RATE)]
    return abs(np.exp(2j * np.pi * hertz * np.arange(len(part)) / SAMPLE_RATE) @ part) / len(part)


def test_classes_are_those_of_sound_event():
    assert set(sound_mix.CLASSES) <= set(SOUND_EVENTS)
    assert len(sound_mix.CLASSES) >= 15
    assert not set(sound_mix.CLASSES) & set(sound_mix.BACKGROUNDS)


def test_each_event_is_heard_when_it_is_said_to_be_and_only_then(mixes):
    for mixed in sound_mix.sound_mix(None):
        samples = mixed.parts[0]()
        seconds = len(samples) / SAMPLE_RATE
        assert 5 <= seconds <= 10
        assert 2 <= len(mixed.events) == len({event.label for event in mixed.events}) <= 4
        assert np.abs(samples).max() <= 1
        for event in mixed.events:
            assert 0 <= event.start < event.end <= seconds
            hertz, edge = HERTZ[event.label], 0.05
            within = [(event.start, event.start + edge), (event.end - edge, event.end)]
            outside = [(event.start - edge, event.start), (event.end, event.end + edge)]
            heard = min(loudness(samples, hertz, *times) for times in within)
            assert all(
                heard > 10 * loudness(samples, hertz, *times)
                for times in outside
                if times[0] >= 0 and times[1] <= seconds
            )


def test_a_mix_owes_to_recordings_of_its_own_split_only(mixes):
    groups = [group for mixed in sound_mix.sound_mix(None) for group in mixed.group.split(" + ")]
    assert "train/wind" in groups and "silence" not in groups
    for mixed in sound_mix.sound_mix(None):
        assert {group.split("/")[0] for group in mixed.group.split(" + ")} == {mixed.split}


def test_rows_of_both_tasks_come_from_one_build(mixes, tmp_path):
    build("sound_mix", PackageStore(tmp_path), tmp_path / "probe_suite")
    labelled, timed = (load_probe(TASKS[name], "test") for name in ("sound_mix", "sound_detection"))
    assert labelled.column_names == ["audio", "duration", "group", "labels"]
    for one, other in zip(labelled, timed, strict=True):
        assert one["labels"] == sorted(event["label"] for event in other["events"])
        assert one["duration"] == pytest.approx(len(decode(one["audio"]["bytes"])) / SAMPLE_RATE)
        assert max(event["end"] for event in other["events"]) <= one["duration"] + 1e-4


def test_building_twice_gives_the_same_bytes(mixes, tmp_path):
    first, second = (build("sound_mix", PackageStore(tmp_path), tmp_path / out) for out in ("one", "two"))
    assert first["files"] == second["files"] and len(first["files"]) == 3
    assert first["splits"]["train"]["clips"] == 6


def test_a_key_is_never_struck_while_it_sounds():
    voices = Counter()
    for seed in range(50):
        played = notes.polyphony(random.Random(seed))
        voices[len({note.key // 12 for note in played})] += 1
        for octave in notes.OCTAVES:
            voice = [note for note in played if octave <= note.key < octave + 12]
            assert all(one.start + one.seconds < other.start for one, other in pairwise(voice))
    assert set(voices) == {1, 2, 3}


def test_events_are_the_notes_and_lie_within_the_passage():
    for seed in range(20):
        passage = Passage(0, notes.polyphony(random.Random(seed)))
        events = notes.events(passage)
        assert [event.start for event in events] == sorted(note.start for note in passage.notes)
        assert Counter(event.label for event in events) == Counter(PITCHES[n.key % 12] for n in passage.notes)
        assert all(0 <= event.start < event.end < passage.seconds for event in events)


def test_each_split_hears_its_own_programs_and_all_pitch_classes(monkeypatch):
    monkeypatch.setattr(notes, "soundfonts", lambda store, split: [("fluid-soundfont-gm", split)])
    monkeypatch.setattr(notes, "render", lambda font, passages: [np.ones(9)] * len(passages))
    heard, programs = {split: set() for split in SPLITS}, {split: set() for split in SPLITS}
    for played in notes.notes(None):
        heard[played.split] |= {event.label for event in played.events}
        programs[played.split].add(played.group)
    assert all(labels == set(PITCHES) for labels in heard.values())
    assert sum(map(len, programs.values())) == len(set().union(*programs.values()))


WORDS = {
    "a frog": {"fr": "Une grenouille.", "es": "Una rana.", "ro": "O broască."},
    "a parrot": {"fr": "Un perroquet.", "es": "Un loro."},
    "a macaw": {"fr": "Un ara.", "es": "un loro", "ca": "Un guacamai."},
    "a wren": {"ru": "Крапивник", "es": "Un reyezuelo."},
    "a pear": {"es": "Una pera.", "ca": "Una pera."},
}


@pytest.fixture
def words(monkeypatch):
    """Named stamps, all in training: two share a Spanish name, one is named on one side only, one inaudibly."""
    numbers = iter(range(100))
    lines = [
        Line(
            wav(tone(300 + 40 * next(numbers), 0.1 if text == "Крапивник" else 0.5)), text, language, language, stamp,
            "tuxpaint-stamps-default", f"{stamp}-{language}",
        )
        for stamp, named in WORDS.items()
        for language, text in named.items()
    ]  # fmt: skip
    monkeypatch.setattr(spoken_words, "stamp_lines", lambda store: iter(lines))
    monkeypatch.setattr(spoken_words, "split_lines", lambda lines: [(line, "train") for line in lines])


def test_every_key_is_once_on_either_side_in_another_language(words):
    made = list(spoken_words.spoken_word_retrieval(None))
    assert [(spoken.key, spoken.side) for spoken in made] == [
        (stamp, side) for stamp in ("a frog", "a macaw") for side in "ab"
    ]  # of parrot and wren nothing is left on one side
    for spoken in made:
        assert spoken.language in spoken_words.SIDES[spoken.side]
        assert spoken.answer == WORDS[spoken.key][spoken.language]
        assert spoken.group == spoken.key


def test_a_name_that_two_stamps_share_is_no_answer(words):
    assert "un loro" not in {spoken.answer.lower() for spoken in spoken_words.spoken_word_retrieval(None)}


def test_sides_share_no_language():
    assert not set(spoken_words.SIDES["a"]) & set(spoken_words.SIDES["b"])


def test_rows_pair_up(words, monkeypatch, tmp_path):
    splits = dict(zip(("a frog", "a macaw", "a pear"), SPLITS))
    lines = list(spoken_words.stamp_lines(None))
    lines.append(replace(lines[-1], audio=wav(tone(99)), text="Une poire.", language="fr", name="pear-fr"))
    monkeypatch.setattr(
        spoken_words, "split_lines", lambda _: [(line, splits.get(line.group, "train")) for line in lines]
    )
    manifest = build("spoken_word_retrieval", PackageStore(tmp_path), tmp_path / "probe_suite")
    assert manifest["dropped"] == {}
    rows = load_probe(TASKS["spoken_word_retrieval"], "test")
    assert rows.column_names == ["audio", "duration", "group", "key", "side"]
    assert sorted(zip(rows["key"], rows["side"])) == [("a pear", "a"), ("a pear", "b")]
    assert chance(TASKS["spoken_word_retrieval"], rows) == 1.0


def write_tar(name: str, members: dict[str, bytes | dict | list], tmp_path: Path) -> Path:
    """Write what `xares.run` would have fetched; what is not bytes becomes JSON."""
    path = tmp_path / "xares" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for member, data in members.items():
            data = data if isinstance(data, bytes) else json.dumps(data).encode()
            info = tarfile.TarInfo(member)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def test_22_public_tasks_with_the_weights_that_it_sums():
    assert len(XARES) == 22
    assert sum(task.eval_weight for task in XARES.values()) == 38_752
    assert sum(task.eval_weight for task in XARES.values() if task.kind == "clip" and task.knn) == 22_889
    assert sum("fold" in split for task in XARES.values() for split in task.splits) == 37
    assert {name for name, task in XARES.items() if task.splits == ("train", "test")} == {
        "desed", "fsdkaggle2018", "voxlingua33",
    }  # fmt: skip


def test_clips_of_all_tars_of_a_fold_in_order(tmp_path):
    write_tar(
        "esc50/wds-audio-fold-1-0000001.tar",
        {"1-c_A.wav": wav(tone(1), 44_100), "1-c_A.json": {"label": 7}},
        tmp_path,
    )
    write_tar(
        "esc50/wds-audio-fold-1-0000000.tar",
        {
            "./1-a.flac": wav(tone(1, 0.25), form="FLAC"),
            "./1-a.json": {"label": 3},
            "./._1-a.json": b"left by a file system",
            "./1-b.json": {"label": 3},
            "./1-b.wav": wav(tone(2)),
        },
        tmp_path,
    )
    rows = load_probe(XARES["esc50"], "fold1")
    assert rows.column_names == ["audio", "duration", "group", "label"]
    assert rows["label"] == ["3", "3", "7"]
    assert [row["audio"]["path"] for row in rows] == ["./1-a.flac", "./1-b.wav", "1-c_A.wav"]
    assert rows["duration"] == pytest.approx([0.25, 0.5, 8000 / 44_100])
    assert len(decode(rows[0]["audio"]["bytes"])) == SAMPLE_RATE // 4


def test_folds_and_missing_validation_become_three_parts(tmp_path):
    for number in range(1, 6):
        clip = {f"{number}.wav": wav(tone(1)), f"{number}.json": {"label": number}}
        write_tar(f"esc50/wds-audio-fold-{number}-0.tar", clip, tmp_path)
    parts = load_splits(XARES["esc50"])
    assert {split: rows["label"] for split, rows in parts.items()} == {
        "train": ["1", "2", "3"],
        "validation": ["4"],
        "test": ["5"],
    }
    for start, count in (("fsd18_train", 20), ("fsd18_test", 3)):
        clips = {}
        for number in range(count):
            clips |= {f"{start}-{number}.wav": wav(tone(1)), f"{start}-{number}.json": {"sound": "Bark"}}
        write_tar(f"fsdkaggle2018/{start}-0.tar", clips, tmp_path)
    parts = load_splits(XARES["fsdkaggle2018"])
    assert {split: len(rows) for split, rows in parts.items()} == {"train": 18, "validation": 2, "test": 3}
    assert not set(parts["train"]["group"]) & set(parts["validation"]["group"])


@pytest.mark.parametrize(
    ("task", "tar", "told", "answer"),
    [
        ("fsd50k", "fsd50k_eval_0.tar", {"soundevent": "Bark;Dog"}, {"labels": ["Bark", "Dog"]}),
        ("librispeech", "test-clean-0.tar", {"trans": "SO IT IS", "gender": "F"}, {"text": "SO IT IS"}),
        ("librispeechmalefemale", "test-clean-0.tar", {"trans": "SO", "gender": "F"}, {"label": "F"}),
        ("clotho", "clotho_validation0.tar", {"c1": "Rain.", "c2": "It rains."}, {"key": "k", "text": "Rain."}),
        (
            "desed",
            "wds-audio-eval-0.tar",
            [{"onset": 0.5, "offset": 1, "label": "Cat,Dog"}],
            {"events": [{"label": name, "start": 0.5, "end": 1.0} for name in ("Cat", "Dog")]},
        ),
        (
            "maestro",
            "maestro_test_0.tar",
            [{"note": 60, "start": 0.25, "end": 1}],
            {"events": [{"label": "60", "start": 0.25, "end": 1.0}]},
        ),
    ],
)
def test_answers_of_each_kind(tmp_path, task, tar, told, answer):
    write_tar(f"{task}/{tar}", {"k.wav": wav(tone(1)), "k.json": told}, tmp_path)
    (row,) = load_probe(XARES[task], "test")
    assert {name: value for name, value in row.items() if name not in ("audio", "duration", "group")} == answer
    assert row["group"] == "k"


def test_other_tars_give_other_rows(tmp_path):
    for label in ("jazz", "blues and"):
        write_tar("gtzan_genre/gtzan_fold_0_0000000.tar", {"k.wav": wav(tone(1)), "k.json": {"genre": label}}, tmp_path)
        assert load_probe(XARES["gtzan_genre"], "fold0")["label"] == [label]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"a.wav": wav(tone(1))}, r"test-0\.tar has no a\.json"),
        ({"a.json": {"label": "A"}}, r"test-0\.tar has no sound file of a; known: flac, mp3, wav, ogg"),
        ({"a.wav": wav(tone(1)), "a.json": {"emotion": "A"}}, r"a\.json has no 'label' but {\"emotion\": \"A\"}"),
        ({"a.wav": b"no sound", "a.json": {"label": "A"}}, r"a\.wav cannot be decoded"),
    ],
)
def test_what_is_wrong_with_a_tar_is_named(tmp_path, members, message):
    write_tar("cremad/wds-audio-test-0.tar", members, tmp_path)
    with pytest.raises(XaresError, match=message):
        load_probe(XARES["cremad"], "test")


def test_missing_folder_tar_and_split_are_named(tmp_path):
    with pytest.raises(XaresError, match=r"xares/cremad is missing"):
        load_probe(XARES["cremad"], "test")
    (tmp_path / "xares/cremad").mkdir(parents=True)
    with pytest.raises(XaresError, match=r"cremad holds no wds-audio-test\*\.tar, the test split"):
        load_probe(XARES["cremad"], "test")
    with pytest.raises(ValueError, match="desed has no split 'validation', only train, test"):
        load_probe(XARES["desed"], "validation")


def test_tar_that_breaks_off_is_refused(tmp_path):
    path = write_tar("cremad/x.tar", {"a.wav": wav(tone(1)), "a.json": {"label": "A"}}, tmp_path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(XaresError, match=r"x\.tar is not a whole tar"):
        list(read_tar(path))
