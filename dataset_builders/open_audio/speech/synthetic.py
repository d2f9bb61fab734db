"""Real, fully synthetic or partly synthetic: every line is heard in all three ways."""

from __future__ import annotations

import io
import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import soundfile
import soxr

from ..clips import SAMPLE_RATE, Clip, Unusable, decode
from ..packages import PackageStore
from ..pinned import PACKAGES
from .sources import Line, asterisk_lines, queen_lines, reserved, split_lines, stamp_lines
from .synthesis import ENGINES, Voice, speak

REAL, FULLY, PARTLY = AUTHENTICITY = ("real", "fully synthetic", "partly synthetic")

LETTERS = (25, 100)
"""How long a text may be: some 2 to 7 seconds."""

LONGEST = 12.0
FAKE_SECONDS = (0.4, 2.0)
LARGEST_FAKE = 0.5
"""Of a recording; at least as much of it stays real."""

GAME_RATE, GAME_COMPRESSION = 11_025, 0.9
"""The game's recordings are MP3 of 16 kbit/s at this rate, and so is all else before it is heard."""

TELEPHONE_BAND = (200, 300, 3400, 3500)
"""Hertz where it begins to open, is open, begins to close, is closed: above it the game's recordings
are empty, below it lies the hum of rooms."""

WINDOW, BANDS, POWER_FLOOR = 400, 100, 1.0
"""What a machine says gets the mean log spectrum of the recording in bands of 80 Hz. The floor, of a
power of 150 for white noise as loud as the speech, is where the noise is: what lies below is not heard."""

LOUDNESS = 0.05
"""Root mean square, of full scale 1, of every clip."""

NOISE_DB = (-30.0, -18.0)
"""White noise below the speech, as each clip draws it: louder than the noise floor of recordings."""

FRAME = SAMPLE_RATE // 100
EDGE_DB, DIP_DB = -30.0, -12.0
"""Frames quieter than this, against the loudest frames, are cut off at the ends, and may be cut at."""

FADE = SAMPLE_RATE // 100


@dataclass(frozen=True)
class Role:
    """A voice and how many lines of a language it speaks in a split."""

    split: str
    voice: Voice
    lines: int
    language: str = "en"


ROLES = (
    *(Role("train", Voice("espeak-ng", name), 60) for name in ("en-us", "en-gb+f2")),
    *(Role("train", Voice("flite", name), 60) for name in ("slt", "awb", "kal16")),
    Role("train", Voice("festival", "kal_diphone"), 60),
    *(Role("train", Voice("espeak-ng", name), 35, name[:2]) for name in ("es+m3", "fr+f3", "ro", "ru+f5")),
    *(Role("validation", voice, 25) for voice in (Voice("flite", "rms"), Voice("festival", "ked_diphone"))),
    *(Role("test", Voice(*name), 40) for name in (("festival", "cmu_us_slt_arctic_hts"), ("piper", "joe"))),
)
"""No voice is in two splits; the hidden Markov models and the neural network are for the test only."""


def synthetic_speech(store: PackageStore) -> Iterator[Clip]:
    """Recordings, the same texts spoken by a machine, and recordings with a stretch of the latter.

    A recording keeps the split it has in transcription; validation and test hear no person and no
    voice that training hears. An engine that cannot run takes its lines with it.
    """
    pools = _recordings(store)
    for role in ROLES:
        pool = pools[role.split, role.language]
        lines, pools[role.split, role.language] = pool[: role.lines], pool[role.lines :]
        with store.optional():
            spoken = speak(store, role.voice, [line.text for line in lines])
            for line, machine in zip(lines, spoken, strict=True):
                yield from three_ways(line, machine, role)


def _recordings(store: PackageStore) -> dict[tuple[str, str], list[Line]]:
    """Return shuffled lines by split and language: the game, stamp names, prompts for the test."""
    game = split_lines(queen_lines(store))
    known = {line.speaker for line, split in game if split == "train"}
    heard = [(line, split) for line, split in game if split == "train" or line.speaker not in known]
    heard += [(line, split) for line, split in split_lines(stamp_lines(store)) if split == "train"]
    heard += [(line, "test") for line in asterisk_lines(store, "en") if reserved(line)]
    pools: dict[tuple[str, str], list[Line]] = {}
    for line, split in heard:
        if LETTERS[0] <= len(line.text) <= LETTERS[1]:
            pools.setdefault((split, line.language), []).append(line)
    for key, pool in pools.items():
        random.Random("/".join(key)).shuffle(pool)
    return pools


def three_ways(line: Line, machine: np.ndarray, role: Role) -> Iterator[Clip]:
    """Yield the recording, the machine's version and a mix of both, or nothing if they do not mix.

    The name of the mix tells from where to where (seconds) it is the machine that speaks.
    """
    try:
        audio = line.audio if isinstance(line.audio, bytes) else like_the_game(decode(line.audio))
        real = trimmed(decode(audio))
        fake = coloured(trimmed(decode(like_the_game(machine))), real)
        removed, inserted = places(real, fake, random.Random(f"{role.voice}/{line.name}"))
    except Unusable:
        return
    begin, end = removed.start, removed.start + inserted.stop - inserted.start
    licence = PACKAGES[line.source].license
    voiced = f"{licence}; voice: {ENGINES[role.voice.engine].license}"
    named = f"{role.voice}/{line.name}"
    mixed = f"{named}@{begin / SAMPLE_RATE:.2f}-{end / SAMPLE_RATE:.2f}"
    for answer, name, source, group, license, samples in (
        (REAL, line.name, line.source, line.group, licence, real),
        (FULLY, named, str(role.voice), f"{role.voice}/{role.split}", voiced, fake),
        (PARTLY, mixed, f"{line.source} + {role.voice}", line.group, voiced, spliced(real, fake, removed, inserted)),
    ):
        yield Clip(
            parts=(partial(alike, samples, name),),
            answer=answer,
            split=role.split,
            group=group,
            source=source,
            license=license,
            name=name,
            domain="speech",
            language=line.language,
            longest=LONGEST,
        )


