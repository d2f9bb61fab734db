"""Tasks with several answers: events in time by segment, and labels of a whole clip."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np


def segment_count(duration: float, segment: float) -> int:
    """Segments of a clip of `duration` seconds; the last one may be cut short, but not to under a millisecond."""
    return max(1, math.ceil((duration - 1e-3) / segment))


def segment_targets(events: Sequence[dict], duration: float, segment: float, classes: list[str]) -> np.ndarray:
    """`(segments, classes)` of 0 and 1: whether an event sounds for at least a millisecond of the segment.

    Args:
        events: Each has "label", "start" and "end", in seconds; a label that is none of `classes` is left out.
        duration: Of the clip, in seconds.
        segment: Length of a segment, in seconds.
        classes: Labels of the columns.
    """
    count = segment_count(duration, segment)
    truth = np.zeros((count, len(classes)), np.float32)
    for event in events:
        if event["label"] in classes:
            first = math.floor((event["start"] + 1e-3) / segment)
            last = math.ceil((event["end"] - 1e-3) / segment)
            truth[max(first, 0) : last, classes.index(event["label"])] = 1
    return truth


def segment_means(frames: np.ndarray, frame_seconds: float, duration: float, segment: float) -> np.ndarray:
    """Mean of the frames whose centres lie in each segment, `(segments, dim)`; the nearest one where none does.

    Args:
        frames: Real frames of one clip, `(frames, dim)`.
        frame_seconds: Time from one frame to the next.
        duration: Of the clip, in seconds.
        segment: Length of a segment, in seconds.
    """
    centres = (np.arange(len(frames)) + 0.5) * frame_seconds
    starts = np.arange(segment_count(duration, segment)) * segment
    first, last = (np.searchsorted(centres, edges) for edges in (starts, starts + segment))
    nearest = np.clip(np.floor((starts + segment / 2) / frame_seconds).astype(int), 0, len(frames) - 1)
    first, last = np.where(last > first, first, nearest), np.where(last > first, last, nearest + 1)
    sums = np.concatenate([np.zeros((1, frames.shape[1])), frames.cumsum(0, dtype=np.float64)])
    return ((sums[last] - sums[first]) / (last - first)[:, None]).astype(np.float32)


def segment_f1(truth: np.ndarray, outputs: np.ndarray, average: Literal["macro", "micro"] = "macro") -> float:
    """F1 of segments; an output above 0 says yes. Both `(segments, classes)`.

    Args:
        truth: 0 or 1.
        outputs: Logits, or anything that is positive for "yes".
        average: Mean of the classes that occur or are said, or all decisions counted together.
    """
    return float(f1(np.ones((1, 1)), outcomes(truth, outputs, [0] * len(truth)), average)[0])


def outcomes(truth: np.ndarray, outputs: np.ndarray, clips: Sequence) -> np.ndarray:
    """Right, false and missed segments of each clip, `(clips, 3, classes)`, clips in the order they first occur.

    `clips` says which clip each segment is of, so that whole clips can be drawn again.
    """
    numbers = {clip: number for number, clip in enumerate(dict.fromkeys(clips))}
    said, meant = outputs > 0, truth > 0
    counts = np.zeros((len(numbers), 3, truth.shape[1]))
    np.add.at(
        counts,
        [numbers[clip] for clip in clips],
        np.stack([said & meant, said & ~meant, ~said & meant], 1).astype(float),
    )
    return counts


def f1(weights: np.ndarray, counts: np.ndarray, average: Literal["macro", "micro"] = "macro") -> np.ndarray:
    """F1 `(resamples,)` of `outcomes` weighted by `(resamples, clips)`; 0 where there is nothing to find or say.

    Counts of several seeds, `(seeds, clips, 3, classes)`, give the mean F1 of the seeds.
    """
    totals = np.einsum("rc,...cok->...rok", weights, counts)
    if average == "micro":
        totals = totals.sum(-1, keepdims=True)
    right, false, missed = np.moveaxis(totals, -2, 0)
    wrong, there = false + missed, right + false + missed > 0
    by_class = np.where(there, 2 * right / np.where(there, 2 * right + wrong, 1), 0)
    values = by_class.sum(-1) / there.sum(-1).clip(1)
    return values.reshape(-1, len(weights)).mean(0)


def mean_average_precision(truth: np.ndarray, outputs: np.ndarray) -> float:
    """Mean of the average precision over classes that occur; both `(items, classes)`."""
    return float(weighted_average_precision(np.ones((1, len(truth))), truth, outputs)[0])


def weighted_average_precision(weights: np.ndarray, truth: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Mean average precision `(resamples,)`, items weighted by `(resamples, items)`.

    Items of equal output are ranked together, as scikit-learn does. Outputs of several seeds,
    `(seeds, items, classes)`, give the mean of the seeds.
    """
    if outputs.ndim == 3:
        return np.mean([weighted_average_precision(weights, truth, one) for one in outputs], axis=0)
    total, classes = np.zeros(len(weights)), np.zeros(len(weights))
    for wanted, output in zip(truth.T, outputs.T):
        order = np.argsort(-output, kind="stable")
        ranked = -output[order]
        ends = np.searchsorted(ranked, ranked, side="right") - 1
        counts = weights[:, order]
        right = counts * wanted[order]
        precision = right.cumsum(1)[:, ends] / counts.cumsum(1)[:, ends].clip(1)
        positives = right.sum(1)
        total += (right * precision).sum(1) / positives.clip(1)
        classes += positives > 0
    return total / classes.clip(1)
