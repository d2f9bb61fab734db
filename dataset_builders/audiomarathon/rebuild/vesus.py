"""Emotions from VESUS, ten actors who read the same words in five moods.

    SOURCE/annotations.csv      commas between file, person, emotion (Angry, Happy, Sad, Fearful or Neutral)
    SOURCE/FILE                 the utterances

The corpus is sent to those who sign for it, and its own key could not be seen: the table above is to be made of it.
Utterances of one person and mood are joined in seeded order. "Neutral" is called "monotone", as the benchmark does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from ..tasks import EMOTIONS
from .drafts import Draft, Limits, labelled, measure, pack, read_table, shuffled

LABELS = {emotion.capitalize(): emotion for emotion in EMOTIONS if emotion != "monotone"} | {"Neutral": "monotone"}
QUESTION = "Which emotion does the speaker express?"


def emotions(source: Path, limits: Limits) -> list[Iterator[Draft]]:
    """Return the joined utterances of each emotion."""
    found: dict[str, dict[str, list[Path]]] = {emotion: defaultdict(list) for emotion in EMOTIONS}
    for where, row in read_table(source / "annotations.csv", ("file", "person", "emotion")):
        found[labelled(where, row["emotion"], LABELS)][row["person"]].append(source / row["file"])
    return [_of_emotion(emotion, persons, limits) for emotion, persons in found.items()]


def _of_emotion(emotion: str, persons: dict[str, list[Path]], limits: Limits) -> Iterator[Draft]:
    wrong = tuple(other for other in EMOTIONS if other != emotion)
    for person in shuffled(sorted(persons), emotion):
        utterances = shuffled(sorted(persons[person]), f"{emotion}/{person}")
        for number, parts in enumerate(pack(map(measure, utterances), limits)):
            name = f"person_{person}-{emotion}-{number}"
            yield Draft(id=name, parts=parts, question=QUESTION, answer=emotion, wrong=wrong, group=person)
