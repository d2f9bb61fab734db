"""UniWhisper as mteb evaluates it: `mteb.evaluate(UniWhisperEncoder(), tasks)`, on audio of any length."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from mteb.models.abs_encoder import AbsEncoder
from mteb.models.model_meta import ModelMeta, ScoringFunction
from torch.utils.data import DataLoader
from tqdm.auto import tqdm

from modeling_uniwhisper import UniWhisperConfig, UniWhisperFeatureExtractor, UniWhisperModel, load_audio
from modeling_uniwhisper.audio_io import SAMPLING_RATE
from modeling_uniwhisper.checkpoints import encoder_sha256, find_checkpoint


class UniWhisperEncoder(AbsEncoder):
    """The checkpoint's vectors: masked means over real frames, windows weighted by duration, nothing cut off.

    Args:
        model_name: checkpoint folder; the assembled one if not given.
        revision: not used, as a folder has none; results are kept under the encoder's sha256.
        device: as torch names it; the GPU where there is one.
    """

    def __init__(self, model_name: str | None = None, revision: str | None = None, *, device: str | None = None):
        folder = find_checkpoint(model_name)
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self.model = UniWhisperModel.from_pretrained(folder, dtype=torch.float32).to(device).eval()
        self.extractor = UniWhisperFeatureExtractor.from_pretrained(folder)
        self.mteb_model_meta = model_meta(self.model.config, encoder_sha256(folder))

    def encode(self, inputs: DataLoader, *, show_progress_bar: bool = True, **kwargs: Any) -> np.ndarray:
        """Vectors `(recordings, dim)` of what a loader of mteb's gives under `audio`.

        Raises:
            ValueError: the task has no audio, or anything beside it.
            AudioError: a recording is shorter than 25 ms or not finite.
        """
        vectors = []
        for batch in tqdm(inputs, disable=not show_progress_bar):
            if set(batch) & {"text", "image", "video"} or "audio" not in batch:
                raise ValueError(f"UniWhisper embeds audio alone, but the task has {', '.join(batch)}")
            waveforms = [waveform(audio) for audio in batch["audio"]]
            vectors.append(self.model.embed(**self.extractor(waveforms, sampling_rate=SAMPLING_RATE)).embeddings)
        return torch.cat(vectors).numpy()


def waveform(audio: Mapping[str, Any]) -> np.ndarray:
    """One recording as `datasets` decodes it, 16 kHz mono `(samples,)`."""
    return load_audio(np.asarray(audio["array"]), audio["sampling_rate"])


def model_meta(config: UniWhisperConfig, revision: str) -> ModelMeta:
    """What mteb's results say about the model."""
    return ModelMeta.create_empty(
        overwrites={
            "loader": UniWhisperEncoder,
            "name": "uniwhisper/uniwhisper-base",
            "revision": revision,
            "modalities": ["audio"],
            "embed_dim": config.audio_config.hidden_size,
            "license": "apache-2.0",
            "open_weights": True,
            "framework": ["PyTorch", "Transformers"],
            "similarity_fn_name": ScoringFunction.COSINE,
        }
    )
