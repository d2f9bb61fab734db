"""The order in which a run hears its clips: tasks by share, like lengths together, fixed by a seed.

A batch is what one optimizer step hears on all processes together. Each process takes its part of it, so the
order depends on the recipe alone, and a run goes on in it on another number of processes.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import datasets
import numpy as np
from torch.utils.data import Dataset, IterableDataset, Sampler

from dataset_builders.public_mixture import load_mixture
from dataset_builders.public_streams import open_streams

from . import config
from .augmentation import NO_MIX
from .long_recordings import GAP, Companions, companions
from .sampling import shares

BEDS = ("speech", "music")
"""Domains in whose clips others are buried."""
POOL = 16
"""Batches among which clips of like length are looked for."""


class Mixture(Dataset):
    """Rows drawn from several tasks; a task starts again when all its rows were heard.

    An item is a row of the dataset plus its task's `labels`, a `seed`, from which its instruction and
    augmentation are drawn, its `batch`, from which is drawn what all processes do alike, and, in a long recording,
    its `companions` and their `others`, sound files, or, in the middle of another clip, that one's file, its `bed`.

    Args:
        recipe: what is heard.
        tasks: the rows of each task; all of one domain.
        seed: of the order.
    """

    def __init__(self, recipe: config.Mixture, tasks: dict[str, datasets.Dataset], seed: int):
        rng = np.random.default_rng(seed)
        self.shares = shares(
            recipe,
            {name: len(rows) for name, rows in tasks.items()},
            {n: rows[0]["domain"] for n, rows in tasks.items()},
        )
        self.tasks = [tasks[name] for name in self.shares]
        self.labels = [sorted(set(task["label"]) - {None}) for task in self.tasks]
        drawn = rng.choice(len(self.tasks), size=recipe.examples, p=list(self.shares.values()))
        self.rows, seconds = np.empty(recipe.examples, int), np.empty(recipe.examples)
        for number, task in enumerate(self.tasks):
            places = np.flatnonzero(drawn == number)
            rounds = [rng.permutation(len(task)) for _ in range(-(-len(places) // len(task)))]
            self.rows[places] = np.concatenate(rounds or [np.empty(0, int)])[: len(places)]
            seconds[places] = np.asarray(task["duration"])[self.rows[places]]
        self.drawn = drawn
        self.companions = self._join(recipe, seconds, np.random.default_rng((seed, 1)))
        self.beds = self._bury(recipe, seconds, np.random.default_rng((seed, 2)))
        self.seconds = seconds
        self.batches = batch_by_seconds(seconds, recipe.batch_seconds, rng)
        self.batch_of = {place: number for number, batch in enumerate(self.batches) for place in batch}

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict:
        task = self.drawn[index]
        row = {
            **self.tasks[task][int(self.rows[index])],
            "labels": self.labels[task],
            "seed": index,
            "batch": self.batch_of[index],
            "duration": float(self.seconds[index]),
        }
        if together := self.companions.get(index):
            row["companions"] = together
            row["others"] = [self.tasks[task][place]["audio"]["bytes"] for place in together.places]
        elif bed := self.beds.get(index):
            number, place = bed
            row["bed"] = self.tasks[number][place]["audio"]["bytes"]
        return row

    def _join(self, recipe: config.Mixture, seconds: np.ndarray, rng: np.random.Generator) -> dict[int, Companions]:
        """Companions of the items that are heard in long recordings, whose `seconds` are raised."""
        found: dict[int, Companions] = {}
        for number, task in enumerate(self.tasks):
            if not self.labels[number]:
                continue
            labels, lengths = np.asarray(task["label"]), np.asarray(task["duration"])
            for index in np.flatnonzero(self.drawn == number).tolist():
                if rng.random() < recipe.joined:
                    found[index] = companions(labels, lengths, self.rows[index], recipe.joined_seconds, rng)
                    seconds[index] += (lengths[found[index].places] + GAP).sum()
        return found

    def _bury(
        self, recipe: config.Mixture, seconds: np.ndarray, rng: np.random.Generator
    ) -> dict[int, tuple[int, int]]:
        """Task and row of what items lie in the middle of; their `seconds` are raised to those of it."""
        domains = [task[0]["domain"] for task in self.tasks]
        found: dict[int, tuple[int, int]] = {}
        for number, name in enumerate(self.shares):
            beds = [at for at, domain in enumerate(domains) if domain in BEDS and domain != domains[number]]
            if not beds or not self.labels[number] or name in NO_MIX:
                continue
            for index in np.flatnonzero(self.drawn == number).tolist():
                if index not in self.companions and rng.random() < recipe.buried:
                    bed = int(rng.choice(beds))
                    place = int(rng.integers(len(self.tasks[bed])))
                    found[index] = bed, place
                    seconds[index] = max(seconds[index], self.tasks[bed][place]["duration"])
        return found


class Parts(Sampler):
    """What one process hears of every batch, in as many pieces as gradients are accumulated over.

    Args:
        batches: of all processes, as `Mixture` has them.
        rank, world_size: this process, and how many there are.
        pieces: gradient accumulation steps.
    """

    def __init__(self, batches: list[list[int]], rank: int = 0, world_size: int = 1, pieces: int = 1):
        smallest = min(map(len, batches))
        if smallest < world_size * pieces:
            raise config.RecipeError(
                f"the smallest batch has {smallest} clips, too few for {world_size} processes with {pieces} pieces "
                "each: raise mixture.batch_seconds"
            )
        self.parts = [
            batch[part :: world_size * pieces]
            for batch in batches
            for part in range(rank, world_size * pieces, world_size)
        ]

    def __len__(self) -> int:
        return len(self.parts)

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self.parts)


class StreamedMixture(IterableDataset):
    """The same from streams. Shares follow from the hours of the public mixture; of other streams nobody knows the
    size, and they follow from the weights alone.

    Items are what one process hears of one batch. Every process reads all rows, decoding only its own.

    Args:
        recipe: what is heard.
        tasks: the stream of each task.
        seed: of the order.
        rank, world_size, pieces: as for `Parts`.
    """

    def __init__(
        self,
        recipe: config.Mixture,
        tasks: dict[str, datasets.IterableDataset],
        seed: int,
        rank: int = 0,
        world_size: int = 1,
        pieces: int = 1,
    ):
        self.recipe, self.tasks, self.seed = recipe, tasks, seed
        self.rank, self.world_size, self.pieces = rank, world_size, pieces

    def __iter__(self) -> Iterator[list[dict]]:
        rng = np.random.default_rng(self.seed)
        rows, number = islice(self._rows(rng), self.recipe.examples), 0
        while pool := list(islice(rows, self._pool())):
            for batch in batch_by_seconds(np.array([row["duration"] for row in pool]), self.recipe.batch_seconds, rng):
                for part in Parts([batch], self.rank, self.world_size, self.pieces):
                    yield [pool[place] | {"batch": number} for place in part]
                number += 1

    def _pool(self) -> int:
        return max(1, round(POOL * self.recipe.batch_seconds / self.recipe.max_seconds))

    def _rows(self, rng: np.random.Generator) -> Iterator[dict]:
        names = list(self.tasks)
        first = {name: next(iter(rows)) for name, rows in self.tasks.items()}
        share = shares(
            self.recipe,
            {name: getattr(self.tasks[name], "hours", 1) for name in names},
            {name: row["domain"] for name, row in first.items()},
        )
        streams = {name: self._endless(rows) for name, rows in self.tasks.items()}
        seed = 0
        while True:
            name = names[rng.choice(len(names), p=[share[name] for name in names])]
            row = next(streams[name])
            if row["duration"] <= self.recipe.max_seconds:
                choices = row["choices"] or []  # all that a stream tells of the labels; of a yes or no it tells none
                yield {**row, "labels": choices if row["label"] in choices else [], "seed": seed}
                seed += 1

    @staticmethod
    def _endless(rows: datasets.IterableDataset) -> Iterator[dict]:
        while True:
            yield from rows


def batch_by_seconds(seconds: np.ndarray, limit: float, rng: np.random.Generator) -> list[list[int]]:
    """Places of `seconds` in batches of like lengths, in random order, each of at most `limit` padded seconds."""
    batches = []
    pools = max(1, round(seconds.sum() / limit / POOL))
    for places in np.array_split(np.arange(len(seconds)), pools):
        places = places[np.argsort(seconds[places], kind="stable")].tolist()
        cut: list[list[int]] = [[]]
        for place in places:
            if cut[-1] and (len(cut[-1]) + 1) * seconds[place] > limit:
                cut.append([])
            cut[-1].append(place)
        if len(cut) > 1:  # what is left over is shared with the batch before it
            both = cut[-2] + cut[-1]
            half = len(both) // 2
            if (len(both) - half) * seconds[both[-1]] <= limit:
                cut[-2:] = [both[:half], both[half:]]
        batches += [cut[number] for number in rng.permutation(len(cut))]
    return batches


def load_tasks(recipe: config.Mixture, split: str) -> dict[str, datasets.Dataset]:
    """One dataset a task, without clips longer than `max_seconds`; says how many were left out.

    The public mixture has streams to train on and nothing to validate on.
    """
    import dataset_builders  # noqa: F401  (makes our names known to load_dataset)

    if recipe.dataset == config.PUBLIC:
        lists = {dataset: frozenset(path.read_text("utf-8").splitlines()) for dataset, path in recipe.excluded.items()}
        return open_streams(load_mixture(), list(recipe.tasks), lists) if split == "train" else {}
    tasks = {}
    for name in recipe.tasks:
        if recipe.streaming and split == "train":
            tasks[name] = datasets.load_dataset(recipe.dataset, name, split=split, streaming=True)
            continue
        task = datasets.load_dataset(recipe.dataset, name, split=split)
        kept = np.flatnonzero(np.asarray(task["duration"]) <= recipe.max_seconds)
        if len(kept) < len(task):
            print(
                f"{name}: {len(task) - len(kept)} of {len(task)} clips are longer than {recipe.max_seconds} s: left out"
            )
        if not len(kept):
            raise config.RecipeError(f"{name} has no {split} clip of at most {recipe.max_seconds} s")
        tasks[name] = task.select(kept)
    return tasks
