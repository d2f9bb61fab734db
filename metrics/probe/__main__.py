"""Probes of a frozen encoder on twenty tasks: `python -m metrics.probe --encoder whisper-base`.

`compare BASE.json OURS.json` says how much of what BASE lacks OURS makes up for; `report` puts
encoders side by side, in a table and in pictures.
"""

from __future__ import annotations

import json
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rich.console import Console
from safetensors.numpy import load_file, save_file

from dataset_builders.errors import plain_errors
from dataset_builders.instructions import PHRASINGS
from dataset_builders.probe_suite.registry import TASKS, chance, load_splits, weight
from dataset_builders.probe_suite.xares import XARES
from metrics.intervals import Estimate, compare
from metrics.machine import cpu_name
from metrics.reports import write_report
from modeling_uniwhisper.checkpoints import cache_home, find_checkpoint

from .aggregate import GAPS, averages, gaps
from .encoders import open_encoder
from .report import draw, lines, markdown, side_by_side, table
from .run import ask, probe, probe_as_xares
from .zero_shot import ZeroShot

app = typer.Typer(add_completion=False, help=__doc__)
PACKAGES = ("torch", "transformers", "datasets", "numpy", "scikit-learn")
VIEWS = (
    "knn_last",
    "knn_last_centred",
    "knn_chosen",
    "mlp_last",
    "mlp_chosen",
    "mlp_mixed",
    "zero_shot",
    "xares_knn",
    "xares_mlp",
)
Reports = Annotated[list[Path], typer.Argument(exists=True, help="JSON of each encoder.")]


@app.callback(invoke_without_command=True)
def run(
    context: typer.Context,
    encoder: Annotated[str, typer.Option(help="Built-in name, checkpoint folder or Hub id.")] = "uniwhisper",
    tasks: Annotated[str, typer.Option(help="Names with commas between, X-ARES's too; or all of our twenty.")] = "all",
    out: Annotated[Path | None, typer.Option(help="JSON to write; beside it its draws and a Markdown table.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder of embeddings.")] = None,
    zero_shot: Annotated[bool, typer.Option(help="Also ask the checkpoint's language model.")] = False,
    xares_compat: Annotated[bool, typer.Option(help="Also score labels of clips as X-ARES's code does.")] = False,
    trust_remote_code: Annotated[bool, typer.Option(help="Run code that comes with the encoder.")] = False,
) -> None:
    """Embed every task once and probe it; what was embedded before is read again."""
    if context.invoked_subcommand:
        return
    known = TASKS | XARES
    names = list(TASKS) if tasks == "all" else tasks.split(",")
    if unknown := [name for name in names if name not in known]:
        raise typer.BadParameter(f"no task is called {', '.join(unknown)}; known: {', '.join(known)}")
    torch.manual_seed(0)
    started = perf_counter()
    opened = open_encoder(encoder, trust_remote_code=trust_remote_code)
    asked = ZeroShot(find_checkpoint(None if encoder == "uniwhisper" else encoder)) if zero_shot else None
    out = out or Path("results/probe") / f"{opened.name}.json"
    cache = cache or cache_home() / "embeddings"
    found: dict[str, dict[str, Any]] = {}
    draws: dict[str, np.ndarray] = {}
    for name in names:
        task = known[name]
        rows = load_splits(task)
        result = probe(opened, task, rows, cache)
        if asked and task.kind == "clip" and task.config in PHRASINGS:
            result.scores |= ask(asked, task, rows)
        if xares_compat and task.kind == "clip":
            result.scores |= probe_as_xares(opened, task, rows)
        scores = {view: estimate.plain for view, estimate in result.scores.items()}
        found[name] = {
            "domain": task.domain,
            "metric": task.metric,
            "unseen": task.unseen,
            "test_clips": len(rows["test"]),
            "weight": weight(task, len(rows["test"])),
            "chance": chance(task, rows["test"]),
            "scores": scores,
            "choices": result.choices,
            **result.more,
        }
        draws |= {f"{name}/{view}": estimate.draws.astype(np.float32) for view, estimate in result.scores.items()}
        print(name, {view: round(score["value"], 3) for view, score in scores.items()}, flush=True)
    flags = " --zero-shot" * zero_shot + " --xares-compat" * xares_compat + " --trust-remote-code" * trust_remote_code
    report: dict[str, Any] = {
        "command": f"python -m metrics.probe --encoder {encoder} --tasks {tasks}{flags}",
        "encoder": {"name": opened.name, "fingerprint": opened.fingerprint, "layers": opened.layers},
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(perf_counter() - started, 1),
        "device": cpu_name(),
        "python": platform.python_version(),
        "versions": {package: version(package) for package in PACKAGES},
        "averages": {},
        "tasks": found,
    }
    for view in VIEWS:
        if means := averaged(report, draws, view):
            report["averages"][view] = {part: mean.plain for part, mean in means.items()}
    write_report(report, out)
    save_file(draws, out.with_suffix(".safetensors"))
    out.with_suffix(".md").write_text(markdown(lines([report])))
    Console(width=140).print(table(report))


