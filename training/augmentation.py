"""What may happen to a clip before it is heard. All take and give mono float32 `(samples,)` at 16 kHz."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import soundfile
import soxr
import torch
from scipy import signal

from modeling_uniwhisper.audio_io import SAMPLING_RATE

from .config import Augmentation

NO_SPEED = ("pitch", "chord", "mandarin_tone", "notes")
"""Tasks whose answer changes with speed."""

NO_MIX = ("audio_domain",)
CODECS = {"mu-law": ("WAV", "ULAW"), "mp3": ("MP3", "MPEG_LAYER_III"), "opus": ("OGG", "OPUS")}


def augment(
    waveform: np.ndarray,
    chances: Augmentation,
    rng: np.random.Generator,
    task: str = "",
    other: np.ndarray | None = None,
) -> np.ndarray:
    """Each effect with its chance, in the order in which they happen to real recordings.

    Args:
        waveform: the clip.
        chances: the recipe's.
        rng: draws everything.
        task: spares it effects that would change its answer.
        other: another clip, to be mixed in.
    """
    if rng.random() < chances.speed and task not in NO_SPEED:
        waveform = speed(waveform, rng.uniform(0.9, 1.1))
    if rng.random() < chances.mix and other is not None and task not in NO_MIX:
        waveform = mix(waveform, other, rng.uniform(10, 20), rng)
    if rng.random() < chances.noise:
        waveform = noise(waveform, rng.uniform(10, 40), rng, pink=rng.random() < 0.5)
    if rng.random() < chances.band_limit:
        low = rng.random() < 0.5
        waveform = (
            band_limit(waveform, None, rng.uniform(1500, 6000))
            if low
            else band_limit(waveform, rng.uniform(100, 400), None)
        )
    if rng.random() < chances.codec:
        waveform = codec(waveform, list(CODECS)[rng.integers(len(CODECS))])
    if rng.random() < chances.gain:
        waveform = gain(waveform, rng.uniform(-12, 6))
    return waveform.astype(np.float32)


def speed(waveform: np.ndarray, factor: float) -> np.ndarray:
    """Played `factor` times as fast, pitch and all."""
    return soxr.resample(waveform, SAMPLING_RATE * factor, SAMPLING_RATE)


def gain(waveform: np.ndarray, decibels: float) -> np.ndarray:
    """Louder or softer, but not beyond full scale."""
    return waveform * min(10 ** (decibels / 20), 1 / (float(np.abs(waveform).max()) + 1e-6))


def noise(waveform: np.ndarray, snr: float, rng: np.random.Generator, pink: bool = False) -> np.ndarray:
    """White or pink noise `snr` dB below the clip's own level."""
    drawn = rng.standard_normal(len(waveform))
    if pink:
        spectrum = np.fft.rfft(drawn)
        drawn = np.fft.irfft(spectrum / np.sqrt(np.arange(1, len(spectrum) + 1)), len(waveform))
    return add(waveform, drawn, snr)


def mix(waveform: np.ndarray, other: np.ndarray, snr: float, rng: np.random.Generator) -> np.ndarray:
    """Another clip, repeated or cut to fit, `snr` dB below."""
    start = int(rng.integers(len(other)))
    return add(waveform, np.resize(np.roll(other, -start), len(waveform)), snr)


def add(waveform: np.ndarray, other: np.ndarray, snr: float) -> np.ndarray:
    """Both, the other `snr` dB below the first; a silent one adds nothing."""
    levels = [float(np.sqrt(np.mean(np.square(one, dtype=np.float64)))) for one in (waveform, other)]
    return waveform + other * (levels[0] / max(levels[1], 1e-9) * 10 ** (-snr / 20))


def band_limit(waveform: np.ndarray, low: float | None, high: float | None) -> np.ndarray:
    """Without what lies below `low` or above `high` hertz."""
    edge, kind = (low, "highpass") if high is None else (high, "lowpass")
    return signal.sosfilt(signal.butter(6, edge, kind, fs=SAMPLING_RATE, output="sos"), waveform)


def codec(waveform: np.ndarray, name: str) -> np.ndarray:
    """As it comes out of one of `CODECS`, at its old length."""
    container, subtype = CODECS[name]
    buffer = io.BytesIO()
    soundfile.write(buffer, np.clip(waveform, -1, 1), SAMPLING_RATE, format=container, subtype=subtype)
    buffer.seek(0)
    heard, _ = soundfile.read(buffer, dtype="float32")
    return np.pad(heard[: len(waveform)], (0, max(0, len(waveform) - len(heard))))


def mask_spectrogram(
    features: torch.Tensor, window_frames: torch.Tensor, rngs: Sequence[np.random.Generator], chance: float = 0.5
) -> None:
    """SpecAugment (Park et al., 2019), light and in place: with `chance`, a band and a stretch of at most an
    eighth of the mels and of the time take the window's mean.

    Args:
        features: log-mel `(windows, mels, mel frames)`.
        window_frames: encoder frames, of two mel frames each, that hold audio `(windows,)`.
        rngs: one for each window.
        chance: of a window.
    """
    for window, frames, rng in zip(features, (2 * window_frames).tolist(), rngs):
        if rng.random() < chance:
            mean = float(window[:, :frames].mean())
            band, stretch = rng.integers(0, window.shape[0] // 8 + 1), rng.integers(0, min(frames // 8, 40) + 1)
            low, start = rng.integers(0, window.shape[0] - band + 1), rng.integers(0, frames - stretch + 1)
            window[low : low + band, :frames] = mean
            window[:, start : start + stretch] = mean
