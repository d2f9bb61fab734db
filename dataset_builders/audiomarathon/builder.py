"""`load_dataset("audiomarathon", CONFIG)`: the published release as a dataset of `datasets`.

    load_dataset("audiomarathon", "speech_detection", split="test", data_dir="snapshots/AudioMarathon")

The release is read from `data_dir`, or from `$AUDIOMARATHON`, or fetched from the Hub, only as much as a config needs.
Rows refer to its sound files instead of copying them: `audio` has a path but no bytes, and `Audio()` decodes it.
Once read, a folder is taken as it was; after a change in it, load with `download_mode="force_redownload"`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa

from .features import FEATURES
from .layouts import LAYOUTS, PublishedError
from .published import PublishedItem, read_published
from .tasks import TASKS, MarathonTask, find_task

VERSION = datasets.Version("1.0.0")
HUB_ID, REVISION = "Hezep/AudioMarathon", "ef00ea0458a57cb75b32d18ddb3b3619c4388fec"
VARIABLE = "AUDIOMARATHON"
ALL = "all"
ROWS = 100
"""Of one Arrow table."""


def fingerprint_files() -> list[Path]:
    """Return the files that decide what a load gives: the code of this package."""
    return sorted(Path(__file__).parent.glob("*.py"))


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

    Split `test` is what the authors' own runs are scored on; `full` is every item with audio.
    """

    VERSION = VERSION
    BUILDER_CONFIGS = [
        *(
            datasets.BuilderConfig(name=name, version=VERSION, description=f"{task.name}, {task.items} items")
            for task in TASKS.values()
            for name in (task.name, task.abbreviation, task.abbreviation.lower())
        ),
        datasets.BuilderConfig(name=ALL, version=VERSION, description="all ten tasks"),
    ]

    def __init__(self, *args: Any, data_dir: str | None = None, **kwargs: Any):
        # Given on as `data_dir`, the folder is part of what the cache goes by.
        super().__init__(*args, data_dir=data_dir or os.environ.get(VARIABLE) or None, **kwargs)

    def _info(self) -> datasets.DatasetInfo:
        return datasets.DatasetInfo(description=self.config.description, features=FEATURES)

    def _split_generators(self, dl_manager: datasets.DownloadManager) -> list[datasets.SplitGenerator]:
        tasks = list(TASKS.values()) if self.config.name == ALL else [find_task(self.config.name)]
        snapshot = Path(self.config.data_dir).absolute() if self.config.data_dir else fetch(tasks)
        items = [item for task in tasks for item in read_published(snapshot, task)]
        splits = {
            "test": [item for item in items if item.left_out is None],
            "full": [item for item in items if item.duration is not None],
        }
        return [datasets.SplitGenerator(name=name, gen_kwargs={"items": held}) for name, held in splits.items()]

    def _generate_tables(self, items: list[PublishedItem]) -> Iterator[tuple[tuple[int, int], pa.Table]]:
        for start in range(0, len(items), ROWS):
            rows = [_row(item) for item in items[start : start + ROWS]]
            yield (0, start), pa.Table.from_pylist(rows, schema=FEATURES.arrow_schema)


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
