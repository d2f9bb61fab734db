"""Retrieval between two sides: the same words in two languages, or sounds and their captions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from metrics.words import normalize

from .heads import cosine, one_thread
from .neighbours import Neighbourhood, unit

TEMPERATURE = 0.07
"""First temperature of the contrastive loss; it is learned."""


class Pairs(NamedTuple):
    """Row `i` of `a` belongs with row `i` of `b`, and with every other row of the same key.

    `a` and `b` are `(pairs, dim)`, or `(pairs, layers, dim)` before a layer is chosen.
    """

    a: np.ndarray
    b: np.ndarray
    keys: list[str]


@dataclass(frozen=True)
class ProjectionConfig:
    """Recipe of two linear projections: InfoNCE in both directions; Adam, cosine to a tenth by epoch.

    Args:
        dim: Of the common space.
        shared: Whether both sides have one projection: so if both are audio, as it then starts from their cosine.
        epochs: Passes over the training pairs.
        least_steps: Small sets get as many more epochs as make up this many steps.
        batch_size: Pairs a step, each the others' negatives.
        learning_rate: Of the first epoch.
    """

    dim: int = 128
    shared: bool = False
    epochs: int = 40
    least_steps: int = 600
    batch_size: int = 128
    learning_rate: float = 1e-3


@dataclass(frozen=True)
class Projections:
    """Learned linear projections of both sides, at their best epoch on validation."""

    a: torch.nn.Linear
    b: torch.nn.Linear
    epoch: int
    validation: float

    @torch.inference_mode()
    def __call__(self, pairs: Pairs) -> Pairs:
        """Both sides in the common space, `(pairs, config.dim)`."""
        return Pairs(self.a(tensor(pairs.a)).numpy(), self.b(tensor(pairs.b)).numpy(), pairs.keys)


def pair(keys: Sequence[str], sides: Sequence[str]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Row numbers of side "a", of side "b", and the key of each pair: all pairs of each key, sorted by key."""
    rows: dict[str, dict[str, list[int]]] = {"a": {}, "b": {}}
    for number, (key, side) in enumerate(zip(keys, sides)):
        rows[side].setdefault(key, []).append(number)
    found = [
        (one, other, key) for key in sorted(rows["a"]) for one in rows["a"][key] for other in rows["b"].get(key, [])
    ]
    a, b, paired = zip(*found)
    return np.array(a), np.array(b), list(paired)


def hits(pairs: Pairs) -> np.ndarray:
    """Recall@1 of each pair, mean of both directions: `(pairs,)` of 0, 0.5 and 1."""
    similarity = unit(pairs.a) @ unit(pairs.b).T
    keys = np.array(pairs.keys)
    return ((keys[similarity.argmax(1)] == keys).astype(float) + (keys[similarity.argmax(0)] == keys)) / 2


def recall(pairs: Pairs) -> float:
    """Recall@1, mean of both directions."""
    return float(hits(pairs).mean())


def centre(pairs: Pairs, train: Pairs) -> Pairs:
    """Take the training mean of each side off that side, and with it what only tells the sides apart."""
    return Pairs(pairs.a - train.a.mean(0), pairs.b - train.b.mean(0), pairs.keys)


def standardise(pairs: Pairs, train: Pairs) -> Pairs:
    """Each side centred and divided by its deviation over the training pairs; not meant for bags of words."""
    moved = centre(pairs, train)
    return Pairs(moved.a / (train.a.std(0) + 1e-6), moved.b / (train.b.std(0) + 1e-6), pairs.keys)


def layer_of(pairs: Pairs, layer: int) -> Pairs:
    """One layer of both sides."""
    return Pairs(pairs.a[:, layer], pairs.b[:, layer], pairs.keys)


