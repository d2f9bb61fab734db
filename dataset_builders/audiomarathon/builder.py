"""`load_dataset("audiomarathon", CONFIG)`: the benchmark as a dataset of `datasets`.

    load_dataset("audiomarathon", "speech_detection", split="mini")
    load_dataset("audiomarathon", "speech_detection", split="test", data_dir="snapshots/AudioMarathon")

The mini is shipped. Anything else is in `data_dir`, or else in `$AUDIOMARATHON`: a snapshot of the published release, a
folder of items, or `hub`, which fetches the release, only as much of it as a config needs.
Rows refer to sound files instead of copying them: `audio` has a path but no bytes, and `Audio()` decodes it.
A folder of items is read again when its lines change. A release, once read, is taken as it was; after a change in it,
load with `download_mode="force_redownload", verification_mode="no_checks"`.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa

from .features import FEATURES
from .items import find_lines, holds_items, read_items
from .layouts import LAYOUTS, PublishedError
from .published import PublishedItem, read_published
from .tasks import NEEDLE, TASKS, MarathonTask, find_task

VERSION = datasets.Version("1.0.0")
HUB_ID, REVISION = "Hezep/AudioMarathon", "ef00ea0458a57cb75b32d18ddb3b3619c4388fec"
VARIABLE, SIZE = "AUDIOMARATHON", "59 GB"
HUB = "hub"
"""As `data_dir`: the release as the Hub has it."""
MINI = Path(__file__).with_name("mini")
ALL = "all"
ROWS = 100
"""Of one Arrow table."""


def fingerprint_files() -> list[Path]:
    """Return the files that decide what a load gives: the code of this package and the lines of the mini."""
    return sorted([*Path(__file__).parent.glob("*.py"), *MINI.glob("*.jsonl")])


def fetch(tasks: list[MarathonTask]) -> Path:
    """Return the Hub's snapshot at the pinned revision, with the folders of `tasks`.

    Raises:
        PublishedError: the Hub cannot be reached, or the release is not there.
    """
    from huggingface_hub import snapshot_download

    folders = sorted({f"{LAYOUTS[task.name].folder}/*" for task in tasks})
    try:
        return Path(snapshot_download(HUB_ID, repo_type="dataset", revision=REVISION, allow_patterns=folders))
    except (OSError, ValueError) as error:
        raise PublishedError(
            f"{HUB_ID} cannot be fetched from the Hub: give a folder that holds it, as data_dir or in ${VARIABLE} "
            f"({str(error).splitlines()[0]})"
        ) from None


class AudioMarathon(datasets.ArrowBasedBuilder):
    """Each of the ten tasks, by name and by abbreviation, large or small, or all of them.

    Split `mini` is shipped. From the release, `test` is what the authors' own runs are scored on and `full` every item
    with audio; a folder of items has `test` alone.
    """

    VERSION = VERSION
    BUILDER_CONFIGS = [
        *(
            datasets.BuilderConfig(name=name, version=VERSION, description=f"{task.name}, {task.items} items")
            for task in TASKS.values()
            for name in (task.name, task.abbreviation, task.abbreviation.lower())
        ),
        datasets.BuilderConfig(name=NEEDLE.name, version=VERSION, description="needle in a haystack, not of the ten"),
        datasets.BuilderConfig(name=ALL, version=VERSION, description="all ten tasks"),
    ]

    def __init__(self, *args: Any, data_dir: str | None = None, hash: str | None = None, **kwargs: Any):
        data_dir = data_dir or os.environ.get(VARIABLE) or None
        if data_dir and data_dir != HUB:
            # The cache goes by both: the folder, from wherever it is named, and what the lines of its items say.
            data_dir = os.path.abspath(data_dir)
            hash = _digest(hash, Path(data_dir))
        super().__init__(*args, data_dir=data_dir, hash=hash, **kwargs)

    def _info(self) -> datasets.DatasetInfo:
        return datasets.DatasetInfo(description=self.config.description, features=FEATURES)

    def _split_generators(self, dl_manager: datasets.DownloadManager) -> list[datasets.SplitGenerator]:
        tasks, folder, source = self._tasks, self._items, self.config.data_dir
        splits = {"mini": _read_folder(MINI, tasks)}
        if folder:
            if all(holds_items(folder, task) for task in tasks):  # else `_require` says what is missing
                splits["test"] = _read_folder(folder, tasks)
        elif source and tasks != [NEEDLE]:  # which no release has
            splits |= _read_release(fetch(tasks) if source == HUB else Path(source), tasks)
        return [datasets.SplitGenerator(name=name, gen_kwargs={"rows": rows}) for name, rows in splits.items()]

    def _generate_tables(self, rows: list[dict[str, Any]]) -> Iterator[tuple[tuple[int, int], pa.Table]]:
        for start in range(0, len(rows), ROWS):
            yield (0, start), pa.Table.from_pylist(rows[start : start + ROWS], schema=FEATURES.arrow_schema)

    def as_dataset(self, split: Any = None, **options: Any) -> Any:
        """Raise a `PublishedError` or `ItemsError` that says what a split other than `mini` needs and is not given."""
        self._require(split)
        return super().as_dataset(split=split, **options)

    def as_streaming_dataset(self, split: Any = None, **options: Any) -> Any:
        """Raise as `as_dataset` does."""
        self._require(split)
        return super().as_streaming_dataset(split=split, **options)

    @property
    def _tasks(self) -> list[MarathonTask]:
        return list(TASKS.values()) if self.config.name == ALL else [find_task(self.config.name)]

    @property
    def _items(self) -> Path | None:
        """The folder of items, if that is what was given."""
        source = self.config.data_dir
        return Path(source) if source and source != HUB and holds_items(Path(source)) else None

    def _require(self, split: Any) -> None:
        if not self.config.data_dir and str(split).partition("[")[0] in ("test", "full"):
            raise PublishedError(
                f"split {str(split)!r} needs the release: give the folder of a snapshot as data_dir or in ${VARIABLE}, "
                f"or data_dir={HUB!r} to fetch it ({SIZE} in all); split 'mini' is here"
            )
        if self._items and (split is None or "test" in str(split)):
            for task in self._tasks:
                find_lines(self._items, task)


def _digest(code: str | None, folder: Path) -> str:
    digest = hashlib.sha256(str(code).encode())
    for file in sorted(folder.glob("*.jsonl")):
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def _read_folder(folder: Path, tasks: list[MarathonTask]) -> list[dict[str, Any]]:
    return [item.row(folder, task) for task in tasks for item in read_items(folder, task)]


def _read_release(folder: Path, tasks: list[MarathonTask]) -> dict[str, list[dict[str, Any]]]:
    if re.fullmatch("[0-9a-f]{40}", folder.name) and folder.name != REVISION:  # as the Hub's cache names snapshots
        raise PublishedError(f"{folder} is another revision of the release than {REVISION}, which is read here")
    items = [item for task in tasks for item in read_published(folder, task)]
    return {
        "test": [_row(item) for item in items if item.left_out is None],
        "full": [_row(item) for item in items if item.duration is not None],
    }


def _row(item: PublishedItem) -> dict[str, Any]:
    layout = LAYOUTS[item.task.name]
    return {
        "id": item.id,
        "audio": {"bytes": None, "path": str(item.audio)},
        "task": item.task.name,
        "domain": item.task.domain,
        "instruction": item.instruction,
        "question": item.question or None,
        "choices": item.choices or None,
        "answer": item.answer,
        "letter": item.letter,
        "label": item.label if item.choices else None,
        "source": layout.source,
        "license": layout.license,
        "group": item.group,
        "duration": item.duration,
        "language": layout.language,
        "left_out": item.left_out,
    }
