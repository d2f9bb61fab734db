"""Which split a group goes to: decided by seed, never cutting a group."""

from __future__ import annotations

import random
from collections.abc import Mapping

SPLITS = ("train", "validation", "test")


def assign(weights: Mapping[str, float], seed: str, validation: float = 0.1, test: float = 0.15) -> dict[str, str]:
    """Send whole groups to splits.

    Args:
        weights: how much each group holds (clips or seconds).
        seed: names the draw; the same seed and weights give the same splits.
        validation: share of the total weight that validation may hold.
        test: share that test may hold. Either may be exceeded only by its first group, so
            that three groups or more reach all three splits; fewer all go to train.

    Returns:
        Group to one of `SPLITS`.
    """
    chosen = dict.fromkeys(weights, "train")
    if len(weights) < 3:
        return chosen
    groups = sorted(weights)
    random.Random(seed).shuffle(groups)
    total = sum(weights.values())
    groups.sort(key=lambda group: weights[group] > validation * total)  # big ones last
    room = {"test": test * total, "validation": validation * total}
    held = dict.fromkeys(room, 0.0)
    for group in groups:
        split = min(room, key=lambda name: held[name] / room[name])
        if not held[split] or held[split] + weights[group] <= room[split]:
            chosen[group] = split
            held[split] += weights[group]
    return chosen
