"""The published probe tables say what the kept JSON says."""

import json
from pathlib import Path

import pytest
import torch

from metrics.probe.report import lines, markdown, summary
from modeling_uniwhisper import UniWhisperModel

CARD = Path("model_cards/uniwhisper-base")
ENCODERS = ("log-mel", "whisper-base", "yamnet", "whisper-base-padded")


@pytest.fixture(scope="module")
def reports() -> dict[str, dict]:
    return {name: json.loads((CARD / f"results/probe/{name}.json").read_text()) for name in ENCODERS}


def test_tables_are_those_of_the_results(reports):
    whole = [report for report in reports.values() if len(report["tasks"]) == 20]
    assert len(whole) == 2
    page = (CARD / "README.md").read_text()
    assert markdown(summary(whole)) in page
    assert markdown(lines(list(reports.values()), {"mlp_chosen": "MLP"})) in page


def test_results_are_of_one_suite(reports):
    first = reports["log-mel"]["tasks"]
    for name, report in reports.items():
        for task, found in report["tasks"].items():
            same = ("test_clips", "weight", "chance", "unseen")
            assert [found[key] for key in same] == [first[task][key] for key in same], (name, task)


def test_the_encoder_is_the_one_that_was_probed():
    encoder = Path("model_cards/uniwhisper-encoder")
    ours, probed = (UniWhisperModel.from_pretrained(folder).encoder.state_dict() for folder in (CARD, encoder))
    assert all(torch.equal(tensor, probed[name]) for name, tensor in ours.items())


def test_the_encoder_card_says_what_its_results_say():
    card = Path("model_cards/uniwhisper-encoder")
    reports = [
        json.loads((card / f"results/{name}.json").read_text()) for name in ("whisper-base", "uniwhisper-encoder")
    ]
    text = (card / "README.md").read_text()
    assert markdown(summary(reports)) in text and markdown(summary(reports)) in Path("README.md").read_text()
    for view in ("mlp_chosen", "knn_chosen"):
        assert markdown(lines(reports, {view: view})) in text
    gap = json.loads((card / "results/gap.json").read_text())
    assert [gap[side]["fingerprint"] for side in ("base", "ours")] == [one["encoder"]["fingerprint"] for one in reports]
    for kind in ("mlp", "knn"):
        closed = gap[f"{kind}_gap_closed"]
        low, high = closed["interval_95"]
        for page in (text, Path("README.md").read_text()):
            assert f"{100 * closed['value']:.1f} %" in page and f"({100 * low:.1f} to {100 * high:.1f})" in page
