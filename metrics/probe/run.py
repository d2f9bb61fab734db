"""One encoder on one task: what its frozen features tell, at its last layer and at the layer that validation chose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import datasets
import numpy as np

from dataset_builders.open_audio.splits import SPLITS
from dataset_builders.probe_suite.registry import ProbeTask
from metrics.intervals import Estimate, estimate, mean

from .clusters import v_measures
from .ctc import CTCConfig, one_minus_wer, train_ctc, word_errors
from .embed import embed
from .encoders import Encoder
from .few_shot import few_shot
from .frames import (
    f1,
    mean_average_precision,
    outcomes,
    segment_f1,
    segment_means,
    segment_targets,
    weighted_average_precision,
)
from .heads import CLIP, FRAME, MULTILABEL, SEEDS, HeadConfig, Heads, choose_heads, choose_layer
from .labels import accuracy, classes_of, correct, targets
from .neighbours import choose_neighbourhood, votes
from .retrieval import (
    Pairs,
    ProjectionConfig,
    bags,
    centre,
    choose_zero_training,
    hits,
    layer_of,
    learn_projections,
    pair,
    recall,
    standardise,
    words,
)
from .xares_compat import xares_outputs
from .zero_shot import ZeroShot

CTC_SEEDS = (0, 1)
CTC_TRIAL = CTCConfig(steps=300)
"""A short training on which the layer for transcription is chosen."""


@dataclass
class Scores:
    """Scores by probe ("knn", "mlp") and layer ("last", "chosen", "mixed"), and how the choices came out."""

    scores: dict[str, Estimate] = field(default_factory=dict)
    choices: dict[str, Any] = field(default_factory=dict)
    more: dict[str, float] = field(default_factory=dict)


Features = dict[str, np.ndarray]
"""By split, `(clips, layers, dim)`, or of one layer `(items, dim)`."""


Rows = dict[str, datasets.Dataset]
"""By split."""


def probe(encoder: Encoder, task: ProbeTask, rows: Rows, cache: Path) -> Scores:
    """Embed the clips of `task` once and probe them."""
    return PROBES[task.kind](encoder, task, rows, cache)


def probe_as_xares(encoder: Encoder, task: ProbeTask, rows: Rows) -> dict[str, Estimate]:
    """What X-ARES's code would give for a task with one label a clip."""
    outputs = xares_outputs(encoder, rows, {split: rows[split]["label"] for split in SPLITS})
    return {name: accuracies(task, rows, output) for name, output in outputs.items()}


def ask(model: ZeroShot, task: ProbeTask, rows: Rows) -> dict[str, Estimate]:
    """What the language model answers to a task with one label a clip, without a probe."""
    outputs = model.outputs(rows["test"], task.config, classes_of(rows["train"]["label"]))
    return {"zero_shot": accuracies(task, rows, outputs[None])}


def accuracies(task: ProbeTask, rows: Rows, outputs: np.ndarray) -> Estimate:
    """Accuracy of `(seeds, clips, classes)` on the test clips."""
    truth = targets(rows["test"]["label"], classes_of(rows["train"]["label"]))
    right = np.stack([correct(truth, one) for one in outputs])
    return estimate(lambda weights: mean(weights, right), rows["test"]["group"], task.name)


def _pooled(encoder: Encoder, task: ProbeTask, rows: Rows, cache: Path) -> Features:
    return {split: embed(encoder, rows[split], cache, description=f"{task.name} {split}").pooled for split in SPLITS}


def _frames(encoder: Encoder, task: ProbeTask, rows: Rows, cache: Path, layer: int) -> dict[str, list[np.ndarray]]:
    return {split: embed(encoder, rows[split], cache, layer, f"{task.name} {split}").frames for split in SPLITS}


def _clip(encoder: Encoder, task: ProbeTask, rows: Rows, cache: Path) -> Scores:
    """Accuracy; also of 8 clips a class, and how well clusters agree with the labels."""
    labels, pooled = {split: rows[split]["label"] for split in SPLITS}, _pooled(encoder, task, rows, cache)

    result = _labelled(pooled, labels, CLIP, accuracy, partial(accuracies, task, rows))
    layer = result.choices["mlp_layer"]
    at_layer = {split: pooled[split][:, layer] for split in SPLITS}
    drawn = few_shot((at_layer["train"], labels["train"]), at_layer["test"])
    truth = np.array(labels["test"])
    result.more["eight_shot"] = float(np.mean([np.array(predicted) == truth for predicted in drawn]))
    result.more["v_measure"] = float(np.mean(v_measures(at_layer["test"], labels["test"], centred=True)))
    return result


