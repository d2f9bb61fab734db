"""Where it is, what happens, and a needle in a haystack."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import count

import numpy as np

from ...open_audio.clips import SAMPLE_RATE
from ...open_audio.sound.captions import BACKGROUND_LEVEL, at_level, event
from .choices import choices
from .recordings import LEVEL, Draft, Recording, ambience, join, of_one_licence, prolong, read, take
from .speech import dialogues

GLEST, SCORCHED = "usr/share/games/megaglest/tilesets", "usr/share/games/scorched3d/data/globalmods"
TAVERNS = "usr/share/games/widelands/data/sound/barbarians/taverns"
SCENES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("forest", "megaglest-data", tuple(f"{GLEST}/birch_forest/sounds/{time}.ogg" for time in ("night", "day"))),
    ("desert", "lugaru-data", ("usr/share/games/lugaru/Sounds/DesertAmbient.ogg",)),
    ("seaside", "scorched3d-data", (f"{SCORCHED}/none/data/wav/misc/oceanwaves.wav",)),
    ("city", "scorched3d-data", (f"{SCORCHED}/apoc/data/wav/misc/citysounds.wav",)),
    ("tavern", "widelands-data", tuple(f"{TAVERNS}/{name}.ogg" for name in ("inn_01", "tavern_01", "tavern_00"))),
    ("forest", "megaglest-data", tuple(f"{GLEST}/dark_forest/sounds/{time}.ogg" for time in ("day", "night"))),
    ("desert", "megaglest-data", (f"{GLEST}/mediterran/sounds/desertday.ogg",)),
)
"""Scene, package and files, whose names tell the scene. No task of open audio has them."""

BACKGROUNDS = ("supertux/rain", "lugaru/wind", "flare/wind")
"""Groups of `sound_event` that events happen over."""
EVENTS = (
    "airplane", "applause or cheering", "bell or gong", "car or truck", "cow", "door", "hammer",
    "helicopter", "horse", "laughter", "saw", "sheep", "siren or alarm", "telephone", "train", "vehicle horn",
)  # fmt: skip
SHORTEST = 0.7
"""Seconds of an event."""
EVERY = 12.0
"""Seconds of background to an event, at least."""

NEEDLE_ABOVE = 9.0
"""Decibels that the needle is louder than the haystack."""
SHORTEST_PHRASE = 1.0
SUNG = "fretsonfire-songs-muldjord/mutilated_mime"


def acoustic_scene_classification(seconds: float, depths: Sequence[float]) -> Iterator[Draft]:
    """Ambiences of one scene, which begin again once they are over."""
    scenes = tuple(dict.fromkeys(scene for scene, _, _ in SCENES))
    for number, (scene, package, paths) in enumerate(SCENES):
        used = [ambience(package, path) for path in paths]
        yield Draft(
            used=used,
            sound=partial(prolong, used, seconds),
            answer=scene,
            question="Where was this recorded?",
            choices=choices(scene, scenes, number),
        )


def sound_event_detection(seconds: float, depths: Sequence[float]) -> Iterator[Draft]:
    """Events over a background; the one asked about happens once, three others never."""
    pool = _events()
    kinds = sorted(pool)
    random.Random(0).shuffle(kinds)
    for number, kind in enumerate(kinds):
        rng = random.Random(f"sound_event_detection/{seconds:g}/{number}")
        options = choices(kind, kinds, number)
        behind = [piece for piece in read("sound_event") if piece.clip.group == BACKGROUNDS[number % len(BACKGROUNDS)]]
        places = int(seconds // EVERY)
        others = [other for other in kinds if other not in options]
        happen = [rng.choice(pool[rng.choice(others)]) for _ in range(places)]
        asked = min(int(depths[number % len(depths)] * places), places - 1)
        happen[asked] = pool[kind][0]
        times = [(place + rng.uniform(0.0, 0.6)) * seconds / places for place in range(places)]
        yield Draft(
            used=[*behind, *happen],
            sound=partial(_mixed, behind, seconds, happen, times),
            answer=kind,
            question="Which of these is heard?",
            choices=options,
            start=times[asked],
            end=times[asked] + len(event(happen[asked].clip)) / SAMPLE_RATE,
        )


def _events() -> dict[str, list[Recording]]:
    """Return the clips of each kind of `EVENTS`, the longest first."""
    clips = sorted(of_one_licence(read("sound_event")), key=lambda recording: -recording.seconds)
    found = {kind: [clip for clip in clips if clip.clip.answer == kind and clip.seconds >= SHORTEST] for kind in EVENTS}
    return {kind: of_kind for kind, of_kind in found.items() if of_kind}


def _mixed(
    behind: Sequence[Recording], seconds: float, happen: Sequence[Recording], times: Sequence[float]
) -> np.ndarray:
    mixed = prolong(behind, seconds) * 10 ** ((BACKGROUND_LEVEL - LEVEL) / 20)
    for recording, time in zip(happen, times):
        _add(mixed, event(recording.clip), time)
    return mixed


def _add(mixed: np.ndarray, samples: np.ndarray, time: float) -> None:
    start = int(time * SAMPLE_RATE)
    mixed[start : start + len(samples)] += samples[: len(mixed) - start]


def needle(seconds: float, depths: Sequence[float]) -> Iterator[Draft]:
    """In turn: one sound in talk, and one spoken phrase in music."""
    sounds = [of_kind[0] for of_kind in _events().values()]
    phrases = [line for line in read("spoken_phrase") if line.seconds >= SHORTEST_PHRASE]
    music = [piece for piece in of_one_licence(read("long_music")) if piece.clip.group != SUNG]
    haystacks = (
        ("Once, something other than a voice is heard in the talk. What is it?", dialogues(), sounds),
        ("Once, somebody says something over the music. What is said?", music, phrases),
    )
    for _, _, needles in haystacks:
        random.Random(0).shuffle(needles)
    for number in count():
        question, hay, needles = haystacks[number % 2]
        found = needles[number // 2 % len(needles)]
        random.Random(number).shuffle(hay)
        used = take(iter(hay), seconds)
        start = depths[number % len(depths)] * (seconds - found.seconds)
        yield Draft(
            used=[*used, found],
            sound=partial(_hidden, used, seconds, found, start),
            answer=found.clip.answer,
            question=question,
            choices=choices(found.clip.answer, sorted({other.clip.answer for other in needles}), number),
            start=start,
            end=start + found.seconds,
        )


def _hidden(hay: Sequence[Recording], seconds: float, found: Recording, start: float) -> np.ndarray:
    mixed = join(hay)[: int(seconds * SAMPLE_RATE)]
    _add(mixed, at_level(found.samples(), LEVEL + NEEDLE_ABOVE), start)
    return mixed
