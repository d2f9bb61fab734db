"""The release as its authors publish it (Hezep/AudioMarathon on the Hub), read from a snapshot's folder.

What is wrong with it is mended where that is certain, and told: scenes called "metro" whose files are of a metro
station are renamed, audio that is not there is listed, and numbers other than the card's are warned of.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import soundfile

from .filters import leave_out
from .layouts import LAYOUTS, Entry, PublishedError
from .tasks import LETTERS, MarathonTask
from .wording import instruct

STATION = "Metro station - metro_station"
"""How the release writes the option."""


@dataclass(frozen=True, kw_only=True)
class PublishedItem:
    """One item, ready to be asked.

    Args:
        id: unique in the release: the task's abbreviation and the audio's path.
        audio: the sound file.
        choices: labels of the task, where the options name them, or else the options as published.
        answer: one of `choices`, or the transcript.
        letter: of the answer among `choices`; `None` for a transcript.
        label: the class as the release names it, apart from the wording of its options.
        duration: seconds; `None` if the file is missing.
        mended: the label was "metro" and is now "metro station".
        left_out: why the authors' own runs leave it out, if they do.
    """

    id: str
    task: MarathonTask
    audio: Path
    instruction: str
    question: str
    choices: tuple[str, ...]
    answer: str
    letter: str | None
    label: str
    group: str
    duration: float | None
    mended: bool
    left_out: str | None = None


def read_published(snapshot: Path, task: MarathonTask) -> list[PublishedItem]:
    """Return every item of `task`, by id; those without audio, too, which `left_out` says.

    Warns of missing audio, of mended labels, and if there are not as many items as the card counts.

    Raises:
        PublishedError: a folder or a file is missing, a field is missing or wrong, audio cannot be read, or
            none of it is there.
    """
    layout = LAYOUTS[task.name]
    folder = snapshot / layout.folder
    if not folder.is_dir():
        raise PublishedError(f"{folder} is missing from the snapshot: {task.name} should lie there")
    items = leave_out(task.name, [_item(task, entry) for entry in layout.read(folder, layout)])
    if all(item.duration is None for item in items):
        wanted = f", such as {items[0].audio.relative_to(folder)}" if items else ""
        raise PublishedError(f"{folder} holds none of the sound files of {task.name}{wanted}")
    _report(snapshot, task, items)
    return sorted(items, key=lambda item: item.id)


def _item(task: MarathonTask, entry: Entry) -> PublishedItem:
    options, choices, letter, mended = list(entry.options), [], None, False
    answer = entry.answer
    if options:
        choices = _choices(task, entry)
        letter = _letter(entry, choices)
        if choices[LETTERS.index(letter)] == "metro" and "metro_station" in entry.audio.name:
            letter, mended = _mend(options, choices, letter), True
        answer = choices[LETTERS.index(letter)]
    return PublishedItem(
        id=f"{task.abbreviation}/{entry.name}",
        task=task,
        audio=entry.audio,
        instruction=instruct(task.name, entry.question, options),
        question=entry.question,
        choices=tuple(choices),
        answer=answer,
        letter=letter,
        label=entry.label or answer,
        group=entry.group,
        duration=_duration(entry.audio),
        mended=mended,
    )


def _words(text: str) -> str:
    """Return what tells labels apart: "Running_water" and "running water" are one, so are "18–30" and "18-30 years"."""
    words = re.sub(r"[\W_]+", " ", text.lower()).split()
    return " ".join(word for word in words if word not in ("or", "years", "old"))


def _label(option: str, labels: Sequence[str]) -> str | None:
    """Return the label that an option such as "Urban park - park" or "Angry (loud, tense)" names."""
    known = {_words(label): label for label in labels}
    parts = map(_words, re.split(r" - |[(:]", option))
    return next((known[part] for part in parts if part in known), None)


def _choices(task: MarathonTask, entry: Entry) -> list[str]:
    """Return the options as labels of the task; as they are where that would not tell them apart."""
    choices = [_label(option, task.labels) or option for option in entry.options]
    if task.answer == "labels" and sorted(choices) != sorted(task.labels):
        raise PublishedError(f"{entry.where}: options should be {', '.join(task.labels)}, but are {choices}")
    return choices if len(set(choices)) == len(choices) else list(entry.options)


def _letter(entry: Entry, choices: Sequence[str]) -> str:
    """Return the letter of an answer that is given as a letter or as the text of an option."""
    letters = LETTERS[: len(choices)]
    if len(entry.answer) == 1 and entry.answer.upper() in letters:
        return entry.answer.upper()
    said = _words(entry.answer)
    for letter, option, choice in zip(letters, entry.options, choices):
        if said in (_words(option), _words(choice)):
            return letter
    raise PublishedError(f"{entry.where}: the answer {entry.answer!r} is none of {list(entry.options)}")


def _mend(options: list[str], choices: list[str], letter: str) -> str:
    """Return the letter of "metro station", put in the place of "metro" unless it is an option already."""
    if "metro station" not in choices:
        at = LETTERS.index(letter)
        options[at], choices[at] = STATION, "metro station"
    return LETTERS[choices.index("metro station")]


def _duration(audio: Path) -> float | None:
    """Return the seconds that a sound file's header tells; `None` if there is no file."""
    if not audio.is_file():
        return None
    try:
        seconds = soundfile.info(audio).duration
    except soundfile.LibsndfileError as error:
        raise PublishedError(f"{audio} cannot be read: {error.error_string}") from None
    if not seconds:
        raise PublishedError(f"{audio} cannot be read: it holds no sample")
    return seconds


def _report(snapshot: Path, task: MarathonTask, items: Sequence[PublishedItem]) -> None:
    missing = [item.audio.relative_to(snapshot).as_posix() for item in items if item.duration is None]
    mended = sum(item.mended for item in items)
    if missing:
        names = ", ".join(sorted(missing))
        _warn(f"{task.name}: the audio of {len(missing)} of {len(items)} items is missing: {names}")
    if mended:
        _warn(f'{task.name}: {mended} items called "metro" are of a metro station, as their files say, and were mended')
    if len(items) != task.items:
        _warn(f"{task.name}: the snapshot has {len(items)} items, but the card counts {task.items}")


def _warn(message: str) -> None:
    warnings.warn(message, stacklevel=4)
