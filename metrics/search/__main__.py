"""How well search finds: `python -m metrics.search --out FILE.json`.

A clip asks for others of its class, words ask for a clip, and the ANN index is held against exact search; see
`by_audio`, `by_words` and `ann`. All clips are test clips; what is chosen is chosen on validation.
"""

from pathlib import Path
from typing import Annotated

import typer

from dataset_builders.errors import plain_errors
from metrics.machine import environment
from metrics.probe.report import markdown
from metrics.reports import write_report
from modeling_uniwhisper.checkpoints import cache_home, checkpoint_sha256, find_checkpoint

from . import ann, by_audio, by_words
from .scores import lines

PACKAGES = ("torch", "transformers", "datasets", "lancedb", "faster-whisper", "numpy")


def main(
    out: Annotated[Path, typer.Option(help="Where the JSON goes.")] = Path("results/search.json"),
    limit: Annotated[int, typer.Option(min=1, help="Clips of each kind that words ask for.")] = 60,
) -> None:
    """Measure search by example, by words, and beyond exact search; print tables and write a report."""
    report = {
        "command": f"python -m metrics.search --limit {limit}",
        **environment(PACKAGES),
        "checkpoint": checkpoint_sha256(find_checkpoint()),
    }
    report["by_audio"], vectors = by_audio.measure(cache_home() / "embeddings")
    report["by_words"] = by_words.measure(limit)
    report["ann"] = ann.measure(vectors)
    write_report(report, out)
    print(tables(report))


def tables(report: dict) -> str:
    """What was measured, in Markdown; intervals of 95 % and quartiles of times in brackets."""
    beyond = report["ann"]
    times = ("{median} ({quartiles[0]}-{quartiles[1]})".format(**one) for one in beyond["milliseconds"].values())
    parts = [
        lines("same class", report["by_audio"]["scores"]),
        lines("words", report["by_words"]["scores"]),
        [
            ["rows", "ANN recall@10", *(f"{arm}, ms" for arm in beyond["milliseconds"])],
            [str(beyond["rows"]), f"{beyond['recall_at_10']:.3f}", *times],
        ],
    ]
    return "\n".join(markdown(part) for part in parts)


if __name__ == "__main__":
    with plain_errors():
        typer.run(main)
