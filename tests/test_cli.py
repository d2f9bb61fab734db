"""The `uniwhisper` command on a tiny random checkpoint."""

import json
import os
import resource
import shutil
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile as sf
from typer.testing import CliRunner

from modeling_uniwhisper import audio_io, window_reader
from modeling_uniwhisper.audio_io import SAMPLING_RATE, clock
from uniwhisper_cli import app


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


def test_index_goes_on_and_search_uses_it(folder, tmp_path):
    out = tmp_path / "index"
    (folder / "bad.wav").write_text("text")
    first = run_json("index", folder, "--out", out, code=1)
    assert [first[key] for key in ("windows", "added", "unchanged", "dropped")] == [10, 2, 0, 0]
    assert [failure["path"] for failure in first["failed"]] == [str(folder / "bad.wav")]
    (folder / "bad.wav").unlink()
    (folder / "a.wav").unlink()
    assert f"{out}: 0 added, 1 unchanged, 1 dropped, 0 failed; 7 windows" in run("index", folder, "--out", out).stdout

    [moment] = run_json("search", "b", "--words", "--index", out, "--top", 1)["moments"]
    assert moment["title"] == "b" and moment["why"] == "in its words: b" and moment["description"]
    b = folder / "below" / "b.flac"
    assert run_json("search", b, "--index", out)["moments"] == []
    stderr = run("search", "b", "--words", "--index", out, "--dtype", "bfloat16", code=2).stderr
    assert "made with different dtype: make a new one" in stderr


def test_index_without_words(folder, tmp_path):
    out = tmp_path / "index"
    assert run_json("index", folder, "--out", out, "--no-words")["windows"] == 10
    assert len(run_json("search", folder / "a.wav", "--index", out)["moments"]) == 7
    assert "made without words" in run("search", "b", "--words", "--index", out, code=2).stderr


def test_search_finds_the_moment_an_example_was_cut_from(folder, tmp_path):
    b = folder / "below" / "b.flac"
    audio, _ = sf.read(b, dtype="float32")
    example = folder / "example.wav"
    sf.write(example, audio[10 * SAMPLING_RATE : 15 * SAMPLING_RATE], SAMPLING_RATE)
    moments = run_json("search", example, "--in", folder, "--top", 3)["moments"]
    assert moments[0] == {
        "path": str(b),
        "title": "b",
        "start": 10,
        "end": 15,
        "score": pytest.approx(1, abs=1e-4),
        "why": "sounds alike: cosine 1.000",
        "description": "",
    }
    assert [m["score"] for m in moments] == sorted((m["score"] for m in moments), reverse=True)
    assert str(example) not in {m["path"] for m in moments}
    lines = run("search", example, "--in", folder, "--top", 2).stdout.splitlines()
    assert lines[0] == f"1.000  0:10.0 - 0:15.0  {b}  sounds alike: cosine 1.000" and len(lines) == 2


def test_search_by_a_span(folder, tmp_path, make_audio):
    mixed = tmp_path / "mixed.wav"
    b, _ = sf.read(folder / "below" / "b.flac", dtype="float32")
    sf.write(mixed, np.concatenate([make_audio(3.0, 7), b[5 * SAMPLING_RATE : 10 * SAMPLING_RATE]]), SAMPLING_RATE)
    [moment] = run_json("search", mixed, "--start", 3, "--end", 8, "--in", folder, "--top", 1)["moments"]
    assert (moment["title"], moment["start"], moment["score"]) == ("b", 5, pytest.approx(1, abs=1e-4))
    stderr = run("search", mixed, "--start", 7, "--end", 9, "--in", folder, code=2).stderr
    assert "lasts 8.00 s, which does not hold the span from 7 to 9 s" in stderr


def test_search_listens_to_a_folder_once(folder, monkeypatch):
    first = run_json("search", folder / "a.wav", "--in", folder)
    with monkeypatch.context() as patched:
        patched.setattr(window_reader, "load_audio", None)
        assert run_json("search", folder / "a.wav", "--in", folder) == first
    b = folder / "below" / "b.flac"
    sf.write(b, np.zeros(6 * SAMPLING_RATE), SAMPLING_RATE)
    assert {m["end"] for m in run_json("search", folder / "a.wav", "--in", folder)["moments"]} == {5, 6}


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
    assert run("transcribe", folder / "a.wav").stdout.startswith("[0:00.0 --> 0:")


def test_transcribe_needs_a_transcriber(folder, tiny_checkpoint, tmp_path):
    mute = shutil.copytree(tiny_checkpoint, tmp_path / "mute", ignore=shutil.ignore_patterns("transcriber"))
    assert "cannot transcribe: it has no folder" in run("transcribe", folder, "--model", mute, code=2).stderr


def test_usage_errors(folder, tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    run("embed", folder, code=2)  # no --out
    assert "does not exist" in run("embed", folder, "--out", tmp_path / "no/x.parquet", code=2).stderr
    assert "holds no audio files" in run("transcribe", tmp_path / "empty", code=2).stderr
    assert "is not a folder" in run("search", folder / "a.wav", "--in", folder / "a.wav", code=2).stderr
    assert "but QUERY is words" in run("search", "b", "--words", "--end", 1, "--in", folder, code=2).stderr
    assert "or words by --words" in run("search", "rain on a roof", "--in", folder, code=2).stderr
    assert "either an index by --index, or a folder" in run("search", folder / "a.wav", code=2).stderr
    assert "there is no index at" in run("search", folder / "a.wav", "--index", tmp_path, code=2).stderr
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
