"""Sound events from DESED, 10 s recordings in homes whose events are annotated.

    SOURCE/metadata/{validation/validation,eval/public}.tsv    tabs between filename, onset, offset, event_label
    SOURCE/metadata/train/weak.tsv                             tabs between filename, event_labels (commas between)
    SOURCE/audio/{validation,eval,train}/.../FILENAME          at any depth

Any of the three tables will do; the synthetic part of the corpus is not used. An item joins recordings that hold one
event and no other, speech excepted, so that all the rest are truly absent; where in them the event is heard is not
told, as it is heard all along. Recordings that are gone from their site are missing from every copy: they are left
out, and counted in a warning.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from ..tasks import EVENTS
from .drafts import Draft, Limits, SourceError, labelled, measure, pack, read_table, shuffled

LABELS = {event.replace(" or ", "_").replace(" ", "_").capitalize(): event for event in EVENTS}
TABLES = {
    "validation/validation.tsv": "event_label",
    "eval/public.tsv": "event_label",
    "train/weak.tsv": "event_labels",
}
QUESTION = "Which of these sound events occurs in this recording?"
ANYWHERE = "speech"


def events(source: Path, limits: Limits) -> list[Iterator[Draft]]:
    """Return the joined recordings of each event."""
    annotated = _annotations(source)
    return [_of_event(event, annotated, limits) for event in EVENTS]


def _annotations(source: Path) -> dict[Path, set[str]]:
    """Return the events of each recording."""
    metadata = source / "metadata"
    found: dict[Path, set[str]] = defaultdict(set)
    missing: set[str] = set()
    tables = [name for name in TABLES if (metadata / name).is_file()]
    if not tables:
        raise SourceError(f"{metadata} holds none of {', '.join(TABLES)}")
    for name in tables:
        audio = {path.name: path for path in sorted((source / "audio" / Path(name).parts[0]).rglob("*.wav"))}
        for where, row in read_table(metadata / name, ("filename", TABLES[name])):
            if row["filename"] not in audio:
                missing.add(row["filename"])
                continue
            names = filter(None, row[TABLES[name]].split(","))
            found[audio[row["filename"]]] |= {labelled(where, event, LABELS) for event in names}
    if missing:
        warnings.warn(
            f"{source}: the audio of {len(missing)} of {len(missing) + len(found)} recordings is missing, "
            f"{min(missing)} for one",
            stacklevel=2,
        )
    return found


def _of_event(event: str, annotated: dict[Path, set[str]], limits: Limits) -> Iterator[Draft]:
    alone = sorted(path for path, events in annotated.items() if events - {ANYWHERE} == {event} - {ANYWHERE} and events)
    wrong = tuple(other for other in EVENTS if other not in (event, ANYWHERE))
    for number, parts in enumerate(pack(map(measure, shuffled(alone, event)), limits)):
        name = f"{event.replace(' ', '_')}-{number:03}"
        yield Draft(id=name, parts=parts, question=QUESTION, answer=event, wrong=wrong, group=name)
