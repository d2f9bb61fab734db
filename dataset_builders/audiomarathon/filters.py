"""What the authors' own runs leave out of the release, each with the reason.

The rules are those of their Qwen2.5-Omni scripts (github.com/DabDans/AudioMarathon, `src/Qwen_2.5_Omni/Others`). Which
items of the larger class they drew is inference: they seed Python's `random` with 42 and sample from files in the order
that their disk listed them (real and fake speech), or that the JSON has (gender), after imports that may have drawn
too. The draw here is from a fresh generator, of files by name, or in the order of the JSON. The numbers are theirs.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .published import PublishedItem

SEED = 42
BALANCED = ("speech_detection", "speaker_gender_recognition")
UNHAPPY = ("2", "10")
"""Persons of VESUS whose "happy" recordings are left out."""

NO_AUDIO = "audio missing from the release"
NOT_DRAWN = f"not drawn when the classes were balanced (seed {SEED})"
NOT_HAPPY = f'"happy" of persons {" and ".join(UNHAPPY)}'


def leave_out(task: str, items: Sequence[PublishedItem]) -> list[PublishedItem]:
    """Return all `items`, in order, with the reason in `left_out` of those that the authors' runs leave out."""
    dropped = {at: NO_AUDIO for at, item in enumerate(items) if item.duration is None}
    if task == "emotion_recognition":
        dropped |= {
            at: NOT_HAPPY
            for at, item in enumerate(items)
            if at not in dropped and item.group in UNHAPPY and item.label.lower() == "happy"
        }
    if task in BALANCED:
        dropped |= dict.fromkeys(_surplus(items, dropped), NOT_DRAWN)
    return [replace(item, left_out=dropped.get(at)) for at, item in enumerate(items)]


def _surplus(items: Sequence[PublishedItem], dropped: dict[int, str]) -> list[int]:
    """Return the places of items that are one too many for classes of one size."""
    classes: dict[str, list[int]] = defaultdict(list)
    for at, item in enumerate(items):
        if at not in dropped:
            classes[item.label].append(at)
    size = min(map(len, classes.values()), default=0)
    rng = random.Random(SEED)
    surplus: list[int] = []
    for places in classes.values():
        if len(places) > size:
            surplus += set(places) - set(rng.sample(places, size))
    return surplus
