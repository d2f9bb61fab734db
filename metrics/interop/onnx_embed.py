"""Embed a recording with ONNX Runtime: `python metrics/interop/onnx_embed.py ONNX_FOLDER AUDIO --out vector.npy`.

A script to copy beside the files that `training.onnx_encoder` writes. It imports neither torch nor transformers: NumPy
makes the log-mel, ONNX Runtime runs the encoder, soundfile and soxr read the file. It gives what
`UniWhisperModel.embed` gives.
"""

from __future__ import annotations

import argparse
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnxruntime
import soundfile
import soxr

RATE, N_FFT, HOP = 16_000, 400, 160
SAMPLES_PER_FRAME = 2 * HOP  # one encoder frame: 20 ms
LIMIT = 30 * RATE  # samples of Whisper's window


def embed(folder: Path, audio: np.ndarray) -> np.ndarray:
    """The vector `(dim,)` of 16 kHz mono `audio` `(samples,)`: the mean over the frames of all its windows.

    Raises:
        ValueError: the audio is shorter than 25 ms, or the front end in `folder` pads its windows.
    """
    front_end = json.loads((folder / "preprocessor_config.json").read_text())
    if front_end["tail_seconds"] or front_end["pad_to_window"]:
        raise ValueError(f"the front end in {folder} pads its windows, and padding is not pooled here")
    if len(audio) < N_FFT:
        raise ValueError(f"the audio has {len(audio)} samples, but at least {N_FFT} (25 ms) are needed")
    filters = mel_filters(front_end["feature_size"])
    session = onnxruntime.InferenceSession(folder / "encoder.onnx", providers=["CPUExecutionProvider"])
    total, frames = np.zeros(1), 0
    for start, stop in cut_windows(len(audio), front_end["window_seconds"]):
        features = log_mel(audio[start:stop], filters)[None]
        feeds = {"input_features": features, "input_features_mask": np.ones(features.shape[::2], np.int64)}
        [hidden] = session.run(["embedding_hidden_state"], feeds)
        total, frames = total + hidden[0].sum(0, dtype=np.float64), frames + hidden.shape[1]
    return (total / frames).astype(np.float32)


def cut_windows(samples: int, window_seconds: float) -> list[tuple[int, int]]:
    """Ranges of whole frames that cover the audio; where under 25 ms would be left, the last two share their length."""
    size = -(-round(window_seconds * RATE) // SAMPLES_PER_FRAME) * SAMPLES_PER_FRAME
    cuts = [*range(0, samples, size), samples]
    if len(cuts) > 2 and samples - cuts[-2] < N_FFT:
        cuts[-2] = (cuts[-3] + samples) // 2 // SAMPLES_PER_FRAME * SAMPLES_PER_FRAME
    return list(pairwise(cuts))


def log_mel(audio: np.ndarray, filters: np.ndarray) -> np.ndarray:
    """Whisper's log-mel `(mels, mel frames)` of one window `(samples,)`, silence after it up to a whole frame."""
    samples = -(-len(audio) // SAMPLES_PER_FRAME) * SAMPLES_PER_FRAME
    audio = np.pad(audio, (0, min(samples + N_FFT, LIMIT) - len(audio)))
    audio = np.pad(audio, N_FFT // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(audio, N_FFT)[::HOP][: samples // HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(N_FFT + 1)[:-1])) ** 2
    log = np.log10(np.maximum(filters @ power.T, 1e-10))
    return ((np.maximum(log, log.max() - 8) + 4) / 4).astype(np.float32)


def mel_filters(mels: int) -> np.ndarray:
    """Triangles of equal area on Slaney's mel scale, up to 8 kHz: `(mels, frequencies)`, as in his Auditory Toolbox."""
    log_step = np.log(6.4) / 27  # above 1 kHz, which is mel 15, a mel is a ratio; below it is 200 / 3 Hz
    mel = np.linspace(0, 15 + np.log(8) / log_step, mels + 2)
    edges = np.where(mel < 15, mel * 200 / 3, 1000 * np.exp(log_step * (mel - 15)))
    low, peak, high = (edges[start : mels + start, None] for start in range(3))
    hertz = np.linspace(0, RATE / 2, N_FFT // 2 + 1)
    triangles = np.minimum((hertz - low) / (peak - low), (high - hertz) / (high - peak))
    return np.maximum(triangles, 0) * 2 / (high - low)


def read(path: Path) -> np.ndarray:
    """A sound file of any rate as 16 kHz mono `(samples,)`."""
    audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return soxr.resample(audio.mean(1), rate, RATE)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder that training.onnx_encoder wrote")
    parser.add_argument("audio", type=Path, help="sound file")
    parser.add_argument("--out", type=Path, required=True, help="file to write, .npy")
    given = parser.parse_args()
    vector = embed(given.folder, read(given.audio))
    np.save(given.out, vector)
    print(f"{len(vector)} numbers written to {given.out}, of length {np.linalg.norm(vector):.3f}")
