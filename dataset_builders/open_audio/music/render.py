"""Notes of known instruments: passages written as MIDI and played by FluidSynth."""

from __future__ import annotations

import random
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from ..clips import SAMPLE_RATE
from ..packages import PackageStore

SOUNDFONTS = {
    "train": {
        "fluid-soundfont-gm": "usr/share/sounds/sf2/FluidR3_GM.sf2",
        "musescore-general-soundfont": "usr/share/sounds/sf3/MuseScore_General_Full.sf3",
    },
    "validation": {"timgm6mb-soundfont": "usr/share/sounds/sf2/TimGM6mb.sf2"},
    "test": {"minuet-data": "usr/share/minuet/soundfonts/GeneralUser-v1.47.sf2"},
}
"""Each split is played by other samples. MuseScore's derive partly from Fluid's and stay with them."""

DRUM_CHANNEL = 9
"""On this MIDI channel a program is a drum kit and a key a drum."""

PLAYED_RATE = 2 * SAMPLE_RATE
"""FluidSynth does not filter what lies above half its rate, so it plays at twice ours."""

TICKS = 480
"""Ticks a quarter note; at the default tempo of MIDI that is half a second."""

TICKS_PER_SECOND = 2 * TICKS
RELEASE = 0.4
"""Seconds kept after the last note, so that its release is heard."""

PASSAGES_AT_ONCE = 150

_SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 4, 7, 9))
_CHORDS = ((0, 4, 7), (0, 3, 7), (0, 4, 7, 10), (0, 5, 7), (0, 7, 12))


class RenderError(ValueError):
    """FluidSynth is missing or failed."""


@dataclass(frozen=True)
class Note:
    """A key (0 to 127) struck at `start` for `seconds` with `velocity` (1 to 127)."""

    start: float
    seconds: float
    key: int
    velocity: int


@dataclass(frozen=True)
class Passage:
    """Notes for one General MIDI program (0 to 127)."""

    program: int
    notes: Sequence[Note]
    channel: int = 0

    @property
    def seconds(self) -> float:
        """How long the passage lasts, its release included."""
        return max(note.start + note.seconds for note in self.notes) + RELEASE


def soundfonts(store: PackageStore, split: str) -> Iterator[tuple[str, Path]]:
    """Yield `(package, file)` of the SoundFonts that play `split`."""
    files = SOUNDFONTS[split]
    for package, folder in store.folders(files):
        yield package, folder / files[package]


def phrase(rng: random.Random, lowest: int, highest: int) -> list[Note]:
    """Return a melody or a run of chords of 2 to 4 seconds within the keys given."""
    until, now, notes = rng.uniform(2.0, 4.0), 0.0, []
    root = rng.randint(lowest, max(lowest, highest - 12))
    scale, loudness = rng.choice(_SCALES), rng.randint(55, 115)
    chords = rng.random() < 0.35
    pace = rng.choice((0.25, 0.33, 0.5, 0.8))
    while now < until:
        seconds = min(pace * rng.choice((1, 1, 1, 2)) * (2 if chords else 1), until - now)
        seconds = max(seconds, 0.15)
        base = root + rng.choice(scale)
        for step in rng.choice(_CHORDS) if chords else (0,):
            velocity = min(127, max(30, loudness + rng.randint(-12, 12)))
            notes.append(Note(now, seconds * 0.95, min(127, base + step), velocity))
        now += seconds
    return notes


def render(soundfont: Path, passages: Sequence[Passage]) -> Iterator[np.ndarray]:
    """Play the passages, without reverb or chorus.

    Yields:
        `(samples,)` float32 at 16 kHz, one array a passage.

    Raises:
        RenderError: FluidSynth is missing or could not play.
    """
    if shutil.which("fluidsynth") is None:
        raise RenderError("fluidsynth is needed to render instruments and is not installed")
    for first in range(0, len(passages), PASSAGES_AT_ONCE):
        some = passages[first : first + PASSAGES_AT_ONCE]
        samples, now = _play(soundfont, some), 0.0
        for passage in some:
            begin, now = int(now * SAMPLE_RATE), now + passage.seconds
            yield samples[begin : int(now * SAMPLE_RATE)]


def _play(soundfont: Path, passages: Sequence[Passage]) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        song, sound = Path(folder, "song.mid"), Path(folder, "song.wav")
        song.write_bytes(midi(passages))
        command = ["fluidsynth", "-niq", "-R", "0", "-C", "0", "-g", "0.5", "-r", str(PLAYED_RATE)]
        command += ["-o", "synth.dynamic-sample-loading=1", "-F", str(sound), str(soundfont), str(song)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode or not sound.is_file():
            raise RenderError(f"fluidsynth could not play {soundfont.name}: {done.stderr.strip()}")
        samples = soundfile.read(sound, dtype="float32", always_2d=True)[0].mean(axis=1)
    return soxr.resample(samples, PLAYED_RATE, SAMPLE_RATE)


def midi(passages: Sequence[Passage]) -> bytes:
    """Return a type-0 MIDI file that plays one passage after another; each silences the last."""
    events, offset = [], 0.0
    for passage in passages:
        channel, begin = passage.channel, int(offset * TICKS_PER_SECOND)
        events.append((begin, bytes((0xB0 | channel, 120, 0))))
        events.append((begin, bytes((0xC0 | channel, passage.program))))
        for note in passage.notes:
            on = int((offset + note.start) * TICKS_PER_SECOND)
            off = int((offset + note.start + note.seconds) * TICKS_PER_SECOND)
            events.append((on, bytes((0x90 | channel, note.key, note.velocity))))
            events.append((off, bytes((0x80 | channel, note.key, 0))))
        offset += passage.seconds
    events.sort(key=lambda event: event[0])
    track, now = bytearray(), 0
    for tick, message in events:
        track += _variable_length(tick - now) + message
        now = tick
    track += _variable_length(max(int(offset * TICKS_PER_SECOND) - now, 0)) + b"\xff\x2f\x00"
    header = struct.pack(">4sIHHH", b"MThd", 6, 0, 1, TICKS)
    return header + struct.pack(">4sI", b"MTrk", len(track)) + bytes(track)


def _variable_length(number: int) -> bytes:
    """Return a MIDI variable-length quantity: seven bits a byte, high bit on all but the last."""
    digits = [number & 0x7F]
    while number := number >> 7:
        digits.append(number & 0x7F | 0x80)
    return bytes(reversed(digits))
