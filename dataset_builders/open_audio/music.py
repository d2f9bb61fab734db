"""Instruments, drums and whole tracks."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import soundfile

from .clips import SAMPLE_RATE, Clip
from .packages import PackageStore
from .pinned import PACKAGES
from .render import phrase, render
from .splits import assign

FAMILIES: dict[str, tuple[tuple[int, ...], tuple[int, int]]] = {
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
"""Family to its General MIDI programs (counted from 0) and the keys its phrases stay within.

Left out as doubtful: harpsichord, clavinet, dulcimer, the free reeds, harp, timpani, voices.
"""

PHRASES = {"train": 18, "validation": 10, "test": 14}
"""How many phrases each program of a split plays; synthesizer programs, being more, play half."""


def instrument_family(store: PackageStore) -> Iterator[Clip]:
    """Rendered phrases; validation and test hear General MIDI programs that training never does."""
    package = "fluid-soundfont-gm"
    soundfont = store.folder(package) / "usr/share/sounds/sf2/FluidR3_GM.sf2"
    for family, (programs, (lowest, highest)) in FAMILIES.items():
        order = random.Random(family).sample(programs, len(programs))
        held_out = max(1, len(order) // 6)
        for position, program in enumerate(order):
            split = ("validation", "test", "train")[min(position // held_out, 2)]
            count = PHRASES[split] // (2 if len(programs) > 8 else 1)
            rng = random.Random(f"{family}/{program}")
            phrases = [phrase(rng, lowest, highest) for _ in range(count)]
            for number, samples in enumerate(render(soundfont, program, phrases)):
                yield Clip(
                    parts=(samples,),
                    answer=family,
                    split=split,
                    group=f"gm-program-{program:03d}",
                    source=f"{package} (rendered)",
                    license=PACKAGES[package].license,
                    name=f"program-{program:03d}/phrase-{number:02d}",
                    domain="music",
                )


DRUMS = {
    "bell": r"cowbell|agogo|(sangban|dununba|kenkeni)1 bell",
    "clap": r"clap",
    "crash cymbal": r"(?<!hi)crash(?!.*ride)",
    "hi-hat": r"hi-?hat|\bhh\b|hat\b|\bohh\b|hi hat|\bhat ",
    "kick": r"kick|bass ?drum",
    "ride cymbal": r"(?<!crash/)ride|paiste bell",
    "snare": r"snare",
    "tom": r"\btom\b|tom ?(low|mid|hi|floor)|\btom[hlm]|floor tom|tomhi",
}
"""Drum to a pattern looked for in the name that a kit gives its instrument."""

SAMPLE_PREFIXES = {
    "bd": "kick", "sn": "snare", "drum_heavy_kick": "kick", "drum_bass": "kick",
    "drum_snare": "snare", "drum_tom": "tom", "drum_cowbell": "bell",
    "drum_cymbal_closed": "hi-hat", "drum_cymbal_open": "hi-hat", "drum_cymbal_pedal": "hi-hat",
    "elec_hi_snare": "snare", "elec_lo_snare": "snare", "elec_mid_snare": "snare",
    "elec_filt_snare": "snare", "elec_snare": "snare", "elec_soft_kick": "kick",
    "elec_hollow_kick": "kick", "elec_fuzz_tom": "tom",
}  # fmt: skip
"""Sonic Pi's one-shot samples, by the beginning of their names."""

MISNAMED_KITS = ("Audiophob",)
"""Kits that put one drum's sample under another's name."""

_REST = np.zeros(int(0.3 * SAMPLE_RATE), np.float32)
"""Silence after each hit: many are shorter than a clip may be."""

KIT_SPLITS = {
    "The Black Pearl 1.0": "test",
    "Millo-Drums_v.1": "test",
    "Millo_MultiLayered2": "test",
    "Millo_MultiLayered3": "test",
    "BJA_Pacific": "validation",
    "Gimme A Hand 1.0": "validation",
}
"""Kits that training never hears; the three by Millo stay together."""


