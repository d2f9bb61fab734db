"""What measures of cost share: arms that take turns, and medians."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import partial
from time import perf_counter
from typing import Any, TypeVar

import numpy as np
import torch

Name = TypeVar("Name", bound=Hashable)
Result = TypeVar("Result")


def in_turns(
    arms: Mapping[Name, Callable[[], Result]], repeats: int, progress: Callable[[Sequence], Iterable] = iter
) -> dict[Name, list[Result]]:
    """What each arm returns in every round, after a first that warms up; `progress` wraps the rounds, as tqdm does."""
    results: dict[Name, list[Result]] = {name: [] for name in arms}
    with torch.inference_mode():
        for turn in progress(range(repeats + 1)):
            for name, arm in arms.items():
                result = arm()
                if turn:  # the first warms up
                    results[name].append(result)
    return results


def take_turns(arms: Mapping[Name, Callable[[], object]], repeats: int) -> dict[Name, np.ndarray]:
    """Seconds of each arm in every round `(repeats,)`, after a first that warms up."""
    timed = {name: partial(seconds_of, arm) for name, arm in arms.items()}
    return {name: np.array(times) for name, times in in_turns(timed, repeats).items()}


def seconds_of(arm: Callable[[], object]) -> float:
    """How long `arm` takes."""
    start = now()
    arm()
    return now() - start


def now() -> float:
    """Seconds on a clock, once an accelerator, where there is one, has done what it was given."""
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()
    return perf_counter()


def compare(arms: Mapping[str, Callable[[], object]], items: int, repeats: int) -> dict[str, Any]:
    """Items a second of each arm, and how many times as fast the first is as the second."""
    seconds = take_turns(arms, repeats)
    first, second = seconds.values()
    return {
        "repeats": repeats,
        "items_per_second": {name: spread(items / times) for name, times in seconds.items()},
        "speedup": spread(second / first),
    }


def spread(values: np.ndarray) -> dict[str, Any]:
    """Median and quartiles, to four digits."""
    low, median, high = (float(f"{value:.4g}") for value in np.percentile(values, [25, 50, 75]))
    return {"median": median, "quartiles": [low, high]}


def in_new_process(function: Callable, *arguments):
    """Return `function(*arguments)` from a fresh interpreter, so that its peak memory is its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)
