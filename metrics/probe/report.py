"""Results of probes as tables."""

from __future__ import annotations

from rich.table import Table

COLUMNS = {
    "knn_last": "kNN, last layer",
    "knn_chosen": "kNN, chosen",
    "mlp_last": "MLP, last layer",
    "mlp_chosen": "MLP, chosen",
}
"""Views that tables show; the chosen layer, raw or centred, is validation's."""


def lines(reports: list[dict]) -> list[list[str]]:
    """Header and rows: a task or an average each, with the scores of every encoder."""
    head = ["task", "clips", "chance"] + [
        f"{r['encoder']['name']}: {title}" for r in reports for title in COLUMNS.values()
    ]
    rows = [head]
    for name, found in reports[0]["tasks"].items():
        chance = "" if found["chance"] is None else f"{found['chance']:.2f}"
        scores = [
            _cell(report["tasks"].get(name, {}).get("scores", {}).get(view)) for report in reports for view in COLUMNS
        ]
        rows.append([name + (" *" if found["unseen"] else ""), str(found["test_clips"]), chance, *scores])
    for part in reports[0]["averages"]["mlp_chosen"]:
        scores = [_cell(report["averages"][view].get(part)) for report in reports for view in COLUMNS]
        rows.append([f"average: {part}", "", "", *scores])
    return rows


def markdown(reports: list[dict]) -> str:
    """The table in Markdown; a star marks tasks that no training mixture holds."""
    head, *rows = lines(reports)
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)) + "\n"


def table(reports: list[dict]) -> Table:
    """The table for a terminal."""
    head, *rows = lines(reports)
    shown = Table(*head)
    for row in rows:
        shown.add_row(*row)
    return shown


def _cell(score: dict | None) -> str:
    if score is None:
        return ""
    low, high = score["interval_95"]
    return f"{score['value']:.3f} ({low:.2f}-{high:.2f})"
