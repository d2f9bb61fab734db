"""The published table of the mini says what the kept JSON says."""

import json
from pathlib import Path

from metrics.audiomarathon.outputs import read_run

CARD = Path("model_cards/uniwhisper-base")


def test_table_is_that_of_the_results():
    for name, row in {"ours": "heard", "deaf": "nothing heard"}.items():
        folder = CARD / "results/audiomarathon" / name
        run = read_run(folder, name)
        scores = [result.estimate.value for result in run.counted.values()]
        average = json.loads((folder / "scores.json").read_text())["average"]["strict"]
        line = f"| {row} | " + " | ".join(f"{score:.2f}" for score in [*scores, average]) + " |"
        for page in (Path("metrics/README.md"), CARD / "README.md"):
            assert line in page.read_text(), (page, line)
