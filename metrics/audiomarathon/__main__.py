"""AudioMarathon for every model: `python -m metrics.audiomarathon run --model uniwhisper --out results/audiomarathon`.

`mock-run` puts a model through the whole chain on made sounds, and `report` sets runs beside the published rows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from dataset_builders.audiomarathon.tasks import TASKS, find_task
from dataset_builders.errors import plain_errors

from .models import HOSTED
from .run import OPENAI, Hearing, Settings, run

app = typer.Typer(add_completion=False, help=__doc__, pretty_exceptions_enable=False)
stderr = Console(stderr=True, highlight=False)

Model = Annotated[str, typer.Option(help=f"`uniwhisper`, a folder, a Hub id, or `{HOSTED}NAME` at an endpoint.")]
Device = Annotated[str, typer.Option(help="As torch names it; `auto` takes an accelerator where there is one.")]
Listening = Annotated[
    str | None, typer.Option(help="How it listens: `rate=6.25`, `prune=FastV:0.5`, `evict=SnapKV:0.8`, joined by +.")
]
Dtype = Annotated[str, typer.Option(help="As torch names it; `auto` is bfloat16 on an accelerator, float32 on a CPU.")]
Endpoint = Annotated[
    str | None,
    typer.Option(help=f"URL of an API like OpenAI's, up to /v1; key in $OPENAI_API_KEY. Default: {OPENAI}"),
]


@app.command(name="run")
def run_(
    out: Annotated[Path, typer.Option(help="Folder of replies and scores; a run that was stopped there goes on.")],
    model: Model = "uniwhisper",
    tasks: Annotated[str, typer.Option(help="Names or abbreviations with commas between.")] = "all",
    split: Annotated[str, typer.Option(help="mini is shipped; test and full are in the data folder.")] = "mini",
    data_dir: Annotated[str | None, typer.Option(help="Snapshot of the release, folder of items, or `hub`.")] = None,
    hear: Annotated[Hearing, typer.Option(help="Recordings, silence as long, or nothing.")] = Hearing.AUDIO,
    limit: Annotated[int | None, typer.Option(help="At most this many samples a task, by a fixed seed.")] = None,
    batch_size: Annotated[int, typer.Option(help="Samples asked at once.")] = 1,
    setting: Listening = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    endpoint: Endpoint = None,
) -> None:
    """Ask a model, keep every reply, and score them."""
    try:
        chosen = list(TASKS.values()) if tasks == "all" else [find_task(name) for name in tasks.split(",")]
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    with plain_errors():
        settings = Settings.resolve(
            model=model,
            split=split,
            data_dir=data_dir,
            hear=hear,
            limit=limit,
            batch_size=batch_size,
            setting=setting,
            device=device,
            dtype=dtype,
            endpoint=endpoint,
        )
        Console(width=120).print(table(run(settings, chosen, out, stderr)))


@app.command()
def mock_run(
    model: Model = "uniwhisper",
    setting: Listening = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    endpoint: Endpoint = None,
) -> None:
    """Put a model through everything, on made sounds of a few seconds, and print what worked."""
    from .mock import mock_run

    with plain_errors():
        mock_run(model, setting=setting, device=device, dtype=dtype, endpoint=endpoint)


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="Folders that `run` wrote; differences are from the first.")],
    to: Annotated[Path, typer.Option(help="Folder of the report.")],
) -> None:
    """Set runs beside each other and the published rows: Markdown, HTML and pictures."""
    from .report import write

    with plain_errors():
        write(runs, to)
    print(f"written: {to}")


def table(report: dict[str, Any]) -> Table:
    """Scores of a run by task, and their averages."""
    shown = Table("task", "items", "strict", "95 %", "parsed", "majority", "paper", "seconds", title=report["model"])
    for name, scores in report["tasks"].items():
        strict = scores["strict"]
        measure = "wer" if "wer" in strict else "accuracy"
        low, high = strict[f"{measure}_95"]
        shown.add_row(
            find_task(name).abbreviation + " (made)" * scores.get("made", False),
            str(strict["items"]),
            f"{measure} {strict[measure]:.2f}",
            f"{low:.2f}-{high:.2f}",
            f"{strict['parse_rate']:.2f}",
            f"{strict['majority']:.2f}" if "majority" in strict else "",
            f"{scores['paper']['score']:.1f}" if scores["paper"] else "",
            f"{scores['seconds']['median']:.2f}",
        )
    average = report["average"]
    if average["tasks"]:
        over = f"average of {len(average['tasks'])}"
        shown.add_row(over, "", f"{average['strict']:.2f}", "", "", "", f"{average['paper']:.1f}", "", style="bold")
    return shown


if __name__ == "__main__":
    app()
