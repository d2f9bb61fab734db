"""Heads trained on frozen features: one linear layer or one hidden layer, several seeds at once.

Every choice (epoch, recipe, layer) is made on validation; test features are only ever given to `Heads.outputs`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F

from .labels import accuracy

Part = tuple[np.ndarray, np.ndarray]
"""Features `(items, dim)`, or `(items, layers, dim)` to mix, and targets `(items, classes)` of 0 and 1."""

Score = Callable[[np.ndarray, np.ndarray], float]
"""`score(targets, outputs)` of `(items, classes)` both, outputs being positive for "yes"; higher is better."""

SEEDS = (0, 1, 2, 3, 4)
RIDGES = (0.01, 0.1, 1.0, 10.0)
"""Ridge penalties, in units of the mean variance of a standardised feature times the number of clips."""


@dataclass(frozen=True)
class HeadConfig:
    """Recipe of a head: [standardise], LayerNorm, [mix], [Linear, GELU], Linear; Adam, cosine to a tenth by epoch.

    Args:
        mixed: Whether features come of several layers, of which a mean is taken with learned weights.
        hidden: Width of the hidden layer; none if not given.
        standardise: Whether each feature is first scaled by its mean and deviation over the training clips.
        epochs: Passes over the training clips.
        least_steps: Small sets get as many more epochs as make up this many steps.
        batch_size: Clips a step.
        learning_rate: Of the first epoch.
        multilabel: Whether an item has any number of classes (binary cross-entropy) or one (cross-entropy).
        positive_weight: Weight of a "yes" in the binary cross-entropy.
        zeroed: Whether the last layer starts at zero. Random weights along directions in which the
            training clips do not vary are never unlearned, and cost points where clips are few.
    """

    mixed: bool = False
    hidden: int | None = None
    standardise: bool = True
    epochs: int = 30
    least_steps: int = 600
    batch_size: int = 64
    learning_rate: float = 1e-3
    multilabel: bool = False
    positive_weight: float = 1.0
    zeroed: bool = True


XARES = HeadConfig(standardise=False, epochs=10, least_steps=0, batch_size=32, zeroed=False)
CLIP = (HeadConfig(standardise=False), HeadConfig(), HeadConfig(hidden=128))
MULTILABEL = tuple(
    HeadConfig(hidden=hidden, multilabel=True, positive_weight=weight)
    for hidden, weight in ((None, 1.0), (None, 5.0), (128, 5.0))
)
FRAME = tuple(replace(config, batch_size=512, epochs=10, least_steps=300) for config in MULTILABEL)
"""Recipes to choose from, by kind of task; segments of frames are many, so their batches are larger."""


class Stack(torch.nn.Module):
    """One head a seed, computed together; each is initialised from its own generator.

    Args:
        sizes: Widths of features, hidden layer if any, and classes.
        generators: One a seed.
        zeroed: Whether the last layer starts at zero.
        layers: Layers that are mixed, if any.
    """

    def __init__(
        self, sizes: Sequence[int], generators: Sequence[torch.Generator], zeroed: bool, layers: int | None = None
    ):
        super().__init__()
        self.shares = None if layers is None else torch.nn.Parameter(torch.zeros(len(generators), layers))
        self.gain = torch.nn.Parameter(torch.ones(len(generators), 1, sizes[0]))
        self.shift = torch.nn.Parameter(torch.zeros(len(generators), 1, sizes[0]))
        self.weights, self.biases = torch.nn.ParameterList(), torch.nn.ParameterList()
        for wide, narrow in pairwise(sizes):
            for parameters, shape in ((self.weights, (wide, narrow)), (self.biases, (1, narrow))):
                drawn = [torch.rand(shape, generator=generator) for generator in generators]
                parameters.append((torch.stack(drawn) * 2 - 1) / math.sqrt(wide))
        if zeroed:
            self.weights[-1].data.zero_()
            self.biases[-1].data.zero_()

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Outputs `(seeds, items, classes)` from normalised features `(seeds, items, [layers], dim)`."""
        if self.shares is not None:
            features = torch.einsum("silf,sl->sif", features, self.shares.softmax(1))
        hidden = features * self.gain + self.shift
        for number, (weight, bias) in enumerate(zip(self.weights, self.biases)):
            hidden = torch.baddbmm(bias, F.gelu(hidden) if number else hidden, weight)
        return hidden


@dataclass(frozen=True)
class Heads:
    """Trained heads, one a seed, each at its best epoch.

    Args:
        config: Their recipe.
        stack: Their weights.
        mean: Taken off the features first, `([layers], dim)`.
        deviation: Divides them then, `([layers], dim)`.
        epochs: Best epoch of each seed, counted from 1.
        validation: Validation score of each seed at that epoch.
    """

    config: HeadConfig
    stack: Stack
    mean: np.ndarray
    deviation: np.ndarray
    epochs: list[int]
    validation: list[float]

    @torch.inference_mode()
    def outputs(self, features: np.ndarray) -> np.ndarray:
        """Logits `(seeds, items, classes)` of features `(items, [layers], dim)`."""
        seeds = len(self.stack.gain)
        normal = normalised(features, self.mean, self.deviation)
        return self.stack(normal.expand(seeds, *normal.shape)).numpy()


MANY = 256
"""Items a step from which a second thread pays."""


