"""Results of probes as tables and pictures."""

from __future__ import annotations

from itertools import cycle
from pathlib import Path

import numpy as np
from rich.table import Table

VIEWS = {
    "knn_last": "kNN, last layer",
    "knn_chosen": "kNN, chosen layer",
    "mlp_last": "MLP, last layer",
    "mlp_chosen": "MLP, chosen layer",
}
"""Views that tables show; the chosen layer, raw or centred, is validation's."""

UNSEEN = {("knn_chosen", "unseen"): "kNN, unseen tasks", ("mlp_chosen", "unseen"): "MLP, unseen tasks"}
PARTS = ("speech", "sound", "music", "unseen", "all")
DPI = 110
COLOURS = ("#cb3c33", "#4063d8", "#389826", "#9558b2", "#8a8a8a", "#d99a2b")


def lines(reports: list[dict], views: dict[str, str] = VIEWS) -> list[list[str]]:
    """Header and rows: a task or an average each, a star where no training mixture holds the task.

    Columns are the encoders, in each of `views`.
    """
    columns = [(report, view) for view in views for report in reports]
    titles = [
        ", ".join(([r["encoder"]["name"]] if len(reports) > 1 else []) + ([views[v]] if len(views) > 1 else []))
        for r, v in columns
    ]
    rows = [["task", "clips", "chance", *titles]]
    for name, found in reports[0]["tasks"].items():
        chance = "" if found["chance"] is None else f"{found['chance']:.2f}"
        scores = [_cell(report["tasks"].get(name, {}).get("scores", {}).get(view)) for report, view in columns]
        rows.append([name + (" *" if found["unseen"] else ""), str(found["test_clips"]), chance, *scores])
    for part in reports[0]["averages"]["mlp_chosen"]:
        scores = [_cell(_average(report, reports[0], view, part)) for report, view in columns]
        rows.append([f"average: {part}", "", "", *scores])
    return rows


def summary(reports: list[dict]) -> list[list[str]]:
    """Header and rows: weighted averages of an encoder each, below what the commonest answer scores.

    An average over other tasks than the first encoder's is left out, and an encoder that has none.
    """
    shown = {**{(view, "all"): title for view, title in VIEWS.items()}, **UNSEEN}
    rows = [["majority", *(guess(reports[0], view, part == "unseen") for view, part in shown)]]
    for report in reports:
        found = [_cell(_average(report, reports[0], view, part)) for view, part in shown]
        if any(found):
            rows.append([report["encoder"]["name"], *found])
    return [["encoder", *shown.values()], *rows]


def _average(report: dict, first: dict, view: str, part: str) -> dict | None:
    """Average of a part; none unless it is over the tasks that the first report has in that part."""

    def of(one: dict) -> set[str]:
        unseen = {"seen": False, "unseen": True}.get(part)
        return {
            name
            for name, task in one["tasks"].items()
            if part in ("all", "unweighted", task["domain"]) or (unseen is not None and task["unseen"] == unseen)
        }

    return report["averages"].get(view, {}).get(part) if of(report) == of(first) else None


def guess(report: dict, view: str, unseen: bool) -> str:
    """Weighted average of chance over the tasks of a view; 0 for a task of which no simple guess is known."""
    tasks = [one for one in report["tasks"].values() if view in one["scores"] and one["unseen"] >= unseen]
    total = sum(one["weight"] for one in tasks)
    return f"{sum(one['weight'] * (one['chance'] or 0) for one in tasks) / total:.3f}" if tasks else ""


def markdown(rows: list[list[str]]) -> str:
    """Header and rows as a table in Markdown."""
    head, *rows = rows
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)) + "\n"


def side_by_side(reports: list[dict]) -> str:
    """Averages, then every task by nearest neighbours and by the trained probe, in Markdown."""
    parts = [markdown(summary(reports))]
    for view in ("knn_chosen", "mlp_chosen"):
        parts.append(f"**{VIEWS[view]}**\n\n" + markdown(lines(reports, {view: VIEWS[view]})))
    return "\n".join(parts)


def table(report: dict) -> Table:
    """The table of one encoder for a terminal."""
    head, *rows = lines([report])
    shown = Table(*head)
    for row in rows:
        shown.add_row(*row)
    return shown


def draw(reports: list[dict], folder: Path) -> None:
    """Write `radar.png`, the trained probe on every task, and `domains.png`, averages with 95 % intervals."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    for name, figure in (("radar", _radar(pyplot, reports)), ("domains", _domains(pyplot, reports))):
        figure.savefig(folder / f"{name}.png", dpi=DPI)
        pyplot.close(figure)


def _radar(pyplot, reports: list[dict]):
    tasks = reports[0]["tasks"]
    angles = np.linspace(0, 2 * np.pi, len(tasks), endpoint=False)
    figure, axes = pyplot.subplots(figsize=(8, 8), subplot_kw={"projection": "polar"}, layout="constrained")
    for report, colour in zip(reports, cycle(COLOURS)):
        found = [report["tasks"].get(name, {}).get("scores", {}).get("mlp_chosen") for name in tasks]
        places = [place for place, score in enumerate(found) if score]
        if len(places) == len(tasks):
            places.append(0)  # the ring closes
        values = [found[place]["value"] for place in places]
        axes.plot(angles[places], values, color=colour, label=report["encoder"]["name"])
    axes.set_xticks(angles, [name.replace("_", "\n") for name in tasks], size=8)
    axes.set_ylim(0, 1)
    axes.set_yticks([0.25, 0.5, 0.75, 1], ["", "0.5", "", "1"], size=8, color="grey")
    axes.set_title("Trained probe at the layer chosen on validation, by task", pad=24)
    axes.legend(loc="upper right", bbox_to_anchor=(1.15, 1.1), frameon=False)
    return figure


def _domains(pyplot, reports: list[dict]):
    figure, both = pyplot.subplots(1, 2, figsize=(11, 4), sharey=True, layout="constrained")
    width = 0.8 / len(reports)
    for axes, view, title in zip(both, ("knn_chosen", "mlp_chosen"), ("Nearest neighbours", "Trained probe")):
        for number, (report, colour) in enumerate(zip(reports, cycle(COLOURS))):
            means = {part: mean for part in PARTS if (mean := _average(report, reports[0], view, part))}
            values = np.array([mean["value"] for mean in means.values()])
            ends = np.array([mean["interval_95"] for mean in means.values()]).reshape(-1, 2).T
            places = np.array([PARTS.index(part) for part in means]) + (number - (len(reports) - 1) / 2) * width
            errors = np.abs(ends - values)
            axes.bar(
                places, values, width, yerr=errors, color=colour, ecolor="#333333", label=report["encoder"]["name"]
            )
        axes.set_xticks(range(len(PARTS)), PARTS)
        axes.set_ylim(0, 1)
        axes.set_title(f"{title}, weighted average and 95 % interval")
        axes.spines[["top", "right"]].set_visible(False)
    both[0].legend(frameon=False, fontsize=8)
    return figure


def _cell(score: dict | None) -> str:
    if score is None:
        return ""
    low, high = score["interval_95"]
    return f"{score['value']:.3f} ({low:.2f}-{high:.2f})"
