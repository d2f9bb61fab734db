"""YAMNet among the encoders: the usual baseline for sounds."""

from __future__ import annotations

import hashlib

import numpy as np

from modeling_uniwhisper.audio_io import SAMPLING_RATE
from training.yamnet import EMBEDDING, HOP, PATCH_HOP, WHEEL, open_session, patches


class Yamnet:
    """One layer of 1024 averages, after the last convolution, for 0.96 s of audio every 0.48 s.

    As in the original, silence fills what the last patch lacks.
    """

    name = "yamnet"
    fingerprint = hashlib.sha256(f"yamnet 1 {WHEEL.sha256}".encode()).hexdigest()
    layers = 1
    frame_seconds = PATCH_HOP * HOP / SAMPLING_RATE
    window_seconds = 600.0

    def __init__(self):
        self.session = open_session()

    def encode(self, waveforms: list[np.ndarray]) -> list[np.ndarray]:
        return [self._encode(patches(waveform)) for waveform in waveforms]

    def _encode(self, quantised: np.ndarray) -> np.ndarray:
        rows = [self.session.run([EMBEDDING], {"audio": patch[None, None]})[0].ravel() for patch in quantised]
        return np.stack(rows)[None]
