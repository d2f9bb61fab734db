"""`python -m dataset_builders.audiomarathon`: make AudioMarathon loadable anywhere, check it, count it, publish it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from .builder import HUB, VARIABLE
from .sources import list_tasks
from .tasks import TASKS, MarathonTask, find_task

app = typer.Typer(add_completion=False, help=__doc__, no_args_is_help=True)

Tasks = Annotated[list[str] | None, typer.Option("--tasks", help="A task's name or abbreviation; repeatable.")]
DataDir = Annotated[
    Path | None,
    typer.Option(envvar=VARIABLE, help="A snapshot of the release, `hub`, or a folder of items; else the mini."),
]
Folder = Annotated[
    Path | None,
    typer.Argument(envvar=VARIABLE, help="What `prepare` takes as data dir or has written; else the mini."),
]


@contextmanager
def _told() -> Iterator[None]:
    """Print what is wrong in a sentence, and exit with 1."""
    try:
        yield
    except (ValueError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error


def _choose(tasks: list[str] | None, folder: Path | None) -> list[MarathonTask]:
    if folder and str(folder) != HUB and not folder.is_dir():
        raise NotADirectoryError(f"{folder} is no folder")
    return [find_task(name) for name in tasks] if tasks else list_tasks(folder)


@app.command()
def prepare(
    data_dir: DataDir = None,
    tasks: Tasks = None,
    out: Annotated[Path | None, typer.Option(help="Where Parquet and a card go; else the cache of `datasets`.")] = None,
) -> None:
    """Make what stock `datasets` loads without this package; what is made already is left as it is."""
    from .prepare import fill_cache, prepare_parquet

    with _told():
        chosen = _choose(tasks, data_dir)
        if out:
            typer.echo(f"written: {prepare_parquet(chosen, data_dir, out)}")
            return
        if data_dir and str(data_dir) != HUB:
            data_dir = data_dir.absolute()  # as the cache goes by it
        names = fill_cache(chosen, data_dir)
        given = f', data_dir="{data_dir}"' if data_dir else ""
        typer.echo(f'load_dataset("audiomarathon", NAME{given}) now works anywhere; NAME is {", ".join(names)}')


@app.command()
def verify(folder: Folder = None, tasks: Tasks = None) -> None:
    """Decode every item to its end, check answers, hold numbers against the card; exit with 1 if anything is wrong."""
    from .verify import tabulate
    from .verify import verify as verify_task

    with _told():
        found = [verify_task(task, folder) for task in _choose(tasks, folder)]
    Console().print(tabulate(found))
    problems = [problem for task in found for problem in task.problems]
    for problem in problems:
        typer.echo(problem, err=True)
    raise typer.Exit(1 if problems else 0)


@app.command()
def stats(
    folder: Folder = None,
    tasks: Tasks = None,
    out: Annotated[Path | None, typer.Option("--json", help="Write the numbers to this file.")] = None,
    plots: Annotated[Path | None, typer.Option(help="Draw durations and evidence into this folder.")] = None,
) -> None:
    """Count items, hours, durations, answers, and where evidence lies."""
    from .pictures import draw
    from .stats import count, tabulate

    with _told():
        statistics = count(_choose(tasks, folder), folder)
        Console().print(tabulate(statistics))
        if out:
            out.write_text(json.dumps(statistics, indent=1, ensure_ascii=False) + "\n", "utf-8")
        if plots:
            typer.echo(f"drawn: {', '.join(map(str, draw(statistics, plots)))}")


@app.command()
def push(
    repo: Annotated[str, typer.Argument(help="USER/NAME of the dataset on the Hub.")],
    folder: Annotated[Path, typer.Option("--dir", help="The prepared folder.")],
    public: Annotated[bool, typer.Option(help="Make the dataset public if it is new.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Only list what would be uploaded.")] = False,
) -> None:
    """Upload a prepared folder; it is private unless you say otherwise."""
    from .publish import is_release, list_files
    from .publish import push as push_folder

    with _told():
        files = list_files(folder)
        if is_release(folder):
            typer.echo(
                "warning: this is the published release's audio, CC BY-NC 4.0; some of its sources forbid more",
                err=True,
            )
        if not dry_run:
            typer.echo(f"pushed: {push_folder(folder, repo, private=not public)}")
            return
        table = Table("file", "size", title=f"to {repo}")
        for file in files:
            table.add_row(file.relative_to(folder).as_posix(), decimal(file.stat().st_size))
        Console().print(table)


@app.command()
def rebuild(
    task: Annotated[str, typer.Argument(help="A task's name or abbreviation.")],
    source: Annotated[Path, typer.Option(help="The source corpus; its layout is told in rebuild/*.py.")],
    out: Annotated[Path, typer.Option(help="The folder of items.")],
) -> None:
    """Make a task again from its source, if you hold the licence; sound files that are there are not made again."""
    from .rebuild import rebuild as rebuild_task

    with _told():
        items = rebuild_task(find_task(task), source, out)
        typer.echo(f"written: {len(items)} items in {out}")


@app.command()
def extend(
    minutes: Annotated[list[float], typer.Option(help="Length of an item; repeatable.")],
    out: Annotated[Path, typer.Option(help="The folder of items.")],
    tasks: Tasks = None,
    items: Annotated[int, typer.Option(help="Of each task and length, as far as there is audio.", min=1)] = 2,
) -> None:
    """Make longer items than the benchmark has from open audio, with a needle in a haystack among them."""
    from .construct import extend as extend_items

    with _told():
        extend_items(out, minutes, tasks or [*TASKS, "needle"], items=items)
        typer.echo(f"written: {out}")


@app.command()
def mini(out: Annotated[Path, typer.Option(help="The folder of items.")]) -> None:
    """Make the shipped mini again from open audio."""
    from .construct import build_mini

    with _told():
        build_mini(out)
        typer.echo(f"written: {out}")


if __name__ == "__main__":
    app()
