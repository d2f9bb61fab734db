"""Tiny corpora, each laid out as its own authors publish it, and the ten tasks made of them."""

import json
import shutil
from collections import Counter, defaultdict
from pathlib import Path

import datasets
import numpy as np
import pytest
import soundfile

import dataset_builders  # noqa: F401
from dataset_builders.audiomarathon.rebuild import CONSTRUCTORS, Limits, SourceError, rebuild
from dataset_builders.audiomarathon.rebuild.drafts import Draft, Recording, draw_choices, pack
from dataset_builders.audiomarathon.tasks import AGES, EMOTIONS, EVENTS, GENRES, SCENES, TASKS

LIMITS = Limits(2, 3)


def sound(path: Path, seconds: float = 1.0, rate: int = 16_000) -> None:
    """Write noise that no other path has."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(list(path.name.encode())).uniform(-0.1, 0.1, int(seconds * rate))
    form = {"format": "OGG", "subtype": "VORBIS"} if path.suffix == ".ogg" else {}
    soundfile.write(path, noise, rate, **form)


def write_table(file: Path, rows: list[tuple], delimiter: str = "\t") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(delimiter.join(map(str, row)) + "\n" for row in rows), "utf-8")


def librispeech(root: Path) -> None:
    chapter = root / "test-clean/61/70968"
    for number, seconds in enumerate((2.5, 1.0, 2.0)):
        sound(chapter / f"61-70968-000{number}.flac", seconds)
        (chapter / f"61-70968-000{number}.txt").write_text(f"SPOKEN {number}\n", "utf-8")


def race(root: Path) -> None:
    for level, name in (("high", "high1"), ("high", "high2"), ("middle", "middle7")):
        article = {
            "id": f"{name}.txt",
            "article": "Tom walked home. It was late, and nobody was there.",
            "questions": ["Who walked?", "When?"],
            "options": [["Tom", "Ann", "Bob", "Eve"], ["Noon", "Late", "Noon", "Dawn"]],
            "answers": ["A", "B"],
        }
        file = root / "test" / level / f"{name[-1]}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(article), "utf-8")
        sound(root / f"speech/{name}.wav", 2.5, 22_050)


def slue(root: Path) -> None:
    rows = [("id", "raw_text", "normalized_text", "speaker_id", "normalized_ner")]
    for number in range(9):
        sound(root / f"dev/2013-{number}.ogg")
        entities = [["GPE", 0, 4], ["DATE", 5, 9]] if number % 2 else None
        rows.append((f"2013-{number}", "Text.", "text", 7, entities))
    write_table(root / "slue-voxpopuli_dev.tsv", rows)


def tau(root: Path) -> None:
    rows = [("filename", "scene_label", "identifier", "source_label")]
    for scene in SCENES:
        label = scene.replace(", ", "_").replace(" ", "_")
        for number in range(7):
            name = f"audio/{label}-lyon-1000-4000{number}-a.wav"
            sound(root / name, rate=44_100)
            rows.append((name, label, "lyon-1000", "a"))
    write_table(root / "meta.csv", rows)


def gtzan(root: Path) -> None:
    for genre in GENRES:
        name = genre.replace(" ", "")
        for number in range(3):
            sound(root / f"genres_original/{name}/{name}.0000{number}.wav", rate=22_050)
    (root / "genres_original/jazz/jazz.00054.wav").write_bytes(b"no sound")


def desed(root: Path) -> None:
    rows = [("filename", "onset", "offset", "event_label")]
    for event in EVENTS:
        label = event.replace(" or ", "_").replace(" ", "_").capitalize()
        for number in range(2):
            name = f"Y{label}_{number}.wav"
            sound(root / "audio/validation/validation" / name)
            rows += [(name, 0.1, 0.5, label), (name, 0.2, 0.9, "Speech")]
    rows += [("Ysilent.wav", "", "", ""), ("Yboth.wav", 0, 1, "Cat"), ("Yboth.wav", 0, 1, "Dog")]
    sound(root / "audio/validation/validation/Ysilent.wav")
    sound(root / "audio/validation/validation/Yboth.wav")
    write_table(root / "metadata/validation/validation.tsv", rows)
    sound(root / "audio/train/weak/Yweak.wav")
    write_table(root / "metadata/train/weak.tsv", [("filename", "event_labels"), ("Yweak.wav", "Dishes,Speech")])


def had(root: Path) -> None:
    lines = []
    for number in range(4):
        for kind, parts, flag in (("real", "0-1.0-T", 1), ("fake", "0-0.4-T/0.4-0.7-F/0.7-1.0-T", 0)):
            name = f"HAD_train_{kind}_0000{number}"
            sound(root / f"HAD_train/train/conbine/{name}.wav", rate=44_100)
            lines.append(f"{name} {parts} {flag}\n")
    (root / "HAD_train/HAD_train_label.txt").write_text("".join(lines), "utf-8")


def vesus(root: Path) -> None:
    rows = [("file", "person", "emotion")]
    for emotion in ("Angry", "Happy", "Sad", "Fearful", "Neutral"):
        for number in range(6):
            name = f"Audio/3/{emotion}/{number}.wav"
            sound(root / name, 0.5, 44_100)
            rows.append((name, 3, emotion))
    write_table(root / "annotations.csv", rows, ",")


def voxceleb(root: Path) -> None:
    speakers = [("id10001", "m"), ("id10002", "f"), ("id10003", "m")]
    ages = [("Name", "VoxCeleb_ID", "video_id", "speaker_age"), ("Nobody", "id99999", "video", "30.0")]
    for speaker, _ in [*speakers, ("id00012", "f")]:
        for number, age in enumerate((25.0, 33.0, 45.0, 60.0, 80.0, 12.0, "")):
            ages.append((speaker, speaker, f"video{number}", age))
            for utterance in range(2):
                sound(root / f"wav/{speaker}/video{number}/0000{utterance}.wav")
    head = ("VoxCeleb1 ID", "VGGFace1 ID", "Gender", "Nationality", "Set")
    write_table(root / "vox1_meta.csv", [head, *((name, "A", sex, "UK", "dev") for name, sex in speakers)])
    spaced = ("VoxCeleb2 ID ", "VGGFace2 ID ", "Gender ", "Set ")
    write_table(root / "vox2_meta.csv", [spaced, ("id00012 ", "n000012 ", "f ", "dev ")], ",")
    write_table(root / "final_dataframe_extended.csv", ages, ",")


CORPORA = {
    "speech_recognition": (librispeech, 2),
    "speech_content_reasoning": (race, 3),
    "speech_entity_recognition": (slue, 3),
    "acoustic_scene_classification": (tau, 20),
    "music_classification": (gtzan, 10),
    "sound_event_detection": (desed, 10),
    "speech_detection": (had, 2),
    "emotion_recognition": (vesus, 5),
    "speaker_age_recognition": (voxceleb, 20),
    "speaker_gender_recognition": (voxceleb, 4),
}
"""What writes a task's corpus, and how many items of 2 to 3 s it gives."""


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    root = tmp_path_factory.mktemp("corpora")
    for write in {write for write, _ in CORPORA.values()}:
        write(root / write.__name__)
    return root


