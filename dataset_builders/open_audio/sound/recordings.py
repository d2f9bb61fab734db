"""Every labelled recording, once, with the one split that it has in all tasks."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ..clips import Clip
from ..formats import read_opensfx, read_rcc, read_zip
from ..packages import PackageStore
from ..pinned import PACKAGES
from .names import GROUNDS, KINDS, SOURCES

PIECE, MAX_PIECES = 8.0, 3
"""Seconds of a piece and how many are cut from a longer ambience, which repeats itself."""

VALIDATION, TEST = 0.15, 0.3
"""Shares of a kind's recordings."""

WALKERS = {
    "ardentryst": "train",
    "ufoai": "train",
    "cube2": "validation",
    "lugaru": "validation",
    "openarena": "validation",
    "minetest": "test",
}
"""Package to the split of its footsteps: one game is walked through in training, another in test."""

_SUFFIXES = (".flac", ".mp3", ".oga", ".ogg", ".wav")


def recordings(store: PackageStore) -> list[Clip]:
    """Return all recordings; the answer is the kind, one of `KINDS`.

    Within a kind, all that a package holds is in one split, and has one group.
    """
    clips = []
    for kind, found in _by_kind(store).items():
        if kind in GROUNDS:
            clips += _split_steps(found)
        else:
            splits = split_packages(Counter(clip.group for clip in found), seed=kind)
            clips += [replace(clip, split=splits[clip.group]) for clip in found]
    return clips


def split_packages(weights: Mapping[str, int], seed: str) -> dict[str, str]:
    """Send the largest group to training; the others fill test and validation, then training."""
    groups = sorted(weights)
    random.Random(seed).shuffle(groups)
    largest = max(groups, key=weights.__getitem__, default=None)
    chosen = dict.fromkeys(groups, "train")
    room = {"test": TEST * sum(weights.values()), "validation": VALIDATION * sum(weights.values())}
    held = dict.fromkeys(room, 0)
    for group in groups:
        split = min(room, key=lambda name: held[name] / room[name])
        if group != largest and (not held[split] or held[split] + weights[group] <= room[split]):
            chosen[group] = split
            held[split] += weights[group]
    return chosen


def _split_steps(steps: list[Clip]) -> list[Clip]:
    """Split by `WALKERS`; on a ground without a validation package, the first test step goes there."""
    splits = [WALKERS[clip.group.split("/")[0]] for clip in steps]
    if "validation" not in splits and "test" in splits:
        splits[splits.index("test")] = "validation"
    return [
        replace(clip, split=split, group=f"{clip.group}/{Path(clip.name).stem}") for clip, split in zip(steps, splits)
    ]


def _by_kind(store: PackageStore) -> dict[str, list[Clip]]:
    """Return each kind's recordings, their splits still open."""
    clips: dict[str, list[Clip]] = {kind: [] for kind in KINDS}
    short_of = {package: short for short, (package, _) in SOURCES.items()}
    for package, root in store.folders(short_of):
        short = short_of[package]
        members = _members(root / SOURCES[short][1])
        for kind, patterns in KINDS.items():
            for name in members if short in patterns else ():
                if re.fullmatch(patterns[short], name, re.IGNORECASE):
                    clip = Clip(
                        parts=(members[name],),
                        answer=kind,
                        split="",
                        group=f"{short}/{kind}",
                        source=package,
                        license=PACKAGES[package].license,
                        name=name,
                        domain="sound",
                        piece=PIECE,
                        max_pieces=MAX_PIECES,
                    )
                    clips[kind].append(clip)
    return clips


def _members(path: Path) -> Mapping[str, Path | bytes]:
    """Return the sounds of a folder or container, by name, in order."""
    if path.suffix == ".cat":
        return read_opensfx(path)
    if path.suffix == ".pk3":
        return read_zip(path, _SUFFIXES)
    if archives := sorted(path.glob("*.rcc")):
        return {name: sound for archive in archives for name, sound in read_rcc(archive, _SUFFIXES).items()}
    return {str(p.relative_to(path)): p for p in sorted(path.rglob("*")) if p.suffix in _SUFFIXES}
