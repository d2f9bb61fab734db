"""Notes of known instruments: random phrases written as MIDI and played by FluidSynth."""

from __future__ import annotations

import random
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from .clips import SAMPLE_RATE

TICKS = 480
"""Ticks a quarter note; at the default tempo of MIDI that is half a second."""

TICKS_PER_SECOND = 2 * TICKS
RELEASE = 0.4
"""Seconds kept after the last note, so that its release is heard."""

GAP = 1.5
"""Seconds of rest between phrases."""

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


def render(soundfont: Path, program: int, phrases: list[list[Note]]) -> Iterator[np.ndarray]:
    """Play each phrase on General MIDI `program` (0 to 127), without reverb or chorus.

    Yields:
        `(samples,)` float32 at 16 kHz, one array a phrase.

    Raises:
        RenderError: FluidSynth is missing or could not play.
    """
    if shutil.which("fluidsynth") is None:
        raise RenderError("fluidsynth is needed to render instruments and is not installed")
    starts, now = [], 0.0
    for notes in phrases:
        starts.append(now)
        now += _length(notes) + GAP
    with tempfile.TemporaryDirectory() as folder:
        song, sound = Path(folder, "song.mid"), Path(folder, "song.wav")
        song.write_bytes(midi(program, phrases, starts))
        command = ["fluidsynth", "-niq", "-R", "0", "-C", "0", "-g", "1", "-r", str(SAMPLE_RATE)]
        command += ["-F", str(sound), str(soundfont), str(song)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode or not sound.is_file():
            raise RenderError(f"fluidsynth could not play program {program}: {done.stderr.strip()}")
        samples = soundfile.read(sound, dtype="float32", always_2d=True)[0].mean(axis=1)
    for start, notes in zip(starts, phrases, strict=True):
        begin = int(start * SAMPLE_RATE)
        yield samples[begin : begin + int((_length(notes) + RELEASE) * SAMPLE_RATE)]


def midi(program: int, phrases: list[list[Note]], starts: list[float]) -> bytes:
    """Return a type-0 MIDI file that plays each phrase from its start (seconds) on channel 0."""
    events = [(0, bytes((0xC0, program)))]
    for offset, notes in zip(starts, phrases, strict=True):
        for note in notes:
            on = int((offset + note.start) * TICKS_PER_SECOND)
            off = int((offset + note.start + note.seconds) * TICKS_PER_SECOND)
            events.append((on, bytes((0x90, note.key, note.velocity))))
            events.append((off, bytes((0x80, note.key, 0))))
    events.sort(key=lambda event: event[0])
    track, now = bytearray(), 0
    for tick, message in events:
        track += _variable_length(tick - now) + message
        now = tick
    track += b"\x00\xff\x2f\x00"
    header = struct.pack(">4sIHHH", b"MThd", 6, 0, 1, TICKS)
    return header + struct.pack(">4sI", b"MTrk", len(track)) + bytes(track)


def _variable_length(number: int) -> bytes:
    """Return a MIDI variable-length quantity: seven bits a byte, high bit on all but the last."""
    digits = [number & 0x7F]
    while number := number >> 7:
        digits.append(number & 0x7F | 0x80)
    return bytes(reversed(digits))


def _length(notes: list[Note]) -> float:
    return max(note.start + note.seconds for note in notes)
