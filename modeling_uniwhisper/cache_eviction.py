"""Which cache entries survive prefill: `with eviction(model, SnapKV(ratio=0.8)): model.generate(...)`.

As soon as a layer has read the prompt, the entries that score lowest leave its cache, for each key head apart; what
stays keeps its position. Rows of a batch are thinned one by one, as if each were alone. By default only audio leaves.
Scores are those of kvpress (NVIDIA), which ignores padding and cannot be installed beside this transformers.
`BoundedCache` is for streams: it never grows beyond its budget.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.cache_utils import DynamicCache, DynamicLayer

from .thin_decoder import Row, Thinning, decoder_of, rotate, thinned


@dataclass(frozen=True, kw_only=True)
class CacheEviction(Thinning, ABC):
    """A method of scoring.

    Args:
        ratio, budget: of the entries at stake in each row and head, see [`Thinning`].
        audio_only: those of audio alone are at stake; else those of the whole prompt.
    """

    audio_only: bool = True

    def keep(self, row: Row) -> torch.Tensor:
        """The entries kept `(key heads, kept)`, ascending."""
        at_stake = row.audio if self.audio_only else torch.ones_like(row.audio)
        number = int(at_stake.sum())
        scores = self.scores(row).clamp(max=torch.finfo(torch.float32).max).masked_fill(~at_stake, torch.inf)
        kept = scores.topk(len(row.audio) - number + self.count(number)).indices
        return kept.sort().values

    @abstractmethod
    def scores(self, row: Row) -> torch.Tensor:
        """How much each entry matters `(key heads, entries)`, float32."""


@dataclass(frozen=True, kw_only=True)
class Random(CacheEviction):
    """Any, the same for the same `seed` and length, but others in each head."""

    seed: int = 0

    def scores(self, row: Row) -> torch.Tensor:
        generator = torch.Generator().manual_seed(self.seed)
        return torch.rand(row.keys.shape[:2], generator=generator).to(row.keys.device)


@dataclass(frozen=True, kw_only=True)
class KNorm(CacheEviction):
    """Keys of a large norm leave (Devoto et al., 2024, arXiv:2406.11430)."""

    def scores(self, row: Row) -> torch.Tensor:
        return -row.keys.float().norm(dim=-1)


@dataclass(frozen=True, kw_only=True)
class StreamingLLM(CacheEviction):
    """The first entries and the last stay (Xiao et al., 2024, arXiv:2309.17453).

    Args:
        sinks: how many of the first.
    """

    sinks: int = 4

    def scores(self, row: Row) -> torch.Tensor:
        scores = torch.arange(len(row.audio), dtype=torch.float32, device=row.keys.device)
        scores[row.audio.nonzero()[: self.sinks, 0] if self.audio_only else slice(self.sinks)] = torch.inf
        return scores.expand(len(row.keys), -1)


@dataclass(frozen=True, kw_only=True)
class TOVA(CacheEviction):
    """What the last token attends to least leaves, the mean over all heads (Oren et al., 2024, arXiv:2401.06104)."""

    def scores(self, row: Row) -> torch.Tensor:
        last = torch.tensor([len(row.audio) - 1], device=row.keys.device)
        scores = row.weights(last).mean((0, 1, 2))
        scores[-1] = torch.inf
        return scores.expand(len(row.keys), -1)


@dataclass(frozen=True, kw_only=True)
class SnapKV(CacheEviction):
    """What the last `window` tokens attend to least leaves, smoothed along time (Li et al., 2024, arXiv:2404.14469).

    Args:
        window: tokens that ask; they stay.
        kernel: entries that a score is averaged over.
    """

    window: int = 64
    kernel: int = 5

    def scores(self, row: Row) -> torch.Tensor:
        length = len(row.audio)
        window = min(self.window, length - 1)
        asking = torch.arange(length - window, length, device=row.keys.device)
        weights = row.weights(asking)[..., : length - window].mean(2)
        smooth = nn.functional.avg_pool1d(weights, self.kernel, stride=1, padding=self.kernel // 2).mean(1)
        return nn.functional.pad(smooth, (0, window), value=torch.inf)


@dataclass(frozen=True, kw_only=True)
class ExpectedAttention(CacheEviction):
    """What queries to come are expected to attend to least leaves (Devoto et al., 2025, arXiv:2510.00636).

    Queries to come are taken to be distributed as those of the prompt, and to stand at the next `future` positions; an
    entry's expected weight is multiplied by the norm of its value.

    Args:
        future: positions averaged over.
        sinks: first entries, which stay and are not counted among the queries.
    """

    future: int = 512
    sinks: int = 4

    def scores(self, row: Row) -> torch.Tensor:
        sinks = min(self.sinks, len(row.audio) - 1)
        queries = row.queries(torch.arange(sinks, len(row.audio), device=row.keys.device)).float()
        mean = queries.mean(1)
        spread = queries - mean[:, None]
        covariance = spread.transpose(1, 2) @ spread / spread.shape[1]
        cos, sin = (part.float().mean(0) for part in row.rotations(self.future))
        turn = rotate(torch.eye(len(cos), device=cos.device), cos, sin)  # a query times it stands where the mean does
        mean, covariance = mean @ turn, turn.T @ covariance @ turn
        keys = row.keys[:, sinks:].float()
        grouped = (len(keys), -1)
        mean, covariance = mean.unflatten(0, grouped), covariance.unflatten(0, grouped)
        scale = row.attention.scaling
        exponent = torch.einsum("hgd,hkd->hgk", mean, keys) * scale
        exponent = exponent + torch.einsum("hkd,hgde,hke->hgk", keys, covariance, keys) * scale**2 / 2
        weights = exponent.softmax(-1).mean(1) * row.values[:, sinks:].float().norm(dim=-1)
        return nn.functional.pad(weights, (sinks, 0), value=torch.inf)


METHODS = {method.__name__: method for method in (Random, KNorm, StreamingLLM, TOVA, SnapKV, ExpectedAttention)}


@contextmanager
def eviction(model: PreTrainedModel, method: CacheEviction) -> Iterator[None]:
    """Within it `model` evicts cache entries by `method` after each layer's prefill; a ratio of 0 leaves it alone.

    Raises:
        ValueError: the model's decoder is not built like Llama's.
    """
    with nullcontext() if method.keeps_all else thinned(model, eviction=method):
        yield


class BoundedLayer(DynamicLayer):
    """A cache layer of at most `budget` entries: the first `sinks`, and the last."""

    keys: torch.Tensor
    values: torch.Tensor

    def __init__(self, cache: "BoundedCache"):
        super().__init__()
        self.cache, self.seen = cache, 0

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *args, **kwargs):
        """Make room for the new entries, then append them."""
        new, sinks = key_states.shape[-2], self.cache.sinks
        if new > self.cache.budget - sinks:
            raise ValueError(
                f"{new} tokens come at once, but a cache of {self.cache.budget} entries and {sinks} sinks takes "
                f"{self.cache.budget - sinks}: read the prompt in chunks"
            )
        self.seen += new
        held = super().get_seq_length()
        gone = held + new - self.cache.budget
        if gone > 0:
            turned = rotate(self.keys[..., :sinks, :], *self.cache.rotation(self.keys, gone))
            self.keys = torch.cat([turned.to(self.keys.dtype), self.keys[..., sinks + gone :, :]], dim=-2)
            self.values = torch.cat([self.values[..., :sinks, :], self.values[..., sinks + gone :, :]], dim=-2)
        return super().update(key_states, value_states)

    def get_seq_length(self) -> int:
        return self.seen

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        length = min(self.seen + query_length, self.cache.budget)
        return length, self.seen + query_length - length


class BoundedCache(DynamicCache):
    """A cache for streams of any length: the first `sinks` entries and the latest, `budget` in all.

    StreamingLLM's sinks (Xiao et al., 2024, arXiv:2309.17453) are turned along as what follows them leaves, so that no
    distance exceeds the budget while positions go on. For one recording at a time, without padding, read in chunks:

        cache = BoundedCache(model, budget=2048)
        model.generate(**inputs, past_key_values=cache, prefill_chunk_size=512)

    Raises:
        ValueError: there is no room beside the sinks, or the model's decoder is not built like Llama's.
    """

    def __init__(self, model: PreTrainedModel, budget: int, sinks: int = 4):
        if not 0 <= sinks < budget:
            raise ValueError(f"sinks is {sinks}, but it must be from 0 to below the budget of {budget}")
        super().__init__()
        decoder = decoder_of(model)
        self.rotary, self.budget, self.sinks = decoder.rotary_emb, budget, sinks
        self.layers = [BoundedLayer(self) for _ in decoder.layers]

    def rotation(self, like: torch.Tensor, distance: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Cosines and sines that turn a key by `distance` positions, `(1, head size)` each."""
        cos, sin = self.rotary(like, torch.tensor([[distance]], device=like.device))
        return cos[0], sin[0]
