"""What a task gives to those who do not listen: its majority label, and the mean spectrum alone."""

from collections import Counter

import numpy as np

REGULARISATIONS = (0.01, 0.1, 1.0, 10.0)


def majority(train_labels: list[str], test_labels: list[str]) -> float:
    """Accuracy of always giving the commonest label of the training clips."""
    [(label, _)] = Counter(train_labels).most_common(1)
    return float(np.mean([test == label for test in test_labels]))


def mean_log_mel(features) -> np.ndarray:
    """Mean and deviation over time of each mel bin `(windows, 2 * mels)`, from a feature extractor's output."""
    mels = features["input_features"].numpy()
    frames = 2 * features["window_frames"].numpy()
    return np.stack([np.r_[mel[:, :n].mean(1), mel[:, :n].std(1)] for mel, n in zip(mels, frames)])


def linear_probe(train: tuple, validation: tuple, test: tuple) -> float:
    """Test accuracy of logistic regression on fixed features, its regularisation chosen on validation.

    Each argument is `(features (clips, dims), labels)`.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    probes = [
        make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=2000)).fit(*train) for c in REGULARISATIONS
    ]
    return float(max(probes, key=lambda probe: probe.score(*validation)).score(*test))
