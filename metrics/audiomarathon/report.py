"""Runs as one report: Markdown, a page that needs nothing beside it, and pictures."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt

from dataset_builders.audiomarathon.tasks import MarathonTask
from metrics.probe.report import markdown

from .comparison import common, parted, tasks_of
from .figures import THEMES, draw, figures
from .outputs import PARTS, Run, read_runs
from .tables import cost_rows, paired_rows, part_rows, published_rows, strict_rows

TEMPLATES = Path(__file__).with_name("templates")


def write(out_folders: Sequence[Path], to: Path) -> None:
    """Write `report.md`, `report.html` and their pictures.

    Args:
        out_folders: Of the runner, one a run. Differences are from the first.
        to: Folder of the report.

    Raises:
        RunError: a folder does not hold what a run writes.
    """
    runs = read_runs(out_folders)
    to.mkdir(parents=True, exist_ok=True)
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["told"] = told
    text = environment.get_template("report.md.jinja").render(contents(runs), pictures=draw(partial(figures, runs), to))
    (to / "report.md").write_text(text, "utf-8")
    title = f"AudioMarathon: {', '.join(run.name for run in runs)}"
    page = environment.get_template("report.html.jinja").render(title=title, body=body(text, to))
    (to / "report.html").write_text(page, "utf-8")


def contents(runs: Sequence[Run]) -> dict[str, Any]:
    """What the template shows: runs, tables in Markdown, and facts that its sentences depend on."""
    results = [result for run in runs for result in run.results.values()]
    made = [result for result in results if result.made]
    tasks = common(runs)
    return {
        "runs": [{"name": run.name, **run.about, "count": run.items, "hears": run.hears} for run in runs],
        "strict": {run.name: markdown(strict_rows(run)) for run in runs},
        "costs": {run.name: markdown(cost_rows(run)) for run in runs},
        "cut": {run.name: listed([task for task in tasks_of([run]) if run.results[task.name].cut]) for run in runs},
        "paired": markdown(paired_rows(runs)) if len(runs) > 1 else None,
        "published": markdown(published_rows(runs)),
        "parts": {field: markdown(part_rows(runs, field)) for field in PARTS if parted(runs, field)},
        "labelled": [task for task in tasks_of(runs) if task.labels],
        "splits": ", ".join(f"`{split}`" for split in dict.fromkeys(run.about["split"] for run in runs)),
        "averaged": listed(tasks),
        "made": listed([task for task in tasks_of(runs) if any(task == result.task for result in made)]),
        "reasons": sorted({sample["left_out"] for result in made for sample in result.samples}),
        "same_data": all(len(result.samples) in (result.task.items, result.task.runnable) for result in results),
    }


def listed(tasks: Sequence[MarathonTask]) -> str:
    """Tasks by abbreviation."""
    return ", ".join(task.abbreviation for task in tasks)


def told(values: dict[str, Any]) -> str:
    """Names and values as code, what is nested beside the rest; nothing of what is None."""
    flat = {
        name: value
        for key, one in values.items()
        for name, value in (one if isinstance(one, dict) else {key: one}).items()
    }
    return ", ".join(f"`{name}={value}`" for name, value in flat.items() if value is not None)


def body(text: str, folder: Path) -> str:
    """Markdown as HTML that holds its pictures, each for both themes; tables scroll within themselves."""
    parser = MarkdownIt("js-default")
    parser.add_render_rule("image", lambda _, tokens, place, *rest: picture(tokens[place], folder))
    parser.add_render_rule("table_open", lambda *rest: '<div class="scroll"><table>\n')
    parser.add_render_rule("table_close", lambda *rest: "</table></div>\n")
    return parser.render(text)


def picture(token: Any, folder: Path) -> str:
    """An image of Markdown as one that holds its bytes."""
    name = Path(token.attrs["src"]).stem
    light, dark = (
        "data:image/png;base64," + base64.b64encode((folder / f"{name}{theme}.png").read_bytes()).decode()
        for theme in THEMES
    )
    source = f'<source media="(prefers-color-scheme: dark)" srcset="{dark}">'
    return f'<picture>{source}<img src="{light}" alt="{token.content}"></picture>'
