"""Which instrument plays: rendered phrases, and in the test real recordings too."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..clips import Clip, Part
from ..formats import read_rcc
from ..packages import PackageStore
from ..pinned import PACKAGES
from ..splits import SPLITS
from .render import Passage, phrase, render, soundfonts

Voice = tuple[tuple[int, ...], tuple[int, int]]
"""General MIDI programs (counted from 0) and the keys that their phrases stay within."""

INSTRUMENTS: dict[str, Voice] = {
    "accordion": ((21, 23), (48, 84)),
    "acoustic guitar": ((24, 25), (40, 76)),
    "bagpipes": ((109,), (55, 79)),
    "banjo": ((105,), (48, 79)),
    "bass guitar": ((33, 34, 35, 36), (28, 55)),
    "bassoon": ((70,), (36, 65)),
    "cello": ((42,), (36, 69)),
    "choir": ((52, 53), (48, 79)),
    "clarinet": ((71,), (50, 84)),
    "electric guitar": ((26, 27, 29, 30), (40, 76)),
    "electric piano": ((4, 5), (40, 84)),
    "flute": ((72, 73), (60, 93)),
    "French horn": ((60,), (41, 77)),
    "glockenspiel": ((9,), (67, 96)),
    "harmonica": ((22,), (60, 88)),
    "harp": ((46,), (40, 91)),
    "harpsichord": ((6,), (40, 84)),
    "marimba": ((12,), (48, 84)),
    "oboe": ((68,), (58, 88)),
    "organ": ((16, 17, 18, 19), (40, 84)),
    "piano": ((0, 1), (36, 91)),
    "recorder": ((74,), (65, 91)),
    "saxophone": ((64, 65, 66, 67), (44, 79)),
    "sitar": ((104,), (48, 77)),
    "string section": ((48, 49), (40, 84)),
    "timpani": ((47,), (36, 57)),
    "trombone": ((57,), (40, 72)),
    "trumpet": ((56, 59), (54, 82)),
    "tuba": ((58,), (28, 57)),
    "vibraphone": ((11,), (53, 89)),
    "violin": ((40, 110), (55, 93)),
    "xylophone": ((13,), (65, 96)),
}

FAMILIES: dict[str, Voice] = {
    "piano": (tuple(range(0, 6)), (40, 84)),
    "tuned percussion": (tuple(range(8, 15)), (55, 91)),
    "organ": (tuple(range(16, 21)), (40, 84)),
    "guitar": (tuple(range(24, 31)), (40, 76)),
    "bass": (tuple(range(32, 40)), (28, 55)),
    "strings": ((40, 41, 42, 43, 44, 45, 48, 49), (40, 84)),
    "brass": (tuple(range(56, 64)), (45, 79)),
    "reed": (tuple(range(64, 72)), (48, 81)),
    "flute": (tuple(range(72, 80)), (60, 93)),
    "synthesizer": (tuple(range(80, 96)), (45, 84)),
}
"""Left out as doubtful: harpsichord, clavinet, dulcimer, the free reeds, harp, timpani, voices."""

REAL = {
    "gcompris-qt-data": {
        "accordion": "accordion", "banjo": "banjo", "cello": "cello", "clarinet": "clarinet",
        "electric_guitar": "electric guitar", "flute_traversiere": "flute", "guitar": "acoustic guitar",
        "harmonica": "harmonica", "harp": "harp", "horn": "French horn", "organ": "organ",
        "piano": "piano", "saxophone": "saxophone", "timpani": "timpani", "trombone": "trombone",
        "trumpet": "trumpet", "tuba": "tuba", "violin": "violin",
    },
    "qabcs-data": {
        "accordion": "accordion", "bagpipes": "bagpipes", "cello": "cello", "clarinet": "clarinet",
        "electric_guitar": "electric guitar", "flute": "flute", "grand_piano": "piano",
        "guitar": "acoustic guitar", "harmonica": "harmonica", "harp": "harp",
        "natural_horn": "French horn", "oboe": "oboe", "organ": "organ", "piano": "piano",
        "recorder": "recorder", "saxophone": "saxophone", "squeezebox": "accordion",
        "timpani": "timpani", "trumpet": "trumpet", "violin": "violin",
        "western_concert_flute": "flute", "xylophone": "xylophone",
    },
    "lmms-common": {
        "bassslap01": "bass guitar", "bassslap02": "bass guitar", "cello01": "cello",
        "church_organ01": "organ", "church_organ02": "organ", "church_organ03": "organ",
        "church_organ04": "organ", "e_organ01": "organ", "e_piano_accord01": "electric piano",
        "e_piano_accord02": "electric piano", "flute01": "flute", "piano01": "piano",
        "piano02": "piano", "steel_guitar01": "acoustic guitar",
        "steel_guitar_heavy_distorted01": "electric guitar", "trumpet01": "trumpet",
        "violin_double_stop01": "violin", "violin_fingered01": "violin", "violin_pizzicato01": "violin",
    },
    "scratch": {"GuitarStrum": "acoustic guitar", "Trumpet1": "trumpet", "Trumpet2": "trumpet"},
}  # fmt: skip
"""Package to its recordings of one instrument, by stem; the test alone hears them."""

_FOLDERS = {
    "gcompris-qt-data": "usr/share/gcompris-qt/rcc/instruments.rcc",
    "qabcs-data": "usr/share/qabcs/abcs/all/noises",
    "lmms-common": "usr/share/lmms/samples/instruments",
    "scratch": "usr/share/scratch/Media/Sounds/Instruments",
}

FAMILY_OF = {
    "acoustic guitar": "guitar", "bass guitar": "bass", "cello": "strings", "clarinet": "reed",
    "electric guitar": "guitar", "electric piano": "piano", "flute": "flute", "French horn": "brass",
    "oboe": "reed", "organ": "organ", "piano": "piano", "recorder": "flute", "saxophone": "reed",
    "trombone": "brass", "trumpet": "brass", "tuba": "brass", "violin": "strings", "xylophone": "tuned percussion",
}  # fmt: skip

PHRASES = {"train": 28, "validation": 12, "test": 12}
"""How many phrases each SoundFont plays of an instrument, shared by its programs."""

FAMILY_PHRASES = {"train": 8, "validation": 14, "test": 14}
"""How many phrases each SoundFont plays on a program; synthesizers, being more, play half."""


def instrument(store: PackageStore) -> Iterator[Clip]:
    """Rendered phrases, each split by other SoundFonts; the test hears real recordings as well."""
    for split in SPLITS:
        for package, soundfont in soundfonts(store, split):
            labels, passages = [], []
            for label, (programs, keys) in INSTRUMENTS.items():
                for program in programs:
                    count = PHRASES[split] // len(programs)
                    passages += _phrases(package, program, keys, count)
                    labels += [label] * count
            yield from _rendered(package, soundfont, split, labels, passages)
    yield from _real(store, dict(zip(INSTRUMENTS, INSTRUMENTS)))


def instrument_family(store: PackageStore) -> Iterator[Clip]:
    """Like `instrument`; validation and test also hear programs that training never does."""
    for split in SPLITS:
        for package, soundfont in soundfonts(store, split):
            labels, passages = [], []
            for family, (programs, keys) in FAMILIES.items():
                count = FAMILY_PHRASES[split] // (2 if len(programs) > 8 else 1)
                for program in held_out(family, programs)[split]:
                    passages += _phrases(package, program, keys, count)
                    labels += [family] * count
            yield from _rendered(package, soundfont, split, labels, passages)
    yield from _real(store, FAMILY_OF)


def held_out(seed: str, programs: Sequence[int]) -> dict[str, list[int]]:
    """Return which of the programs each split hears: of five to eight, validation and test one or two."""
    order = random.Random(seed).sample(programs, len(programs))
    count = max(1, len(order) // 4)
    return {"validation": order[:count], "test": order[count : 2 * count], "train": order[2 * count :]}


def _phrases(package: str, program: int, keys: tuple[int, int], count: int) -> list[Passage]:
    rng = random.Random(f"{package}/{program}")
    return [Passage(program, phrase(rng, *keys)) for _ in range(count)]


def _rendered(
    package: str, soundfont: Path, split: str, labels: Sequence[str], passages: Sequence[Passage]
) -> Iterator[Clip]:
    for number, (label, samples) in enumerate(zip(labels, render(soundfont, passages), strict=True)):
        program = passages[number].program
        yield Clip(
            parts=(samples,),
            answer=label,
            split=split,
            group=f"{package}/program-{program:03d}",
            source=f"{package} (rendered)",
            license=PACKAGES[package].license,
            name=f"program-{program:03d}/{number:04d}",
            domain="music",
        )


def _real(store: PackageStore, label_of: dict[str, str]) -> Iterator[Clip]:
    for package, root in store.folders(REAL):
        recordings = _recordings(root / _FOLDERS[package])
        for stem, name in REAL[package].items():
            if name in label_of:
                yield Clip(
                    parts=(recordings[stem],),
                    answer=label_of[name],
                    split="test",
                    group=f"{package}/{stem}",
                    source=package,
                    license=PACKAGES[package].license,
                    name=stem,
                    domain="music",
                )


def _recordings(path: Path) -> dict[str, Part]:
    if path.suffix == ".rcc":
        return {Path(name).stem: data for name, data in read_rcc(path, (".ogg",)).items()}
    return {file.stem: file for file in sorted(path.iterdir())}
