"""A clip asks for others of its class: the test clips of the probes' tasks with one label a clip.

A clip's own group (speaker, package, kit, track) is left out of what it searches, so that nothing is found by a room
or a microphone. Vectors are compared by cosine, as search does. An index holds one vector a window, whatever is asked
of it, so an encoder is read at one layer for all tasks: ours where `embed` reads it, Whisper-base at its last layer
and at the one that is best on validation by the same measure.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from datasets import Dataset

from dataset_builders.probe_suite.registry import TASKS, load_probe
from metrics.intervals import combine
from metrics.probe.embed import embed
from metrics.probe.encoders import Encoder, open_encoder
from metrics.probe.neighbours import unit
from modeling_uniwhisper import UniWhisperConfig
from modeling_uniwhisper.checkpoints import find_checkpoint

from .scores import Scores, score, side_by_side

CLIP_TASKS = {name: task for name, task in TASKS.items() if task.kind == "clip" and name != "language_id"}
"""Of each language all test clips are one set of recordings, so that a clip of it would have nothing to find."""

SHOWN = ("map", "recall_at_10")
CHANCE_DIM = 64


def measure(cache: Path) -> tuple[dict[str, object], np.ndarray]:
    """Scores of all encoders, and our vectors of all clips `(clips, dim)`; `cache` is the probes'."""
    ours, whisper, mel = encoders = [open_encoder(name) for name in ("uniwhisper", "whisper-base", "log-mel")]
    best, last = best_layer(whisper, cache), whisper.layers - 1
    arms = {
        ours.name: (ours, UniWhisperConfig.from_pretrained(find_checkpoint()).embedding_layer),
        f"{whisper.name}, last layer ({last})": (whisper, last),
        f"{whisper.name}, best layer ({best})": (whisper, best),
        "mean log-mel": (mel, 0),
    }
    rows = clips("test")
    vectors = {arm: [one[:, layer] for one in pooled(encoder, rows, cache)] for arm, (encoder, layer) in arms.items()}
    rng = np.random.default_rng(0)
    vectors["chance"] = [rng.standard_normal((len(part), CHANCE_DIM)) for part in rows.values()]
    found = side_by_side({arm: by_task(one, rows) for arm, one in vectors.items()})
    return {"encoders": {one.name: one.fingerprint for one in encoders}, **found}, np.concatenate(vectors[ours.name])


def best_layer(encoder: Encoder, cache: Path) -> int:
    """The layer whose mean average precision on validation, averaged over tasks, is the best."""
    rows = clips("validation")
    by_layer = zip(*(np.moveaxis(one, 1, 0) for one in pooled(encoder, rows, cache)))
    return int(np.argmax([by_task(vectors, rows)["mean"].means["map"].value for vectors in by_layer]))


def clips(split: str) -> dict[str, Dataset]:
    """The clips of each task."""
    return {name: load_probe(task, split) for name, task in CLIP_TASKS.items()}


def pooled(encoder: Encoder, rows: dict[str, Dataset], cache: Path) -> list[np.ndarray]:
    """The mean over each clip of every layer `(clips, layers, dim)`, of each task."""
    return [embed(encoder, part, cache, description=name).pooled for name, part in rows.items()]


def by_task(vectors: Sequence[np.ndarray], rows: dict[str, Dataset]) -> dict[str, Scores]:
    """Scores of each task's vectors `(clips, dim)`, and their mean."""
    found = {
        name: same_class(one, part["label"], part["group"], name) for one, (name, part) in zip(vectors, rows.items())
    }
    means = {
        key: combine(lambda *tasks: np.mean(tasks, axis=0), *(one.means[key] for one in found.values()))
        for key in SHOWN
    }
    return found | {"mean": Scores(sum(one.queries for one in found.values()), means)}


def same_class(vectors: np.ndarray, labels: Sequence[str], groups: Sequence[str], name: str) -> Scores:
    """How well each of the vectors `(clips, dim)` finds those of its label among those of other groups.

    A clip whose label is in no other group does not ask. Raises `ValueError` if none does in the task `name`.
    """
    vectors, named, grouped = unit(vectors), np.array(labels), np.array(groups)
    rankings, asking = [], []
    for label, group, likeness in zip(labels, groups, vectors @ vectors.T):
        others = np.flatnonzero(grouped != group)
        right = named[others[np.argsort(-likeness[others], kind="stable")]] == label
        if right.any():
            rankings.append(right)
            asking.append(group)
    if not asking:
        raise ValueError(f"{name}: no label is in two groups, so no clip has another to find")
    return score(rankings, asking, name, SHOWN)
