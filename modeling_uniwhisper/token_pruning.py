"""Which audio tokens survive prefill: `with pruning(model, FastV(ratio=0.5)): model.generate(...)`.

Before layer `layer` audio tokens are dropped, once, while the prompt is read; text and markers stay, and what stays
keeps its position. Rows of a batch are thinned one by one, as if each were alone. Works on UniWhisper and on the audio
language models of transformers whose decoder is built like Llama's (see `thin_decoder`).
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import nn
from transformers import PreTrainedModel

from .thin_decoder import Kept, Row, Thinning, decoder_of, thinned


@dataclass(frozen=True, kw_only=True)
class TokenPruning(Thinning, ABC):
    """A method of choosing.

    Args:
        ratio, budget: of the audio tokens of a row, see [`Thinning`].
        layer: the first decoder layer without those dropped, from 0.
    """

    layer: int = 2

    reads = 0  # the first layer at which it can choose: 1 where it asks the attention of the layer before

    def __post_init__(self):
        super().__post_init__()
        if self.layer < self.reads:
            name = type(self).__name__
            raise ValueError(f"layer is {self.layer}, but {name} reads the layer before: at least {self.reads}")

    def keep(self, row: Row) -> Kept:
        """What is kept of a row: all that is not audio, and the audio chosen."""
        audio = row.audio.nonzero().squeeze(1)
        count = self.count(len(audio))
        if count == len(audio):
            return self.all(row)
        kept = ~row.audio
        kept[audio[self.choose(row, audio, count)]] = True
        return Kept(kept.nonzero().squeeze(1))

    def all(self, row: Row) -> Kept:
        """A row that is short enough."""
        return Kept(torch.arange(len(row.audio), device=row.audio.device))

    @abstractmethod
    def choose(self, row: Row, audio: torch.Tensor, count: int) -> torch.Tensor:
        """`count` indices, in any order, into `audio` `(audio tokens,)`, the places of the row's audio tokens."""


@dataclass(frozen=True, kw_only=True)
class Random(TokenPruning):
    """Any of them, the same for the same `seed` and length."""

    seed: int = 0

    def choose(self, row: Row, audio: torch.Tensor, count: int) -> torch.Tensor:
        order = torch.randperm(len(audio), generator=torch.Generator().manual_seed(self.seed))
        return order[:count].to(audio.device)


@dataclass(frozen=True, kw_only=True)
class Frame(TokenPruning):
    """Every so many: AudioMarathon's uniform stride."""

    def choose(self, row: Row, audio: torch.Tensor, count: int) -> torch.Tensor:
        return torch.arange(count, device=audio.device) * len(audio) // count


@dataclass(frozen=True, kw_only=True)
class FastV(TokenPruning):
    """Those that the prompt's last token attends to most, in the layer before (Chen et al., 2024, arXiv:2403.06764)."""

    reads = 1

    def choose(self, row: Row, audio: torch.Tensor, count: int) -> torch.Tensor:
        last = torch.tensor([len(row.audio) - 1], device=audio.device)
        return row.weights(last).mean((0, 1, 2))[audio].topk(count).indices


@dataclass(frozen=True, kw_only=True)
class DART(TokenPruning):
    """Those least like a few pivots, so that few repeat each other (Wen et al., 2025, arXiv:2502.11494).

    Pivots are the audio and the text tokens whose keys in the layer before have the largest L1 norm. Each adds an equal
    share of `count`, of the audio tokens not yet taken. The audio pivots stay beside them, or within a `budget`.

    Args:
        pivots: of audio, and as many of text.
    """

    pivots: int = 4
    reads = 1

    def choose(self, row: Row, audio: torch.Tensor, count: int) -> torch.Tensor:
        norms = row.keys.abs().sum((0, 2))
        text = (~row.audio).nonzero().squeeze(1)
        extra = 0 if self.budget is not None else self.pivots
        mine = norms[audio].topk(min(self.pivots, count)).indices
        theirs = norms[text].topk(min(self.pivots, len(text))).indices
        states = nn.functional.normalize(row.norm(row.states).float(), dim=-1)
        likeness = states[torch.cat([audio[mine], text[theirs]])] @ states[audio].T
        taken = torch.zeros(len(audio), dtype=torch.bool, device=audio.device)
        taken[mine] = True
        share = (count + extra - len(mine)) // len(likeness)
        for like in likeness:
            free = like.masked_fill(taken, torch.inf)
            taken[free.topk(min(share, int((~taken).sum())), largest=False).indices] = True
        return taken.nonzero().squeeze(1)


