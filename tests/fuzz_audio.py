"""A fuzz of the reader of recordings: small files of every format, damaged at random.

    python -m tests.fuzz_audio --files 10000

They are read in a process apart, which must not die, hang or leak, nor raise anything but `AudioError`. A file that it
does not bear is named by its number, which makes the same file again: `--start NUMBER --files 1`.
"""

import io
import multiprocessing
import random
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Annotated

import numpy as np
import psutil
import soundfile as sf
import torch
import typer
from rich.progress import track

from modeling_uniwhisper.audio_io import MIN_SAMPLES, SAMPLING_RATE, AudioError, audio_duration, load_audio, load_span

FORMATS = {
    **{f"WAV {subtype}": "wav" for subtype in ("PCM_16", "PCM_24", "FLOAT", "ULAW", "MS_ADPCM", "IMA_ADPCM", "GSM610")},
    **{"FLAC PCM_16": "flac", "OGG VORBIS": "ogg", "OGG OPUS": "opus", "MP3 MPEG_LAYER_III": "mp3"},
    **{"AIFF PCM_16": "aiff", "AU PCM_16": "au", "CAF PCM_16": "caf", "W64 PCM_16": "w64", "RF64 PCM_16": "wav"},
}
"""libsndfile's format and subtype to the suffix."""
CONTAINERS = ("mp4", "adts", "matroska")
SPAWN = multiprocessing.get_context("spawn")
SECONDS_PER_FILE = 60.0
MEGABYTES_LEAKED = 48.0
WARM_UP = 0.25  # of the files, before memory is compared


def recordings() -> dict[str, bytes]:
    """A second of a chirp in noise, 44.1 kHz stereo, in every format that can be written here."""
    time = np.arange(44_100) / 44_100
    noise = np.random.default_rng(0).normal(0, 0.05, (44_100, 2))
    audio = (0.3 * np.sin(2 * np.pi * (300 + 400 * time) * time))[:, None] + noise
    files = {}
    for name, suffix in FORMATS.items():
        file = io.BytesIO()
        format, subtype = name.split()
        channels, rate = (1, 8_000) if subtype == "GSM610" else (2, 48_000 if subtype == "OPUS" else 44_100)
        sf.write(file, audio[:, :channels], rate, format=format, subtype=subtype)
        files[f"{name}.{suffix}"] = file.getvalue()
    try:
        from torchcodec.encoders import AudioEncoder
    except (ImportError, RuntimeError, OSError):
        return files
    encoder = AudioEncoder(torch.from_numpy(audio.T).float(), sample_rate=44_100)
    return files | {f"FFmpeg.{suffix}": encoder.to_tensor(suffix).numpy().tobytes() for suffix in CONTAINERS}


def flip(data: bytearray, at: int, rng: random.Random) -> None:
    """A byte, or some hundred of them, are others."""
    size = rng.choice([1, 1, 4, 400])
    data[at : at + size] = rng.randbytes(size)


def cut(data: bytearray, at: int, rng: random.Random) -> None:
    """The rest is missing."""
    del data[at:]


def drop(data: bytearray, at: int, rng: random.Random) -> None:
    """A stretch is missing."""
    del data[at : at + rng.randrange(1, 5_000)]


def swell(data: bytearray, at: int, rng: random.Random) -> None:
    """A stretch is repeated, or nothing but zeros is put in."""
    data[at:at] = (data[at : at + rng.randrange(1, 5_000)] or b"\0") * rng.choice([1, 10, 100])
    data[at:at] = bytes(rng.choice([0, 1, 100_000]))


