"""The `uniwhisper` command on a tiny random checkpoint."""

import itertools
import json
import os
import resource
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile as sf
from typer.testing import CliRunner

from modeling_uniwhisper import audio_io, search
from modeling_uniwhisper.audio_io import SAMPLING_RATE
from modeling_uniwhisper.search import clock
from uniwhisper_cli import _quiet_windows, app


@pytest.fixture(autouse=True)
def _checkpoint(tiny_checkpoint, tmp_path, monkeypatch):
    monkeypatch.setenv("UNIWHISPER_MODEL", str(tiny_checkpoint))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path, make_audio):
    """Two recordings and a text file, one of them in a folder below."""
    folder = tmp_path / "recordings"
    (folder / "below").mkdir(parents=True)
    sf.write(folder / "a.wav", make_audio(12.0, 1), SAMPLING_RATE)
    sf.write(folder / "below" / "b.flac", make_audio(31.0, 2), SAMPLING_RATE)
    (folder / "notes.txt").write_text("not audio")
    return folder


def run(*arguments, code=0, stdin=None):
    result = CliRunner().invoke(app, [str(a) for a in arguments], input=stdin)
    assert result.exit_code == code, result.output
    return result


def run_json(*arguments, code=0, stdin=None):
    return json.loads(run(*arguments, "--json", code=code, stdin=stdin).stdout)


def test_embed_writes_windows_and_files(folder, tmp_path):
    out = tmp_path / "x.parquet"
    result = run_json("embed", folder, "--out", out)
    assert result == {"out": str(out), "embedded": 2, "skipped": 0, "failed": []}
    table = pq.read_table(out)
    made_by = json.loads(table.schema.metadata[b"uniwhisper"])
    assert made_by["layer"] == 2 and made_by["normalized"] and len(made_by["sha256"]) == 64
    rows = table.to_pylist()
    b = str(folder / "below" / "b.flac")
    assert [(r["path"], r["kind"], r["start"], r["end"]) for r in rows] == [
        (str(folder / "a.wav"), "window", 0, 12),
        (str(folder / "a.wav"), "file", 0, 12),
        (b, "window", 0, 30),
        (b, "window", 30, 31),
        (b, "file", 0, 31),
    ]
    assert all(len(r["embedding"]) == 16 for r in rows)
    assert np.linalg.norm([r["embedding"] for r in rows], axis=1) == pytest.approx(1, abs=1e-5)


def test_embed_goes_on_where_it_was(folder, tmp_path):
    out = tmp_path / "x.parquet"
    run("embed", folder / "a.wav", "--out", out)
    assert run_json("embed", folder, "--out", out)["skipped"] == 1
    before = out.stat().st_mtime_ns
    assert run_json("embed", folder, "--out", out)["embedded"] == 0
    assert out.stat().st_mtime_ns == before
    os.utime(folder / "a.wav", (1, 1))
    assert run_json("embed", folder, "--out", out) == {"out": str(out), "embedded": 1, "skipped": 1, "failed": []}
    assert len(pq.read_table(out)) == 5
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_file()) == ["x.parquet"]


def test_an_interrupted_embed_keeps_what_is_done(folder, tmp_path, monkeypatch):
    load_audio = audio_io.load_audio

    def interrupted(path):
        if path.name == "b.flac":
            raise KeyboardInterrupt
        return load_audio(path)

    monkeypatch.setattr(audio_io, "load_audio", interrupted)
    run("embed", folder, "--out", tmp_path / "x.parquet", code=130)
    assert len(pq.read_table(tmp_path / "x.parquet")) == 2


def test_embed_refuses_a_file_of_other_weights(folder, tmp_path):
    out = tmp_path / "x.parquet"
    run("embed", folder / "a.wav", "--out", out)
    result = run("embed", folder, "--out", out, "--dtype", "bfloat16", code=2)
    assert "was made with another dtype" in result.stderr
    (tmp_path / "y.parquet").write_text("mine")
    assert "was not written by" in run("embed", folder, "--out", tmp_path / "y.parquet", code=2).stderr
    assert (tmp_path / "y.parquet").read_text() == "mine"


def test_embed_takes_globs_lists_and_goes_past_bad_files(folder, tmp_path):
    bad = folder / "bad.wav"
    bad.write_text("text")
    listed = f"{folder / 'a.wav'}\n{bad}\n{folder / 'absent.wav'}\n"
    result = run_json(
        "embed", "-", folder / "**/*.flac", folder / "a.wav", "--out", tmp_path / "x.parquet", code=1, stdin=listed
    )
    assert result["embedded"] == 2
    assert [f["path"] for f in result["failed"]] == [str(bad), str(folder / "absent.wav")]
    assert "not audio in a known format" in result["failed"][0]["error"]
    result = run("embed", bad, "--out", tmp_path / "y.parquet", code=1)
    assert f"failed: {bad} is not audio" in result.stderr


