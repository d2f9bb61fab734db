"""The options of an item, its answer as often at each letter as at the others."""

from __future__ import annotations

import random
from collections.abc import Sequence


def choices(answer: str, others: Sequence[str], number: int) -> tuple[str, ...]:
    """Return four options for item `number` of a task: the answer and three of `others`."""
    rng = random.Random(f"{answer}/{number}")
    options = rng.sample([other for other in others if other != answer], 3)
    options.insert(number % 4, answer)
    return tuple(options)


def counts(answer: int, number: int, apart: int = 3) -> tuple[str, ...]:
    """Return four rising numbers for item `number` of a task: the answer and three that are `apart`."""
    return tuple(str(answer + apart * (place - number % 4)) for place in range(4))
