"""How the published release lays out each task: where its files lie, and how one of their items reads.

Hezep/AudioMarathon keeps one folder a source. Most hold a JSON file, either a list of items or a dict with such a list,
beside their audio; HAD tells its classes by folder, and LibriSpeech-long has transcripts beside the recordings.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .tasks import LETTERS


class PublishedError(ValueError):
    """A release whose files are missing, or not as its authors publish them."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An item as its file has it.

    Args:
        where: the file and the item's place in it, for errors.
        name: path of the audio without its suffix, made unique within the task.
        audio: where the sound file is, or should be.
        answer: a letter, the text of an option, or a transcript.
        label: the class as the file names it apart from the options, if it does.
        group: what must not be split: a speaker, an article, or the recording itself.
    """

    where: str
    name: str
    audio: Path
    answer: str
    group: str
    question: str = ""
    options: tuple[str, ...] = ()
    label: str = ""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where a task lies in a snapshot, and what its fields are called.

    Args:
        folder: of the snapshot, with everything that the task needs.
        read: yields the entries of that folder, in the order of its files.
        license: of the source; the release as a whole is CC BY-NC 4.0.
        index: JSON file in the folder.
        items: key of the list of items, where the file is no list itself.
        path, answer, label, group: names of fields; label and group where there are any.
        language: of the speech, where it is always the same.
    """

    folder: str
    read: Callable[[Path, Layout], Iterator[Entry]]
    source: str
    license: str
    index: str = ""
    items: str = ""
    path: str = "path"
    answer: str = "answer_gt"
    label: str = ""
    group: str = ""
    language: str | None = None


@dataclass(frozen=True)
class _Record:
    """One item of a JSON file, whose fields are checked when they are asked for."""

    where: str
    fields: dict[str, Any]

    def text(self, field: str) -> str:
        """Return `field` as text, without space around it."""
        value = self.fields.get(field)
        if type(value) not in (str, int) or not str(value).strip():
            raise PublishedError(f"{self.where}: field {field!r} should be a text but is {value!r}")
        return str(value).strip()

    def options(self) -> tuple[str, ...]:
        """Return the options in the order of their letters: from `options`, `choices` or `choice_a` to `choice_e`."""
        field = next((field for field in ("options", "choices") if field in self.fields), "choice_a")
        given = self.fields.get(field)
        if isinstance(given, list):
            given = dict(zip(LETTERS, given, strict=False)) if len(given) <= len(LETTERS) else None
        elif field == "choice_a":
            given = {letter: self.fields.get(f"choice_{letter.lower()}") for letter in LETTERS}
            given = {letter: text for letter, text in given.items() if text not in (None, "")}
        if not isinstance(given, dict) or len(given) < 2 or sorted(given) != list(LETTERS[: len(given)]):
            raise PublishedError(f"{self.where}: field {field!r} should begin two to five options, but has {given!r}")
        texts = _Record(f"{self.where}, options from {field!r}", given)
        return tuple(texts.text(letter) for letter in sorted(given))


def read_json(folder: Path, layout: Layout) -> Iterator[Entry]:
    """Yield the items of `layout.index`, whose audio lies in its folder or in `wav` of it."""
    file = folder / layout.index
    names: Counter[str] = Counter()
    for number, fields in enumerate(_load_items(file, layout.items)):
        record = _Record(f"{file}, item {number}", fields if isinstance(fields, dict) else {})
        path = Path(record.text(layout.path))
        name = path.with_suffix("").as_posix()
        names[name] += 1
        found = next((place for place in (folder / path, folder / "wav" / path) if place.is_file()), folder / path)
        yield Entry(
            where=record.where,
            name=name if names[name] == 1 else f"{name}#{names[name]}",
            audio=found,
            question=record.text("question"),
            options=record.options(),
            answer=record.text(layout.answer),
            label=record.text(layout.label) if layout.label else "",
            group=record.text(layout.group) if layout.group else name,
        )


def _load_items(file: Path, key: str) -> list[Any]:
    try:
        loaded = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        raise PublishedError(f"{file} is missing from the snapshot") from None
    except ValueError as error:
        raise PublishedError(f"{file} is not JSON: {error}") from None
    if key:
        loaded = loaded.get(key) if isinstance(loaded, dict) else None
    if not isinstance(loaded, list):
        raise PublishedError(f"{file} should hold a list{f' in field {key!r}' if key else ''}")
    return loaded


