"""The order in which a run hears its clips: tasks by share, like lengths together, fixed by a seed."""

import numpy as np
from torch.utils.data import Dataset

from dataset_builders.loading import batch_like_sizes

from .config import Recipe


class Mixture(Dataset):
    """`examples` rows drawn from several tasks; a task starts again when all its rows were heard.

    Rows of a batch have like durations, so that little is padding. An item is a row of the dataset
    plus its task's `labels` and a `seed`, from which its instruction and augmentation are drawn.
    """

    def __init__(self, tasks: dict[str, "Dataset"], shares: dict[str, float], examples: int, batch: int, seed: int):
        rng = np.random.default_rng(seed)
        names = list(shares)
        weights = np.array([shares[name] for name in names], dtype=float)
        drawn = rng.choice(len(names), size=examples, p=weights / weights.sum())
        self.tasks = [tasks[name] for name in names]
        self.labels = [sorted(set(task["label"]) - {None}) for task in self.tasks]
        rows = np.empty(examples, dtype=int)
        seconds = np.empty(examples)
        for index, task in enumerate(self.tasks):
            places = np.flatnonzero(drawn == index)
            rounds = -(-len(places) // len(task))
            order = np.concatenate([rng.permutation(len(task)) for _ in range(rounds)] or [np.empty(0, int)])
            rows[places] = order[: len(places)]
            seconds[places] = np.asarray(task["duration"])[rows[places]]
        order = np.concatenate(batch_like_sizes(seconds, batch, rng))
        self.order = list(zip(drawn[order].tolist(), rows[order].tolist(), order.tolist()))

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, index: int) -> dict:
        task, row, seed = self.order[index]
        return {**self.tasks[task][row], "labels": self.labels[task], "seed": seed}


def load_tasks(recipe: Recipe, split: str) -> dict[str, "Dataset"]:
    """One dataset a task, without clips longer than `max_seconds`; says how many were left out."""
    from datasets import load_dataset

    import dataset_builders  # noqa: F401  (makes our names known to load_dataset)

    tasks = {}
    for name in recipe.mixture:
        task = load_dataset(recipe.dataset, name, split=split)
        kept = np.flatnonzero(np.asarray(task["duration"]) <= recipe.max_seconds)
        if len(kept) < len(task):
            print(
                f"{name}: {len(task) - len(kept)} of {len(task)} clips are longer than {recipe.max_seconds} s: left out"
            )
        tasks[name] = task.select(kept)
    return tasks
