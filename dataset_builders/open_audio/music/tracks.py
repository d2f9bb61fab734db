"""Whole tracks of real music: by whom, and from which game."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile

from ..clips import SILENCE, Clip, Unusable, decode
from ..packages import PackageStore
from ..pinned import PACKAGES
from ..splits import assign

MUSIC = {
    "colobot-common-sounds": "**/music/*.ogg",
    "drascula-music": "**/en/*.ogg",
    "flare-game": "**/music/*.ogg",
    "fretsonfire-songs-muldjord": "**/song.ogg",
    "fretsonfire-songs-sectoid": "**/song.ogg",
    "hyperrogue-music": "**/music/*.ogg",
    "lincity-ng-data": "**/music/**/*.ogg",
    "naev-data": "**/snd/music/*.ogg",
    "planetblupi-music-ogg": "**/*.ogg",
    "singularity-music": "**/music/**/*.ogg",
    "supertux-data": "**/music/**/*.ogg",
    "warzone2100-music": "**/*.opus",
    "wesnoth-1.16-music": "**/music/*.ogg",
}
"""Package to its music; several of them hold sounds too, so that package tells no domain."""

GAMES = {
    "colobot-common-sounds": "Colobot",
    "drascula-music": "Drascula",
    "flare-game": "Flare",
    "fretsonfire-songs-muldjord": "Frets on Fire",
    "fretsonfire-songs-sectoid": "Frets on Fire",
    "hyperrogue-music": "HyperRogue",
    "naev-data": "Naev",
    "planetblupi-music-ogg": "Planet Blupi",
    "singularity-music": "Endgame: Singularity",
    "supertux-data": "SuperTux",
    "warzone2100-music": "Warzone 2100",
    "wesnoth-1.16-music": "The Battle for Wesnoth",
}

ARTISTS = (
    "Aleksi Aubry-Carlson",
    "Askyel",
    "Daniel Roux",
    "Doug Kaufman",
    "Emxx52",
    "Ken Seguro",
    "Mattias Westlund",
    "Maxstack",
    "NeonCorridor",
    "Nikola Whallon",
    "Wansti",
)
"""As the tracks' own tags spell them, those with six tracks or more. Naev, Wesnoth and Colobot
hold two or three of them each, so that package does not tell the artist."""

WHALLON = (
    "ambient1", "ambient2", "ambient3", "automat", "battlesomething1", "battlesomething2",
    "collective1", "collective2", "empire1", "empire2", "flf_battle1", "intrigue", "intro",
    "nebu_battle1", "nebu_battle2", "sirius1", "tension", "upbeat", "zalek1",
)  # fmt: skip
"""Naev's untagged tracks that its copyright file says are by Nikola Whallon."""

ELSEWHERE = ("colobot-common-sounds/Infinite", "supertux-data/battle_theme")
"""Tracks that another game plays too, in another version: left out."""

VERSIONS = {
    "ambient2_5": "ambient2",
    "airship_remix": "airship_2",
    "cave_old": "cave",
    "fortress_old": "fortress",
    "ghostforest2": "ghostforest",
    "ghostforest_map": "ghostforest",
    "Hv2": "Humanitarian",
    "menu_enhanced": "menu",
    "track3_enhanced": "track3",
    "voc-daytime2": "voc-daytime",
    "voc-night": "voc-daytime",
}
"""Tracks to the track that they are another version of, with which they share a group."""

CUT_SECONDS = (2.0, 10.0)
"""Cuts of `track_cuts` are as long as a draw from this range, like speech and sounds."""

ARTIST_CUT_SECONDS = 10.0
CUTS_PER_TRACK = 8

LONG_SECONDS = (60.0, 300.0)
LONG_PER_TRACK = 3
"""Stretches of a track follow each other, each as long as a draw from this range."""

LEVEL = 0.08
"""Root mean square, of full scale 1, of every cut whose label loudness could tell."""


@dataclass(frozen=True)
class Track:
    """A piece of music: `group` is shared by its versions, `artist` is empty where unknown."""

    path: Path
    package: str
    group: str
    artist: str
    seconds: float
    split: str = ""


