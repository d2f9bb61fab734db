"""What is probed: audio encoders behind one small protocol, from audio to every layer's frames.

encoder = open_encoder("whisper-base")
[layers] = encoder.encode([audio])  # (layers, frames, dim), without padding
"""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from transformers import AutoFeatureExtractor, AutoModel, PreTrainedModel, SequenceFeatureExtractor

from modeling_uniwhisper import UniWhisperEncoder, UniWhisperFeatureExtractor, UniWhisperModel
from modeling_uniwhisper.audio_io import SAMPLING_RATE
from modeling_uniwhisper.checkpoints import find_checkpoint
from modeling_uniwhisper.configuration_uniwhisper import ENCODER_FRAME_RATE
from modeling_uniwhisper.feature_extraction_uniwhisper import HOP_LENGTH, MAX_WINDOW_SECONDS
from modeling_uniwhisper.modeling_uniwhisper import WINDOWS_PER_BATCH
from training.assemble import load_encoder
from training.bases import parse
from training.wheels import WHISPER_BASE

VERSION = 1
"""Raised whenever a change to the code changes what an encoder gives: older caches are left alone."""

HEARS_WAVEFORMS = ("hubert", "wav2vec2", "wavlm")
REMOTE_WINDOW_SECONDS = 10.0  # what Dasheng learned on
NOT_ARITHMETIC = {"_name_or_path", "architectures", "auto_map", "dtype", "processor_class", "transformers_version"}


class Encoder(Protocol):
    """An audio encoder that can be probed.

    Args:
        name: what tables show.
        fingerprint: SHA-256 over all that decides its output: weights, settings, dtype, window policy.
        layers: hidden states it gives, the input to its first layer included.
        frame_seconds: from a frame to the next.
        window_seconds: the longest waveform that `encode` takes.
    """

    name: str
    fingerprint: str
    layers: int
    frame_seconds: float
    window_seconds: float

    def encode(self, waveforms: list[np.ndarray]) -> list[np.ndarray]:
        """Float32 `(layers, frames, dim)` of each 16 kHz waveform `(samples,)`, which no other one changes."""


class MelEncoder:
    """Whisper's encoder, trained further or not, in this project's arithmetic.

    The extractor decides what is heard: windows as long as the clip, or padded to 30 s as Whisper was
    trained. Of the latter, too, only the frames that hold audio are given.
    """

    def __init__(self, name: str, network: UniWhisperEncoder, extractor: UniWhisperFeatureExtractor):
        self.name, self.extractor = name, extractor
        self.network = network.eval().to(device())
        self.fingerprint = fingerprint(self, network, extractor)
        self.layers = network.config.num_hidden_layers + 1
        self.frame_seconds = 1 / ENCODER_FRAME_RATE
        self.window_seconds = extractor.window_seconds

    @torch.inference_mode()
    def encode(self, waveforms: list[np.ndarray]) -> list[np.ndarray]:
        at_once = WINDOWS_PER_BATCH if self.extractor.pad_to_window else len(waveforms)
        encoded = []
        for start in range(0, len(waveforms), at_once):
            features = self.extractor(waveforms[start : start + at_once], sampling_rate=SAMPLING_RATE)
            inputs = (features[key].to(self.network.device) for key in ("input_features", "input_features_mask"))
            states = self.network(*inputs, output_hidden_states=True).hidden_states
            encoded += without_padding(states, features["window_frames"].tolist())
        return encoded


