"""Log-mel features of audio of any length, cut into windows of at most 30 s."""

from itertools import pairwise

import numpy as np
import torch
from transformers import BatchFeature, SequenceFeatureExtractor
from transformers.audio_utils import mel_filter_bank

from .audio_io import MIN_SAMPLES, SAMPLING_RATE, AudioError, load_audio

N_FFT = 400
HOP_LENGTH = 160
MAX_WINDOW_SECONDS = 30.0
SAMPLES_PER_FRAME = 2 * HOP_LENGTH  # one encoder frame: 20 ms


class UniWhisperFeatureExtractor(SequenceFeatureExtractor):
    """Whisper's log-mel front end without its fixed 30 s input.

    Audio is cut into windows of at most `window_seconds`; a window shorter than that is not padded
    to 30 s unless `pad_to_window` is set, which reproduces `WhisperFeatureExtractor` (max absolute
    difference 1e-4). Each window is normalised alone, as Whisper's 30 s inputs are.

    Args:
        feature_size: mel bins, 80 or 128.
        window_seconds: longest window, at most 30 s; rounded up to whole frames of 20 ms.
        tail_seconds: silence that a cut window keeps after its audio, which the encoder may attend to.
        pad_to_window: pad every window with silence to 30 s, as Whisper was trained.
    """

    model_input_names = ["input_features", "input_features_mask"]

    def __init__(
        self,
        feature_size: int = 80,
        sampling_rate: int = SAMPLING_RATE,
        window_seconds: float = MAX_WINDOW_SECONDS,
        tail_seconds: float = 0.0,
        pad_to_window: bool = False,
        padding_value: float = 0.0,
        **kwargs,
    ):
        super().__init__(feature_size=feature_size, sampling_rate=sampling_rate, padding_value=padding_value, **kwargs)
        self.window_seconds = window_seconds
        self.tail_seconds = tail_seconds
        self.pad_to_window = pad_to_window
        self._mel_filters = mel_filter_bank(
            num_frequency_bins=1 + N_FFT // 2,
            num_mel_filters=feature_size,
            min_frequency=0.0,
            max_frequency=8000.0,
            sampling_rate=SAMPLING_RATE,
            norm="slaney",
            mel_scale="slaney",
        ).astype(np.float32)

    def to_dict(self) -> dict:
        return {key: value for key, value in super().to_dict().items() if key != "_mel_filters"}

    def fetch_audio(self, audio, sampling_rate: int | None = None):
        """Load paths with our own reader; arrays pass through (see `audio_io.load_audio`)."""
        if isinstance(audio, (list, tuple)) and (not audio or not isinstance(audio[0], (int, float))):
            return [self.fetch_audio(item) for item in audio]
        return audio if isinstance(audio, (np.ndarray, torch.Tensor)) else load_audio(audio)

    def __call__(
        self,
        audio,
        sampling_rate: int | None = None,
        window_seconds: float | None = None,
        tail_seconds: float | None = None,
        pad_to_window: bool | None = None,
        return_tensors: str | None = "pt",
        **kwargs,
    ) -> BatchFeature:
        """Features of one mono waveform `(samples,)` or a list of them, of any lengths.

        Returns a [`BatchFeature`] with
            - `input_features`: log-mel `(windows, mels, mel frames)`, zero after each window's end,
            - `input_features_mask`: 1 where the encoder may attend `(windows, mel frames)`,
            - `window_frames`: encoder frames of 20 ms that hold audio `(windows,)`,
            - `window_starts`: seconds from the start of its audio `(windows,)`,
            - `num_windows`: windows of each audio, in order `(audios,)`.

        Raises [`AudioError`] for a wrong or missing `sampling_rate`, audio that is empty, shorter than
        25 ms, not one-dimensional or not finite, and windows longer than 30 s.
        """
        window_seconds = self.window_seconds if window_seconds is None else window_seconds
        tail_seconds = self.tail_seconds if tail_seconds is None else tail_seconds
        pad_to_window = self.pad_to_window if pad_to_window is None else pad_to_window
        if sampling_rate != self.sampling_rate:
            given = "no sampling_rate was given" if sampling_rate is None else f"sampling_rate is {sampling_rate}"
            raise AudioError(f"{given}, but this model hears {self.sampling_rate} Hz: use load_audio to resample")
        size = window_samples(window_seconds)
        if not 0 <= tail_seconds <= MAX_WINDOW_SECONDS:
            raise AudioError(f"tail_seconds is {tail_seconds}, but the limits are 0 and {MAX_WINDOW_SECONDS} s")

        waveforms = [self._validate(item) for item in (audio if isinstance(audio, (list, tuple)) else [audio])]
        if not waveforms:
            raise AudioError("the list of audio is empty")
        windows, starts, num_windows = [], [], []
        for waveform in waveforms:
            pieces = cut_windows(waveform, size)
            windows += [waveform[start:stop] for start, stop in pieces]
            starts += [start / SAMPLING_RATE for start, _ in pieces]
            num_windows.append(len(pieces))

        tail = MAX_WINDOW_SECONDS if pad_to_window else tail_seconds
        spectrograms = [self._log_mel(window, round(tail * SAMPLING_RATE)) for window in windows]
        longest = max(spectrogram.shape[1] for spectrogram in spectrograms)
        features = torch.zeros(len(windows), self.feature_size, longest)
        mask = torch.zeros(len(windows), longest, dtype=torch.long)
        for row, spectrogram in enumerate(spectrograms):
            features[row, :, : spectrogram.shape[1]] = spectrogram
            mask[row, : spectrogram.shape[1]] = 1
        data = {
            "input_features": features,
            "input_features_mask": mask,
            "window_frames": torch.tensor([-(-len(window) // SAMPLES_PER_FRAME) for window in windows]),
            "window_starts": torch.tensor(starts, dtype=torch.float32),
            "num_windows": torch.tensor(num_windows),
        }
        return BatchFeature(data if return_tensors == "pt" else {k: v.numpy() for k, v in data.items()})

    def _validate(self, audio) -> torch.Tensor:
        waveform = torch.as_tensor(audio)
        if not waveform.is_floating_point():
            raise AudioError(
                f"the audio is {waveform.dtype}, but floats in [-1, 1] are needed: use load_audio to scale"
            )
        waveform = waveform.float()
        if waveform.ndim != 1:
            raise AudioError(
                f"the audio has shape {tuple(waveform.shape)}, but a mono waveform (samples,) is needed: "
                "use load_audio to mix channels"
            )
        if len(waveform) < MIN_SAMPLES:
            raise AudioError(f"the audio has {len(waveform)} samples, but at least {MIN_SAMPLES} (25 ms) are needed")
        if not torch.isfinite(waveform).all():
            raise AudioError("the audio holds NaN or infinite samples")
        return waveform

    def _log_mel(self, waveform: torch.Tensor, tail: int) -> torch.Tensor:
        """Log-mel `(mels, frames)` of one window `(samples,)` with `tail` samples of silence after it."""
        limit = round(MAX_WINDOW_SECONDS * SAMPLING_RATE)
        samples = min(-(-(len(waveform) + tail) // SAMPLES_PER_FRAME) * SAMPLES_PER_FRAME, limit)
        # Silence, not a reflection, follows the audio, as it does in Whisper's padded input.
        padded = min(samples + N_FFT, limit)
        waveform = torch.nn.functional.pad(waveform, (0, padded - len(waveform)))
        stft = torch.stft(waveform, N_FFT, HOP_LENGTH, window=torch.hann_window(N_FFT), return_complex=True)
        power = (stft[:, : samples // HOP_LENGTH].abs() ** 2).contiguous()
        log_mel = torch.clamp(torch.from_numpy(self._mel_filters).T @ power, min=1e-10).log10()
        return (torch.maximum(log_mel, log_mel.max() - 8.0) + 4.0) / 4.0


def window_samples(window_seconds: float) -> int:
    """Samples of a window: whole frames, so that each window ends where the next starts."""
    if not MIN_SAMPLES / SAMPLING_RATE <= window_seconds <= MAX_WINDOW_SECONDS:
        raise AudioError(f"window_seconds is {window_seconds}, but a window lasts 0.025 to {MAX_WINDOW_SECONDS} s")
    return -(-round(window_seconds * SAMPLING_RATE) // SAMPLES_PER_FRAME) * SAMPLES_PER_FRAME


def cut_windows(waveform: torch.Tensor, size: int) -> list[tuple[int, int]]:
    """Sample ranges of at most `size` that cover the waveform.

    A last piece under 25 ms is too short to analyse: the last two pieces then share their length.
    """
    total = len(waveform)
    cuts = [*range(0, total, size), total]
    if len(cuts) > 2 and total - cuts[-2] < MIN_SAMPLES:
        half = (cuts[-3] + total) // 2 // SAMPLES_PER_FRAME * SAMPLES_PER_FRAME
        least = -(-(total - size) // SAMPLES_PER_FRAME) * SAMPLES_PER_FRAME  # more than half only of windows of 40 ms
        cuts[-2] = max(half, least)
    return list(pairwise(cuts))


__all__ = ["UniWhisperFeatureExtractor"]
