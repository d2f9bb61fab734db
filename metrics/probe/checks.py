"""Are the probes to be trusted? `python -m metrics.probe.checks --encoder whisper-base`.

On the last layer of every task with one label a clip: nearest neighbours against scikit-learn's, clip by
clip; trained heads against its logistic regression, whose penalty is chosen on validation too; and both
probes of labels that were shuffled among the clips of their split, which nobody can tell.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from dataset_builders.errors import plain_errors
from dataset_builders.open_audio.splits import SPLITS
from dataset_builders.probe_suite.registry import TASKS, load_splits
from metrics.intervals import estimate, mean
from metrics.reports import write_report
from modeling_uniwhisper.checkpoints import cache_home

from .embed import embed
from .encoders import open_encoder
from .heads import Part, choose_heads
from .labels import accuracy, classes_of, correct, targets
from .neighbours import NEIGHBOURS, TEMPERATURE, softmax, votes

PENALTIES = (0.001, 0.01, 0.1, 1.0)


def main(
    encoder: Annotated[str, typer.Option(help="As for `python -m metrics.probe`.")] = "whisper-base",
    out: Annotated[Path | None, typer.Option(help="JSON to write; printed if not given.")] = None,
) -> None:
    """Compare with scikit-learn and with chance."""
    opened, cache = open_encoder(encoder), cache_home() / "embeddings"
    found: dict[str, dict[str, Any]] = {}
    for task in TASKS.values():
        if task.kind != "clip":
            continue
        rows = load_splits(task)
        features = {split: embed(opened, rows[split], cache).pooled[:, -1] for split in SPLITS}
        labels = {split: rows[split]["label"] for split in SPLITS}
        classes = classes_of(labels["train"])
        train, validation, test = ((features[split], targets(labels[split], classes)) for split in SPLITS)
        found[task.name] = against_scikit_learn(train, validation, test)
        found[task.name] |= shuffled(train, validation, test, rows["test"]["group"], task.name)
        print(task.name, found[task.name], flush=True)
    differences = [one["mlp"] - one["logistic_regression"] for one in found.values()]
    report = {
        "command": f"python -m metrics.probe.checks --encoder {encoder}",
        "encoder": {"name": opened.name, "fingerprint": opened.fingerprint},
        "knn_predictions_equal": min(one["knn_predictions_equal"] for one in found.values()),
        "mlp_minus_logistic_regression": {"mean": float(np.mean(differences)), "least": min(differences)},
        "shuffled_within_interval": sum(one[f"{probe}_within"] for one in found.values() for probe in ("knn", "mlp")),
        "shuffled": 2 * len(found),
        "tasks": found,
    }
    write_report(report, out)


def against_scikit_learn(train: Part, validation: Part, test: Part) -> dict[str, float]:
    """Share of equal predictions of nearest neighbours, and accuracies of heads and of logistic regression."""
    (features, truth), (queries, wanted) = train, test
    numbers = truth.argmax(1)
    neighbours = KNeighborsClassifier(NEIGHBOURS, metric="cosine", algorithm="brute", weights=vote)
    same = neighbours.fit(features, numbers).predict(queries) == votes(features, truth, queries).argmax(1)
    fitted = [
        make_pipeline(StandardScaler(), LogisticRegression(C=penalty, max_iter=1000)).fit(features, numbers)
        for penalty in PENALTIES
    ]
    best = max(fitted, key=partial(right, validation))
    ours = choose_heads(train, validation).outputs(queries)
    return {
        "knn_predictions_equal": float(same.mean()),
        "mlp": float(np.mean([accuracy(wanted, one) for one in ours])),
        "logistic_regression": right(test, best),
    }


def vote(distances: np.ndarray) -> np.ndarray:
    """Weights of neighbours at cosine `distances`."""
    return softmax((1 - distances) / TEMPERATURE)


def right(part: Part, model: Pipeline) -> float:
    """Accuracy of `model`."""
    return float(np.take_along_axis(part[1], model.predict(part[0])[:, None], 1).mean())


def shuffled(train: Part, validation: Part, test: Part, groups: list[str], name: str) -> dict[str, float | bool]:
    """Accuracies after a shuffle, and whether each probe's own expected accuracy lies in its interval.

    That is the chance that a label drawn from the test clips is the one that was predicted.
    """
    rng = np.random.default_rng(0)
    result: dict[str, float | bool] = {}
    train, validation, test = ((features, rng.permutation(truth)) for features, truth in (train, validation, test))
    frequencies = test[1].mean(0)
    for probe, outputs in (
        ("knn", votes(*train, test[0])[None]),
        ("mlp", choose_heads(train, validation).outputs(test[0])),
    ):
        hits = np.stack([correct(test[1], one) for one in outputs])
        expected = float(frequencies[outputs.argmax(-1)].mean())
        low, high = estimate(partial(mean, values=hits), groups, name).interval
        result |= {
            f"{probe}_shuffled": float(hits.mean()),
            f"{probe}_expected": expected,
            f"{probe}_within": low <= expected <= high,
        }
    return result


if __name__ == "__main__":
    with plain_errors():
        typer.run(main)
