"""The card of a prepared folder: its configs, and what it holds in numbers and pictures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from huggingface_hub import DatasetCard, DatasetCardData

from .builder import ALL, HUB_ID, REVISION
from .pictures import draw
from .sources import FILES, list_tasks, prepared_files
from .stats import Statistics, count
from .tasks import TASKS

PICTURES = "pictures"
RELEASE = "full"
"""The split that the release alone has."""


def write_card(folder: Path) -> Path:
    """Write `README.md` and its pictures for the tasks that lie in the prepared `folder`."""
    statistics = count(list_tasks(folder), folder)
    draw(statistics, folder / PICTURES)
    path = folder / "README.md"
    path.write_text(render(folder, statistics), "utf-8")
    return path


def render(folder: Path, statistics: Statistics) -> str:
    """Return the card's text."""
    first = next(iter(statistics))
    release = any(RELEASE in splits for splits in statistics.values())
    pictures = [name for name in ("durations", "evidence") if (folder / PICTURES / f"{name}.png").is_file()]
    card = DatasetCard.from_template(
        _metadata(folder, statistics, release),
        template_path=str(Path(__file__).with_name("card_template.md")),
        task=first,
        split=next(iter(statistics[first])),
        release=release,
        hub_id=HUB_ID,
        revision=REVISION,
        items=sum(task.items for task in TASKS.values()),
        runnable=sum(task.runnable for task in TASKS.values()),
        tasks=_tasks(statistics),
        left_out=_left_out(statistics),
        sources=_sources(statistics),
        pictures="\n\n".join(f"![{name} of each task]({PICTURES}/{name}.png)" for name in pictures),
    )
    return str(card).rstrip() + "\n"


def _metadata(folder: Path, statistics: Statistics, release: bool) -> DatasetCardData:
    splits = [held for task in statistics.values() for held in task.values()]
    items = sum(max(held["items"] for held in task.values()) for task in statistics.values())
    names = {task: [task] for task in statistics} | {ALL: [task for task in statistics if task in TASKS]}
    return DatasetCardData(
        pretty_name="AudioMarathon",
        language=sorted({code.partition("_")[0] for held in splits for code in held["languages"]}),
        license="cc-by-nc-4.0" if release else "other",
        license_name=None if release else "by-item",
        license_link=None if release else "#sources",
        task_categories=["audio-text-to-text", "automatic-speech-recognition", "audio-classification"],
        size_categories="n<1K" if items < 1000 else "1K<n<10K",
        tags=["long-audio", "benchmark", "speech", "environmental-sound", "music"],
        configs=[_config(name, tasks, folder) for name, tasks in names.items() if tasks],
    )


def _config(name: str, tasks: list[str], folder: Path) -> dict[str, Any]:
    paths: dict[str, list[str]] = defaultdict(list)
    for task in tasks:
        for split in prepared_files(folder, task):
            paths[split] += [f"{task}/{kind}-*.parquet" for kind in FILES[split]]
    return {
        "config_name": name,
        "data_files": [{"split": split, "path": patterns} for split, patterns in paths.items()],
    }


def _tasks(statistics: Statistics) -> str:
    rows = [
        (
            f"`{task}`",
            split,
            held["items"],
            f"{held['hours']:.2f}",
            " / ".join(f"{seconds:g}" for seconds in held["seconds"]),
            f"{max(held['answers'].values()) / held['items']:.0%}" if held["answers"] else "",
        )
        for task, splits in statistics.items()
        for split, held in splits.items()
    ]
    return _table(("config", "split", "items", "hours", "seconds", "largest answer"), rows)


def _left_out(statistics: Statistics) -> str:
    rows = [
        (f"`{task}`", split, number, why)
        for task, splits in statistics.items()
        for split, held in splits.items()
        for why, number in held["left_out"].items()
    ]
    return _table(("config", "split", "items", "why"), rows) if rows else "None."


def _sources(statistics: Statistics) -> str:
    rows = sorted(
        {
            (f"`{task}`", *source)
            for task, splits in statistics.items()
            for held in splits.values()
            for source in held["sources"]
        }
    )
    return _table(("config", "source", "licence"), rows)


def _table(head: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "/") for cell in line) + " |" for line in lines)
