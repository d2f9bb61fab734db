"""Labels as matrices, and back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def classes_of(labels: Sequence[str] | Sequence[list[str]]) -> list[str]:
    """Sorted distinct labels; an item has one label (str) or a list of them."""
    return sorted({label for listed in as_lists(labels) for label in listed})


def targets(labels: Sequence[str] | Sequence[list[str]], classes: list[str]) -> np.ndarray:
    """`(items, classes)` float32 of 0 and 1; a label that is none of `classes` is nowhere, so it is never met."""
    position = {label: index for index, label in enumerate(classes)}
    matrix = np.zeros((len(labels), len(classes)), np.float32)
    for row, listed in zip(matrix, as_lists(labels)):
        row[[position[label] for label in listed if label in position]] = 1
    return matrix


def correct(truth: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Whether the largest output is the item's class: `(items,)` float from `(items, classes)` of both."""
    return np.take_along_axis(truth, outputs.argmax(1)[:, None], 1)[:, 0].astype(float)


def accuracy(truth: np.ndarray, outputs: np.ndarray) -> float:
    """Share of items whose largest output is their class; both `(items, classes)`."""
    return float(correct(truth, outputs).mean())


def as_lists(labels: Sequence[str] | Sequence[list[str]]) -> list[list[str]]:
    """Each item's labels as a list."""
    return [[listed] if isinstance(listed, str) else list(listed) for listed in labels]