def test_search_finds_the_moment_an_example_was_cut_from(folder, tmp_path):
    audio, _ = sf.read(folder / "below" / "b.flac", dtype="float32")
    example = folder / "example.wav"
    sf.write(example, audio[10 * SAMPLING_RATE : 15 * SAMPLING_RATE], SAMPLING_RATE)
    moments = run_json("search", example, "--in", folder, "--top", 3)["moments"]
    assert moments[0] == {
        "path": str(folder / "below" / "b.flac"),
        "start": 10,
        "end": 15,
        "score": pytest.approx(1, abs=1e-4),
    }
    assert [m["score"] for m in moments] == sorted((m["score"] for m in moments), reverse=True)
    assert str(example) not in {m["path"] for m in moments}
    assert len(list((tmp_path / "cache" / "uniwhisper" / "index").iterdir())) == 3
    lines = run("search", example, "--in", folder, "--top", 2).stdout.splitlines()
    assert lines[0] == f"1.000  0:10.0 - 0:15.0  {folder / 'below' / 'b.flac'}" and len(lines) == 2


def test_search_listens_to_a_recording_once(folder, monkeypatch):
    first = run_json("search", folder / "a.wav", "--in", folder)
    with monkeypatch.context() as patched:
        patched.setattr(search, "load_audio", None)
        assert run_json("search", folder / "a.wav", "--in", folder) == first
    b = folder / "below" / "b.flac"
    sf.write(b, np.zeros(6 * SAMPLING_RATE), SAMPLING_RATE)
    assert {m["end"] for m in run_json("search", folder / "a.wav", "--in", folder)["moments"]} == {5, 6}


def test_search_by_words_is_not_there_yet(folder):
    result = run("search", "rain on a roof", "--in", folder, code=2)
    assert "search by words is not there yet" in result.stderr and result.stdout == ""


def test_ask(folder):
    questions = ["What do you hear?", "Who speaks?"]
    result = run_json("ask", folder / "below" / "b.flac", *questions)
    assert [answer["question"] for answer in result["answers"]] == questions and result["failed"] == []
    assert all(isinstance(a["text"], str) and a["seconds_heard"] == 31 and a["how"] == "all" for a in result["answers"])
    assert "heard all 31 s at 12.5" in run("ask", folder / "below" / "b.flac", questions[0]).stderr
    assert run("ask", folder / "notes.txt", questions[0], code=1).stdout == ""
    assert "the question is empty" in run("ask", folder / "a.wav", "", code=1).stderr


def test_ask_tells_what_it_heard_of_more_than_the_context(tmp_path):
    long = tmp_path / "long.wav"
    sf.write(long, np.zeros(200 * SAMPLING_RATE), SAMPLING_RATE)  # 2,500 tokens; the tiny model has 2,048 places
    result = run("ask", long, "What do you hear?", "--json")
    [answer] = json.loads(result.stdout)["answers"]
    assert f"chose {answer['seconds_heard']:.0f} of 200 s and heard them at 12.5 tokens a second" in result.stderr
    assert 100 < answer["seconds_heard"] < 200 == answer["duration"]


def test_transcribe_goes_window_by_window(folder):
    result = run_json("transcribe", folder)
    segments = result["files"][1]["segments"]
    assert [s["start"] for s in segments[1:]] == [s["end"] for s in segments[:-1]]
    assert segments[0]["start"] == 0 and segments[-1]["end"] == 31
    lines = run("transcribe", folder / "a.wav").stdout
    assert lines.startswith("[0:00.0 --> 0:12.0]")


def test_windows_are_cut_where_it_is_quiet():
    audio = np.ones(75 * SAMPLING_RATE, np.float32)
    audio[25 * SAMPLING_RATE : 26 * SAMPLING_RATE] = 0
    windows = list(_quiet_windows(audio))
    assert windows[0][0] == 0 and windows[-1][1] == len(audio)
    assert 25 <= windows[0][1] / SAMPLING_RATE <= 26
    assert all(a[1] == b[0] for a, b in itertools.pairwise(windows))
    assert all(0 < stop - start <= 30 * SAMPLING_RATE for start, stop in windows)


def test_usage_errors(folder, tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    run("embed", folder, code=2)  # no --out
    assert "does not exist" in run("embed", folder, "--out", tmp_path / "no/x.parquet", code=2).stderr
    assert "holds no audio files" in run("transcribe", tmp_path / "empty", code=2).stderr
    assert "is not a folder" in run("search", folder / "a.wav", "--in", folder / "a.wav", code=2).stderr
    assert "python -m training.assemble" in run("ask", folder / "a.wav", "?", "--model", tmp_path, code=2).stderr
    monkeypatch.delenv("UNIWHISPER_MODEL")
    stderr = run("ask", folder / "a.wav", "?", code=2).stderr
    assert str(tmp_path / "cache" / "uniwhisper" / "uniwhisper-base") in stderr and stderr.count("\n") == 1


def test_clock():
    assert [clock(s) for s in (0, 9.96, 59.99, 3599.99, 3661.5)] == [
        "0:00.0",
        "0:10.0",
        "1:00.0",
        "1:00:00.0",
        "1:01:01.5",
    ]


def test_help_is_quick():
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    command = [sys.executable, "-c", "import sys; from uniwhisper_cli import app; app(['--help'])"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "transcribe" in output
    # CPU seconds, since the machine may be busy: 0.2 measured, 5 if it imported torch
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 1.0
