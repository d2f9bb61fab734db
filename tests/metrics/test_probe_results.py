"""The published probe tables say what the kept JSON says, and that is of one suite."""

import json
from pathlib import Path

import pytest

from metrics.probe.report import markdown, summary

RESULTS = Path("model_cards/uniwhisper-base/results")


@pytest.fixture(scope="module")
def reports() -> dict[str, dict]:
    encoders = ("log-mel", "whisper-base", "uniwhisper", "yamnet", "whisper-base-padded")
    return {name: json.loads((RESULTS / f"probe/{name}.json").read_text()) for name in encoders}


def test_results_are_of_one_suite(reports):
    first = reports["log-mel"]["tasks"]
    for name, report in reports.items():
        for task, found in report["tasks"].items():
            same = ("test_clips", "weight", "chance", "unseen")
            assert [found[key] for key in same] == [first[task][key] for key in same], (name, task)


def test_the_readme_says_what_the_results_say(reports):
    readme = Path("README.md").read_text()
    assert markdown(summary([reports[name] for name in ("log-mel", "whisper-base", "uniwhisper")])).strip() in readme
    gap = json.loads((RESULTS / "gap.json").read_text())
    probed = [reports[name]["encoder"]["fingerprint"] for name in ("whisper-base", "uniwhisper")]
    assert [gap[side]["fingerprint"] for side in ("base", "ours")] == probed
    for found in (gap, gap["over_last_layer"]):
        for kind in ("mlp", "knn"):
            closed = found[f"{kind}_gap_closed"]
            low, high = closed["interval_95"]
            assert f"{100 * closed['value']:.1f} % ({100 * low:.1f} to {100 * high:.1f})" in readme