def read_classes(folder: Path, layout: Layout) -> Iterator[Entry]:
    """Yield the sound files of the folders `real` and `fake`, each by name."""
    for label in ("real", "fake"):
        if not (folder / label).is_dir():
            raise PublishedError(f"{folder / label} is missing from the snapshot")
        for audio in sorted((folder / label).glob("*.wav")):
            yield Entry(
                where=str(audio),
                name=f"{label}/{audio.stem}",
                audio=audio,
                question="Is all of this speech real, or is any part of it synthesized?",
                options=("real", "fake"),
                answer=label,
                group=f"{label}/{audio.stem}",
            )


def read_transcripts(folder: Path, layout: Layout) -> Iterator[Entry]:
    """Yield recordings `SPEAKER/CHAPTER/NAME.flac` and what is said: `NAME.txt`, or a line of `*.trans.txt`."""
    spoken: dict[Path, str] = {}
    for file in sorted(folder.glob("*/*/*.trans.txt")):
        lines = (line.partition(" ") for line in file.read_text("utf-8").splitlines() if line.strip())
        spoken |= {file.with_name(f"{name}.flac"): text for name, _, text in lines}
    for file in sorted(set(folder.glob("*/*/*.txt")) - set(folder.glob("*/*/*.trans.txt"))):
        spoken[file.with_suffix(".flac")] = file.read_text("utf-8")
    for audio in sorted({*spoken, *folder.glob("*/*/*.flac")}):
        text = " ".join(spoken.get(audio, "").split())
        if not text:
            raise PublishedError(f"{audio} has no transcript, neither {audio.stem}.txt nor a line of *.trans.txt")
        name = audio.relative_to(folder).with_suffix("").as_posix()
        yield Entry(where=str(audio), name=name, audio=audio, answer=text, group=audio.parts[-3])


_VOXCELEB: dict[str, Any] = {
    "folder": "VoxCeleb/concatenated_audio",
    "read": read_json,
    "group": "speaker_id_original",
    "source": "VoxCeleb",
    "license": "not stated",
}

LAYOUTS: dict[str, Layout] = {
    "speech_recognition": Layout(
        folder="librispeech-long/test-clean",
        read=read_transcripts,
        source="LibriSpeech-long",
        license="CC BY 4.0",
        language="en",
    ),
    "speech_content_reasoning": Layout(
        folder="race_audio",
        read=read_json,
        index="race_benchmark.json",
        path="audio_path",
        answer="answer",
        group="article_id",
        source="RACE",
        license="Apache-2.0",
        language="en",
    ),
    "speech_entity_recognition": Layout(
        folder="SLUE",
        read=read_json,
        index="merged_audio_data.json",
        source="SLUE",
        license="CC BY 4.0",
        language="en",
    ),
    "acoustic_scene_classification": Layout(
        folder="TAU/concatenated_resampled",
        read=read_json,
        index="acoustic_scene_task_meta.json",
        source="TAU Urban Acoustic Scenes 2020 Mobile",
        license="CC BY 4.0",
    ),
    "music_classification": Layout(
        folder="GTZAN/concatenated_audio",
        read=read_json,
        index="music_genre_classification_meta.json",
        source="GTZAN",
        license="research only",
    ),
    "sound_event_detection": Layout(
        folder="DESED/DESED_dataset/concatenated_audio",
        read=read_json,
        index="desed_sound_event_detection_task.json",
        items="tasks",
        source="DESED",
        license="mixed Creative Commons",
    ),
    "speech_detection": Layout(
        folder="HAD/concatenated_audio",
        read=read_classes,
        source="HAD",
        license="CC BY 4.0",
        language="zh",
    ),
    "emotion_recognition": Layout(
        folder="VESUS",
        read=read_json,
        index="audio_emotion_dataset.json",
        label="emotion_label",
        group="person_id",
        source="VESUS",
        license="academic only",
        language="en",
    ),
    "speaker_age_recognition": Layout(index="age_classification_task_meta.json", **_VOXCELEB),
    "speaker_gender_recognition": Layout(index="gender_id_task_meta.json", **_VOXCELEB),
}
"""Task to its part of the release. Age and gender share their audio."""
