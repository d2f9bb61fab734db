"""Sounds that are not speech and not music, labelled by the names their makers gave them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from .clips import Clip
from .formats import read_opensfx, read_rcc, read_zip
from .packages import PackageStore
from .pinned import PACKAGES
from .splits import assign

PIECE = 8.0
"""Seconds; longer ambience is cut into pieces of this length."""

_OGG_AND_WAV = (".ogg", ".wav", ".oga")

SOUND_EVENTS: dict[str, dict[str, str]] = {
    "animal": {
        "tuxpaint": r"animals/(mammals|amphibians|lizards)/.*|.*halloween/blackcat\.ogg",
        "gcompris": r".*(farm_animals/.*/(cat|cow|dog|horse|pig|sheep)|LRBark.*|LRFrogs.*)\.ogg",
        "opensfx": r"Sheep|Cow|Horse|Tropical: Lion.*|Tropical: Monkeys|Tropical (Lion|Monkey).*",
        "wesnoth": r".*/(wolf|horse|tusker|bat)-.*",
    },
    "bird": {
        "tuxpaint": r"animals/birds/.*",
        "gcompris": r".*farm_animals/.*/(chickens|duck|owl)\.ogg",
        "opensfx": r"Tropical:? Bird.*",
        "wesnoth": r".*ambient/birds\d\.ogg",
        "flare": r".*environment/(bird_twitter|forest_owl|raven).*",
        "sonic-pi": r"misc_crow.*",
    },
    "footsteps": {
        "ufoai": r".*footsteps/(?!hitground|splash|water|crouch|stand).*",
        "flare": r".*(steps/|environment/stairs).*",
        "gcompris": r".*icy_walk\.wav",
    },
    "gunshot": {
        "ufoai": r".*(weapons/bullet-|geoscape/combat-gun|weapons/ugv-cannon).*",
        "wesnoth": r".*/(thunderstick|dragonstick).*",
        "naev": r".*/autocannon\.ogg",
    },
    "explosion": {
        "ufoai": r".*(weapons/explosion|combat-explosion|combat-rocket-exp).*",
        "naev": r".*/(\w*exp\d?|explosion\d|empexplode)\.(ogg|wav)",
        "opensfx": r"Explosion",
        "wesnoth": r".*/explosion\.ogg",
        "lincity": r"RocketExplosion.*",
        "tuxpaint": r".*newyears/fireworks\.ogg",
    },
    "laser": {
        "ufoai": r".*(weapons/(laser|plasma|ptl|ugv-laser)(?!-blade)|combat-air(laser|plasma)).*",
        "naev": r".*/(laser|plasma|ion|neutron|beam0|ripper)\.(wav|ogg)",
        "fillets": r".*/laser\.ogg",
    },
    "blade or club": {
        "wesnoth": r".*/(axe|club|flail|fist|knife|mace|spear|staff|sword|throwing-knife)\b.*",
        "flare": r".*(melee_attack|powers/block)\.ogg",
        "ufoai": r".*(weapons/melee|impact/knife|seq/sword).*",
        "gcompris": r".*(pickaxe|metal_hit)\.wav",
    },
    "vehicle": {
        "opensfx": (
            r"(?!toyland|.*breakdown)"
            r".*(bus|truck|train|plane|jet|helicopter|steam engine|engine going|car horn).*"
        ),
        "ufoai": r".*(ugv/diesel|seq/humanflyby).*",
        "lincity": r"(Trafic|RailTrain|RocketTakeoff).*",
        "gcompris": r".*(helicopter|traffic/.*/?car|sounds/train)\.wav|.*LR(Start|Train).*",
        "tuxpaint": r"vehicles/emergency/.*",
        "flare": r".*/minecart\.ogg",
    },
    "water": {
        "ufoai": r".*(ambience/water|alienbase-bubbles|footsteps/(splash|water)|impact/water-).*",
        "flare": r".*/(river_loop|cave_droplets_loop)\.ogg",
        "gcompris": r".*(water|water_fill|drip|bubble)\.wav",
        "fillets": r".*/sp-bubles.*",
        "tuxpaint": r"household/toilet\.ogg",
    },
    "wind or storm": {
        "ufoai": r".*ambience/(arcticwind|thunder).*",
        "flare": r".*(wind_loop|/rain|powers/thunder)\.ogg",
        "opensfx": r"(Heavy )?wind",
        "wesnoth": r".*/lightning.*",
        "tuxpaint": r"naturalforces/lightningbolt\.ogg",
        "gcompris": r".*LRRain.*",
    },
    "fire": {
        "ufoai": r".*(ambience/(fire|smallfire)|weapons/flamer).*",
        "wesnoth": r".*/(campfire|torch|flame-big|melee-fire|fuse).*",
        "flare": r".*(open_fire|powers/(burn|fireball)).*",
        "lincity": r"Fire\d\.wav",
        "gcompris": r".*LRFireballs.*",
    },
    "machine": {
        "lincity": r"(Industry|CoalMine|OreMine|Mill\d|Recycle).*",
        "gcompris": r".*LRFactory.*",
        "opensfx": r".*(mining machinery|sawmill|jackhammer|chainsaw|building bridge).*",
        "ufoai": r".*ambience/(machine1|minepump|alien(power)?machinery|alien-(gen|vent)).*",
        "tuxpaint": r"household/(Washing-machine|vacuum_cleaner|tools/saw|tools/hammer)\.ogg",
        "fillets": r".*/(mot-x-motor|br-x-pracka)\.ogg",
        "flare": r".*/anvil_loop\.ogg",
    },
    "human cry": {
        "ufoai": r".*(civilians|soldiers)/.*",
        "wesnoth": r".*/(human|elf|dwarf|mermaid|mermen)-.*",
        "flare": r".*soundfx/((fe)?male_(die|hit)|powers/warcry)\.ogg",
    },
    "monster": {
        "ufoai": r".*sound/aliens/.*",
        "wesnoth": (
            r".*/(drake|goblin|gryphon|lich|naga|ogre|orc|skeleton|troll|wose|yeti|zombie)\b.*"
        ),
        "flare": r".*soundfx/enemies/.*",
    },
    "bell or alarm": {
        "freedesktop": r".*/(bell|alarm-clock|phone-incoming|phone-outgoing-busy).*",
        "opensfx": r"Level crossing",
        "gcompris": r".*LR(Buddhist_gong|Ring).*",
        "fillets": r".*/(bat-t-(phone|budik)|steel-x-redalert).*",
        "ufoai": r".*geoscape/basealert\.ogg",
        "sonic-pi": r"(perc_bell|elec_bell|mehackit_phone).*",
    },
    "door": {
        "ufoai": r".*sound/doors/.*",
        "gcompris": r".*(door_(open|close)\.wav|LRDoor.*)",
        "flare": r".*/(door_open|wood_open|stone_open)\.ogg",
        "fillets": r".*/k1-x-vrz\.ogg",
        "sonic-pi": r"perc_door.*",
    },
    "breaking": {
        "ufoai": r".*misc/break(glass|metal|wood).*",
        "opensfx": r"Crash|Big crash|.*crashing tree",
        "lincity": r"Raze.*",
        "gcompris": r".*(crash\.wav|LRObject_falling.*)",
        "flare": r".*/falling_rocks\.ogg",
        "wesnoth": r".*/cave-in\.ogg",
    },
}
"""Class to, for each package's short name, a pattern of whole member names (any case)."""

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
    clips = [
        (label, f"{short}/{recording(name)}", _PACKAGE_OF[short], name, audio)
        for short, members in _all_members(store)
        for name, audio in members.items()
        for label, patterns in SOUND_EVENTS.items()
        if short in patterns and re.fullmatch(patterns[short], name, re.IGNORECASE)
    ]
    for label in SOUND_EVENTS:
        takes = Counter(group for of, group, *_ in clips if of == label)
        splits = assign(takes, seed=label, validation=0.2, test=0.28)
        for of, group, package, name, audio in clips:
            if of == label:
                yield Clip(
                    parts=(audio,),
                    answer=label,
                    split=splits[group],
                    group=group,
                    source=package,
                    license=PACKAGES[package].license,
                    name=name,
                    domain="sound",
                    piece=PIECE,
                )


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
