"""Sounds that are not speech and not music, labelled by the names their makers gave them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from .clips import Clip
from .formats import read_opensfx, read_rcc, read_zip
from .packages import PackageStore
from .pinned import PACKAGES
from .sound_names import SOUND_EVENTS
from .splits import assign

PIECE = 8.0
"""Seconds; longer ambience is cut into pieces of this length."""

_OGG_AND_WAV = (".ogg", ".wav", ".oga")

_FOLDERS = {
    "tuxpaint": ("tuxpaint-stamps-default", "usr/share/tuxpaint/stamps"),
    "wesnoth": ("wesnoth-1.16-data", "usr/share/games/wesnoth/1.16"),
    "flare": ("flare-game", "usr/share/games/flare/mods"),
    "naev": ("naev-data", "usr/share/naev"),
    "lincity": ("lincity-ng-data", "usr/share/games/lincity-ng/sounds"),
    "fillets": ("fillets-ng-data", "usr/share/games/fillets-ng/sound"),
    "freedesktop": ("sound-theme-freedesktop", "usr/share/sounds/freedesktop"),
    "sonic-pi": ("sonic-pi-samples", "usr/share/sonic-pi/samples"),
}
_CONTAINERS = {
    "gcompris": ("gcompris-qt-data", "usr/share/gcompris-qt/rcc"),
    "opensfx": ("openttd-opensfx", "usr/share/games/openttd/baseset/opensfx/opensfx.cat"),
    "ufoai": ("ufoai-sound", "usr/share/games/ufoai/base/0snd.pk3"),
}

_TAKE = re.compile(
    r"([-_ ]?(hit|die|hurt|death|scream|critdie|\d+[a-z]?)"
    r"|[-_ ](growl|shriek|phys|ment|attack|move|miss|big|small|close|open|fast|idle|stop|loop"
    r"|cut|la|short|busy|start|with horn|double|\d+x))$"
)
"""Endings that tell takes of one recording, or deeds of one creature, apart."""

_SAME_NAMES = ("aliens", "civilians", "footsteps", "soldiers", "steps")
"""Folders whose name belongs to the recording's, because other folders reuse the stems."""


def sound_event(store: PackageStore) -> Iterator[Clip]:
    """Seventeen coarse classes; takes of one recording, or cries of one creature, share a group."""
    for label, clips in _by_label(store).items():
        splits = assign(Counter(clip.group for clip in clips), seed=label, validation=0.2, test=0.28)
        for clip in clips:
            yield replace(clip, split=splits[clip.group])


def _by_label(store: PackageStore) -> dict[str, list[Clip]]:
    """Return each label's clips, their splits still open."""
    clips: dict[str, list[Clip]] = {label: [] for label in SOUND_EVENTS}
    for short, members in _all_members(store):
        package = _PACKAGE_OF[short]
        for name, audio in members.items():
            for label, patterns in SOUND_EVENTS.items():
                if short in patterns and re.fullmatch(patterns[short], name, re.IGNORECASE):
                    clips[label].append(
                        Clip(
                            parts=(audio,),
                            answer=label,
                            split="",
                            group=f"{short}/{recording(name)}",
                            source=package,
                            license=PACKAGES[package].license,
                            name=name,
                            domain="sound",
                            piece=PIECE,
                        )
                    )
    return clips


def recording(name: str) -> str:
    """Return what takes of one recording have in common: the stem without counters and deeds.

    >>> recording("data/core/sounds/wolf-hit-3.ogg")
    'wolf'
    """
    path = Path(name)
    stem = re.sub(r"^LR(?=[A-Z])", "", path.stem).lower()
    previous = None
    while stem != previous:
        previous, stem = stem, _TAKE.sub("", stem) or stem
    if path.parent.parent.name == "aliens":
        return f"aliens/{path.parent.name}"
    return f"{path.parent.name}/{stem}" if path.parent.name in _SAME_NAMES else stem


_PACKAGE_OF = {short: package for short, (package, _) in {**_FOLDERS, **_CONTAINERS}.items()}


def _all_members(store: PackageStore) -> Iterator[tuple[str, dict[str, Path | bytes]]]:
    """Yield each package's short name and its sounds by name."""
    for short, (package, folder) in _FOLDERS.items():
        root = store.folder(package) / folder
        paths = (p for p in sorted(root.rglob("*")) if p.suffix in (*_OGG_AND_WAV, ".flac"))
        yield short, {str(p.relative_to(root)): p for p in paths if "_desc" not in p.name}
    for short, (package, inside) in _CONTAINERS.items():
        path = store.folder(package) / inside
        if short == "gcompris":
            sounds = {}
            for archive in sorted(path.glob("*.rcc")):
                sounds |= read_rcc(archive, _OGG_AND_WAV)
        else:
            sounds = read_opensfx(path) if path.suffix == ".cat" else read_zip(path, ".ogg")
        yield short, sounds