@pytest.fixture
def corpus(corpora, tmp_path):
    """`corpus(task)`: a copy of the task's corpus, to be broken."""

    def copy(name: str) -> Path:
        written = CORPORA[name][0].__name__
        return Path(shutil.copytree(corpora / written, tmp_path / written))

    return copy


@pytest.fixture(scope="module")
def rebuilt(corpora, tmp_path_factory):
    """A folder of items with all ten tasks."""
    out = tmp_path_factory.mktemp("rebuilt")
    for name, (write, _) in CORPORA.items():
        rebuild(TASKS[name], corpora / write.__name__, out, LIMITS)
    return out


def read_all(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_task_is_rebuilt_within_the_limits_of_the_paper():
    assert CONSTRUCTORS.keys() == TASKS.keys() == CORPORA.keys()
    for constructor in CONSTRUCTORS.values():
        assert 90 <= constructor.limits.shortest < constructor.limits.longest <= 300


@pytest.mark.parametrize("name", CORPORA)
def test_a_rebuilt_task_loads(rebuilt, tmp_path, name):
    rows = datasets.load_dataset(
        "audiomarathon", name, split="test", data_dir=str(rebuilt), cache_dir=str(tmp_path / "cache")
    )
    assert len(rows) == CORPORA[name][1] == len(set(rows["id"]))
    for row in rows:
        heard = soundfile.info(row["audio"]["path"])
        assert (heard.format, heard.samplerate, heard.channels) == ("FLAC", 16_000, 1)
        assert heard.duration == pytest.approx(row["duration"], abs=1e-4)
        assert LIMITS.shortest - 0.01 <= row["duration"] <= LIMITS.longest + 0.01
        if TASKS[name].labels:
            assert row["answer"] in TASKS[name].labels


def test_the_same_source_gives_the_same_bytes(rebuilt, corpora, tmp_path):
    for name, (write, _) in CORPORA.items():
        rebuild(TASKS[name], corpora / write.__name__, tmp_path, LIMITS)
    assert read_all(tmp_path) == read_all(rebuilt)


def test_a_rebuild_goes_on_where_it_stopped(corpora, tmp_path):
    task, source = TASKS["music_classification"], corpora / "gtzan"
    items = rebuild(task, source, tmp_path, LIMITS)
    kept, gone, cut, spoilt = (tmp_path / items[number].audio for number in range(4))
    before, whole = kept.stat().st_mtime_ns, read_all(tmp_path)
    gone.unlink()
    sound(cut, 0.3)
    spoilt.write_bytes(b"no sound")
    (cut.parent / f".{gone.name}.partial").write_bytes(b"half")
    rebuild(task, source, tmp_path, LIMITS)
    assert kept.stat().st_mtime_ns == before
    assert read_all(tmp_path) == whole


def read_items(rebuilt: Path, name: str) -> list[dict]:
    return [json.loads(line) for line in (rebuilt / f"{name}.jsonl").read_text("utf-8").splitlines()]


@pytest.mark.parametrize(
    ("name", "labels"), [("acoustic_scene_classification", SCENES), ("emotion_recognition", EMOTIONS)]
)
def test_classes_and_wrong_choices_are_balanced(rebuilt, name, labels):
    items = read_items(rebuilt, name)
    assert len(set(Counter(item["answer"] for item in items).values())) == 1
    wrong = Counter(choice for item in items for choice in item["choices"] if choice != item["answer"])
    assert set(wrong) == set(labels)
    assert max(wrong.values()) - min(wrong.values()) <= 1


def test_wrong_choices_and_letters_tell_nothing_of_the_answer():
    drafts = [
        Draft(id=str(n), parts=(), answer=label, group="", wrong=tuple(other for other in GENRES if other != label))
        for n, label in enumerate(GENRES * 24)
    ]
    wrong, letters = Counter(), defaultdict(Counter)
    for draft, choices in draw_choices(drafts):
        assert len(set(choices)) == 4
        wrong.update(set(choices) - {draft.answer})
        letters[draft.answer][choices.index(draft.answer)] += 1
    assert max(wrong.values()) - min(wrong.values()) <= 1
    assert all(set(places.values()) == {6} for places in letters.values())


def test_entities_are_counted(rebuilt):
    items = read_items(rebuilt, "speech_entity_recognition")
    assert [item["answer"] for item in items] == ["2", "4", "2"]
    assert all(len({int(choice) for choice in item["choices"]}) == 4 for item in items)


def test_questions_of_an_article_share_its_speech_and_repeated_options_are_left_out(rebuilt):
    items = read_items(rebuilt, "speech_content_reasoning")
    assert [item["question"] for item in items] == ["Who walked?"] * 3
    assert {item["audio"] for item in items} == {
        f"speech_content_reasoning/{name}.flac" for name in ("high1", "high2", "middle7")
    }


def test_events_that_are_there_are_no_wrong_choices(rebuilt):
    items = read_items(rebuilt, "sound_event_detection")
    assert {item["answer"] for item in items} == set(EVENTS)
    assert all("speech" not in item["choices"] for item in items if item["answer"] != "speech")


def test_an_article_without_speech_is_read_aloud(corpus, tmp_path):
    pytest.importorskip("piper")
    source = corpus("speech_content_reasoning")
    (source / "speech/high1.wav").unlink()
    items = rebuild(TASKS["speech_content_reasoning"], source, tmp_path / "out", Limits(2, 10))
    assert "high1" in {item.group for item in items}
    assert np.abs(soundfile.read(source / "speech/high1.wav")[0]).max() > 0.05


def test_recordings_are_packed_as_full_as_they_go():
    recordings = [Recording(Path(str(n)), seconds) for n, seconds in enumerate((1, 1.5, 1, 9, 1, 0.5, 1.5))]
    runs = [[int(part.path.name) for part in run] for run in pack(recordings, LIMITS)]
    assert runs == [[0, 1], [2, 4, 5]]


def test_ages_have_the_age_group_of_the_video(rebuilt):
    counts = Counter(item["answer"] for item in read_items(rebuilt, "speaker_age_recognition"))
    assert counts == dict.fromkeys(AGES, 4)


def replace(file: str, old: str, new: str):
    def change(root: Path) -> None:
        text = (root / file).read_text("utf-8")
        assert old in text
        (root / file).write_text(text.replace(old, new), "utf-8")

    return change


def remove(path: str):
    def change(root: Path) -> None:
        (shutil.rmtree if (root / path).is_dir() else Path.unlink)(root / path)

    return change


def spoil(path: str):
    return lambda root: (root / path).write_bytes(b"no sound")


def truncate(path: str):
    def change(root: Path) -> None:
        data = (root / path).read_bytes()
        (root / path).write_bytes(data[: len(data) // 2])

    return change


BROKEN = {
    "no split": ("speech_recognition", remove("test-clean"), "test-clean is missing"),
    "no text": ("speech_recognition", remove("test-clean/61/70968/61-70968-0000.txt"), "0000.flac has no transcript"),
    "cut": (
        "speech_recognition",
        truncate("test-clean/61/70968/61-70968-0000.flac"),
        "0000.flac (ends after|cannot be)",
    ),
    "no article": ("speech_content_reasoning", remove("test/middle"), "middle holds no article"),
    "no field": (
        "speech_content_reasoning",
        replace("test/high/1.txt", "answers", "x"),
        r"1.txt has no field 'answers'",
    ),
    "no JSON": ("speech_content_reasoning", replace("test/high/1.txt", "{", ""), "1.txt is not JSON"),
    "no letter": ("speech_content_reasoning", replace("test/high/1.txt", '"A"', '"F"'), "question 0: .* answer 'F'"),
    "no tables": ("speech_entity_recognition", remove("slue-voxpopuli_dev.tsv"), "slue-voxpopuli_dev.tsv .* missing"),
    "no column": (
        "speech_entity_recognition",
        replace("slue-voxpopuli_dev.tsv", "normalized_ner", "ner"),
        "dev.tsv has no column 'normalized_ner'",
    ),
    "no list": (
        "speech_entity_recognition",
        replace("slue-voxpopuli_dev.tsv", "None", "many"),
        "dev.tsv, line 2: normalized_ner should be a list of entities or None, but is 'many'",
    ),
    "short line": (
        "speech_entity_recognition",
        replace("slue-voxpopuli_dev.tsv", "\tNone", ""),
        "dev.tsv, line 2: normalized_ner should be a list of entities or None, but is ''",
    ),
    "no audio": ("speech_entity_recognition", remove("dev/2013-4.ogg"), "2013-4.ogg is missing"),
    "no sound": (
        "acoustic_scene_classification",
        spoil("audio/bus-lyon-1000-40000-a.wav"),
        "40000-a.wav cannot be read",
    ),
    "no meta": ("acoustic_scene_classification", remove("meta.csv"), "meta.csv is missing"),
    "no scene": (
        "acoustic_scene_classification",
        replace("meta.csv", "\ttram\t", "\tmoon\t"),
        "line 65: 'moon' is none",
    ),
    "no genre": ("music_classification", remove("genres_original/hiphop"), "hiphop holds no excerpt"),
    "no annotations": ("sound_event_detection", remove("metadata"), "metadata holds none of validation/validation.tsv"),
    "no event": (
        "sound_event_detection",
        replace("metadata/train/weak.tsv", "Dishes", "Bang"),
        "weak.tsv, line 2: 'Bang' is none of",
    ),
    "no labels": ("speech_detection", remove("HAD_train/HAD_train_label.txt"), "HAD_train_label.txt is missing"),
    "no flag": (
        "speech_detection",
        replace("HAD_train/HAD_train_label.txt", "0-1.0-T 1", "0-1.0-T"),
        "HAD_train_label.txt, line 1: should be NAME PARTS FLAG",
    ),
    "no sentence": (
        "speech_detection",
        remove("HAD_train/train/conbine/HAD_train_fake_00003.wav"),
        "line 8: HAD_train_fake_00003.wav is missing from",
    ),
    "no emotion": (
        "emotion_recognition",
        replace("annotations.csv", "3,Sad", "3,Bored"),
        "line 14: 'Bored' is none of",
    ),
    "no speakers": ("speaker_gender_recognition", remove("wav"), "no speaker of the tables has a folder"),
    "no gender": (
        "speaker_gender_recognition",
        replace("vox1_meta.csv", "\tf\t", "\tx\t"),
        "line 3: 'x' is none of m, f",
    ),
    "no ages": ("speaker_age_recognition", remove("final_dataframe_extended.csv"), "extended.csv is missing"),
    "no age": (
        "speaker_age_recognition",
        replace("final_dataframe_extended.csv", "25.0", "young"),
        "line 3: speaker_age should be a number, but is 'young'",
    ),
}


@pytest.mark.parametrize(("name", "change", "message"), BROKEN.values(), ids=BROKEN)
def test_what_is_wrong_with_a_source_is_named(corpus, tmp_path, name, change, message):
    source = corpus(name)
    change(source)
    with pytest.raises(ValueError, match=message):
        rebuild(TASKS[name], source, tmp_path / "out", LIMITS)


def test_recordings_that_are_gone_are_counted(corpus, tmp_path):
    source = corpus("sound_event_detection")
    (source / "audio/validation/validation/Yboth.wav").unlink()
    with pytest.warns(UserWarning, match=r"the audio of 1 of 23 recordings is missing, Yboth.wav for one"):
        rebuild(TASKS["sound_event_detection"], source, tmp_path / "out", LIMITS)


@pytest.mark.parametrize("name", ["speaker_gender_recognition", "speaker_age_recognition"])
def test_speakers_that_are_gone_are_counted(corpus, tmp_path, name):
    source = corpus(name)
    shutil.rmtree(source / "wav/id10003")
    gone = {"speaker_gender_recognition": 1, "speaker_age_recognition": 2}[name]
    with pytest.warns(UserWarning, match=f"of {gone} speakers of the tables audio is missing, id10003 for one"):
        rebuild(TASKS[name], source, tmp_path / "out", LIMITS)


def test_a_source_that_is_too_short_or_not_there_is_told(corpora, tmp_path):
    task = TASKS["emotion_recognition"]
    with pytest.raises(SourceError, match="vesus gives no item of emotion_recognition of 90 to 120 s"):
        rebuild(task, corpora / "vesus", tmp_path)
    with pytest.raises(SourceError, match="nowhere is no folder"):
        rebuild(task, tmp_path / "nowhere", tmp_path)
    with pytest.raises(ValueError, match="shortest <= longest, but are 3 and 2 s"):
        Limits(3, 2)
