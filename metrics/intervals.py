"""How sure a score is: bootstrap over whole groups of test items, and paired comparison of two encoders."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

RESAMPLES = 2000
LEVELS = (0.025, 0.975)


@dataclass(frozen=True)
class Estimate:
    """A score and what it would have been on each resample of the test items.

    Args:
        value: On the test items as they are.
        draws: `(RESAMPLES,)`; draws of two estimates go together if task and groups are the same.
    """

    value: float
    draws: np.ndarray

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval: the quantiles of the draws."""
        low, high = np.quantile(self.draws, LEVELS)
        return float(low), float(high)

    @property
    def plain(self) -> dict[str, Any]:
        """As JSON keeps it."""
        return {"value": self.value, "interval_95": list(self.interval)}


def estimate(
    statistic: Callable[[np.ndarray], np.ndarray], groups: Sequence[Hashable], task: str, resamples: int = RESAMPLES
) -> Estimate:
    """Bootstrap a statistic over groups of test items.

    Args:
        statistic: From how often each item is counted, `(resamples, items)`, to its values `(resamples,)`.
        groups: Group of each test item (speaker, recording); items of one group are drawn together.
            Without groups, give each item its own.
        task: Its name seeds the draws: equal for two encoders, and independent between tasks.
        resamples: How many.
    """
    _, member = np.unique([str(group) for group in groups], return_inverse=True)
    count = member.max() + 1
    rng = np.random.default_rng(zlib.crc32(task.encode()))
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=resamples)[:, member]
    return Estimate(float(statistic(np.ones((1, len(member))))[0]), statistic(drawn.astype(float)))


def mean(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Weighted mean `(resamples,)` of `(items,)` values, or of their mean over seeds if `(seeds, items)`."""
    return weights @ np.atleast_2d(values).mean(0) / weights.sum(1)


def combine(function: Callable, *estimates: Estimate) -> Estimate:
    """Estimate of a function of estimates, which must work on numbers and, by element, on arrays."""
    return Estimate(float(function(*(one.value for one in estimates))), function(*(one.draws for one in estimates)))


def compare(base: Estimate, ours: Estimate) -> tuple[Estimate, float]:
    """Return `ours - base` and its two-sided bootstrap p-value; both must be of the same test items."""
    difference = combine(np.subtract, ours, base)
    beyond = min((difference.draws <= 0).sum(), (difference.draws >= 0).sum())
    return difference, float(min(1.0, 2 * (beyond + 1) / (len(difference.draws) + 1)))