class WaveformEncoder:
    """wav2vec2, HuBERT or WavLM of transformers."""

    window_seconds = MAX_WINDOW_SECONDS

    def __init__(self, name: str, network: PreTrainedModel, extractor: SequenceFeatureExtractor):
        self.name, self.extractor = name, extractor
        self.network = network.eval().to(device())
        self.fingerprint = fingerprint(self, network, extractor)
        self.layers = network.config.num_hidden_layers + 1
        self.frame_seconds = math.prod(network.config.conv_stride) / SAMPLING_RATE

    @torch.inference_mode()
    def encode(self, waveforms: list[np.ndarray]) -> list[np.ndarray]:
        if self.network.config.feat_extract_norm == "group":  # over time: padding would change every frame
            return [frames for waveform in waveforms for frames in self._encode([waveform])]
        return self._encode(waveforms)

    def _encode(self, waveforms: list[np.ndarray]) -> list[np.ndarray]:
        inputs = self.extractor(
            waveforms, sampling_rate=SAMPLING_RATE, padding=True, return_attention_mask=True, return_tensors="pt"
        ).to(self.network.device)
        values = inputs.input_values.to(self.network.dtype)
        mask = inputs.attention_mask if len(waveforms) > 1 else None
        outputs = self.network(values, attention_mask=mask, output_hidden_states=True)
        states = (*outputs.hidden_states[:-1], outputs.last_hidden_state)  # the last normalised, where it is to be
        return without_padding(states, [self._frames(len(waveform)) for waveform in waveforms])

    def _frames(self, length: int) -> int:
        for kernel, stride in zip(self.network.config.conv_kernel, self.network.config.conv_stride):
            length = (length - kernel) // stride + 1
        return length


class RemoteEncoder:
    """A model whose code comes with it, such as Dasheng.

    Nothing is known of its masks, so each waveform is encoded alone; layers are its `hidden_states`,
    which may be one tensor.

    Raises:
        ValueError: it gives none.
    """

    window_seconds = REMOTE_WINDOW_SECONDS

    def __init__(self, name: str, network: PreTrainedModel, extractor: SequenceFeatureExtractor):
        self.name, self.extractor = name, extractor
        self.network = network.eval().to(device())
        self.fingerprint = fingerprint(self, network, extractor)
        [example] = self.encode([np.zeros(round(self.window_seconds * SAMPLING_RATE), np.float32)])
        self.layers, frames, _ = example.shape
        self.frame_seconds = self.window_seconds / frames

    @torch.inference_mode()
    def encode(self, waveforms: list[np.ndarray]) -> list[np.ndarray]:
        encoded = []
        for waveform in waveforms:
            inputs = self.extractor(waveform, sampling_rate=SAMPLING_RATE, return_tensors="pt")
            inputs = {key: value.to(self.network.device, self.network.dtype) for key, value in inputs.items()}
            states = self.network(**inputs).hidden_states
            if states is None:
                raise ValueError(f"{self.name} gives no hidden_states, which are the layers to probe: it needs a class")
            states = [states] if isinstance(states, torch.Tensor) else states
            encoded += without_padding(states, [states[0].shape[1]])
        return encoded


class LogMel:
    """No network: log-mel frames, each beside the deviation over its window, as one layer.

    Their mean over frames is the mean and deviation of each of 80 bins.
    """

    name = "log-mel"
    layers = 1
    frame_seconds = HOP_LENGTH / SAMPLING_RATE
    window_seconds = MAX_WINDOW_SECONDS

    def __init__(self):
        self.extractor = UniWhisperFeatureExtractor()
        self.fingerprint = fingerprint(self, None, self.extractor)

    def encode(self, waveforms: list[np.ndarray]) -> list[np.ndarray]:
        features = self.extractor(waveforms, sampling_rate=SAMPLING_RATE)
        encoded = []
        for mels, frames in zip(features["input_features"].numpy(), 2 * features["window_frames"].numpy()):
            mels = mels[:, :frames].T
            deviation = np.broadcast_to(mels.std(0), mels.shape)
            encoded.append(np.concatenate([mels, deviation], axis=1)[None])
        return encoded


def without_padding(states: Sequence[torch.Tensor], frames: list[int]) -> list[np.ndarray]:
    """Float32 `(layers, frames, dim)` of each row of `states`, layers of `(batch, padded frames, dim)`."""
    stacked = torch.stack([layer[:, : max(frames)] for layer in states]).float().cpu().numpy()
    return [stacked[:, row, :length] for row, length in enumerate(frames)]