def like_the_game(samples: np.ndarray) -> bytes:
    """Return samples as loud, as narrow and as coarsely coded as the game's recordings."""
    narrow = soxr.resample(samples, SAMPLE_RATE, GAME_RATE)
    file = io.BytesIO()
    soundfile.write(
        file,
        0.95 * narrow / np.abs(narrow).max(initial=1e-9),
        GAME_RATE,
        format="MP3",
        subtype="MPEG_LAYER_III",
        bitrate_mode="CONSTANT",
        compression_level=GAME_COMPRESSION,
    )
    return file.getvalue()


def trimmed(samples: np.ndarray) -> np.ndarray:
    """Return samples from the first to the last frame that is not quiet.

    Raises:
        Unusable: hardly a frame is not.
    """
    loud = np.flatnonzero(_decibels(samples) > EDGE_DB)
    if len(loud) * FRAME < WINDOW:
        raise Unusable("silent")
    return samples[loud[0] * FRAME : (loud[-1] + 1) * FRAME]


def _decibels(samples: np.ndarray) -> np.ndarray:
    """Return the power of each frame and its neighbours, against the loudest."""
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    power = np.convolve((frames**2).mean(axis=1), np.ones(3) / 3, "same")
    return 10 * np.log10(power / power.max(initial=1e-12) + 1e-9)


def dips(samples: np.ndarray) -> list[int]:
    """Return where speech may be cut: its ends, and the quietest moment of each dip of the power."""
    level = _decibels(samples)
    around = np.lib.stride_tricks.sliding_window_view(np.pad(level, 6, constant_values=np.inf), 13).min(axis=1)
    inner = np.flatnonzero((level == around) & (level < DIP_DB))
    pauses = np.split(inner, np.flatnonzero(np.diff(inner) > 1) + 1) if len(inner) else []
    return [0, *(int(pause[len(pause) // 2]) * FRAME + FRAME // 2 for pause in pauses), len(samples)]


def places(real: np.ndarray, fake: np.ndarray, rng: random.Random) -> tuple[slice, slice]:
    """Return which stretch of `real` to replace, and the stretch of `fake` of about the same words.

    Raises:
        Unusable: the power dips too seldom to cut at.
    """
    inserts = _stretches(fake, FAKE_SECONDS[1])
    removes = _stretches(real, min(FAKE_SECONDS[1], LARGEST_FAKE * len(real) / SAMPLE_RATE))
    if not inserts or not removes:
        raise Unusable("no pause to cut at")
    removed = rng.choice(removes)
    start, stop = (edge / len(real) * len(fake) for edge in (removed.start, removed.stop))
    return removed, min(inserts, key=lambda other: abs(other.start - start) + abs(other.stop - stop))


def _stretches(samples: np.ndarray, longest: float) -> list[slice]:
    cuts = dips(samples)
    pairs = [slice(a, b) for number, a in enumerate(cuts) for b in cuts[number + 1 :]]
    return [pair for pair in pairs if FAKE_SECONDS[0] <= (pair.stop - pair.start) / SAMPLE_RATE <= longest]


def spliced(real: np.ndarray, fake: np.ndarray, removed: slice, inserted: slice) -> np.ndarray:
    """Return `real` with one stretch replaced by one of `fake`, as loud, faded in and out."""
    lost, stretch = real[removed], fake[inserted] * (_rms(real[removed]) / _rms(fake[inserted]))
    rise = np.linspace(0, 1, FADE)
    stretch[:FADE] += (lost[:FADE] - stretch[:FADE]) * rise[::-1]
    stretch[-FADE:] += (lost[-FADE:] - stretch[-FADE:]) * rise
    return np.concatenate([real[: removed.start], stretch, real[removed.stop :]]).astype(np.float32)


def _rms(samples: np.ndarray) -> float:
    return float(np.sqrt((samples**2).mean())) + 1e-9


def coloured(samples: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Return samples through a filter that gives them the mean log spectrum of `like`, band by band."""
    gain = 10 ** ((_mean_log_power(like) - _mean_log_power(samples)) / 2)
    hertz = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)
    centres = (np.arange(len(gain)) + 0.5) * SAMPLE_RATE / 2 / len(gain)
    return np.fft.irfft(np.fft.rfft(samples) * np.interp(hertz, centres, gain), len(samples)).astype(np.float32)


def _mean_log_power(samples: np.ndarray) -> np.ndarray:
    """Return `(BANDS,)` means over time of the logarithm of the power."""
    frames = np.lib.stride_tricks.sliding_window_view(samples / _rms(samples), WINDOW)[:: WINDOW // 2]
    power = np.abs(np.fft.rfft(frames * np.hanning(WINDOW))[:, :-1]) ** 2
    return np.log10(power.reshape(len(frames), BANDS, -1).mean(axis=2) + POWER_FLOOR).mean(axis=0)


def alike(samples: np.ndarray, name: str) -> np.ndarray:
    """Return samples in the telephone band at one loudness, in noise that `name` seeds."""
    hertz = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)
    gain = np.interp(hertz, TELEPHONE_BAND, (0, 1, 1, 0))
    speech = np.fft.irfft(np.fft.rfft(samples) * gain, len(samples))
    speech /= _rms(speech)
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    mixed = speech + rng.standard_normal(len(samples)) * 10 ** (rng.uniform(*NOISE_DB) / 20)
    return (mixed * LOUDNESS / _rms(mixed)).astype(np.float32)