@dataclass(frozen=True, kw_only=True)
class Query(TokenPruning):
    """Ours: those that the question attends to most in the layer before, with their neighbours.

    Every token after the audio asks, not the last alone; scores are averaged over `window` tokens, so that a
    moment is kept and not its loudest frame; a quarter of the tokens are spread evenly over the recording.
    """

    window: int = 9
    spread: float = 0.25
    reads = 1

    def choose(self, row: Row, audio: torch.Tensor, count: int) -> torch.Tensor:
        question = torch.arange(min(int(audio[-1]) + 1, len(row.audio) - 1), len(row.audio), device=audio.device)
        scores = row.weights(question).mean((0, 1, 2))[audio]
        smooth = nn.functional.avg_pool1d(
            scores[None], self.window, stride=1, padding=self.window // 2, count_include_pad=False
        )[0]
        even = torch.arange(int(count * self.spread), device=audio.device)
        smooth[even * len(audio) // max(len(even), 1)] = torch.inf
        return smooth.topk(count).indices


@dataclass(frozen=True, kw_only=True)
class Merge(TokenPruning):
    """Ours: neighbours that are most alike become one, which counts for as many as it stands for.

    After token merging (Bolya et al., 2023, arXiv:2210.09461), along time: the boundaries between the least alike
    neighbours stay, and what lies between two becomes its mean, where its first token stood; the logarithm of its
    size is added to attention scores.
    """

    def choose(self, row: Row, audio: torch.Tensor, count: int) -> torch.Tensor:
        states = nn.functional.normalize(row.states[audio].float(), dim=-1)
        likeness = (states[1:] * states[:-1]).sum(-1)
        likeness[audio.diff() > 1] = -torch.inf  # never across text
        starts = likeness.topk(count - 1, largest=False).indices + 1
        return nn.functional.pad(starts, (1, 0))

    def keep(self, row: Row) -> Kept:
        kept = super().keep(row)
        starts = torch.zeros_like(row.audio)
        starts[kept.tokens] = True
        group = starts.cumsum(0) - 1
        weight = torch.zeros(len(kept.tokens), device=group.device).index_add(
            0, group, torch.ones(len(group), device=group.device)
        )
        sums = torch.zeros(len(weight), row.states.shape[1], device=group.device).index_add(
            0, group, row.states.float()
        )
        return Kept(kept.tokens, (sums / weight[:, None]).to(row.states.dtype), weight)


METHODS = {method.__name__: method for method in (Random, Frame, FastV, DART, Query, Merge)}


@contextmanager
def pruning(model: PreTrainedModel, method: TokenPruning) -> Iterator[None]:
    """Within it `model` drops audio tokens by `method`, in `forward` and `generate`; a ratio of 0 leaves it alone.

    Hidden states and logits of dropped tokens come out as those of zeros. The prompt must come in one forward.

    Raises:
        ValueError: the model's decoder is not built like Llama's, or has fewer layers than `method.layer`.
    """
    layers = len(decoder_of(model).layers)
    if method.layer >= layers:
        raise ValueError(f"layer is {method.layer}, but the decoder has layers 0 to {layers - 1}")
    with nullcontext() if method.keeps_all else thinned(model, pruning=method):
        yield
