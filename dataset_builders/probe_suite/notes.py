"""Which pitch classes sound when: one to three voices of random notes."""

from __future__ import annotations

import random
from collections.abc import Iterator

from ..open_audio.music.harmony import PITCH_PROGRAMS, PITCHES, rendered
from ..open_audio.music.render import Note, Passage, render, soundfonts
from ..open_audio.packages import PackageStore
from ..open_audio.splits import SPLITS
from .clips import Event, ProbeClip

PHRASES = {"train": 28, "validation": 20, "test": 30}
"""How many each program of a SoundFont plays."""

OCTAVES = (48, 60, 72)
"""Lowest keys of the three octaves; each voice keeps to another one, so no key is struck while it sounds."""

LENGTHS = (0.2, 0.3, 0.45, 0.7, 1.0)
RESTS = (0.0, 0.0, 0.0, 0.0, 0.3)
"""Seconds of a note and of the pause after it."""

HELD = 0.95
"""Part of its length for which a key is down."""


def notes(store: PackageStore) -> Iterator[ProbeClip]:
    """Phrases of all twelve pitch classes alike, in no key and no scale; programs and SoundFonts differ by split."""
    for split in SPLITS:
        for package, soundfont in soundfonts(store, split):
            rng = random.Random(f"notes/{package}")
            passages = [
                Passage(program, polyphony(rng)) for program in PITCH_PROGRAMS[split] for _ in range(PHRASES[split])
            ]
            for number, (passage, samples) in enumerate(zip(passages, render(soundfont, passages), strict=True)):
                clip = rendered(samples, "", split, package, passage.program, f"notes-{number:04d}")
                yield ProbeClip.of(clip, events=events(passage))


def polyphony(rng: random.Random) -> list[Note]:
    """Return 3 to 6 seconds of notes."""
    until, drawn = rng.uniform(3.0, 5.0), []
    for lowest in rng.sample(OCTAVES, rng.randint(1, 3)):
        now = rng.uniform(0.0, 0.6)
        while now < until:
            seconds = rng.choice(LENGTHS)
            drawn.append(Note(now, HELD * seconds, lowest + rng.randrange(12), rng.randint(60, 110)))
            now += seconds + rng.choice(RESTS)
    return drawn


def events(passage: Passage) -> tuple[Event, ...]:
    """Return the pitch class of each note while its key is down, in order."""
    struck = sorted(passage.notes, key=lambda note: note.start)
    return tuple(Event(PITCHES[note.key % 12], note.start, note.start + note.seconds) for note in struck)
