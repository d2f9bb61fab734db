"""What a task gives to those who do not listen: its majority label, properties of the file, the mean spectrum."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

FRAME = 512
"""Samples of a frame in which level and spectrum are measured."""

REGULARISATIONS = (0.01, 0.1, 1.0, 10.0)


def majority(train_labels: list[str], test_labels: list[str]) -> float:
    """Accuracy of always giving the commonest label of the training clips."""
    [(label, _)] = Counter(train_labels).most_common(1)
    return float(np.mean([test == label for test in test_labels]))


def file_properties(samples: np.ndarray) -> np.ndarray:
    """What a file tells before anybody listens, from `(samples,)` mono audio at 16 kHz.

    Returns:
        `(7,)`: seconds, peak, level and noise floor (dB), share of exact zeros, and the frequencies
        (Hz) below which 95 and 99.9 % of the energy lie.
    """
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    levels = 10 * np.log10((frames**2).mean(1) + 1e-12)
    energy = np.cumsum((np.abs(np.fft.rfft(frames * np.hanning(FRAME))) ** 2).sum(0)) + 1e-12
    cutoffs = [np.searchsorted(energy / energy[-1], share) * 16_000 / FRAME for share in (0.95, 0.999)]
    peak = float(np.abs(samples).max(initial=0))
    zeros = float((samples == 0).mean())
    return np.array([len(samples) / 16_000, peak, levels.mean(), np.quantile(levels, 0.05), zeros, *cutoffs])


def forest(train: tuple, test: tuple) -> float:
    """Test accuracy of a random forest on a few features; each argument is `(features, labels)`."""
    from sklearn.ensemble import RandomForestClassifier

    return float(RandomForestClassifier(300, min_samples_leaf=3, random_state=0, n_jobs=-1).fit(*train).score(*test))


def mean_log_mel(features) -> np.ndarray:
    """Mean and deviation over time of each mel bin `(windows, 2 * mels)`, from a feature extractor's output."""
    mels = features["input_features"].numpy()
    frames = 2 * features["window_frames"].numpy()
    return np.stack([np.r_[mel[:, :n].mean(1), mel[:, :n].std(1)] for mel, n in zip(mels, frames)])


def linear_probe(train: tuple, validation: tuple) -> Pipeline:
    """Logistic regression on fixed features, its regularisation chosen on validation.

    Each argument is `(features (clips, dims), labels)`.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    probes = [
        make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=2000)).fit(*train) for c in REGULARISATIONS
    ]
    return max(probes, key=lambda probe: probe.score(*validation))


def likeliest(probe: Pipeline, features: np.ndarray, choices: list[list[str]]) -> list[str]:
    """Of each clip's listed choices the one that `probe` finds likeliest; what it never learned is the last resort."""
    known = {label: column for column, label in enumerate(probe.classes_)}
    return [
        max(listed, key=lambda choice: row[known[choice]] if choice in known else 0.0)
        for row, listed in zip(probe.predict_proba(features), choices)
    ]
