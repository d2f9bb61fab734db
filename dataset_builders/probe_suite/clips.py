"""What a clip of a probe tells besides what `open_audio` clips do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..open_audio.clips import Clip


@dataclass(frozen=True)
class Event:
    """Something that is heard from `start` to `end`, in seconds."""

    label: str
    start: float
    end: float


@dataclass(frozen=True)
class ProbeClip(Clip):
    """A clip in which `events` are heard, or that belongs with those of the same `key` on the other `side`."""

    events: tuple[Event, ...] = ()
    key: str | None = None
    side: str | None = None

    @classmethod
    def of(cls, clip: Clip, **more: Any) -> ProbeClip:
        """Return `clip` with `more` told about it."""
        return cls(**vars(clip), **more)