def choose_zero_training(train: Pairs, validation: Pairs) -> Neighbourhood:
    """Layer, and raw or centred, of the best validation recall; the sides are `(pairs, layers, dim)`."""
    layers = range(train.a.shape[1])
    return Neighbourhood.best(
        [[recall(layer_of(sides, layer)) for layer in layers] for sides in (validation, centre(validation, train))]
    )


def words(texts: Sequence[str]) -> list[str]:
    """Sorted distinct words of the texts: the vocabulary that `bags` counts."""
    return sorted({word for text in texts for word in normalize(text).split()})


def bags(texts: Sequence[str], vocabulary: list[str]) -> np.ndarray:
    """Share of each word of the vocabulary in each text `(texts, words)`; other words are left out.

    A linear projection of it is the mean of learned word embeddings.
    """
    position = {word: index for index, word in enumerate(vocabulary)}
    counts = np.zeros((len(texts), len(vocabulary)), np.float32)
    for row, text in zip(counts, texts):
        for word in normalize(text).split():
            if word in position:
                row[position[word]] += 1
    return counts / counts.sum(1, keepdims=True).clip(1)


@one_thread()
def learn_projections(
    train: Pairs, validation: Pairs, config: ProjectionConfig | None = None, seed: int = 0
) -> Projections:
    """Train linear projections by InfoNCE on the training pairs; keep the epoch of best validation recall.

    Within a batch, pairs of the same key are no negatives of each other.
    """
    config = config or ProjectionConfig()
    generator = torch.Generator().manual_seed(seed)
    a, b = (linear(side.shape[1], config.dim, generator) for side in (train.a, train.b))
    if config.shared:
        b = a
    scale = torch.nn.Parameter(torch.tensor(-math.log(TEMPERATURE)))
    parameters = {id(one): one for one in [*a.parameters(), *b.parameters(), scale]}.values()
    optimizer = torch.optim.Adam(parameters, lr=config.learning_rate, fused=True)
    sides = tensor(train.a), tensor(train.b)
    _, numbers = np.unique(train.keys, return_inverse=True)
    numbers = torch.from_numpy(numbers)
    epochs = max(config.epochs, math.ceil(config.least_steps / math.ceil(len(numbers) / config.batch_size)))
    best, epoch_kept, kept = -1.0, 0, []
    for epoch in range(epochs):
        optimizer.param_groups[0]["lr"] = config.learning_rate * cosine(epoch / epochs)
        for batch in torch.randperm(len(numbers), generator=generator).split(config.batch_size):
            optimizer.zero_grad()
            one, other = (F.normalize(layer(side[batch]), dim=1) for layer, side in zip((a, b), sides))
            info_nce(one @ other.T * scale.exp(), numbers[batch]).backward()
            optimizer.step()
        reached = recall(Projections(a, b, epoch + 1, 0.0)(validation))
        if reached > best:
            best, epoch_kept = reached, epoch + 1
            kept = [{name: value.clone() for name, value in layer.state_dict().items()} for layer in (a, b)]
    for layer, state in zip((a, b), kept):
        layer.load_state_dict(state)
    return Projections(a, b, epoch_kept, best)


def info_nce(logits: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
    """Symmetric contrastive loss of `(pairs, pairs)` logits; other pairs of the same key are masked."""
    twins = (keys[:, None] == keys) & ~torch.eye(len(keys), dtype=torch.bool)
    logits = logits.masked_fill(twins, -math.inf)
    wanted = torch.arange(len(keys))
    return (F.cross_entropy(logits, wanted) + F.cross_entropy(logits.T, wanted)) / 2


def linear(wide: int, narrow: int, generator: torch.Generator) -> torch.nn.Linear:
    """A linear layer drawn from `generator`, and from nothing global."""
    layer = torch.nn.Linear(wide, narrow)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.uniform_(-1 / math.sqrt(wide), 1 / math.sqrt(wide), generator=generator)
    return layer


def tensor(features: np.ndarray) -> torch.Tensor:
    """Float32, without a copy where it already is."""
    return torch.from_numpy(np.asarray(features, np.float32))