def lie(data: bytearray, at: int, rng: random.Random) -> None:
    """A size, rate or count is none, the largest, or another."""
    width = rng.choice([2, 3, 4, 8])
    most = 256**width - 1
    value = rng.choice([0, 1, most // 2, most // 2 + 1, most - 1, most, rng.randrange(most)])
    data[at : at + width] = value.to_bytes(width, rng.choice(["little", "big"]))


DAMAGES: tuple[Callable[[bytearray, int, random.Random], None], ...] = (flip, cut, drop, swell, lie)


def damaged(files: dict[str, bytes], number: int) -> tuple[str, bytes]:
    """The damaged file of a number, and its name; most damages are near its start, where its header is."""
    rng = random.Random(number)
    name, whole = rng.choice(sorted(files.items()))
    data = bytearray(whole)
    for damage in rng.choices(DAMAGES, k=rng.randint(1, 3)):
        damage(data, int(len(data) * rng.random() ** rng.choice([1, 8])), rng)
    return name, bytes(data)


def hear(path: Path) -> bool:
    """Read a file in every way; whether it was heard at all."""
    heard = []
    for read in (load_audio, lambda path: load_audio(path.read_bytes()), lambda path: load_span(path, 0.1, 0.4)):
        try:
            audio = read(path)
        except AudioError as error:
            assert str(error).count("\n") == 0, "the error is not one line"
        else:
            heard.append(audio)
            assert audio.dtype == np.float32 and audio.ndim == 1, "not one waveform"
            assert np.isfinite(audio).all(), "NaN or infinity"
            assert len(audio) >= MIN_SAMPLES, "too short"
    try:
        seconds = audio_duration(path)
    except AudioError:
        assert not heard, "heard, but without a duration"
    else:
        assert seconds >= 0
        if heard and path.suffix != ".mp3":  # whose header may promise less than follows
            assert abs(seconds - len(heard[0]) / SAMPLING_RATE) < 0.2, "another duration than what is heard"
    return bool(heard)


def listen(connection: Connection) -> None:
    """Hear the files whose paths are sent; reply whether each was heard, or why this must not be."""
    connection.send("ready")
    while True:
        try:
            connection.send(str(hear(Path(connection.recv()))))
        except EOFError:
            return
        except Exception:
            connection.send(traceback.format_exc(limit=-3))


class Listener:
    """A process that hears files, started anew when one has ended or stopped it."""

    def __init__(self):
        self.start()

    def start(self) -> None:
        self.connection, other = SPAWN.Pipe()
        self.process = SPAWN.Process(target=listen, args=(other,), daemon=True)
        self.process.start()
        other.close()
        self.connection.recv()  # only now its time runs: the imports take longer than any file
        self.system = psutil.Process(self.process.pid)

    def __call__(self, path: Path) -> str:
        """`True` or `False` for heard or not, else what went wrong."""
        self.connection.send(str(path))
        try:
            if self.connection.poll(SECONDS_PER_FILE):
                return self.connection.recv()
            problem = f"not read within {SECONDS_PER_FILE:g} s"
        except EOFError:
            self.process.join()
            problem = f"the process died with exit code {self.process.exitcode}"
        self.close()
        self.start()
        return problem

    def close(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()


@dataclass
class Outcome:
    """What became of the files.

    Args:
        heard, refused: how many, by what they were before.
        problems: by number of the file.
        open_files: after each.
        megabytes: of memory, after each.
    """

    heard: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    problems: dict[int, str] = field(default_factory=dict)
    open_files: list[int] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)

    @property
    def leaked(self) -> float:
        """Megabytes that the last quarter of the files took more than the second."""
        quarter = max(1, int(WARM_UP * len(self.megabytes)))
        return median(self.megabytes[-quarter:]) - median(self.megabytes[quarter : 2 * quarter] or self.megabytes)


def fuzz(numbers: Iterable[int], folder: Path) -> Outcome:
    """Hear the damaged files of `numbers`, one at a time in `folder`."""
    files, outcome, listener = recordings(), Outcome(), Listener()
    for number in numbers:
        name, data = damaged(files, number)
        path = folder / name
        path.write_bytes(data)
        answer = listener(path)
        path.unlink()
        if answer in ("True", "False"):
            (outcome.heard if answer == "True" else outcome.refused)[name] += 1
        else:
            outcome.problems[number] = f"{name}: {answer}"
        outcome.open_files.append(listener.system.num_fds())
        outcome.megabytes.append(listener.system.memory_info().rss / 1e6)
    listener.close()
    return outcome


def main(
    files: Annotated[int, typer.Option(min=1, help="How many files.")] = 10_000,
    start: Annotated[int, typer.Option(min=0, help="Number of the first.")] = 0,
) -> None:
    """Hear damaged recordings; exit code 1 if one of them is not borne."""
    with tempfile.TemporaryDirectory() as folder:
        outcome = fuzz(track(range(start, start + files), "hearing"), Path(folder))
    for number, problem in outcome.problems.items():
        print(f"file {number}, {problem}")
    for name in sorted(outcome.heard | outcome.refused):
        print(f"{name}: {outcome.heard[name]} heard, {outcome.refused[name]} refused")
    print(
        f"{files} files: {outcome.heard.total()} heard, {outcome.refused.total()} refused, "
        f"{len(outcome.problems)} not borne; open files {min(outcome.open_files)} to {max(outcome.open_files)}, "
        f"memory {outcome.leaked:+.1f} MB"
    )
    raise typer.Exit(bool(outcome.problems) or outcome.leaked > MEGABYTES_LEAKED)


if __name__ == "__main__":
    typer.run(main)
