"""The runner of the probes, on tones and a made-up encoder that hears their pitch."""

import io
import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import soundfile
import torch
import typer
from datasets import Dataset
from typer.testing import CliRunner

from dataset_builders.probe_suite.registry import METRICS, ProbeTask
from metrics.probe import __main__ as command
from metrics.probe import layers, run
from metrics.probe.ctc import CTCConfig
from metrics.probe.encoders import LogMel
from metrics.probe.report import lines, summary

RATE = 16_000
PITCHES = {"low": 300.0, "middle": 900.0, "high": 2500.0}
COUNTS = {"train": 36, "validation": 12, "test": 12}
WORDS = {"low": "oh no", "middle": "well", "high": "yes"}


def flac(samples: np.ndarray) -> dict:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, RATE, format="FLAC")
    return {"bytes": buffer.getvalue(), "path": "tone.flac"}


def tones(names: list[str], rng: np.random.Generator, seconds: float = 0.5) -> np.ndarray:
    time = np.arange(int(seconds * RATE)) / RATE
    parts = [0.3 * np.sin(2 * np.pi * PITCHES[name] * rng.uniform(0.95, 1.05) * time) for name in names]
    return np.concatenate(parts) + 0.01 * rng.standard_normal(len(time) * len(names))


def rows(kind: str, split: str) -> Dataset:
    rng = np.random.default_rng(sum(map(ord, kind + split)))
    found = []
    for number in range(COUNTS[split]):
        names = [list(PITCHES)[number % 3]] * 2 if kind in ("clip", "retrieval", "transcription") else []
        names = names or rng.permutation(list(PITCHES))[:2].tolist()
        row = {"audio": flac(tones(names, rng)), "duration": 1.0, "group": f"{split}-{number}"}
        if kind == "clip":
            row["label"] = names[0]
        elif kind == "multilabel":
            row["labels"] = sorted(names)
        elif kind == "frame":
            row["events"] = [{"label": name, "start": 0.5 * n, "end": 0.5 * n + 0.5} for n, name in enumerate(names)]
        elif kind == "retrieval":
            row |= {"key": names[0], "side": "ab"[number // 3 % 2]}
        else:
            row["text"] = WORDS[names[0]]
        found.append(row)
    return Dataset.from_list(found)


@pytest.fixture
def tasks(monkeypatch):
    """One task of each kind, and trainings short enough for a test."""
    made = {
        kind: ProbeTask(
            kind, "sound", kind, metric, "made", kind, "clip", "tones", segment=0.25 if kind == "frame" else None
        )
        for kind, metric in METRICS.items()
    }
    monkeypatch.setattr(command, "load_splits", lambda task: {split: rows(task.kind, split) for split in COUNTS})
    monkeypatch.setattr(command, "TASKS", made)
    monkeypatch.setattr(command, "open_encoder", lambda name, trust_remote_code: LogMel())
    monkeypatch.setattr(run, "CTC_TRIAL", CTCConfig(steps=60))
    monkeypatch.setattr(run, "train_ctc", lambda *given, **more: train_ctc(*given[:2], CTCConfig(steps=60), **more))
    for name in ("CLIP", "MULTILABEL", "FRAME"):
        short = tuple(replace(config, least_steps=60, epochs=10) for config in getattr(run, name)[:2])
        monkeypatch.setattr(run, name, short)
    monkeypatch.setattr(run, "ProjectionConfig", partial(run.ProjectionConfig, least_steps=60, epochs=10))
    monkeypatch.setattr(run, "SEEDS", (0, 1))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield made
    torch.set_num_threads(threads)


train_ctc = run.train_ctc


def invoke(*arguments: object) -> str:
    done = CliRunner().invoke(command.app, [str(one) for one in arguments])
    assert done.exit_code == 0, done.output
    return done.output


def probe(tmp_path, name: str, *flags: str) -> dict:
    out = tmp_path / f"{name}.json"
    invoke("--out", out, "--cache", tmp_path / "cache", *flags)
    return json.loads(out.read_text())


def test_every_kind_of_task_is_probed_and_a_repeat_is_identical(tasks, tmp_path):
    report, again = probe(tmp_path, "first"), probe(tmp_path, "second")
    assert set(report["tasks"]) == set(tasks)
    for kind in ("clip", "multilabel", "frame", "retrieval"):
        assert report["tasks"][kind]["scores"]["mlp_chosen"]["value"] > 0.75, kind
    assert report["tasks"]["clip"]["scores"]["knn_chosen"]["value"] == 1.0
    assert report["tasks"]["clip"]["chance"] == pytest.approx(1 / 3)
    assert set(report["averages"]["mlp_chosen"]) == {"all", "sound", "seen", "unweighted"}
    for found in (report, again):
        found.pop("date"), found.pop("seconds")
    assert report == again
    assert (tmp_path / "first.safetensors").read_bytes() == (tmp_path / "second.safetensors").read_bytes()
    assert "| clip | 12 | 0.33 |" in (tmp_path / "first.md").read_text()


def test_an_encoder_closes_no_gap_to_itself_and_is_drawn(tasks, tmp_path):
    probe(tmp_path, "first")
    path = tmp_path / "first.json"
    invoke("compare", path, path, "--json", tmp_path / "compared.json")
    compared = json.loads((tmp_path / "compared.json").read_text())
    assert compared["mlp_gap_closed"]["value"] == 0.0
    assert set(compared["tasks"]) == set(tasks)
    assert all(found["mlp"]["value"] == 0.0 and found["mlp"]["p"] == 1.0 for found in compared["tasks"].values())

    invoke("report", path, path, "--out", tmp_path / "pictures")
    text = (tmp_path / "pictures" / "table.md").read_text()
    assert text.count("| log-mel |") == 2 + 2, "in two rows of the averages, and in two headers"
    assert text.count("| clip | 12 | 0.33 | 1.000 (1.00-1.00) | 1.000 (1.00-1.00) |") >= 1
    for name in ("radar", "domains"):
        assert (tmp_path / "pictures" / f"{name}.png").stat().st_size > 10_000


def test_an_average_over_fewer_tasks_stands_beside_no_other(tasks, tmp_path):
    whole, part = probe(tmp_path, "whole"), probe(tmp_path, "part", "--tasks", "clip,frame")
    rows = {row[0]: row[3:] for row in lines([whole, part], {"mlp_last": "MLP"})}
    assert all(rows["clip"]) and rows["multilabel"][1] == "" and rows["multilabel"][0]
    assert rows["average: all"][0] and rows["average: all"][1] == ""
    assert [row[0] for row in summary([whole, part])[1:]] == ["majority", "log-mel"]


def test_as_xares_scores_beside_ours(tasks, tmp_path):
    report = probe(tmp_path, "theirs", "--tasks", "clip", "--xares-compat")
    assert set(report["tasks"]["clip"]["scores"]) >= {"knn_last", "mlp_last", "xares_knn", "xares_mlp"}
    assert report["averages"]["xares_mlp"]["all"]["value"] > 0.5
    assert set(report["tasks"]) == {"clip"}


def test_unknown_task_is_named(tasks):
    done = CliRunner().invoke(command.app, ["--tasks", "clip,nothing"])
    assert done.exit_code == 2 and "nothing" in done.output


def test_layers_are_compared_on_validation_alone(tasks, tmp_path, monkeypatch):
    monkeypatch.setattr(layers, "TASKS", tasks)
    monkeypatch.setattr(layers, "CLIP_TASKS", ["clip"])
    monkeypatch.setattr(layers, "cache_home", lambda: tmp_path)
    monkeypatch.setattr(layers, "open_encoder", lambda name: LogMel())
    splits = {"train": rows("clip", "train"), "validation": rows("clip", "validation"), "test": None}
    monkeypatch.setattr(layers, "load_splits", lambda task: splits)
    layers.main(["log-mel"], "", tmp_path / "layers.json")
    report = json.loads((tmp_path / "layers.json").read_text())
    assert report["log-mel"]["mean"] == report["log-mel"]["clip"] == {kind: [1.0] for kind in report["log-mel"]["mean"]}
    with pytest.raises(typer.BadParameter, match="frame"):
        layers.main(["log-mel"], "frame", tmp_path / "layers.json")
