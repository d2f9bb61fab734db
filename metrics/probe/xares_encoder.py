"""UniWhisper as X-ARES loads it: `python -m xares.run xares_encoder.py src/tasks/*.py`, beside a copy of this file.

X-ARES takes the one name here that ends in `Encoder`, calls it without arguments and keeps its scores
by that name: remove its folders `embeddings` and `checkpoints` before another checkpoint is measured.
"""

from __future__ import annotations

import torch
from torch import nn

from modeling_uniwhisper import UniWhisperFeatureExtractor, UniWhisperModel
from modeling_uniwhisper.checkpoints import find_checkpoint
from modeling_uniwhisper.configuration_uniwhisper import ENCODER_FRAME_RATE
from modeling_uniwhisper.modeling_uniwhisper import WINDOWS_PER_BATCH


class UniWhisperEncoder(nn.Module):
    """The layer that the checkpoint embeds with, of `$UNIWHISPER_MODEL` or the assembled checkpoint.

    X-ARES does not tell lengths, so silence that it pads a batch with is encoded and pooled, as with
    every encoder it measures.
    """

    def __init__(self, checkpoint: str | None = None):
        super().__init__()
        folder = find_checkpoint(checkpoint)
        self.model = UniWhisperModel.from_pretrained(folder, dtype=torch.float32).eval()
        self.extractor = UniWhisperFeatureExtractor.from_pretrained(folder)
        self.sampling_rate = self.extractor.sampling_rate
        self.output_dim = self.model.config.audio_config.hidden_size
        self.hop_size_in_ms = 1000 / ENCODER_FRAME_RATE

    @torch.inference_mode()
    def forward(self, audio: torch.Tensor) -> torch.Tensor:
        """Frames `(batch, frames, dim)` of 16 kHz `audio` `(batch, samples)` of any length, in windows of 30 s."""
        audio = torch.atleast_2d(audio)
        features = self.extractor(list(audio.cpu()), sampling_rate=self.sampling_rate)
        mels = features["input_features"].split(WINDOWS_PER_BATCH)
        masks = features["input_features_mask"].split(WINDOWS_PER_BATCH)
        layer, device = self.model.config.embedding_layer, self.model.device
        windows = torch.cat(
            [
                self.model(mel.to(device), mask.to(device), num_layers=layer).last_hidden_state
                for mel, mask in zip(mels, masks)
            ]
        )
        frames = features["window_frames"].tolist()
        real = [window[:length] for window, length in zip(windows, frames)]
        return torch.cat(real).reshape(len(audio), -1, self.output_dim)
