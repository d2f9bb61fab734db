"""`python -m metrics.probe run` and `compare`: probes of a frozen encoder on the twenty tasks."""

from __future__ import annotations

import json
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from rich.console import Console
from safetensors.numpy import load_file, save_file

from dataset_builders.probe_suite.registry import TASKS, chance, load_probe, weight
from metrics.efficiency.embedding import cpu_name
from training.files import cache_home

from .aggregate import averages, gaps
from .encoders import open_encoder
from .intervals import Estimate, compare
from .report import markdown, table
from .run import probe

app = typer.Typer(add_completion=False, help=__doc__)
PACKAGES = ("torch", "transformers", "datasets", "numpy", "scikit-learn")
VIEWS = ("knn_last", "knn_last_centred", "knn_chosen", "mlp_last", "mlp_chosen")


@app.command()
def run(
    encoder: Annotated[str, typer.Option(help="Built-in name, checkpoint folder or Hub id.")] = "uniwhisper",
    tasks: Annotated[list[str] | None, typer.Option("--task", help="Tasks to probe; all if not given.")] = None,
    out: Annotated[Path | None, typer.Option(help="JSON to write; beside it its draws and a Markdown table.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder of embeddings.")] = None,
    trust_remote_code: Annotated[bool, typer.Option(help="Run code that comes with the encoder.")] = False,
) -> None:
    """Embed every task once and probe it; what was embedded before is read again."""
    torch.manual_seed(0)
    opened = open_encoder(encoder, trust_remote_code=trust_remote_code)
    out = out or Path("results/probe") / f"{opened.name}.json"
    cache = cache or cache_home() / "embeddings"
    found, draws = {}, {}
    for name in tasks or TASKS:
        task = TASKS[name]
        result = probe(opened, task, cache)
        test = load_probe(task, "test")
        scores = {view: _plain(estimate) for view, estimate in result.scores.items()}
        found[name] = {
            "domain": task.domain,
            "metric": task.metric,
            "unseen": task.unseen,
            "test_clips": len(test),
            "weight": weight(task, len(test)),
            "chance": chance(task, test),
            "scores": scores,
            "choices": result.choices,
            **result.more,
        }
        draws |= {f"{name}/{view}": estimate.draws.astype(np.float32) for view, estimate in result.scores.items()}
        print(name, {view: round(score["value"], 3) for view, score in scores.items()})
    report = {
        "command": f"python -m metrics.probe run --encoder {encoder}",
        "encoder": {"name": opened.name, "fingerprint": opened.fingerprint, "layers": opened.layers},
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": cpu_name(),
        "python": platform.python_version(),
        "versions": {package: version(package) for package in PACKAGES},
        "averages": {},
        "tasks": found,
    }
    for view in VIEWS:
        report["averages"][view] = {part: _plain(mean) for part, mean in averaged(report, draws, view).items()}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(report, indent=1) + "\n")
    save_file(draws, out.with_suffix(".safetensors"))
    out.with_suffix(".md").write_text(markdown([report]))
    Console(width=140).print(table([report]))
    print(f"written: {out}")


@app.command(name="compare")
def compare_(
    base: Annotated[Path, typer.Argument(exists=True, help="JSON of the encoder to compare with.")],
    ours: Annotated[Path, typer.Argument(exists=True, help="JSON of ours.")],
    out: Annotated[Path | None, typer.Option("--json", help="JSON to write.")] = None,
) -> None:
    """Print the share of the gap to 1.0 that OURS closes over BASE, with 95 % intervals, and paired differences."""
    reports, draws = zip(
        *((json.loads(path.read_text()), load_file(path.with_suffix(".safetensors"))) for path in (base, ours))
    )
    result = {"base": reports[0]["encoder"], "ours": reports[1]["encoder"], "unseen": {}, "speech": {}, "tasks": {}}
    for kind in ("mlp", "knn"):
        view = f"{kind}_chosen"
        closed = gaps(*(averaged(report, drawn, view) for report, drawn in zip(reports, draws)))
        for part, estimate in closed.items():
            (result if part == "all" else result[part])[f"{kind}_gap_closed"] = _plain(estimate)
        for name in reports[0]["tasks"]:
            pair = [_estimates(report, drawn, view).get(name) for report, drawn in zip(reports, draws)]
            if all(pair):
                difference, p = compare(*pair)
                result["tasks"].setdefault(name, {})[kind] = _plain(difference) | {"p": p}
    text = json.dumps(result, indent=1)
    if out:
        out.write_text(text + "\n")
    print(text)


def averaged(report: dict, draws: dict[str, np.ndarray], view: str) -> dict[str, Estimate]:
    """Averages of one view over the tasks that have it, as `aggregate.averages` defines them."""
    weights = {name: found["weight"] for name, found in report["tasks"].items()}
    estimates = _estimates(report, draws, view)
    return averages(estimates, weights, TASKS) if estimates else {}


def _estimates(report: dict, draws: dict[str, np.ndarray], view: str) -> dict[str, Estimate]:
    return {
        name: Estimate(found["scores"][view]["value"], draws[f"{name}/{view}"].astype(float))
        for name, found in report["tasks"].items()
        if view in found["scores"]
    }


def _plain(estimate: Estimate) -> dict[str, object]:
    return {"value": estimate.value, "interval_95": list(estimate.interval)}


if __name__ == "__main__":
    app()
