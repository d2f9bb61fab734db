"""What makes a sound, which animal, and on what ground somebody walks.

Sounds that are not speech and not music, labelled by the names their makers gave them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..clips import Clip
from ..packages import PackageStore
from .names import ANIMALS, BROADER, GROUNDS
from .recordings import recordings


def sound_event(store: PackageStore) -> Iterator[Clip]:
    """All recordings, by broad class; those of a kind in test are from other packages than in training."""
    for clip in recordings(store):
        yield replace(clip, answer=BROADER.get(clip.answer, clip.answer))


def animal(store: PackageStore) -> Iterator[Clip]:
    """The recordings of animals, by species."""
    yield from (clip for clip in recordings(store) if clip.answer in ANIMALS)


def footstep_surface(store: PackageStore) -> Iterator[Clip]:
    """Single footsteps, by ground; no game is both in training and in validation or test."""
    yield from (clip for clip in recordings(store) if clip.answer in GROUNDS)
