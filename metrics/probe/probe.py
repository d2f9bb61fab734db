"""Probe of frozen features, for `evaluate.load("metrics/probe")`."""

# `evaluate` copies this file with the modules that it imports here, so the ones that those need are named too.
from __future__ import annotations

import datasets
import evaluate
import numpy as np

from metrics.intervals import estimate, mean

from .heads import choose_heads
from .labels import accuracy, classes_of, correct, targets
from .neighbours import choose_neighbourhood, votes

DESCRIPTION = """\
Accuracy of a probe on frozen features: nearest neighbours by cosine ("knn"), or trained heads ("mlp").
Whatever is chosen (raw or centred, epoch, hidden layer) is chosen on validation.
"""

INPUTS = """\
Args:
    predictions: Features of the test clips, `(clips, dim)`.
    references: Their labels, strings.
    train: `(features, labels)` that the probe learns from.
    validation: `(features, labels)` that its choices are made on.
    probe: "knn" or "mlp".
    groups: Group of each test clip, for the interval; each is its own if not given.
    seeds: Of the heads.

Returns:
    accuracy: Share of test clips that are labelled rightly, mean over seeds.
    interval: Its 95 % bootstrap interval.
    choice: What validation chose.
"""


class Probe(evaluate.Metric):
    """Accuracy of a probe on given features."""

    def _info(self) -> evaluate.MetricInfo:
        features = datasets.Features(
            {"predictions": datasets.Sequence(datasets.Value("float32")), "references": datasets.Value("string")}
        )
        return evaluate.MetricInfo(description=DESCRIPTION, citation="", inputs_description=INPUTS, features=features)

    def _compute(self, predictions, references, train, validation, probe="mlp", groups=None, seeds=(0, 1, 2, 3, 4)):
        classes = classes_of(train[1])
        parts = train, validation, (predictions, references)
        bank, checks, test = (
            (np.asarray(features, np.float32), targets(labels, classes)) for features, labels in parts
        )
        if probe == "knn":
            queries = checks[0][:, None], checks[1]
            chosen = choose_neighbourhood((bank[0][:, None], bank[1]), queries, accuracy)
            outputs = votes(*bank, test[0], centred=chosen.centred)[None]
            choice: dict[str, object] = {"centred": chosen.centred}
        elif probe == "mlp":
            heads = choose_heads(bank, checks, seeds=seeds)
            outputs = heads.outputs(test[0])
            choice = {"hidden": heads.config.hidden, "standardise": heads.config.standardise, "epochs": heads.epochs}
        else:
            raise ValueError(f'probe is "{probe}", but must be "knn" or "mlp"')
        right = np.stack([correct(test[1], one) for one in outputs])
        result = estimate(lambda weights: mean(weights, right), groups or range(len(references)), probe)
        return {"accuracy": result.value, "interval": result.interval, "choice": choice}
