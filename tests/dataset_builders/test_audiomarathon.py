import json
import warnings
from collections import Counter

import datasets
import pytest

import dataset_builders  # noqa: F401
from dataset_builders.audiomarathon.features import FEATURES
from dataset_builders.audiomarathon.filters import NOT_DRAWN, NOT_HAPPY
from dataset_builders.audiomarathon.layouts import LAYOUTS, PublishedError
from dataset_builders.audiomarathon.published import read_published
from dataset_builders.audiomarathon.tasks import LETTERS, TASKS, find_task
from dataset_builders.audiomarathon.wording import LEADS

from . import marathon_snapshot as made

pytestmark = pytest.mark.filterwarnings("ignore:.*the card counts:UserWarning")

ROWS = {
    "ASR": (3, 3),
    "SCR": (2, 2),
    "SER": (1, 1),
    "ASC": (4, 4),
    "MC": (1, 1),
    "SED": (1, 1),
    "SD": (4, 7),
    "ER": (2, 4),
    "SAR": (6, 6),
    "SGR": (4, 6),
}
"""Rows of `test` and of `full` in the made release."""


@pytest.fixture
def snapshot(tmp_path):
    return made.write_snapshot(tmp_path / "snapshot")


@pytest.fixture
def load(snapshot, tmp_path, monkeypatch):
    """Load a config whole, as nothing was ever loaded before."""
    monkeypatch.delenv("AUDIOMARATHON", raising=False)

    def load(name, split="test", **options):
        options = {"data_dir": str(snapshot), "cache_dir": str(tmp_path / "cache")} | options
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return datasets.load_dataset("audiomarathon", name, split=split, **options)

    return load