def track_cuts(store: PackageStore) -> Iterator[Clip]:
    """Cuts spread evenly over all tracks, of alike lengths as speech and sounds have."""
    for track in tracks(store):
        rng = random.Random(track.path.name)
        count = min(CUTS_PER_TRACK, int(track.seconds // (2 * CUT_SECONDS[1])))
        for start in _spread(track, count):
            yield _cut(track, "music", start, rng.uniform(*CUT_SECONDS))


def track_artist(store: PackageStore) -> Iterator[Clip]:
    """Cuts of ten seconds by artists of whom each split hears other tracks."""
    for track in tracks(store):
        if track.artist in ARTISTS:
            count = min(CUTS_PER_TRACK, int(0.75 * track.seconds // ARTIST_CUT_SECONDS))
            for start in _spread(track, count):
                yield _levelled(_cut(track, track.artist, start, ARTIST_CUT_SECONDS))


def long_music(store: PackageStore) -> Iterator[Clip]:
    """Stretches of one to five minutes, from games of which each split hears other tracks."""
    for track in tracks(store):
        if track.package not in GAMES:
            continue
        rng, start = random.Random(track.group), 0.0
        for _ in range(LONG_PER_TRACK):
            seconds = min(rng.uniform(*LONG_SECONDS), track.seconds - start)
            if seconds < LONG_SECONDS[0]:
                break
            yield _levelled(_cut(track, GAMES[track.package], start, seconds))
            start += seconds


def tracks(store: PackageStore) -> list[Track]:
    """Return all tracks, with the split that each has in every task."""
    return _tracks(tuple(store.folders(MUSIC)))


@lru_cache(maxsize=1)
def _tracks(roots: tuple[tuple[str, Path], ...]) -> list[Track]:
    """Draw the splits for each artist, and for the rest of each package, on their own."""
    found = [
        Track(path, package, *_about(package, path))
        for package, root in roots
        for path in sorted(root.glob(MUSIC[package]))
        if f"{package}/{path.stem}" not in ELSEWHERE
    ]
    groups: dict[tuple[str, str], set[str]] = {}
    for track in found:
        groups.setdefault((track.package, track.artist if track.artist in ARTISTS else ""), set()).add(track.group)
    splits: dict[str, str] = {}
    for (package, artist), names in groups.items():
        splits |= assign(dict.fromkeys(names, 1.0), f"{package}/{artist}", validation=0.17, test=0.3)
    return [replace(track, split=splits[track.group]) for track in found]


def _about(package: str, path: Path) -> tuple[str, str, float]:
    """Return a track's group, its artist and its length in seconds."""
    with soundfile.SoundFile(path) as file:
        artist, seconds = file.artist, file.frames / file.samplerate
    if package == "naev-data" and path.stem in WHALLON:
        artist = "Nikola Whallon"
    name = path.parent.name if path.stem == "song" else VERSIONS.get(path.stem, path.stem)
    return f"{package}/{name}", artist, seconds


def _spread(track: Track, count: int) -> list[float]:
    """Return where `count` cuts start, evenly spread; each has three quarters of its share to sound."""
    return [(number + 0.25) * track.seconds / count for number in range(count)]


def _cut(track: Track, answer: str, start: float, seconds: float) -> Clip:
    return Clip(
        parts=(track.path,),
        answer=answer,
        split=track.split,
        group=track.group,
        source=track.package,
        license=PACKAGES[track.package].license,
        name=f"{track.group.rpartition('/')[2]}/{track.path.stem}/{start:.1f}",
        domain="music",
        start=start,
        end=start + seconds,
        longest=LONG_SECONDS[1],
    )


def _levelled(clip: Clip) -> Clip:
    """Return `clip` at `LEVEL`, or as near to it as its peaks allow."""

    def part() -> np.ndarray:
        samples = decode(clip.parts[0], clip.start, clip.end)
        peak = np.abs(samples).max()
        if peak < SILENCE:
            raise Unusable("silent")
        return samples / max(peak, np.sqrt(np.mean(samples**2)) / LEVEL)

    return replace(clip, parts=(part,))
