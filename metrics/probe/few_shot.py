"""Few-shot probe: logistic regression on a handful of clips a class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SHOTS = 8


def few_shot(
    train: tuple[np.ndarray, Sequence[str]], queries: np.ndarray, shots: int = SHOTS, seeds: Sequence[int] = range(5)
) -> list[list[str]]:
    """Labels given by logistic regression on `shots` clips of each class, one list for each seeded draw.

    Features are standardised on the drawn clips. A class with fewer clips gives all that it has. Nothing
    is chosen, so no validation clips are needed.

    Args:
        train: Features `(clips, dim)` and labels that the clips are drawn from.
        queries: `(queries, dim)`.
        shots: Clips a class.
        seeds: One draw for each.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features, labels = train[0], np.array(train[1])
    predicted = []
    for seed in seeds:
        chosen = draw(labels, shots, seed)
        probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
        predicted.append(probe.fit(features[chosen], labels[chosen]).predict(queries).tolist())
    return predicted


def draw(labels: np.ndarray, shots: int, seed: int) -> np.ndarray:
    """Positions of at most `shots` clips of each label, without replacement."""
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.permutation(np.flatnonzero(labels == label))[:shots] for label in np.unique(labels)])