@contextmanager
def one_thread() -> Iterator[None]:
    """Steps on a few dozen vectors are over before a second thread has woken."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def train_heads(
    train: Part, validation: Part, config: HeadConfig = CLIP[0], score: Score = accuracy, seeds: Sequence[int] = SEEDS
) -> Heads:
    """Train one head a seed; each seed keeps its epoch of best validation score (on a tie, of least loss)."""
    with one_thread() if config.batch_size < MANY else nullcontext():
        return _train(train, validation, config, score, seeds)


def _train(train: Part, validation: Part, config: HeadConfig, score: Score, seeds: Sequence[int]) -> Heads:
    (features, truth), (checked, wanted) = train, validation
    mean, deviation = standards(features) if config.standardise else (np.zeros(1, np.float32), np.ones(1, np.float32))
    inputs, checks = normalised(features, mean, deviation), normalised(checked, mean, deviation)
    labels, wanted_labels = torch.from_numpy(truth), torch.from_numpy(wanted)
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    hidden = [config.hidden] if config.hidden else []
    layers = inputs.shape[1] if config.mixed else None
    stack = Stack([inputs.shape[-1], *hidden, truth.shape[1]], generators, config.zeroed, layers)
    optimizer = torch.optim.Adam(stack.parameters(), lr=config.learning_rate, fused=True)
    steps = math.ceil(len(inputs) / config.batch_size)
    epochs = max(config.epochs, math.ceil(config.least_steps / steps))
    best = [(-math.inf, -math.inf)] * len(seeds)
    kept, chosen = [parameter.detach().clone() for parameter in stack.parameters()], [0] * len(seeds)
    for epoch in range(epochs):
        optimizer.param_groups[0]["lr"] = config.learning_rate * cosine(epoch / epochs)
        orders = torch.stack([torch.randperm(len(inputs), generator=generator) for generator in generators])
        for batch in orders.split(config.batch_size, dim=1):
            optimizer.zero_grad()
            # A sum over seeds: no head sees how many others are trained beside it.
            losses(stack(inputs[batch]), labels[batch], config).sum().backward()
            optimizer.step()
        with torch.inference_mode():
            outputs = stack(checks.expand(len(seeds), *checks.shape))
            loss = losses(outputs, wanted_labels.expand(len(seeds), -1, -1), config)
        for seed, one in enumerate(outputs.numpy()):
            reached = (score(wanted, one), -float(loss[seed]))
            if reached > best[seed]:
                best[seed], chosen[seed] = reached, epoch + 1
                for keep, parameter in zip(kept, stack.parameters()):
                    keep[seed] = parameter.detach()[seed]
    with torch.no_grad():
        for keep, parameter in zip(kept, stack.parameters()):
            parameter.copy_(keep)
    return Heads(config, stack, mean, deviation, chosen, [reached for reached, _ in best])


def choose_heads(
    train: Part,
    validation: Part,
    configs: Sequence[HeadConfig] = CLIP,
    score: Score = accuracy,
    seeds: Sequence[int] = SEEDS,
) -> Heads:
    """Return the heads of the recipe with the best mean validation score over the seeds; the first one on a tie."""
    return max(
        (train_heads(train, validation, config, score, seeds) for config in configs),
        key=lambda heads: np.mean(heads.validation),
    )


def choose_layer(train: Part, validation: Part, score: Score = accuracy) -> tuple[int, list[float]]:
    """Layer whose ridge regression scores best on validation (the last one on a tie), and the score of each.

    The features are `(items, layers, dim)` here. Ridge regression has a closed form, so every layer can be tried.
    """
    (features, truth), (checked, wanted) = train, validation
    scores = [
        ridge_score((features[:, layer], truth), (checked[:, layer], wanted), score)
        for layer in range(features.shape[1])
    ]
    return max(reversed(range(len(scores))), key=scores.__getitem__), scores


def ridge_score(train: Part, validation: Part, score: Score = accuracy) -> float:
    """Best validation score of ridge regression onto -1 and 1, over `RIDGES`."""
    (features, truth), (checked, wanted) = train, validation
    mean, deviation = standards(features)
    inputs, checks = ((part - mean) / deviation for part in (features, checked))
    middle = (2 * truth - 1).mean(0)
    gram, wished = inputs.T @ inputs, inputs.T @ (2 * truth - 1 - middle)
    penalty = len(inputs) * np.eye(len(gram), dtype=gram.dtype)
    return max(score(wanted, checks @ np.linalg.solve(gram + ridge * penalty, wished) + middle) for ridge in RIDGES)


def losses(outputs: torch.Tensor, truth: torch.Tensor, config: HeadConfig) -> torch.Tensor:
    """Mean loss of each seed `(seeds,)`; both arguments `(seeds, items, classes)`."""
    if config.multilabel:
        weight = torch.tensor(config.positive_weight)
        return F.binary_cross_entropy_with_logits(outputs, truth, reduction="none", pos_weight=weight).mean((1, 2))
    return -(F.log_softmax(outputs, -1) * truth).sum(-1).mean(1)


def cosine(progress: float) -> float:
    """Share of the first learning rate after `progress` (0 to 1): a cosine from 1 to 0.1."""
    return 0.55 + 0.45 * math.cos(math.pi * progress)


def standards(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of each feature `([layers], dim)`; a constant feature gets deviation 1."""
    deviation = features.std(0)
    return features.mean(0), np.where(deviation > 1e-8, deviation, 1).astype(np.float32)


def normalised(features: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> torch.Tensor:
    """Features standardised and then normalised by item, as a LayerNorm without weights does."""
    return F.layer_norm(torch.from_numpy((features - mean) / deviation).float(), features.shape[-1:])
