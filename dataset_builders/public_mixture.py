"""`python -m dataset_builders.public_mixture`: the public datasets of a paper-scale run, added up or tried.

The table is `public_mixture.yaml`; its header says how it was chosen.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from huggingface_hub import constants, get_session
from rich.console import Console
from rich.table import Table

from .instructions import PHRASINGS, cast, row_rng

MIXTURE = Path(__file__).with_suffix(".yaml")
DOMAINS = ("speech", "sound", "music")
COLUMNS = ("audio", "answer", "question", "language", "group", "start", "end")
"""What a column may be named for; every dataset has the first two."""


@dataclass(frozen=True)
class PublicDataset:
    """One split of a dataset on the Hub, and how its rows are asked about.

    Args:
        id: name on the Hub.
        split: what is trained on.
        task: key of `PHRASINGS`.
        domain: one of `DOMAINS`.
        columns: what is read, out of `COLUMNS`, to the dataset's own column.
        hours: as used in the mixture.
        license: as the card says.
        config: the dataset's config, if it has several.
        full_hours: what the split holds, where the mixture takes a seeded subsample of it.
        language: spoken in every row, where no column tells.
        names: raw label to the words that answer; a label without one is answered as it is.
        gated: the Hub asks for an account and consent.
        leaves_out: `column` and `rows` that must be dropped before use: test data of a benchmark.
        checked: pages where columns, hours and licence were read.
        unchecked: what could not be checked.

    Raises:
        ValueError: a value is missing, unknown or impossible.
    """

    id: str
    split: str
    task: str
    domain: str
    columns: Mapping[str, str]
    hours: float
    license: str
    config: str | None = None
    full_hours: float | None = None
    language: str | None = None
    names: Mapping[Any, str] = field(default_factory=dict)
    gated: bool = False
    leaves_out: Mapping[str, str] | None = None
    checked: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()

    def __post_init__(self):
        if self.domain not in DOMAINS:
            raise ValueError(f"{self}: domain {self.domain!r} is not one of {', '.join(DOMAINS)}")
        if self.task not in PHRASINGS:
            raise ValueError(f"{self}: task {self.task!r} has no phrasing; known: {', '.join(PHRASINGS)}")
        missing = [name for name in COLUMNS[:2] if not self.columns.get(name)]
        unknown = [name for name in self.columns if name not in COLUMNS]
        if missing or unknown:
            raise ValueError(f"{self}: columns lack {missing} or hold {unknown}; known: {', '.join(COLUMNS)}")
        if self.hours <= 0:
            raise ValueError(f"{self}: {self.hours} hours, more than 0 are needed")
        if self.full_hours is not None and self.hours > self.full_hours:
            raise ValueError(f"{self}: takes {self.hours} hours of a split that holds {self.full_hours}")
        if not (self.checked or self.unchecked):
            raise ValueError(f"{self}: says neither where it was checked nor what is unchecked")

    def __str__(self):
        return "/".join(filter(None, (self.id, self.config, self.split)))


def load_mixture(path: Path = MIXTURE) -> list[PublicDataset]:
    """Read and check the table of datasets.

    Raises:
        ValueError: an entry is wrong, or one split of one config is listed twice.
    """
    mixture, seen = [], set()
    for number, entry in enumerate(yaml.safe_load(Path(path).read_text("utf-8"))["datasets"], 1):
        try:
            dataset = PublicDataset(**entry)
        except TypeError as error:
            raise ValueError(f"{path}: entry {number}, {entry.get('id')}: {error}") from error
        if str(dataset) in seen:
            raise ValueError(f"{path}: {dataset} is listed twice")
        seen.add(str(dataset))
        mixture.append(dataset)
    return mixture


def cast_row(dataset: PublicDataset, row: Mapping[str, Any], rng: random.Random, feature: Any = None) -> dict[str, Any]:
    """Turn a row of `dataset` into a row of our schema, all of it but `duration`.

    Args:
        dataset: which columns to read and which task to ask.
        row: as `datasets` gives it; the audio is handed through untouched.
        rng: draws the wording.
        feature: the answer column's feature, whose class names stand for integers and are the options.

    Raises:
        ValueError: the row has no answer.
    """
    columns = dataset.columns
    text = PHRASINGS[dataset.task].is_it is None
    options = () if text else tuple(_words(dataset, name) for name in getattr(feature, "names", None) or ())
    answer = _answer(dataset, row[columns["answer"]], feature, text)
    if not answer:
        raise ValueError(f"{dataset}: a row without an answer in column {columns['answer']!r}")
    instruction, said, choices = cast(dataset.task, answer, options, rng)
    if "question" in columns:
        question, *choices = (_unlettered(line) for line in row[columns["question"]].splitlines() if line != "Choices:")
        instruction = f"{instruction} {question}" + (f" Choose: {', '.join(choices)}." if choices else "")
        said = _unlettered(said)
    optional = {name: row[columns[name]] if name in columns else None for name in ("start", "end")}
    return {
        "audio": row[columns["audio"]],
        "task": dataset.task,
        "domain": dataset.domain,
        "instruction": instruction,
        "answer": said,
        "choices": choices or None,
        "label": None if text else answer,
        "source": dataset.id,
        "license": dataset.license,
        "group": str(row[columns["group"]]) if "group" in columns else None,
        "language": row[columns["language"]] if "language" in columns else dataset.language,
        **optional,
    }


def _answer(dataset: PublicDataset, value: Any, feature: Any, text: bool) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_answer(dataset, one, getattr(feature, "feature", None), text) for one in value)
    if value is None:
        return ""
    if isinstance(value, int) and hasattr(feature, "names"):
        value = feature.int2str(value)
    return str(value).strip() if text else _words(dataset, value)


def _words(dataset: PublicDataset, label: Any) -> str:
    return dataset.names.get(label) or str(label).replace("_", " ").strip()


def _unlettered(line: str) -> str:
    """Return an option or an answer without its letter, `"B. rain"` as `"rain"`."""
    return re.sub(r"^[A-Z]\.\s+", "", line.strip())


app = typer.Typer(add_completion=False)


@app.command()
def main(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only add up the table; nothing is downloaded.")] = False,
    rows: Annotated[int, typer.Option(min=1, help="Rows to stream of each dataset.")] = 3,
    path: Annotated[Path, typer.Option("--mixture", help="The table.")] = MIXTURE,
) -> None:
    """Try each dataset of the mixture on the Hub, or add up what the table says."""
    try:
        mixture, console = load_mixture(path), Console()
    except (OSError, ValueError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    if dry_run:
        _print_totals(mixture, console)
        return
    failed, unreachable = 0, hub_problem()
    for dataset in mixture:
        problem = unreachable or try_rows(dataset, rows)
        failed += problem is not None
        console.print(f"{dataset}: {problem or 'ok'}", markup=False, soft_wrap=True)
    if failed:
        console.print(f"{failed} of {len(mixture)} failed")
        raise typer.Exit(1)


def hub_problem() -> str | None:
    """Return why the Hub is out of reach, or `None`; asked once, as each dataset would retry for long."""
    try:
        get_session().head(constants.ENDPOINT, timeout=10)
    except Exception as error:  # which ones there are depends on the HTTP client that huggingface_hub has
        return f"not tried, the Hub cannot be reached: {_first_line(error)}"
    return None


def try_rows(dataset: PublicDataset, count: int) -> str | None:
    """Stream `count` rows from the Hub and cast them; return why that failed, or `None`."""
    from datasets import Audio, load_dataset

    try:
        stream = load_dataset(dataset.id, dataset.config, split=dataset.split, streaming=True)
        features, audio = stream.features or {}, dataset.columns["audio"]
        if isinstance(features.get(audio), Audio):
            stream = stream.cast_column(audio, Audio(decode=False))
        streamed = list(islice(stream, count))
    except Exception as error:  # whatever the Hub, the network or a file format raises is this dataset's report
        return f"cannot be streamed, {type(error).__name__}: {_first_line(error)}"
    if not streamed:
        return "holds no rows"
    missing = [column for column in dataset.columns.values() if column not in streamed[0]]
    if missing:
        return f"lacks the columns {', '.join(missing)}; it has {', '.join(streamed[0])}"
    try:
        for number, row in enumerate(streamed):
            cast_row(dataset, row, row_rng(dataset.task, str(number)), features.get(dataset.columns["answer"]))
    except (ValueError, AttributeError, IndexError) as error:
        return f"cannot be cast: {error}"
    return None


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _print_totals(mixture: list[PublicDataset], console: Console) -> None:
    by_task: dict[tuple[str, str], list[PublicDataset]] = defaultdict(list)
    for dataset in sorted(mixture, key=lambda one: (DOMAINS.index(one.domain), one.task)):
        by_task[dataset.domain, dataset.task].append(dataset)
    total = sum(dataset.hours for dataset in mixture)
    table = Table("domain", "task", "entries", "hours", "share", "datasets")
    for (domain, task), held in by_task.items():
        names = ", ".join(dict.fromkeys(dataset.id for dataset in held))
        table.add_row(domain, task, *_sum(held, total), names)
    table.add_section()
    for domain in DOMAINS:
        table.add_row(domain, "", *_sum([dataset for dataset in mixture if dataset.domain == domain], total))
    table.add_row("total", "", *_sum(mixture, total), f"{len({dataset.id for dataset in mixture})} datasets")
    console.print(table)

    notes = Table("of which", "entries", "hours", "share", "datasets")
    for name, held in {
        "with something unchecked": [one for one in mixture if one.unchecked],
        "hours unchecked": [one for one in mixture if any("hours" in what for what in one.unchecked)],
        "a subsample": [one for one in mixture if one.full_hours and one.hours < one.full_hours],
        "gated": [one for one in mixture if one.gated],
        "no commercial use": [one for one in mixture if re.search(r"\bNC\b", one.license)],
        "licence unknown": [one for one in mixture if one.license in ("unknown", "other")],
        "rows to leave out first": [one for one in mixture if one.leaves_out],
    }.items():
        notes.add_row(name, *_sum(held, total), ", ".join(dict.fromkeys(one.id for one in held)))
    console.print(notes)


def _sum(held: list[PublicDataset], total: float) -> tuple[str, str, str]:
    hours = sum(dataset.hours for dataset in held)
    return str(len(held)), f"{hours:,.0f}", f"{hours / total:.0%}"


if __name__ == "__main__":
    app()