def read(snapshot, name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return {item.id: item for item in read_published(snapshot, find_task(name))}


def edit(file, change):
    content = json.loads(file.read_text("utf-8"))
    change(content)
    made.write_json(file, content)


def test_every_task_has_a_layout_and_a_wording():
    assert LAYOUTS.keys() == TASKS.keys()
    assert {*LEADS, "speech_recognition"} == {*TASKS, "needle"}


@pytest.mark.parametrize("name", [*TASKS, *ROWS, "asr"])
def test_a_config_loads_whole_by_name_and_by_abbreviation(load, name):
    task = find_task(name)
    held = load(name, None)
    assert (len(held["test"]), len(held["full"])) == ROWS[task.abbreviation]
    assert held["full"].features == FEATURES
    for row in held["full"]:
        assert (row["task"], row["domain"]) == (task.name, task.domain)
        assert row["id"].startswith(f"{task.abbreviation}/")
        assert row["duration"] == pytest.approx(1.0 if task.answer == "transcript" else 0.5)
        assert (row["start"], row["end"]) == (None, None)
        if task.answer == "transcript":
            assert (row["letter"], row["choices"], row["question"]) == (None, None, None)
        else:
            assert row["answer"] == row["choices"][LETTERS.index(row["letter"])]
            assert row["question"] in row["instruction"]
        if task.labels:
            assert set(row["choices"]) <= set(task.labels)
    assert set(held["test"]["left_out"]) == {None}
    assert set(held["test"]["id"]) == {row["id"] for row in held["full"] if row["left_out"] is None}


def test_all_is_every_task(load):
    held = load("all", None)
    assert Counter(held["test"]["task"]) == {find_task(name).name: rows[0] for name, rows in ROWS.items()}
    assert len(held["full"]) == sum(rows[1] for rows in ROWS.values()) == len(set(held["full"]["id"]))


def test_configs_are_listed():
    names = datasets.get_dataset_config_names("audiomarathon")
    assert sorted(names) == sorted([*TASKS, *ROWS, *(name.lower() for name in ROWS), "needle", "all"])


def test_audio_is_referred_to_and_streams(load):
    row = load("MC")[0]
    assert row["audio"]["bytes"] is None
    assert row["audio"]["path"].endswith("snapshot/GTZAN/concatenated_audio/wav/hiphop_1.wav")
    assert list(load("MC", streaming=True)) == [row]


def test_loads_are_alike(load, tmp_path):
    again = load("all", "full", cache_dir=str(tmp_path / "other"))
    assert load("all", "full").to_list() == again.to_list()


def test_the_variable_names_the_folder_and_decides_the_cache(load, snapshot, tmp_path, monkeypatch):
    other = tmp_path / "other"
    made.race(other)
    edit(other / made.RACE, lambda items: items.pop())
    for folder, rows in ((snapshot, 2), (other, 1)):
        monkeypatch.setenv("AUDIOMARATHON", str(folder))
        assert len(load("SCR", data_dir=None)) == rows


def test_without_a_folder_or_a_network_one_sentence_says_what_to_give(load):
    with pytest.raises(PublishedError, match=r"'test' needs the release: give .* as data_dir or in \$AUDIOMARATHON"):
        load("SCR", data_dir=None)
    with pytest.raises(PublishedError, match=r"cannot be fetched from the Hub: .* as data_dir or in \$AUDIOMARATHON"):
        load("SCR", data_dir="hub")


def test_a_split_that_streams_is_told_of_alike(load):
    with pytest.raises(PublishedError, match="'test' needs the release"):
        load("SCR", data_dir=None, streaming=True)


def test_another_revision_is_named(load, snapshot):
    moved = snapshot.rename(snapshot.with_name("0" * 40))
    with pytest.raises(PublishedError, match=f"{'0' * 40} is another revision of the release than ef00ea0"):
        load("SCR", data_dir=str(moved))


def test_a_snapshot_without_sound_is_named(load, snapshot):
    for file in snapshot.rglob("*.wav"):
        file.unlink()
    with pytest.raises(PublishedError, match=r"race_audio holds none of the sound files .*, such as test/high/12.wav"):
        load("SCR")
    with pytest.raises(PublishedError, match="HAD/concatenated_audio holds none of the sound files of"):
        load("SD")


def test_the_hub_is_asked_for_the_folders_of_the_tasks_at_one_revision(load, snapshot, monkeypatch):
    asked = []

    def download(repo, **options):
        asked.append((repo, options))
        return str(snapshot)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    assert len(load("SAR", data_dir="hub")) == 6
    ((repo, options),) = asked
    assert repo == "Hezep/AudioMarathon"
    assert options == {
        "repo_type": "dataset",
        "revision": "ef00ea0458a57cb75b32d18ddb3b3619c4388fec",
        "allow_patterns": ["VoxCeleb/concatenated_audio/*"],
    }


def test_transcripts_of_both_kinds(snapshot):
    items = read(snapshot, "ASR")
    assert [item.answer for item in items.values()] == [
        "HE BEGAN A CONFUSED COMPLAINT",
        "GIVE NOT SO",
        "A GOLDEN FORTUNE",
        "NO SOUND",
    ]
    assert {item.group for item in items.values()} == {"61"}
    assert all("verbatim" in item.instruction for item in items.values())


def test_letters_and_label_texts_become_both(snapshot):
    assert read(snapshot, "SCR")["SCR/test/high/12#2"].answer == "two"
    assert read(snapshot, "SER").popitem()[1].answer == "52"
    assert read(snapshot, "SED").popitem()[1].choices == ("dog", "alarm or bell ringing", "cat", "running water")
    gender = read(snapshot, "SGR")["SGR/id10000/id10000_segment_0"]
    assert (gender.answer, gender.letter, gender.group) == ("female", "B", "id10000")
    assert [item.letter for item in read(snapshot, "SAR").values()] == [*"ABCDEA", "E"]


def test_ages_are_told_apart_however_they_are_written(snapshot):
    def rewrite(items):
        items[0] |= {"choice_a": "Young adult (18–30 years)", "answer_gt": "18–30"}

    edit(snapshot / made.AGES, rewrite)
    item = next(iter(read(snapshot, "SAR").values()))
    assert (item.answer, item.letter) == ("18-30", "A")
    assert "A) Young adult (18–30 years)" in item.instruction


def test_options_that_name_no_label_stay_as_published(snapshot):
    edit(snapshot / made.VESUS, lambda items: items[3].update(choice_a="Anger"))
    assert read(snapshot, "ER")["ER/2/person_2_Sad_sentences_001_2.0min"].choices == (
        "Anger", "happy", "sad", "monotone",
    )  # fmt: skip


def test_options_that_name_one_label_twice_stay_as_published(snapshot):
    edit(snapshot / made.GTZAN, lambda items: items[0].update(choice_a="Jazz", choice_c="Jazz - old"))
    assert read(snapshot, "MC").popitem()[1].choices == ("Jazz", "Hip-hop - hiphop", "Jazz - old", "Pop - pop")


def test_instructions_show_the_options_as_published(snapshot):
    assert read(snapshot, "ASC")["ASC/airport/airport_lyon"].instruction == (
        "Choose the place that these surroundings sound like.\n\nWhich is it?\n\n"
        "A: Traveling by an underground metro - metro\nB: Urban park - park\nC: Airport - airport\n"
        "D: Indoor shopping mall - shopping_mall\n\nReply with one letter only: A, B, C or D."
    )
    assert read(snapshot, "SD")["SD/real/HAD_train_real_0"].instruction.endswith(
        "A. real\nB. fake\n\nReply with one letter only: A or B."
    )


def test_metro_stations_called_metro_are_mended_and_counted(snapshot):
    with pytest.warns(
        UserWarning, match='acoustic_scene_classification: 2 items called "metro" are of a metro station'
    ):
        items = {item.audio.stem: item for item in read_published(snapshot, find_task("ASC"))}
    assert {name for name, item in items.items() if item.mended} == {"metro_station_paris", "metro_station_wien"}
    told = {name: (item.answer, item.letter) for name, item in items.items()}
    assert told == {
        "airport_lyon": ("airport", "C"),
        "metro_paris": ("metro", "A"),
        "metro_station_paris": ("metro station", "A"),
        "metro_station_wien": ("metro station", "D"),
    }
    assert items["metro_station_paris"].choices == ("metro station", "park", "airport", "shopping mall")
    assert "A: Metro station - metro_station" in items["metro_station_paris"].instruction
    assert items["metro_station_wien"].choices == ("metro", "park", "airport", "metro station")


@pytest.mark.parametrize(
    ("name", "items", "missing"),
    [
        ("SAR", 7, "VoxCeleb/concatenated_audio/id10009/id10009_segment_0.wav"),
        ("ASR", 4, "librispeech-long/test-clean/61/70968/61-70968-0003.flac"),
    ],
)
def test_missing_audio_is_named_and_counted(snapshot, name, items, missing):
    with pytest.warns(UserWarning, match=f"the audio of 1 of {items} items is missing: {missing}$"):
        held = read_published(snapshot, find_task(name))
    assert [item.left_out for item in held if item.duration is None] == ["audio missing from the release"]


def test_fewer_items_than_the_card_counts_are_told(snapshot):
    with pytest.warns(UserWarning, match="music_classification: the snapshot has 1 items, but the card counts 120"):
        read_published(snapshot, find_task("MC"))


@pytest.mark.parametrize(("name", "smaller"), [("SD", "real"), ("SGR", "female")])
def test_classes_are_balanced_by_dropping_of_the_larger(load, name, smaller):
    assert set(Counter(load(name)["answer"]).values()) == {2}
    dropped = load(name, "full").filter(lambda row: row["left_out"])
    assert set(dropped["left_out"]) == {NOT_DRAWN}
    assert smaller not in dropped["answer"]


def test_missing_audio_is_not_drawn(snapshot):
    (snapshot / "VoxCeleb/concatenated_audio/wav/id10000/id10000_segment_0.wav").unlink()
    held = Counter(item.answer for item in read(snapshot, "SGR").values() if item.left_out is None)
    assert held == {"female": 1, "male": 1}


def test_happy_of_two_persons_is_left_out(load):
    assert {row["id"].split("/")[-1][:14]: row["left_out"] for row in load("ER", "full")} == {
        "person_2_Happy": NOT_HAPPY,
        "person_10_Happ": NOT_HAPPY,
        "person_3_Happy": None,
        "person_2_Sad_s": None,
    }


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        (made.RACE, lambda items: items[1].pop("answer"), r"race_benchmark.json, item 1: field 'answer' .* is None"),
        (made.RACE, lambda items: items[0].update(options=["one"]), "field 'options' should begin two to five options"),
        (made.RACE, lambda items: items[0].update(options=["one", None]), r"options from 'options': field 'B'"),
        (made.SLUE, lambda items: items[0].pop("choice_b"), "merged_audio_data.json, item 0: field 'choice_a' should"),
        (made.SLUE, lambda items: items[0].update(path=[]), r"field 'path' should be a text but is \[\]"),
        (made.SLUE, lambda items: items[0].update(answer_gt="53"), "the answer '53' is none of"),
        (made.DESED, lambda tasks: tasks.pop("tasks"), "task.json should hold a list in field 'tasks'"),
        (made.DESED, lambda tasks: tasks["tasks"].append("x"), "item 1: field 'path' should be a text"),
        (made.VESUS, lambda items: items[0].pop("emotion_label"), "item 0: field 'emotion_label'"),
        (made.GENDERS, lambda items: items[0].update(choice_b="Other"), "options should be male, female, but are"),
    ],
)
def test_a_wrong_field_is_named_with_its_file(load, snapshot, file, change, message):
    edit(snapshot / file, change)
    name = {made.RACE: "SCR", made.SLUE: "SER", made.DESED: "SED", made.VESUS: "ER", made.GENDERS: "SGR"}[file]
    with pytest.raises(PublishedError, match=message):
        load(name)


