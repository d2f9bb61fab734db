"""What a run is told of itself: losses by task and domain, speed, and when to stop."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from time import perf_counter

import torch
import torch.nn.functional as F

MEMORY = 0.98
"""Of the running mean that a spike is compared with."""

WARM_UP = 20
"""Batches before which nothing is called a spike."""


class TrainingStopped(RuntimeError):
    """A loss that is no number, or far above those before; the message names the clips of its batch."""


class Meter:
    """Gathers what happened since the last log.

    Args:
        spike: a batch whose loss is this many times the running mean stops the run.
        processes: how many there are; speeds are multiplied by it.
    """

    def __init__(self, spike: float, processes: int = 1):
        self.spike, self.processes = spike, processes
        self.mean, self.batches = 0.0, 0
        self.start()

    def start(self) -> None:
        """Forget what was gathered."""
        self.losses: dict[str, list[float]] = defaultdict(list)
        self.tokens, self.seconds, self.since = 0, 0.0, perf_counter()

    def add(self, losses: Sequence[float], tokens: int, told: dict[str, list]) -> None:
        """Take in a batch.

        Args:
            losses: mean loss of the answer of each row.
            tokens: that the language model read, padding left out.
            told: `tasks`, `domains`, `clips` and `seconds` of the rows.

        Raises:
            TrainingStopped: the losses are not to be learned from.
        """
        loss = sum(losses) / len(losses)
        known = self.batches >= WARM_UP
        if not loss < float("inf") or (known and loss > self.spike * self.mean):
            wrong = "is no number" if not loss < float("inf") else f"is {loss:.3g}, usually {self.mean:.3g}"
            raise TrainingStopped(f"the loss {wrong}, in a batch of " + "; ".join(told["clips"]))
        self.mean = MEMORY * self.mean + (1 - MEMORY) * loss if self.batches else loss
        self.batches += 1
        for kind in ("tasks", "domains"):
            for name, one in zip(told[kind], losses):
                self.losses[f"{kind[:-1]}/{name}"].append(one)
        self.tokens += tokens
        self.seconds += sum(told["seconds"])

    def report(self) -> dict[str, float]:
        """Means and speeds since the last report."""
        passed = (perf_counter() - self.since) / self.processes
        found = {f"loss/{name}": sum(losses) / len(losses) for name, losses in sorted(self.losses.items())}
        found |= {"tokens_per_second": self.tokens / passed, "audio_hours_per_hour": self.seconds / passed}
        self.start()
        return found


@torch.no_grad()
def losses_by_row(logits: torch.Tensor, labels: torch.Tensor) -> list[float]:
    """Mean loss of each row's answer.

    Args:
        logits: at the learned positions only, `(learned tokens, vocabulary)`, or at all, `(batch, length, vocabulary)`.
        labels: `(batch, length)`, -100 where nothing is learned.
    """
    targets = F.pad(labels[:, 1:], (0, 1), value=-100)
    learned = targets != -100
    if logits.ndim == 3:
        logits = logits[learned]
    each = F.cross_entropy(logits.float(), targets[learned], reduction="none")
    row = learned.nonzero()[:, 0]
    sums = torch.zeros(len(labels), device=each.device).index_add_(0, row, each)
    return (sums / learned.sum(1)).tolist()
