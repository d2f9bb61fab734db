"""Speech, environmental sound or music, drawn from the other tasks with their splits."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import chain

import numpy as np
import soxr

from .clips import SAMPLE_RATE, Clip, Unusable, decode
from .music.tracks import track_cuts
from .packages import PackageStore
from .sound.events import sound_event
from .speech.transcription import asr_en, asr_multi

DOMAINS = {"speech": "speech", "sound": "environmental sound", "music": "music"}

VOICES = ("human cry", "laughter", "applause or cheering", "monster")
"""Sounds of voices, which are neither speech nor quite its opposite, and are left out."""

CLIPS = {"train": 350, "validation": 60, "test": 80}
"""At most this many clips of a domain in a split."""

SECONDS = (0.4, 1.6)
"""Each clip is cut to a draw from this range, if it is longer."""

HIGHEST_RATE = 8000
"""Hz at which all clips have passed: games keep speech at 11 kHz, and music at 44."""

LEVEL, NOISE = 0.05, 0.0015
"""Root mean square, of full scale 1, of each clip and of the white noise in it, 30 dB below."""


def audio_domain(store: PackageStore) -> Iterator[Clip]:
    """Three domains, made alike in length, band, level and noise floor; a clip keeps its split and group."""
    drawn: dict[tuple[str, str], list[Clip]] = {}
    for clip in chain(asr_en(store), asr_multi(store), sound_event(store), track_cuts(store)):
        if clip.answer not in VOICES:
            drawn.setdefault((clip.split, clip.domain), []).append(clip)
    for (split, domain), clips in drawn.items():
        for clip in random.Random(f"{split}/{domain}").sample(clips, min(len(clips), CLIPS[split])):
            yield replace(clip, parts=(partial(alike, clip),), answer=DOMAINS[domain], start=None, end=None, piece=None)


def alike(clip: Clip) -> np.ndarray:
    """Return a stretch of `clip`, `(samples,)`, from which length, band, level and noise floor tell little."""
    rng = np.random.default_rng(zlib.crc32(clip.name.encode()))
    samples = np.concatenate([decode(part, clip.start, clip.end) for part in clip.parts])
    loud = np.flatnonzero(np.abs(samples) > 0.05 * np.abs(samples).max(initial=0))
    if not len(loud):
        raise Unusable("silent")
    samples = samples[loud[0] : loud[-1] + 1][: int(rng.uniform(*SECONDS) * SAMPLE_RATE)]
    samples = soxr.resample(soxr.resample(samples, SAMPLE_RATE, HIGHEST_RATE), HIGHEST_RATE, SAMPLE_RATE)
    samples = samples * (LEVEL / (np.sqrt(np.mean(samples**2)) + 1e-9))
    return samples + NOISE * rng.standard_normal(len(samples))