@app.command(name="compare")
def compare_(
    base: Annotated[Path, typer.Argument(exists=True, help="JSON of the encoder to compare with.")],
    ours: Annotated[Path, typer.Argument(exists=True, help="JSON of ours.")],
    out: Annotated[Path | None, typer.Option("--json", help="JSON to write.")] = None,
) -> None:
    """Print the share of the gap to 1.0 that OURS closes over BASE, with 95 % intervals, and paired differences.

    Both are heard at the layer that validation chose; `over_last_layer` compares with BASE's last one.
    """
    reports, draws = zip(
        *((json.loads(path.read_text()), load_file(path.with_suffix(".safetensors"))) for path in (base, ours))
    )
    if differ := reports[0]["tasks"].keys() ^ reports[1]["tasks"].keys():
        raise typer.BadParameter(f"only one of the two has {', '.join(sorted(differ))}")
    result: dict[str, Any] = {
        "base": reports[0]["encoder"],
        "ours": reports[1]["encoder"],
        **_closed(reports, draws, "chosen"),
    }
    result |= {"over_last_layer": _closed(reports, draws, "last"), "tasks": {}}
    for kind in ("mlp", "knn"):
        for name in reports[0]["tasks"]:
            first, second = (
                _estimates(report, drawn, f"{kind}_chosen").get(name) for report, drawn in zip(reports, draws)
            )
            if first and second:
                difference, p = compare(first, second)
                result["tasks"].setdefault(name, {})[kind] = difference.plain | {"p": p}
    write_report(result, None)
    if out:
        write_report(result, out)


@app.command()
def report(
    encoders: Reports,
    out: Annotated[Path, typer.Option(help="Folder for `table.md`, `radar.png` and `domains.png`.")] = Path(
        "results/probe"
    ),
) -> None:
    """Put encoders side by side."""
    reports = [json.loads(path.read_text()) for path in encoders]
    out.mkdir(parents=True, exist_ok=True)
    (out / "table.md").write_text(side_by_side(reports))
    draw(reports, out)
    print(f"written: {out}/table.md, radar.png, domains.png")


def _closed(reports: tuple[dict, dict], draws: tuple[dict, dict], base: str) -> dict[str, object]:
    """Closed gaps of ours at its chosen layer over the `base` layer, "last" or "chosen", of the other encoder."""
    parts: dict[str, dict] = {part: {} for part in GAPS}
    for kind in ("mlp", "knn"):
        pair = (averaged(one, drawn, f"{kind}_{at}") for one, drawn, at in zip(reports, draws, (base, "chosen")))
        for part, estimate in gaps(*pair).items():
            parts[part][f"{kind}_gap_closed"] = estimate.plain
    return parts.pop("all") | parts


def averaged(report: dict, draws: dict[str, np.ndarray], view: str) -> dict[str, Estimate]:
    """Averages of one view over the tasks that have it, as `aggregate.averages` defines them."""
    weights = {name: found["weight"] for name, found in report["tasks"].items()}
    estimates = _estimates(report, draws, view)
    return averages(estimates, weights, TASKS | XARES) if estimates else {}


def _estimates(report: dict, draws: dict[str, np.ndarray], view: str) -> dict[str, Estimate]:
    return {
        name: Estimate(found["scores"][view]["value"], draws[f"{name}/{view}"].astype(float))
        for name, found in report["tasks"].items()
        if view in found["scores"]
    }


if __name__ == "__main__":
    with plain_errors():
        app()