def _multilabel(encoder: Encoder, task: ProbeTask, rows: Rows, cache: Path) -> Scores:
    """Mean average precision over classes."""
    labels = {split: rows[split]["labels"] for split in SPLITS}

    def score(outputs: np.ndarray) -> Estimate:
        truth = targets(labels["test"], classes_of(labels["train"]))
        statistic = partial(weighted_average_precision, truth=truth, outputs=outputs)
        return estimate(statistic, rows["test"]["group"], task.name)

    return _labelled(_pooled(encoder, task, rows, cache), labels, MULTILABEL, mean_average_precision, score)


def _labelled(
    pooled: Features,
    labels: dict[str, list],
    configs: tuple[HeadConfig, ...],
    metric: Callable[[np.ndarray, np.ndarray], float],
    score: Callable[[np.ndarray], Estimate],
) -> Scores:
    """Neighbours and heads on clips; `score` takes outputs on test, `(seeds, clips, classes)`."""
    classes = classes_of(labels["train"])
    train, validation = ((pooled[split], targets(labels[split], classes)) for split in ("train", "validation"))
    test = pooled["test"]
    near, last = choose_neighbourhood(train, validation, metric), pooled["train"].shape[1] - 1
    result = Scores()
    for name, at, centred in (
        ("knn_last", last, False),
        ("knn_last_centred", last, True),
        ("knn_chosen", near.layer, near.centred),
    ):
        voted = votes(train[0][:, at], train[1], test[:, at], centred=centred)
        result.scores[name] = score(voted[None])

    def trained(at: int | slice, recipes: tuple[HeadConfig, ...]) -> Heads:
        return choose_heads((train[0][:, at], train[1]), (validation[0][:, at], validation[1]), recipes, metric)

    promising, _ = choose_layer(train, validation, metric)
    heads = {layer: trained(layer, configs) for layer in {last, promising}}
    layer = max((last, promising), key=lambda layer: np.mean(heads[layer].validation))
    mixed = trained(slice(None), tuple(replace(config, mixed=True) for config in configs if not config.hidden))
    for name, at, one in (
        ("mlp_last", last, heads[last]),
        ("mlp_chosen", layer, heads[layer]),
        ("mlp_mixed", slice(None), mixed),
    ):
        result.scores[name] = score(one.outputs(test[:, at]))
        result.choices[name] = {"hidden": one.config.hidden, "epochs": one.epochs}
    result.choices |= {"knn_layer": near.layer, "knn_centred": near.centred, "mlp_layer": layer}
    return result


def _frame(encoder: Encoder, task: ProbeTask, rows: Rows, cache: Path) -> Scores:
    """F1 of segments, at the last layer and at the one that tells best which events whole clips hold."""
    heard = {split: [sorted({e["label"] for e in events}) for events in rows[split]["events"]] for split in SPLITS}
    classes, last = classes_of(heard["train"]), encoder.layers - 1
    pooled = _pooled(encoder, task, rows, cache)
    whole, checked = ((pooled[split], targets(heard[split], classes)) for split in ("train", "validation"))
    promising, _ = choose_layer(whole, checked, mean_average_precision)
    found: dict[str, dict[int, Estimate]] = {"knn": {}, "mlp": {}}
    of_validation: dict[str, dict[int, float]] = {"knn": {}, "mlp": {}}
    for layer in {last, promising}:
        frames = _frames(encoder, task, rows, cache, layer)
        train, validation, (features, truth, of_clip) = (
            _segments(frames[split], rows[split], encoder, task, classes) for split in SPLITS
        )

        def score(outputs: np.ndarray, truth: np.ndarray = truth, of_clip: list[int] = of_clip) -> Estimate:
            counts = np.stack([outcomes(truth, one, of_clip) for one in outputs])
            return estimate(lambda weights: f1(weights, counts), rows["test"]["group"], task.name)

        bank, queries = ((part[0][:, None], part[1]) for part in (train, validation))
        near = choose_neighbourhood(bank, queries, lambda truth, outputs: segment_f1(truth, outputs - 0.5))
        found["knn"][layer] = score(votes(*train[:2], features, centred=near.centred)[None] - 0.5)
        of_validation["knn"][layer] = near.scores[near.centred][0]
        heads = choose_heads(train[:2], validation[:2], FRAME, segment_f1)
        found["mlp"][layer] = score(heads.outputs(features))
        of_validation["mlp"][layer] = float(np.mean(heads.validation))
    result = Scores()
    for kind, scores in found.items():
        layer = max((last, promising), key=of_validation[kind].__getitem__)
        result.scores |= {f"{kind}_last": scores[last], f"{kind}_chosen": scores[layer]}
        result.choices[f"{kind}_layer"] = layer
    return result