def drum_class(store: PackageStore) -> Iterator[Clip]:
    """Single drum hits, split by kit, labelled by the kit's own instrument names."""
    package = "hydrogen-drumkits"
    root = store.folder(package) / "usr/share/hydrogen/data/drumkits"
    for kit in sorted(root.iterdir()):
        if kit.name in MISNAMED_KITS or not (kit / "drumkit.xml").is_file():
            continue
        for name, label, license_ in _instruments(kit):
            split = KIT_SPLITS.get(kit.name, "train")
            yield _hit(kit / name, label, split, kit.name, package, license_)
    package = "sonic-pi-samples"
    samples = store.folder(package) / "usr/share/sonic-pi/samples"
    for path in sorted(samples.glob("*.flac")):
        for prefix, label in SAMPLE_PREFIXES.items():
            if path.stem == prefix or path.stem.startswith(f"{prefix}_"):
                yield _hit(path, label, "train", package, package, PACKAGES[package].license)


def _hit(path: Path, label: str, split: str, kit: str, package: str, license_: str) -> Clip:
    return Clip(
        parts=(path, _REST),
        answer=label,
        split=split,
        group=kit,
        source=package,
        license=license_,
        name=f"{kit}/{path.name}",
        domain="music",
        piece=4.0,
        max_pieces=1,
    )


def _instruments(kit: Path) -> Iterator[tuple[str, str, str]]:
    """Yield `(file name, drum, licence)` of samples whose instrument and own name agree."""
    text = (kit / "drumkit.xml").read_text("utf-8", errors="replace")
    tree = ElementTree.fromstring(re.sub(r'\s(xmlns|xsi)(:\w+)?="[^"]*"', "", text))
    license_ = tree.findtext("license") or PACKAGES["hydrogen-drumkits"].license
    heard = set()
    for instrument in tree.iter("instrument"):
        drums = _named(instrument.findtext("name") or "")
        for sample in instrument.iter("filename"):
            file = Path(sample.text or "").name
            agree = len(drums) == 1 and _named(Path(file).stem) <= drums
            if agree and file not in heard and (kit / file).is_file():
                heard.add(file)
                yield file, min(drums), license_


def _named(name: str) -> set[str]:
    return {drum for drum, pattern in DRUMS.items() if re.search(pattern, name.lower())}


TRACK_SECONDS = (2.0, 10.0)
"""Cuts are as long as a draw from this range: like speech and sounds, so length tells nothing."""

CUTS_PER_TRACK = 8

_TRACKS = {
    "warzone2100-music": "**/*.opus",
    "planetblupi-music-ogg": "**/*.ogg",
    "fretsonfire-songs-sectoid": "**/song.ogg",
    "naev-data": "**/snd/music/*.ogg",
    "flare-game": "**/music/*.ogg",
    "lincity-ng-data": "**/music/**/*.ogg",
}
"""Package to its music; three of them hold sounds too, so that package tells no domain."""


def track_cuts(store: PackageStore) -> Iterator[Clip]:
    """Cuts spread evenly over real music tracks, split by track."""
    tracks = {
        f"{package}/{path.stem}": (package, path)
        for package, pattern in _TRACKS.items()
        for path in sorted(store.folder(package).glob(pattern))
    }
    splits = assign(dict.fromkeys(tracks, 1.0), seed="tracks")
    for group, (package, path) in tracks.items():
        seconds = soundfile.info(str(path)).duration
        cuts = min(CUTS_PER_TRACK, int(seconds // (2 * TRACK_SECONDS[1])))
        rng = random.Random(group)
        for number in range(cuts):
            start = (number + 0.25) * seconds / cuts
            yield Clip(
                parts=(path,),
                answer="music",
                split=splits[group],
                group=group,
                source=package,
                license=PACKAGES[package].license,
                name=f"{path.stem}/{number}",
                domain="music",
                start=start,
                end=start + rng.uniform(*TRACK_SECONDS),
            )
