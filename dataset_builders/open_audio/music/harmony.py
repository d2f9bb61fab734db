"""Which chord, which note: rendered on instruments that differ by split, and real guitar strums."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import numpy as np

from ..clips import Clip
from ..packages import PackageStore
from ..pinned import PACKAGES
from ..splits import SPLITS
from .render import Note, Passage, render, soundfonts

CHORDS = {
    "major": (0, 4, 7),
    "minor": (0, 3, 7),
    "diminished": (0, 3, 6),
    "augmented": (0, 4, 8),
    "suspended fourth": (0, 5, 7),
    "dominant seventh": (0, 4, 7, 10),
    "major seventh": (0, 4, 7, 11),
    "minor seventh": (0, 3, 7, 10),
    "half-diminished seventh": (0, 3, 6, 10),
}
"""Quality to semitones above the root, which is always the lowest note."""

CHORD_PROGRAMS = {
    "train": (0, 4, 6, 16, 19, 21, 24, 27, 48, 61),
    "validation": (2, 18, 22, 26, 50),
    "test": (1, 5, 17, 25, 49),
}
"""Split to General MIDI programs (counted from 0): keys, organs, guitars, strings, brass."""

CHORDS_EACH = {"train": 7, "validation": 7, "test": 7}
"""How many chords of a quality each program of a SoundFont plays."""

STRUMS = {
    "major": ("Cmajor", "Dmajor", "Emajor", "Fmajor", "Fsharp major"),
    "minor": (
        "Bminor", "Csharp minor", "Dminor", "Dsharp minor", "Eminor", "Fsharp minor", "Gminor", "Gsharp minor",
    ),
    "half-diminished seventh": ("Asharp minro7b5", "Csharp minor7b5", "Dsharp minor7b5"),
}  # fmt: skip
"""Quality to the kit's names of chords whose spectra hold the notes that the name promises. Nine
do not, Aminor and Bmajor among them."""

TAKES = ("00", "02", "DOWN_00", "UP_00")

PITCHES = ("C", "C sharp", "D", "D sharp", "E", "F", "F sharp", "G", "G sharp", "A", "A sharp", "B")

PITCH_PROGRAMS = {
    "train": (0, 4, 6, 11, 16, 21, 24, 27, 40, 42, 48, 52, 56, 60, 65, 68, 71, 73),
    "validation": (2, 12, 22, 26, 41, 57, 69, 72),
    "test": (1, 5, 19, 25, 49, 66, 70, 74),
}

PITCH_KEYS = (48, 83)
"""Three octaves, C to B, all within what these programs play well."""


def chord(store: PackageStore) -> Iterator[Clip]:
    """Nine chord qualities; only the test hears the strums, which know three of them."""
    for split in SPLITS:
        for package, soundfont in soundfonts(store, split):
            rng = random.Random(f"chord/{package}")
            drawn = [
                (quality, _chord(rng, program, intervals))
                for program in CHORD_PROGRAMS[split]
                for quality, intervals in CHORDS.items()
                for _ in range(CHORDS_EACH[split])
            ]
            sounds = render(soundfont, [passage for _, passage in drawn])
            for number, ((quality, passage), samples) in enumerate(zip(drawn, sounds, strict=True)):
                yield rendered(samples, quality, split, package, passage.program, f"chord-{number:04d}")
    yield from _strums(store)


def pitch(store: PackageStore) -> Iterator[Clip]:
    """One note of three octaves, named by its class."""
    for split in SPLITS:
        for package, soundfont in soundfonts(store, split):
            rng = random.Random(f"pitch/{package}")
            passages = [
                Passage(program, [Note(0.0, rng.uniform(0.4, 2.0), key, rng.randint(50, 120))])
                for program in PITCH_PROGRAMS[split]
                for key in range(PITCH_KEYS[0], PITCH_KEYS[1] + 1)
            ]
            for passage, samples in zip(passages, render(soundfont, passages), strict=True):
                key = passage.notes[0].key
                yield rendered(samples, PITCHES[key % 12], split, package, passage.program, f"key-{key}")


def _chord(rng: random.Random, program: int, intervals: Sequence[int]) -> Passage:
    """Return a chord over its root, spread over two octaves, struck at once, strummed or broken."""
    root, seconds = rng.randint(45, 60), rng.uniform(1.0, 3.0)
    keys = [root, *(root + step + rng.choice((0, 12)) for step in intervals[1:])]
    if rng.random() < 0.5:
        keys.append(root + 12)
    delay, velocity = rng.choice((0.0, 0.02, 0.05, 0.15)), rng.randint(50, 115)
    notes = [Note(at * delay, seconds, key, velocity) for at, key in enumerate(sorted(keys))]
    return Passage(program, notes)


def rendered(samples: np.ndarray, label: str, split: str, package: str, program: int, name: str) -> Clip:
    """Return what `program` of the SoundFont in `package` played as a clip."""
    return Clip(
        parts=(samples,),
        answer=label,
        split=split,
        group=f"{package}/program-{program:03d}",
        source=f"{package} (rendered)",
        license=PACKAGES[package].license,
        name=f"program-{program:03d}/{name}",
        domain="music",
    )


def _strums(store: PackageStore) -> Iterator[Clip]:
    kit = "belofilms_GuitarStrums"
    for package, root in store.folders(["hydrogen-drumkits-effects"]):
        folder = root / "usr/share/hydrogen/data/drumkits" / kit
        for quality, names in STRUMS.items():
            for path in (folder / f"{name}_{take}.flac" for name in names for take in TAKES):
                if path.is_file():
                    yield Clip(
                        parts=(path,),
                        answer=quality,
                        split="test",
                        group=kit,
                        source=package,
                        license=PACKAGES[package].license,
                        name=path.stem,
                        domain="music",
                    )
