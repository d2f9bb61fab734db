"""One number from many tasks: averages with intervals, and the share of the gap to 1 that is closed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from metrics.intervals import Estimate, combine

if TYPE_CHECKING:
    from dataset_builders.probe_suite.registry import ProbeTask

GAPS = ("all", "unseen", "speech")
"""Averages for which the closed gap is reported."""


def average(scores: Mapping[str, Estimate], weights: Mapping[str, float]) -> Estimate:
    """Weighted average `sum(w * score) / sum(w)` over tasks; every score runs from 0 to 1."""
    total = sum(weights[task] for task in scores)
    shares = [weights[task] / total for task in scores]
    return combine(lambda *values: np.tensordot(shares, values, 1), *scores.values())


def averages(
    scores: Mapping[str, Estimate], weights: Mapping[str, float], tasks: Mapping[str, ProbeTask]
) -> dict[str, Estimate]:
    """Weighted averages of all tasks, of each domain, of seen and of unseen ones, and "unweighted".

    Args:
        scores: By task.
        weights: By task.
        tasks: What each task is; an average with no task in `scores` is left out.
    """
    parts = {
        "all": list(scores),
        **{
            domain: [name for name in scores if tasks[name].domain == domain] for domain in ("speech", "sound", "music")
        },
        "seen": [name for name in scores if not tasks[name].unseen],
        "unseen": [name for name in scores if tasks[name].unseen],
    }
    result = {part: average({name: scores[name] for name in names}, weights) for part, names in parts.items() if names}
    return result | {"unweighted": average(scores, dict.fromkeys(scores, 1))}


def gap_closed(base: float | np.ndarray, ours: float | np.ndarray) -> float | np.ndarray:
    """Share of what `base` lacks to 1.0 that `ours` makes up for: negative if it is worse, NaN if nothing lacks."""
    base = np.asarray(base, float)
    return np.divide(ours - base, 1 - base, out=np.full_like(base, np.nan), where=base < 1)


def gaps(base: Mapping[str, Estimate], ours: Mapping[str, Estimate]) -> dict[str, Estimate]:
    """Closed gap, with its interval, of each average of `GAPS` that both have (see `averages`)."""
    return {part: combine(gap_closed, base[part], ours[part]) for part in GAPS if part in base and part in ours}
