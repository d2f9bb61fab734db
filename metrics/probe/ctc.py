"""CTC probe: one linear layer from frames to characters, so that the words must be in the frames themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import jiwer
import numpy as np
import torch
import torch.nn.functional as F

from metrics.words import normalize

from .heads import cosine
from .retrieval import linear


@dataclass(frozen=True)
class CTCConfig:
    """A fixed budget, so that nothing is chosen: Adam, cosine to a tenth by step."""

    steps: int = 1500
    batch_size: int = 16
    learning_rate: float = 3e-3


@dataclass(frozen=True)
class CTCHead:
    """A trained linear layer; class 0 is the blank and class `i` is `characters[i - 1]`."""

    characters: str
    layer: torch.nn.Linear
    mean: torch.Tensor
    deviation: torch.Tensor

    @torch.inference_mode()
    def transcribe(self, clips: Sequence[np.ndarray]) -> list[str]:
        """Greedy transcript of each clip's frames `(frames, dim)`: repeats merged, blanks dropped."""
        return [self.collapse(self.layer(self.normal(clip)).argmax(1).tolist()) for clip in clips]

    def normal(self, clip: np.ndarray) -> torch.Tensor:
        """Frames as the layer wants them: standardised, then normalised by frame."""
        return F.layer_norm((torch.from_numpy(clip).float() - self.mean) / self.deviation, clip.shape[-1:])

    def collapse(self, best: list[int]) -> str:
        """Text of one class a frame."""
        kept = [one for one, before in zip(best, [0, *best]) if one and one != before]
        return " ".join("".join(self.characters[one - 1] for one in kept).split())


def train_ctc(
    clips: Sequence[np.ndarray], texts: Sequence[str], config: CTCConfig | None = None, seed: int = 0
) -> CTCHead:
    """Train a linear layer on frames by CTC.

    A clip with fewer frames than characters teaches nothing and is passed over.

    Args:
        clips: Frames of each clip, `(frames, dim)`, float16 or float32.
        texts: Their transcripts; letter case and punctuation are dropped first.
        config: Steps, batch and rate.
        seed: Of the first weights and the order of the clips.
    """
    config = config or CTCConfig()
    texts = [normalize(text) for text in texts]
    characters = "".join(sorted(set("".join(texts))))
    spelled = [torch.tensor([characters.index(one) + 1 for one in text], dtype=torch.long) for text in texts]
    generator = torch.Generator().manual_seed(seed)
    layer = linear(clips[0].shape[1], len(characters) + 1, generator)
    head = CTCHead(characters, layer, *moments(clips))
    optimizer = torch.optim.Adam(layer.parameters(), lr=config.learning_rate, fused=True)
    usable = [number for number, (clip, text) in enumerate(zip(clips, spelled)) if len(clip) >= room(text) > 0]
    order: list[int] = []
    for step in range(config.steps):
        optimizer.param_groups[0]["lr"] = config.learning_rate * cosine(step / config.steps)
        if len(order) < config.batch_size:
            order += [usable[one] for one in torch.randperm(len(usable), generator=generator)]
        batch, order = order[: config.batch_size], order[config.batch_size :]
        frames = [head.normal(clips[number]) for number in batch]
        # One product for all frames and no padding in it; only the log-probabilities are padded.
        lengths = [len(one) for one in frames]
        logged = F.log_softmax(layer(torch.cat(frames)), 1).split(lengths)
        loss = F.ctc_loss(
            torch.nn.utils.rnn.pad_sequence(logged),
            torch.cat([spelled[number] for number in batch]),
            torch.tensor(lengths),
            torch.tensor([len(spelled[number]) for number in batch]),
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return head


def room(text: torch.Tensor) -> int:
    """Frames that CTC needs at least: one a character, and a blank between equal neighbours."""
    return len(text) + int((text[1:] == text[:-1]).sum())


def moments(clips: Sequence[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and deviation of each feature over all frames."""
    frames = sum(len(clip) for clip in clips)
    mean = sum(clip.sum(0, dtype=np.float64) for clip in clips) / frames
    square = sum((clip.astype(np.float64) ** 2).sum(0) for clip in clips) / frames
    deviation = np.sqrt((square - mean**2).clip(0))
    return torch.from_numpy(mean).float(), torch.from_numpy(np.where(deviation > 1e-8, deviation, 1)).float()


def word_errors(references: Sequence[str], transcripts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Wrong, missing and added words of each transcript, and words of each reference: both `(clips,)`."""
    pairs = [(normalize(reference), normalize(said)) for reference, said in zip(references, transcripts)]
    counted = [jiwer.process_words(reference, said) for reference, said in pairs]
    errors = [one.substitutions + one.deletions + one.insertions for one in counted]
    return np.array(errors, float), np.array([len(reference.split()) for reference, _ in pairs], float)


def one_minus_wer(weights: np.ndarray, errors: np.ndarray, words: np.ndarray) -> np.ndarray:
    """`1 - errors / words` over all clips, not below 0, `(resamples,)`; clips weighted by `(resamples, clips)`.

    Errors of several seeds, `(seeds, clips)`, give the mean of the seeds.
    """
    rates = np.atleast_2d(errors) @ weights.T / np.maximum(weights @ words, 1)
    return (1 - rates).clip(0, 1).mean(0)
