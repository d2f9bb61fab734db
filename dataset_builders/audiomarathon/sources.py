"""Where items are read from: a prepared folder of Parquet, the release, a folder of items, or the mini."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import datasets

from .features import FEATURES
from .items import holds_items
from .tasks import TASKS, MarathonTask, find_task

FILES = {"mini": ("mini",), "test": ("test",), "full": ("test", "left_out")}
"""Split to the kinds of its files in a prepared folder, `TASK/KIND-00000-of-00001.parquet`. The release alone has
`left_out`, be it empty."""
COLUMNS = tuple(name for name in FEATURES if name != "audio")


def prepared_files(folder: Path, task: str) -> dict[str, list[str]]:
    """Return the Parquet files of each split of a prepared folder; `task` may be "*" for all."""
    found = {
        split: [[str(path) for path in sorted(folder.glob(f"{task}/{kind}-*.parquet"))] for kind in kinds]
        for split, kinds in FILES.items()
    }
    return {split: [*chain(*files)] for split, files in found.items() if all(files)}


def list_tasks(folder: Path | None) -> list[MarathonTask]:
    """Return the tasks that `folder` holds; all ten if it is the release, or `None`, the mini."""
    if folder and holds_items(folder):
        names = {path.stem for path in folder.glob("*.jsonl")}
    elif folder and prepared_files(folder, "*"):
        names = {path.parent.name for path in folder.glob("*/*.parquet")}
    else:
        names = {*TASKS}
    return [find_task(name) for name in sorted(names, key=lambda name: [*TASKS, name].index(name))]


def open_splits(
    folder: Path | None, task: MarathonTask, columns: Sequence[str] = (*COLUMNS, "audio")
) -> dict[str, datasets.Dataset | datasets.IterableDataset]:
    """Return the splits of `task`: streams of a prepared folder, or what `load_dataset("audiomarathon")` gives, anew.

    Raises:
        PublishedError, ItemsError: the folder lacks something; the message names it.
    """
    if folder and (files := prepared_files(folder, task.name)):
        return datasets.load_dataset("parquet", data_files=files, columns=list(columns), streaming=True)
    return load_anew(task.name, folder).select_columns(list(columns))


def load_anew(name: str, folder: Path | None) -> datasets.DatasetDict:
    """Return what `load_dataset("audiomarathon", name)` gives now, whatever the cache holds of earlier days."""
    return datasets.load_dataset(
        "audiomarathon",
        name,
        data_dir=folder and str(folder),
        download_mode="force_redownload",
        verification_mode="no_checks",
    )