def _segments(
    frames: list[np.ndarray], rows: datasets.Dataset, encoder: Encoder, task: ProbeTask, classes: list[str]
) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Features and targets of all segments, and which clip each is of."""
    features, truth, of_clip = [], [], []
    for number, (clip, duration, events) in enumerate(zip(frames, rows["duration"], rows["events"])):
        features.append(segment_means(clip, encoder.frame_seconds, duration, task.segment))
        truth.append(segment_targets(events, duration, task.segment, classes))
        of_clip += [number] * len(features[-1])
    return np.concatenate(features), np.concatenate(truth), of_clip


def _retrieval(encoder: Encoder, task: ProbeTask, rows: Rows, cache: Path) -> Scores:
    """Recall at 1, both directions: by cosine where both sides are audio, and by learned projections."""
    pooled = _pooled(encoder, task, rows, cache)
    if "side" in rows["train"].column_names:
        paired = {split: pair(rows[split]["key"], rows[split]["side"]) for split in SPLITS}
        sides = {s: Pairs(pooled[s][a], pooled[s][b], keys) for s, (a, b, keys) in paired.items()}
        zero = choose_zero_training(sides["train"], sides["validation"])
        chosen, shared = zero.layer, True
    else:
        vocabulary = words(rows["train"]["text"])
        sides = {s: Pairs(pooled[s], bags(rows[s]["text"], vocabulary), list(rows[s]["key"])) for s in SPLITS}
        zero, shared = None, False
        trials = [_projected(sides, layer, shared, seeds=(0,)) for layer in range(encoder.layers)]
        chosen = max(reversed(range(encoder.layers)), key=lambda layer: trials[layer][1])
    result, last = Scores(choices={"layer": chosen}), encoder.layers - 1

    def score(found: np.ndarray) -> Estimate:
        return estimate(lambda weights: mean(weights, found), sides["test"].keys, task.name)

    projected = {layer: score(_projected(sides, layer, shared, SEEDS)[0]) for layer in {last, chosen}}
    for name, layer in {"last": last, "chosen": chosen}.items():
        if zero:
            at = {split: layer_of(sides[split], layer) for split in SPLITS}
            test = centre(at["test"], at["train"]) if name == "chosen" and zero.centred else at["test"]
            result.scores[f"knn_{name}"] = score(hits(test))
        result.scores[f"mlp_{name}"] = projected[layer]
    return result


def _projected(sides: dict[str, Pairs], layer: int, shared: bool, seeds: tuple[int, ...]) -> tuple[np.ndarray, float]:
    """Hits on test `(seeds, pairs)` and mean recall on validation after learning projections of one layer."""
    if shared:
        at = {split: layer_of(sides[split], layer) for split in SPLITS}
        ready = {split: standardise(at[split], at["train"]) for split in SPLITS}
    else:
        at = {split: sides[split]._replace(a=sides[split].a[:, layer]) for split in SPLITS}
        ready = {split: standardise(at[split], at["train"])._replace(b=at[split].b) for split in SPLITS}
    config = ProjectionConfig(shared=shared)
    learned = [learn_projections(ready["train"], ready["validation"], config, seed) for seed in seeds]
    found = np.stack([hits(projections(ready["test"])) for projections in learned])
    return found, float(np.mean([recall(projections(ready["validation"])) for projections in learned]))


def _transcription(encoder: Encoder, task: ProbeTask, rows: Rows, cache: Path) -> Scores:
    """One minus the word error rate of a linear layer trained by CTC, at the last layer and the better of two."""
    result, tried = Scores(), {}
    last, texts = encoder.layers - 1, {split: rows[split]["text"] for split in SPLITS}
    for layer in sorted({last, encoder.layers // 2}, reverse=True):
        frames = _frames(encoder, task, rows, cache, layer)
        errors, spoken = word_errors(
            texts["validation"],
            train_ctc(frames["train"], texts["train"], CTC_TRIAL).transcribe(frames["validation"]),
        )
        tried[layer] = 1 - errors.sum() / spoken.sum()
    result.choices["layer"] = chosen = max(tried, key=tried.__getitem__)
    by_layer = {}
    for layer in {last, chosen}:
        frames = _frames(encoder, task, rows, cache, layer)
        heads = [train_ctc(frames["train"], texts["train"], seed=seed) for seed in CTC_SEEDS]
        counted = [word_errors(texts["test"], head.transcribe(frames["test"])) for head in heads]
        errors, spoken = np.stack([errors for errors, _ in counted]), counted[0][1]
        statistic = partial(one_minus_wer, errors=errors, words=spoken)
        by_layer[layer] = estimate(statistic, rows["test"]["group"], task.name)
    result.scores = {"mlp_last": by_layer[last], "mlp_chosen": by_layer[chosen]}
    return result


PROBES: dict[str, Callable[[Encoder, ProbeTask, dict[str, datasets.Dataset], Path], Scores]] = {
    "clip": _clip,
    "multilabel": _multilabel,
    "frame": _frame,
    "retrieval": _retrieval,
    "transcription": _transcription,
}
