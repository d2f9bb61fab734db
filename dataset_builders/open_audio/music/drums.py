"""Single drum hits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from ..clips import SAMPLE_RATE, Clip, Part
from ..packages import PackageStore
from ..pinned import PACKAGES
from ..splits import SPLITS
from .render import DRUM_CHANNEL, Note, Passage, render, soundfonts

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

_KITS = "usr/share/hydrogen/data/drumkits"
_HYDROGEN = ("hydrogen-drumkits", "hydrogen-data")

MISNAMED_KITS = ("Audiophob",)
"""Kits that put one drum's sample under another's name."""

KIT_SPLITS = {
    "Millo-Drums_v.1": "test",
    "Millo_MultiLayered2": "test",
    "Millo_MultiLayered3": "test",
    "BJA_Pacific": "test",
    "circAfrique v4": "test",
    "rumpf_kit_z01_h2": "validation",
    "lmms-common": "validation",
}
"""Kits that training never hears. A maker's kits stay together: those of Glen MacArthur (three)
and of ArtemioLabs (three) in training, Millo's in the test."""

_ONE_SHOTS = {
    "sonic-pi-samples": ("usr/share/sonic-pi/samples", {
        "bd": "kick", "sn": "snare", "drum_heavy_kick": "kick", "drum_bass": "kick",
        "drum_snare": "snare", "drum_tom": "tom", "drum_cowbell": "bell",
        "drum_cymbal_closed": "hi-hat", "drum_cymbal_open": "hi-hat", "drum_cymbal_pedal": "hi-hat",
        "elec_hi_snare": "snare", "elec_lo_snare": "snare", "elec_mid_snare": "snare",
        "elec_filt_snare": "snare", "elec_snare": "snare", "elec_soft_kick": "kick",
        "elec_hollow_kick": "kick", "elec_fuzz_tom": "tom",
    }),
    "lmms-common": ("usr/share/lmms/samples/drums", {
        "bassdrum": "kick", "clap": "clap", "crash": "crash cymbal", "hihat": "hi-hat",
        "kick": "kick", "ride": "ride cymbal", "snare": "snare", "tom": "tom",
    }),
}  # fmt: skip
"""Package to its folder of single samples, and drums by the beginning of a sample's name."""

GENERAL_MIDI = {
    "bell": (56, 67, 68),
    "clap": (39,),
    "crash cymbal": (49, 57),
    "hi-hat": (42, 44, 46),
    "kick": (35, 36),
    "ride cymbal": (51, 53, 59),
    "snare": (38, 40),
    "tom": (41, 43, 45, 47, 48, 50),
}
"""Drum to its keys in kits of General MIDI."""

KIT_PROGRAMS = (0, 8, 16, 24, 25, 32)
"""Standard, room, power, electronic, TR-808, jazz; what two kits share is dropped as duplicate."""

VELOCITIES = (60, 105)

_REST = np.zeros(int(0.3 * SAMPLE_RATE), np.float32)
"""Silence after each hit: many are shorter than a clip may be."""


def drum_class(store: PackageStore) -> Iterator[Clip]:
    """Single drum hits, split by kit, labelled by the kit's own instrument names; some rendered."""
    for package, root in store.folders(_HYDROGEN):
        for kit in sorted((root / _KITS).iterdir()):
            if kit.name in MISNAMED_KITS or not (kit / "drumkit.xml").is_file():
                continue
            for name, label, license_ in _instruments(kit):
                yield _hit(kit / name, label, kit.name, package, license_, name)
    for package, root in store.folders(_ONE_SHOTS):
        folder, labels = _ONE_SHOTS[package]
        for path in sorted((root / folder).iterdir()):
            for prefix, label in labels.items():
                if re.fullmatch(rf"{prefix}(_.*|\d+)?", path.stem):
                    yield _hit(path, label, package, package, PACKAGES[package].license, path.name)
    yield from _rendered(store)


def _rendered(store: PackageStore) -> Iterator[Clip]:
    hits = [
        (label, key, Passage(program, [Note(0.0, 0.8, key, velocity)], DRUM_CHANNEL))
        for program in KIT_PROGRAMS
        for label, keys in GENERAL_MIDI.items()
        for key in keys
        for velocity in VELOCITIES
    ]
    for split in SPLITS:
        for package, soundfont in soundfonts(store, split):
            sounds = render(soundfont, [passage for _, _, passage in hits])
            for (label, key, passage), samples in zip(hits, sounds, strict=True):
                name = f"kit-{passage.program:03d}/key-{key}-{passage.notes[0].velocity}"
                license_ = PACKAGES[package].license
                yield _hit(samples, label, package, f"{package} (rendered)", license_, name, split)


def _hit(part: Part, label: str, kit: str, source: str, license_: str, name: str, split: str | None = None) -> Clip:
    return Clip(
        parts=(part, _REST),
        answer=label,
        split=split or KIT_SPLITS.get(kit, "train"),
        group=kit,
        source=source,
        license=license_,
        name=f"{kit}/{name}",
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