@pytest.mark.parametrize(
    ("name", "path", "content", "message"),
    [
        ("SER", made.SLUE, b"{", "merged_audio_data.json is not JSON"),
        ("SER", made.SLUE, b"{}", "merged_audio_data.json should hold a list"),
        ("SER", made.SLUE, None, "merged_audio_data.json is missing"),
        ("SD", "HAD/concatenated_audio/real/HAD_train_real_0.wav", b"noise", "HAD_train_real_0.wav cannot be read"),
        ("ASR", "librispeech-long/test-clean/61/70968/61-70968-0000.txt", None, "0000.flac has no transcript"),
        ("ASR", "librispeech-long/test-clean/61/70968/61-70968-0000.txt", b" ", "0000.flac has no transcript"),
    ],
)
def test_a_wrong_file_is_named(load, snapshot, name, path, content, message):
    if content is None:
        (snapshot / path).unlink()
    else:
        (snapshot / path).write_bytes(content)
    with pytest.raises(PublishedError, match=message):
        load(name)


def test_sound_without_a_sample_is_named(load, snapshot):
    made.sound(snapshot / "GTZAN/concatenated_audio/wav/hiphop_1.wav", seconds=0)
    with pytest.raises(PublishedError, match="it holds no sample"):
        load("MC")


@pytest.mark.parametrize(
    ("name", "folder"), [("MC", "GTZAN/concatenated_audio"), ("SD", "HAD/concatenated_audio/fake")]
)
def test_a_missing_folder_is_named(load, snapshot, name, folder):
    (snapshot / folder).rename(snapshot / "elsewhere")
    with pytest.raises(PublishedError, match=f"{folder} is missing from the snapshot"):
        load(name)
