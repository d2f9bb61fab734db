"""Nearest neighbours by cosine: what the embedding space tells without any training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch

from .labels import accuracy, classes_of, targets

NEIGHBOURS = 10
TEMPERATURE = 0.07
CHUNK = 1024
"""Queries compared at a time, which bounds the memory."""


class Neighbourhood(NamedTuple):
    """How neighbours are looked for, as validation chose, and every validation score `[centred][layer]`."""

    layer: int
    centred: bool
    scores: list[list[float]]

    @classmethod
    def best(cls, scores: list[list[float]]) -> Neighbourhood:
        """Choose the largest score; on a tie raw before centred, then the last layer."""
        choices = [(layer, centred) for centred in (False, True) for layer in reversed(range(len(scores[0])))]
        return cls(*max(choices, key=lambda choice: scores[choice[1]][choice[0]]), scores)


def knn(
    bank: np.ndarray,
    labels: Sequence[str],
    queries: np.ndarray,
    k: int = NEIGHBOURS,
    temperature: float = TEMPERATURE,
    centred: bool = False,
) -> list[str]:
    """Label that the nearest clips of the bank vote for, for each query; see `votes`."""
    classes = classes_of(labels)
    return [
        classes[index] for index in votes(bank, targets(labels, classes), queries, k, temperature, centred).argmax(1)
    ]


def votes(
    bank: np.ndarray,
    truth: np.ndarray,
    queries: np.ndarray,
    k: int = NEIGHBOURS,
    temperature: float = TEMPERATURE,
    centred: bool = False,
) -> np.ndarray:
    """Softmax-weighted vote of the `k` clips of largest cosine similarity.

    Args:
        bank: `(clips, dim)`.
        truth: `(clips, classes)`, 0 or 1: one class a clip, or several.
        queries: `(queries, dim)`.
        k: Neighbours that vote; all if the bank is smaller.
        temperature: The vote of a neighbour is `exp(similarity / temperature)` over the sum of all `k`.
        centred: Whether the bank's mean is taken off bank and queries first.

    Returns:
        `(queries, classes)`, between 0 and 1.
    """
    if centred:
        mean = bank.mean(0)
        bank, queries = bank - mean, queries - mean
    bank, queries, truth = (torch.from_numpy(np.asarray(one, np.float32)) for one in (unit(bank), unit(queries), truth))
    voted = torch.empty(len(queries), truth.shape[1])
    for start in range(0, len(queries), CHUNK):
        similarity, nearest = (queries[start : start + CHUNK] @ bank.T).topk(min(k, len(bank)))
        weights = (similarity / temperature).softmax(1)
        voted[start : start + CHUNK] = torch.einsum("qk,qkc->qc", weights, truth[nearest])
    return voted.numpy()


def choose_neighbourhood(
    train: tuple[np.ndarray, np.ndarray],
    validation: tuple[np.ndarray, np.ndarray],
    score: Callable[[np.ndarray, np.ndarray], float] = accuracy,
) -> Neighbourhood:
    """Layer, and raw or centred, of the best validation score.

    Args:
        train: Features `(clips, layers, dim)` and their targets `(clips, classes)`: the bank.
        validation: The same of the validation clips: the queries.
        score: `score(targets, votes)`, higher is better.
    """
    (bank, truth), (queries, wanted) = train, validation
    layers = range(bank.shape[1])
    scores = [
        [score(wanted, votes(bank[:, layer], truth, queries[:, layer], centred=centred)) for layer in layers]
        for centred in (False, True)
    ]
    return Neighbourhood.best(scores)


def unit(vectors: np.ndarray) -> np.ndarray:
    """`(items, dim)` scaled to length 1; a vector of zeros stays so."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Over the last axis."""
    exponentials = np.exp(logits - logits.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1, keepdims=True)
