"""Speech, environmental sound or music, drawn from the other tasks with their splits."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

from .clips import Clip
from .music.tracks import track_cuts
from .packages import PackageStore
from .sound.events import sound_event
from .speech.transcription import asr_en, asr_multi

DOMAINS = {"speech": "speech", "sound": "environmental sound", "music": "music"}

VOICES = ("human cry", "monster", "laughter", "applause or cheering")
"""Sounds of voices, which are neither speech nor quite its opposite, and are left out."""

CLIPS = {"train": 350, "validation": 60, "test": 80}
"""At most this many clips of a domain in a split."""


def audio_domain(store: PackageStore) -> Iterator[Clip]:
    """Three domains, of alike lengths; a clip keeps the split and group it has elsewhere."""
    drawn: dict[tuple[str, str], list[Clip]] = {}
    for clip in chain(asr_en(store), asr_multi(store), sound_event(store), track_cuts(store)):
        if clip.answer not in VOICES:
            drawn.setdefault((clip.split, clip.domain), []).append(clip)
    for (split, domain), clips in drawn.items():
        chosen = random.Random(f"{split}/{domain}").sample(clips, min(len(clips), CLIPS[split]))
        for clip in chosen:
            yield replace(clip, answer=DOMAINS[domain], max_pieces=1)
