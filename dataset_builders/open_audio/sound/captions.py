"""Sentences about sounds, built from labels: mixes of recordings, described as they were made."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from ..clips import SAMPLE_RATE, Clip, Part, Unusable, decode
from ..packages import PackageStore
from ..splits import SPLITS
from .names import GROUNDS
from .recordings import recordings

CLAUSES: dict[str, str] = {
    "dog": "a dog barks",
    "cat": "a cat meows",
    "cow": "a cow moos",
    "sheep": "a sheep bleats",
    "pig": "a pig grunts",
    "horse": "a horse neighs",
    "frog": "a frog croaks",
    "wolf": "a wolf howls or growls",
    "chicken": "a chicken clucks",
    "rooster": "a rooster crows",
    "duck": "a duck quacks",
    "crow": "a crow caws",
    "owl": "an owl hoots",
    "seagull": "a seagull cries",
    "songbird": "a bird sings",
    "cricket": "a cricket chirps",
    "bee": "a bee buzzes",
    "lion or tiger": "a big cat roars",
    "elephant": "an elephant trumpets",
    "bat": "a bat squeaks",
    "deer": "a deer calls",
    **{ground: f"someone walks on {ground}" for ground in GROUNDS if ground != "water"},
    "water": "someone walks through water",
    "thunder": "thunder rolls",
    "splash": "something splashes into water",
    "bubbles or drops": "water bubbles or drips",
    "train": "a train passes",
    "airplane": "an airplane flies by",
    "helicopter": "a helicopter flies",
    "car or truck": "a car or truck drives",
    "vehicle horn": "a horn honks",
    "siren or alarm": "a siren sounds",
    "telephone": "a telephone rings",
    "bell or gong": "a bell rings",
    "clock": "a clock ticks",
    "camera": "a camera clicks",
    "keyboard": "someone types on a keyboard",
    "coins or cash register": "coins clink",
    "door": "a door opens or closes",
    "footsteps": "someone walks",
    "glass breaking": "glass breaks",
    "crash or collapse": "something crashes down",
    "hammer": "someone hammers",
    "saw": "someone saws",
    "chopping wood": "someone chops wood",
    "machine": "a machine runs",
    "electric spark": "electricity sparks",
    "gunshot": "a gun is fired",
    "explosion": "something explodes",
    "laser": "a laser weapon is fired",
    "sword or knife": "a blade strikes",
    "bow and arrow": "an arrow is shot",
    "applause or cheering": "a crowd cheers",
    "laughter": "someone laughs",
    "human cry": "someone cries out",
    "monster": "a monster growls",
}
"""Kind to what happens."""

BACKGROUNDS: dict[str, str] = {
    "rain": "it rains",
    "wind": "the wind blows",
    "fire": "a fire crackles",
    "running water": "water runs",
}

CAPTIONS = {"train": 1200, "validation": 120, "test": 160}

MOST_SECONDS = 3.5
"""An event is cut after this long; three of them and their pauses stay under 15 s."""

SHORTEST = 4.0
EVENT_LEVEL, BACKGROUND_LEVEL = -20.0, -32.0
"""Root mean square of each event and of the background, dB of full scale."""


def sound_caption(store: PackageStore) -> Iterator[Clip]:
    """One to three events in a row, half of them over a background; the sentence names them in order.

    The audio is mixed and the sentence put together from the labels: no person wrote it. A mix
    holds recordings of its own split only.
    """
    by_kind: dict[tuple[str, str], list[Clip]] = defaultdict(list)
    for clip in recordings(store):
        by_kind[clip.split, clip.answer].append(clip)
    for split in SPLITS:
        events = [kind for kind in CLAUSES if by_kind[split, kind]]
        backgrounds = [kind for kind in BACKGROUNDS if by_kind[split, kind]]
        for number in range(CAPTIONS[split] if events else 0):
            rng = random.Random(f"sound_caption/{split}/{number}")
            over = rng.choice(backgrounds) if backgrounds and rng.random() < 0.5 else None
            kinds = rng.sample(events, min(len(events), rng.randint(1 if over else 2, 3)))
            happen = [rng.choice(by_kind[split, kind]) for kind in kinds]
            behind = rng.choice(by_kind[split, over]) if over else None
            yield _caption(happen, behind, split, number)


def sentence(kinds: Sequence[str], background: str | None) -> str:
    """Put the clauses of `kinds` in order, and what goes on behind them last.

    >>> sentence(["dog", "glass breaking"], "rain")
    'A dog barks, then glass breaks, while it rains.'
    """
    text = ", then ".join(CLAUSES[kind] for kind in kinds)
    if background:
        text += f"{',' if len(kinds) > 1 else ''} while {BACKGROUNDS[background]}"
    return f"{text[0].upper()}{text[1:]}."


def _caption(happen: list[Clip], behind: Clip | None, split: str, number: int) -> Clip:
    return mixture(
        [*happen, behind] if behind else happen,
        partial(mix, happen, behind, seed=f"{split}/{number}"),
        answer=sentence([clip.answer for clip in happen], behind.answer if behind else None),
        name=f"{split}-{number:04d}",
    )


def mixture(used: Sequence[Clip], mixed: Part, answer: str, name: str) -> Clip:
    """Return what was `mixed` of clips of one split as a clip that owes to all of them."""
    return Clip(
        parts=(mixed,),
        answer=answer,
        split=used[0].split,
        group=" + ".join(sorted({clip.group for clip in used})),
        source=" + ".join(sorted({clip.source for clip in used})),
        license=" + ".join(sorted({clip.license for clip in used})),
        name=name,
        domain="sound",
    )


def mix(happen: Sequence[Clip], behind: Clip | None, seed: str) -> np.ndarray:
    """Return `(samples,)`: the events with pauses of 0.3 to 0.8 s between, over the background."""
    rng = random.Random(seed)
    parts = []
    for clip in happen:
        parts += [event(clip), np.zeros(int(SAMPLE_RATE * rng.uniform(0.3, 0.8)), np.float32)]
    mixed = np.concatenate(parts)
    mixed = np.pad(mixed, (0, max(0, int(SAMPLE_RATE * SHORTEST) - len(mixed))))
    if behind:
        mixed = mixed + background(behind, len(mixed))
    return mixed / max(1.0, float(np.abs(mixed).max()))


def event(clip: Clip) -> np.ndarray:
    """Return the first seconds of what sounds in `clip`, faded out where they are cut, at `EVENT_LEVEL`."""
    samples = _sounding(decode(clip.parts[0]))
    most, fade = int(SAMPLE_RATE * MOST_SECONDS), SAMPLE_RATE // 10
    if len(samples) > most:
        samples = samples[:most].copy()
        samples[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
    return at_level(samples, EVENT_LEVEL)


def background(clip: Clip, length: int) -> np.ndarray:
    """Return `length` samples of what sounds in `clip`, repeated if need be, at `BACKGROUND_LEVEL`."""
    return np.resize(at_level(_sounding(decode(clip.parts[0])), BACKGROUND_LEVEL), length)


def _sounding(samples: np.ndarray) -> np.ndarray:
    """Cut off the silence before and after."""
    loud = np.flatnonzero(np.abs(samples) > 0.01 * np.abs(samples).max(initial=0))
    if not len(loud):
        raise Unusable("silent")
    return samples[loud[0] : loud[-1] + 1]


def at_level(samples: np.ndarray, level: float) -> np.ndarray:
    """Return `samples` at a root mean square of `level` dB of full scale."""
    return samples * (10 ** (level / 20) / float(np.sqrt(np.mean(samples**2))))