def fingerprint(encoder: object, network: PreTrainedModel | None, extractor: SequenceFeatureExtractor) -> str:
    """Hexadecimal SHA-256 over an encoder's class, settings and, with their dtype, its weights; not over its name."""
    settings = [type(encoder).__name__, VERSION, settled(extractor.to_dict())]
    if network is not None:
        settings.append(settled(network.config.to_dict()))
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode())
    for name, tensor in sorted(network.state_dict().items() if network is not None else ()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.cpu().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def settled(settings: Mapping[str, Any]) -> dict[str, Any]:
    """`settings` less what says where a model lies or which library wrote it."""
    return {key: value for key, value in settings.items() if key not in NOT_ARITHMETIC}


def pads_to_window(encoder: Encoder) -> bool:
    """Whether what it hears is filled up with silence, as Whisper's own extractor does."""
    return isinstance(encoder, MelEncoder) and encoder.extractor.pad_to_window


def device() -> str:
    """The GPU where there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def open_whisper(name: str, folder: Path, dtype: str, pad_to_window: bool = False) -> MelEncoder:
    """The encoder of the Whisper in `folder`, as CTranslate2 or transformers keeps it."""
    config, weights = load_encoder(folder)
    network = UniWhisperEncoder(config)
    network.load_state_dict(weights)
    extractor = UniWhisperFeatureExtractor(config.num_mel_bins, pad_to_window=pad_to_window)
    return MelEncoder(name, network.to(getattr(torch, dtype)), extractor)


def open_uniwhisper(name: str, folder: Path, dtype: str) -> MelEncoder:
    """The encoder of a UniWhisper checkpoint, heard through the checkpoint's own feature extractor."""
    network = UniWhisperModel.from_pretrained(folder, dtype=dtype).encoder
    return MelEncoder(name, network, UniWhisperFeatureExtractor.from_pretrained(folder))


def open_whisper_base(name: str, dtype: str, pad_to_window: bool = False) -> MelEncoder:
    """Whisper-base from the pinned wheels."""
    with tempfile.TemporaryDirectory() as scratch:
        return open_whisper(name, WHISPER_BASE.open(Path(scratch)), dtype, pad_to_window)


def open_yamnet() -> Encoder:
    """YAMNet; imported here, so that the others do without onnxruntime."""
    from .yamnet import Yamnet

    return Yamnet()


BUILT_IN: dict[str, Callable[[str], Encoder]] = {
    "uniwhisper": lambda dtype: open_uniwhisper("uniwhisper", find_checkpoint(), dtype),
    "whisper-base": lambda dtype: open_whisper_base("whisper-base", dtype),
    "whisper-base-padded": lambda dtype: open_whisper_base("whisper-base-padded", dtype, pad_to_window=True),
    "log-mel": lambda dtype: LogMel(),
    "yamnet": lambda dtype: open_yamnet(),
}
"""Encoders that need no Hub, by name."""


def open_encoder(name: str, dtype: str | None = None, trust_remote_code: bool = False) -> Encoder:
    """The encoder that a command line names.

    Args:
        name: one of `BUILT_IN`; a folder; or a Hub id of a Whisper, wav2vec2, HuBERT or WavLM.
        dtype: of the weights; bfloat16 if not given, and float32 where the input is the waveform
            itself, which bfloat16 would round to 8 bits.
        trust_remote_code: run the code in the folder or on the Hub, for models of other kinds.
    """
    if name in BUILT_IN:
        return BUILT_IN[name](dtype or "bfloat16")
    if trust_remote_code:
        network = AutoModel.from_pretrained(name, dtype=dtype or "bfloat16", trust_remote_code=True)
        extractor = AutoFeatureExtractor.from_pretrained(name, trust_remote_code=True)
        return RemoteEncoder(Path(name).name, network, extractor)
    with tempfile.TemporaryDirectory() as scratch:
        base = parse(name)
        folder = base.open(Path(scratch))
        kind = json.loads((folder / "config.json").read_text())["model_type"]
        if kind == "uniwhisper":
            return open_uniwhisper(base.name, folder, dtype or "bfloat16")
        if kind == "whisper":
            return open_whisper(base.name, folder, dtype or "bfloat16")
        if kind in HEARS_WAVEFORMS:
            network = AutoModel.from_pretrained(folder, dtype=dtype or "float32", use_safetensors=True)
            return WaveformEncoder(base.name, network, AutoFeatureExtractor.from_pretrained(folder))
    raise ValueError(
        f"{name} is a {kind}, but only UniWhisper, Whisper, wav2vec2, HuBERT and WavLM are known: code that lies "
        "beside it is run with --trust-remote-code; else it needs a class in metrics/probe/encoders.py"
    )
