"""The benchmark made again from its sources, by those who hold their licences.

    rebuild(TASKS["music_classification"], Path("corpora/gtzan"), Path("rebuilt"))

Each module says how it expects its corpus to lie. What comes out is a folder of items, whose audio is 16 kHz mono FLAC:
`load_dataset("audiomarathon", "music_classification", split="test", data_dir="rebuilt")`. It is not the published
release again, whose joining is only partly known, but the same tasks on the same recordings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from rich.progress import track

from ..items import Item, write_items
from ..layouts import LAYOUTS
from ..tasks import MarathonTask
from . import desed, gtzan, had, librispeech, race, slue, tau, vesus, voxceleb
from .drafts import Draft, Limits, SourceError, draw_choices, take_in_turn
from .joining import join


@dataclass(frozen=True)
class Constructor:
    """How a task is made.

    Args:
        streams: drafts from a source folder, a stream a class, which are drawn from in turn.
        limits: the release's, but never below 90 s.
    """

    streams: Callable[[Path, Limits], Iterable[Iterator[Draft]]]
    limits: Limits


CONSTRUCTORS: dict[str, Constructor] = {
    "speech_recognition": Constructor(librispeech.transcripts, Limits(90, 300)),
    "speech_content_reasoning": Constructor(race.questions, Limits(90, 300)),
    "speech_entity_recognition": Constructor(slue.entity_counts, Limits(165, 300)),
    "acoustic_scene_classification": Constructor(tau.scenes, Limits(90, 210)),
    "music_classification": Constructor(gtzan.genres, Limits(225, 250)),
    "sound_event_detection": Constructor(desed.events, Limits(270, 300)),
    "speech_detection": Constructor(had.authenticity, Limits(180, 300)),
    "emotion_recognition": Constructor(vesus.emotions, Limits(90, 120)),
    "speaker_age_recognition": Constructor(voxceleb.ages, Limits(90, 210)),
    "speaker_gender_recognition": Constructor(voxceleb.genders, Limits(90, 210)),
}


def rebuild(task: MarathonTask, source: Path, out: Path, limits: Limits | None = None) -> list[Item]:
    """Write the items of `task` into the folder `out`: as many as the card counts, or as the source gives.

    Classes have as many items each as the source allows. The same source gives the same bytes; a sound file that is
    there already is not made again.

    Args:
        limits: seconds of an item, instead of the constructor's.

    Raises:
        SourceError: the source lacks a file or a field, or gives no item; the message names it.
    """
    if task.name not in CONSTRUCTORS:
        raise SourceError(f"{task.name} is made of no source corpus; {', '.join(CONSTRUCTORS)} are")
    constructor = CONSTRUCTORS[task.name]
    limits = limits or constructor.limits
    if not source.is_dir():
        raise SourceError(f"{source} is no folder")
    layout = LAYOUTS[task.name]
    drafts = islice(take_in_turn(constructor.streams(source, limits)), task.items)
    items = []
    for draft, choices in track(draw_choices(drafts), description=task.name, total=task.items):
        audio = f"{task.name}/{draft.audio or draft.id}.flac"
        items.append(
            Item(
                id=f"{task.abbreviation}/{draft.id}",
                audio=audio,
                answer=draft.answer,
                duration=join(draft.parts, out / audio),
                source=layout.source,
                license=layout.license,
                group=draft.group,
                question=draft.question,
                choices=choices,
                language=layout.language,
            )
        )
    if not items:
        raise SourceError(f"{source} gives no item of {task.name} of {limits.shortest:g} to {limits.longest:g} s")
    write_items(out, task, items)
    return items
