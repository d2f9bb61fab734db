"""Folders of items: each task's constructor, how much of it is wanted, and the sound files."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import soundfile
from rich.progress import track

from ...open_audio.clips import SAMPLE_RATE
from ..items import Item, write_items
from ..tasks import MarathonTask, find_task
from .music import music_classification
from .recordings import Draft, TooLittleAudioError
from .sounds import acoustic_scene_classification, needle, sound_event_detection
from .speech import speech_content_reasoning, speech_entity_recognition, speech_recognition
from .voices import emotion_recognition, speaker_age_recognition, speaker_gender_recognition, speech_detection

CONSTRUCTORS: dict[str, Callable[[float, Sequence[float]], Iterator[Draft]]] = {
    constructor.__name__: constructor
    for constructor in (
        speech_recognition,
        speech_content_reasoning,
        speech_entity_recognition,
        acoustic_scene_classification,
        music_classification,
        sound_event_detection,
        speech_detection,
        emotion_recognition,
        speaker_age_recognition,
        speaker_gender_recognition,
        needle,
    )
}
"""By task: from seconds of an item, and where in it (0 to 1) the evidence of one after another lies, to the items."""

MINI_ITEMS = {
    **{"ASR": 6, "SCR": 6, "SER": 4, "ASC": 5, "MC": 5, "SED": 5},
    **{"SD": 4, "ER": 3, "SAR": 3, "SGR": 4, "needle": 4},
}
MINI_SECONDS = 92.0
DEPTHS = (0.1, 0.5, 0.9)
MOST_MINUTES = 60.0

KILOBITS = {"speech": 24, "sound": 32, "music": 32}
"""Opus, a second."""
PEAK = 0.7
"""Of full scale 1, at most; Opus goes beyond what it is given."""


def build_mini(out: Path) -> None:
    """Write the mini: all tasks, 90 to 300 seconds an item."""
    _write(out, {find_task(name): [("", MINI_SECONDS, items)] for name, items in MINI_ITEMS.items()}, DEPTHS)


def extend(
    out: Path, minutes: Sequence[float], tasks: Sequence[str], depths: Sequence[float] = DEPTHS, items: int = 2
) -> None:
    """Write longer items: of each task and length up to `items`, with their evidence at `depths` (0 to 1) in turn.

    Whatever labels a whole recording (scene, genre, voice) begins again once it is over; speech never does.

    Raises:
        ValueError: a task is unknown, a length or a depth is out of range.
        TooLittleAudioError: open audio's test split does not hold enough for any item of a task; nothing is written.
            Where it holds enough for some, the others are warned of.
    """
    for length in minutes:
        if not 1.5 <= length <= MOST_MINUTES:
            raise ValueError(f"an item lasts 1.5 to {MOST_MINUTES:g} minutes, not {length:g}")
    for depth in depths:
        if not 0 <= depth <= 1:
            raise ValueError(f"a depth is from 0 to 1, not {depth:g}")
    lengths = [(f"{length:g}min-", 60 * length, items) for length in dict.fromkeys(minutes)]
    _write(out, {find_task(name): lengths for name in tasks}, depths)


def _write(out: Path, wanted: dict[MarathonTask, list[tuple[str, float, int]]], depths: Sequence[float]) -> None:
    drafts = [(task, *named) for task, lengths in wanted.items() for named in _drafts(task, lengths, depths)]
    (out / "audio").mkdir(parents=True, exist_ok=True)
    items: dict[MarathonTask, list[Item]] = {task: [] for task in wanted}
    for task, id, draft in track(drafts, "Items"):
        samples = draft.sound()
        audio = _save(out, samples, KILOBITS[task.domain])
        items[task].append(draft.item(id, audio, len(samples) / SAMPLE_RATE))
    for task, of_task in items.items():
        write_items(out, task, of_task)


def _drafts(
    task: MarathonTask, lengths: Sequence[tuple[str, float, int]], depths: Sequence[float]
) -> list[tuple[str, Draft]]:
    """Return the items of `task` by id: of each length, in seconds, as many as are wanted or can be had."""
    drafts: list[tuple[str, Draft]] = []
    for prefix, seconds, most in lengths:
        constructed = CONSTRUCTORS[task.name](seconds, depths)
        try:
            for number, draft in enumerate(islice(constructed, most)):
                drafts.append((f"{task.abbreviation}-{prefix}{number}", draft))
        except TooLittleAudioError as error:
            wanted = f"{most} items of {seconds / 60:g} minutes"
            short = f"{task.name}: open audio's test split is too small for {wanted}: {error}"
            if not drafts:
                raise TooLittleAudioError(short) from None
            warnings.warn(short, stacklevel=4)
    return drafts


def _save(out: Path, samples: np.ndarray, kilobits: int) -> str:
    """Write Opus, unless the same sound is there already: of another task, or of a run that was stopped."""
    samples = samples * (PEAK / max(PEAK, float(np.abs(samples).max())))
    name = f"audio/{hashlib.sha256(samples.tobytes()).hexdigest()[:16]}.opus"
    if not (out / name).exists():
        partial = (out / name).with_suffix(".partial")
        # libsndfile's level 0 to 1 is 256 to 6 kbit/s.
        level = 1 - (kilobits - 6) / 250
        soundfile.write(partial, samples, SAMPLE_RATE, format="OGG", subtype="OPUS", compression_level=level)
        partial.rename(out / name)
    return name
