"""How fast the encoder is: `python -m metrics.efficiency.embedding`.

- Clips of 5 s: our encoder on what they last, against transformers' Whisper encoder on 30 s each.
- Windows of 30 s: our encoder in bfloat16 against faster-whisper's (CTranslate2, int8).
- `--hour` (Linux): files of 15, 30 and 60 minutes, from disk to vectors, each in a process of its own.

All arms have the same weights (Whisper-base) and threads; log-mel features are made before the clock
starts, but for the files. Arms take turns, after a warm-up; a speedup is the median over rounds.
"""

import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
import soundfile
import torch
import typer

from dataset_builders.errors import plain_errors
from metrics.machine import environment, peak_memory
from metrics.reports import write_report
from modeling_uniwhisper import (
    UniWhisperEncoder,
    UniWhisperEncoderConfig,
    UniWhisperFeatureExtractor,
    UniWhisperModel,
    load_audio,
)
from modeling_uniwhisper.audio_io import SAMPLING_RATE

from .timing import compare, in_new_process

REPEATS = 9
CLIP_SECONDS, CLIPS = 5, 8
MINUTES = (15, 30, 60)
FILE_RATE, FILE_CHANNELS = 44_100, 2
BARS = {"short_clips": 8.0, "full_windows": 1.3, "peak_gigabytes": 2.5}

app = typer.Typer(add_completion=False)


@app.command()
def main(
    out: Path | None = typer.Option(None, help="Where the JSON goes; printed if not given."),
    hour: bool = typer.Option(False, help="Also embed files of 15, 30 and 60 minutes."),
) -> None:
    """Clips a second of short clips and full windows, and the time and memory of long files."""
    from training.assemble import assemble_base
    from training.ctranslate2 import load_whisper
    from training.wheels import WHISPER_BASE

    command = "python -m metrics.efficiency.embedding" + " --hour" * hour
    report = {"command": command, **environment(), "bars": BARS}
    if hour:
        report["long_files"] = long_files(assemble_base(), MINUTES)
    with tempfile.TemporaryDirectory() as scratch:
        folder = WHISPER_BASE.open(Path(scratch))
        theirs = load_whisper(folder).model.encoder
        ours = UniWhisperEncoder(UniWhisperEncoderConfig())
        ours.load_state_dict(theirs.state_dict())
        ours, theirs = ours.eval().to(torch.bfloat16), theirs.eval().to(torch.bfloat16)
        report["short_clips"] = short_clips(ours, theirs, CLIP_SECONDS, CLIPS, REPEATS)
        report["full_windows"] = [full_windows(ours, folder, batch, REPEATS) for batch in (1, 8)]
    write_report(report, out)


def short_clips(
    ours: UniWhisperEncoder, theirs: torch.nn.Module, seconds: float, clips: int, repeats: int
) -> dict[str, object]:
    """Our encoder on clips of `seconds`, against `theirs`, a `WhisperEncoder`, on the same padded to 30 s."""
    audio = [noise(seconds, seed) for seed in range(clips)]
    extract = UniWhisperFeatureExtractor(ours.config.num_mel_bins)
    cut = extract(audio, sampling_rate=SAMPLING_RATE)
    padded = extract(audio, sampling_rate=SAMPLING_RATE, pad_to_window=True).input_features.to(theirs.dtype)
    arms = {
        "uniwhisper": lambda: ours(cut.input_features, cut.input_features_mask),
        "transformers_whisper": lambda: theirs(padded),
    }
    dtypes = {"uniwhisper": str(ours.dtype), "transformers_whisper": str(theirs.dtype)}
    return {"clip_seconds": seconds, "batch": clips, "dtype": dtypes, **compare(arms, clips, repeats)}


def full_windows(ours: UniWhisperEncoder, folder: Path, batch: int, repeats: int) -> dict[str, object]:
    """Our encoder on windows of 30 s, against CTranslate2's int8 of the `model.bin` in `folder`."""
    from ctranslate2 import StorageView
    from ctranslate2.models import Whisper

    from training.ctranslate2 import write_vocabulary

    write_vocabulary(folder)
    theirs = Whisper(str(folder), compute_type="int8", intra_threads=torch.get_num_threads())

    features = UniWhisperFeatureExtractor()([noise(30, seed) for seed in range(batch)], sampling_rate=SAMPLING_RATE)
    view = StorageView.from_array(features.input_features.numpy())
    arms = {
        "uniwhisper": lambda: ours(features.input_features, features.input_features_mask),
        "faster_whisper": lambda: theirs.encode(view),
    }
    dtypes = {"uniwhisper": str(ours.dtype), "faster_whisper": "int8"}
    return {"clip_seconds": 30, "batch": batch, "dtype": dtypes, **compare(arms, batch, repeats)}


def long_files(checkpoint: Path, minutes: tuple[float, ...]) -> dict[str, object]:
    """Time and peak memory of whole files; `seconds_per_minute` is level if the cost is linear."""
    with tempfile.TemporaryDirectory() as scratch:
        files = [Path(scratch, f"{length}.wav") for length in minutes]
        for file, length in zip(files, minutes):
            write_noise(file, 60 * length)
        runs = [in_new_process(embed_file, checkpoint, file) for file in files]
    for run, length in zip(runs, minutes):
        run |= {"minutes": length, "seconds_per_minute": round(sum(run["seconds"].values()) / length, 3)}
    return {"sampling_rate": FILE_RATE, "channels": FILE_CHANNELS, "dtype": "bfloat16", "runs": runs}


def embed_file(checkpoint: Path, file: Path) -> dict[str, object]:
    """Seconds that loading, features and embedding of `file` take, and the process's peak memory."""
    model = UniWhisperModel.from_pretrained(checkpoint, dtype=torch.bfloat16).eval()
    extract = UniWhisperFeatureExtractor.from_pretrained(checkpoint)
    times = [perf_counter()]
    audio = load_audio(file)
    times.append(perf_counter())
    features = extract(audio, sampling_rate=SAMPLING_RATE)
    times.append(perf_counter())
    model.embed(**features)
    times.append(perf_counter())
    return {
        "seconds": dict(zip(("load", "features", "embed"), np.diff(times).round(3).tolist())),
        "peak_gigabytes": round(peak_memory() / 1e9, 3),
    }


def noise(seconds: float, seed: int) -> np.ndarray:
    """Noise that swells and fades `(samples,)` at 16 kHz."""
    samples = round(seconds * SAMPLING_RATE)
    swell = np.sin(np.arange(samples) / SAMPLING_RATE)
    return (0.1 * swell * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


def write_noise(file: Path, seconds: float) -> None:
    """A stereo WAV at 44.1 kHz, a second at a time."""
    rng = np.random.default_rng(0)
    with soundfile.SoundFile(file, "w", FILE_RATE, FILE_CHANNELS) as sound:
        for _ in range(round(seconds)):
            sound.write(0.1 * rng.standard_normal((FILE_RATE, FILE_CHANNELS)))


if __name__ == "__main__":
    with plain_errors():
        app()
