"""The command line, from a made release or the shipped mini to what stock `datasets` loads in another process."""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pytest
import soundfile
from huggingface_hub import DatasetCard
from pyarrow import parquet
from typer.testing import CliRunner

import dataset_builders  # noqa: F401
from dataset_builders.audiomarathon.__main__ import app
from dataset_builders.audiomarathon.builder import MINI
from dataset_builders.audiomarathon.items import Item, read_items, write_items
from dataset_builders.audiomarathon.publish import list_files
from dataset_builders.audiomarathon.tasks import TASKS
from dataset_builders.audiomarathon.verify import check

from . import marathon_snapshot as made
from .test_audiomarathon import ROWS
from .test_marathon_rebuild import gtzan

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
REPOSITORY = Path(__file__).parents[2]
TOLD = ["id", "answer", "letter", "choices", "instruction", "duration", "left_out"]


def run(*words: str | Path, code: int = 0) -> str:
    """Return what a command prints."""
    done = CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "200"})
    assert done.exit_code == code, (done.output, done.exception)
    return done.output


def stock(code: str, cwd: Path, **environment: str) -> str:
    """Return what `code` prints in a new process, which can only import what is installed."""
    kept = {name: os.environ[name] for name in ("PATH", "OMP_NUM_THREADS") if name in os.environ}
    code = f"import datasets\n{textwrap.dedent(code)}\nimport sys; assert 'dataset_builders' not in sys.modules"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        env=kept | {"HOME": str(cwd), "HF_DATASETS_CACHE": str(cwd / "stock")} | environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    """A cache of `datasets` for this module."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setattr("datasets.config.HF_DATASETS_CACHE", folder)
        patch.delenv("AUDIOMARATHON", raising=False)
        yield folder


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory):
    return made.write_snapshot(tmp_path_factory.mktemp("release"))


@pytest.fixture(scope="module")
def prepared(snapshot, tmp_path_factory):
    """The made release as Parquet."""
    out = tmp_path_factory.mktemp("prepared")
    run("prepare", "--data-dir", snapshot, "--out", out)
    return out


def write_folder(folder: Path, tasks: list[str], count: int, seconds: float) -> None:
    """Write a folder with `count` items of each task, which share their audio."""
    (folder / "audio").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(count):
        soundfile.write(folder / f"audio/{number:02}.flac", rng.uniform(-1, 1, int(16_000 * seconds)), 16_000)
    for task in map(TASKS.__getitem__, tasks):
        choices = () if task.answer == "transcript" else (task.labels or ("one", "two", "three"))[:5]
        items = [
            Item(
                id=f"{task.abbreviation}/{number:02}",
                audio=f"audio/{number:02}.flac",
                answer=choices[number % len(choices)] if choices else f"WORD {number}",
                choices=choices,
                duration=seconds,
                source="noise",
                license="CC0",
                group=str(number),
                start=seconds / 4,
                end=seconds / 2,
            )
            for number in range(count)
        ]
        write_items(folder, task, items)


def test_stock_datasets_loads_every_config_of_a_prepared_release(prepared, tmp_path):
    printed = stock(
        f"""
        import json
        found = {{}}
        for name in datasets.get_dataset_config_names("{prepared}"):
            held = datasets.load_dataset("{prepared}", name)
            assert all(row["audio"]["bytes"] for split in held.values() for row in split)
            found[name] = {{split: len(rows) for split, rows in held.items()}}
        print(json.dumps(found))
        """,
        tmp_path,
        HF_HUB_OFFLINE="1",
    )
    found = json.loads(printed)
    assert set(found) == {*TASKS, "all"}
    for task in TASKS.values():
        assert (found[task.name]["test"], found[task.name]["full"]) == ROWS[task.abbreviation]
        assert found[task.name]["mini"] >= 3
    assert found["all"]["full"] == sum(rows for _, rows in ROWS.values())


@pytest.mark.parametrize("name", ["speech_detection", "speech_recognition", "acoustic_scene_classification"])
def test_prepared_rows_are_those_of_the_release(prepared, snapshot, tmp_path, name):
    for split in ("mini", "test", "full"):
        ours = datasets.load_dataset("audiomarathon", name, split=split, data_dir=str(snapshot))
        theirs = datasets.load_dataset(str(prepared), name, split=split, cache_dir=str(tmp_path))
        rows = {row["id"]: row for row in theirs}
        assert theirs.features == ours.features
        assert len(rows) == len(ours)
        for row in ours:
            assert {key: row[key] for key in TOLD} == {key: rows[row["id"]][key] for key in TOLD}
            assert rows[row["id"]]["audio"]["bytes"] == Path(row["audio"]["path"]).read_bytes()


def test_a_row_group_is_an_item_and_pages_are_indexed(prepared):
    for file in prepared.glob("*/*.parquet"):
        metadata = parquet.ParquetFile(file).metadata
        groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
        assert {group.num_rows for group in groups} <= {1}
        assert all(group.column(0).has_offset_index for group in groups)


def test_what_is_prepared_is_left_and_what_changed_is_made_again(tmp_path):
    folder, out = tmp_path / "items", tmp_path / "out"
    write_folder(folder, ["speech_detection"], 4, 0.2)
    task = TASKS["speech_detection"]

    def prepare() -> dict[str, int]:
        run("prepare", "--data-dir", folder, "--out", out)
        return {path.name: path.stat().st_mtime_ns for path in (out / task.name).glob("test-*")}

    first = prepare()
    (out / task.name / "test-00001-of-00004.parquet").unlink()
    second = prepare()
    assert {name for name in first if first[name] != second[name]} == {"test-00001-of-00004.parquet"}
    write_items(folder, task, read_items(folder, task)[:3])
    assert set(prepare()) == {f"test-0000{number}-of-00003.parquet" for number in range(3)}


def test_the_cache_serves_stock_datasets_under_each_name(tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "filled")
    folder = tmp_path / "items"
    write_folder(folder, ["music_classification"], 3, 0.2)
    assert "NAME is music_classification, MC, mc, needle\n" in run("prepare", "--tasks", "needle", "--tasks", "MC")
    assert f'data_dir="{folder}")' in run("prepare", "--tasks", "MC", "--data-dir", folder)
    printed = stock(
        f"""
        for name in ("music_classification", "MC", "mc"):
            print(len(datasets.load_dataset("audiomarathon", name, split="mini")))
        row = datasets.load_dataset("audiomarathon", "MC", split="test", data_dir="{folder}")[0]
        print(row["audio"]["path"], row["answer"])
        """,
        tmp_path,
        HF_DATASETS_CACHE=str(tmp_path / "filled"),
        HF_DATASETS_OFFLINE="1",
    )
    count = len(read_items(MINI, TASKS["music_classification"]))
    assert printed.splitlines() == [*[str(count)] * 3, f"{folder}/audio/00.flac blues"]


class Ranges(SimpleHTTPRequestHandler):
    """Serves ranges of files, and counts their bytes. Of a file that is asked for whole it sends the head alone."""

    sent = 0

    def do_GET(self):
        path = Path(self.translate_path(self.path))
        size = path.stat().st_size
        wanted = self.headers.get("Range", "").removeprefix("bytes=").split("-")
        data = path.read_bytes()[int(wanted[0]) : int(wanted[1] or size) + 1] if len(wanted) == 2 else b""
        self.send_response(206 if data else 200)
        if data:
            self.send_header("Content-Range", f"bytes {wanted[0]}-{int(wanted[0]) + len(data) - 1}/{size}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(data) or size))
        self.end_headers()
        Ranges.sent += len(data)
        self.wfile.write(data)

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


@contextmanager
def serving(handler: Callable[..., BaseHTTPRequestHandler]) -> Iterator[str]:
    """The address of a server on this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_first_item_streams_from_less_than_a_twentieth_of_a_task(tmp_path):
    write_folder(tmp_path / "items", ["sound_event_detection"], 60, 2.0)
    run("prepare", "--data-dir", tmp_path / "items", "--out", tmp_path / "out")
    files = sorted((tmp_path / "out/sound_event_detection").glob("test-*"))
    with serving(partial(Ranges, directory=str(files[0].parent))) as address:
        urls = [f"{address}/{file.name}" for file in files]
        printed = stock(
            f"""
            stream = datasets.load_dataset("parquet", data_files={urls}, split="train", streaming=True)
            row = next(iter(stream))
            print(row["id"], row["audio"]["bytes"][:4])
            """,
            tmp_path,
        )
    assert printed == "SED/00 b'fLaC'\n"
    assert 0 < Ranges.sent < 0.05 * sum(file.stat().st_size for file in files)


def test_the_mini_is_whole():
    printed = run("verify", "--tasks", "SD", "--tasks", "SGR")
    for name in ("speech_detection", "speaker_gender_recognition"):
        assert f"mini {len(read_items(MINI, TASKS[name]))}" in printed


def test_numbers_are_held_against_the_card(snapshot, prepared):
    for folder in (snapshot, prepared):
        printed = run("verify", folder, "--tasks", "ER", "--tasks", "SAR", code=1)
        assert "emotion_recognition: 2 of 4 items are runnable, but 178 of 185 on the card" in printed
        assert "speaker_age_recognition: 6 of 6 items are runnable, but 957 of 959 on the card" in printed
        assert '2 "happy" of persons 2' in printed


def test_a_release_as_its_card_says_is_whole(snapshot, monkeypatch):
    task = replace(TASKS["speaker_age_recognition"], items=7, runnable=6)
    monkeypatch.setitem(TASKS, task.name, task)
    assert "1 on the card, but without audio here" in run("verify", snapshot, "--tasks", task.name)


def test_truncated_audio_and_wrong_durations_are_named(tmp_path):
    write_folder(tmp_path, ["speech_detection"], 3, 1.0)
    data = (tmp_path / "audio/01.flac").read_bytes()
    (tmp_path / "audio/01.flac").write_bytes(data[: len(data) // 2])
    soundfile.write(tmp_path / "audio/02.flac", np.full(8000, 0.1), 16_000)
    printed = run("verify", tmp_path, code=1)
    assert f"SD/01: {tmp_path}/audio/01.flac cannot be decoded" in printed
    assert f"SD/02: {tmp_path}/audio/02.flac lasts 0.50 s, but should last 1.00 s" in printed
    assert "SD/00" not in printed


def test_truncated_waves_of_a_release_are_named(tmp_path):
    made.gtzan(tmp_path)
    file = tmp_path / "GTZAN/concatenated_audio/wav/hiphop_1.wav"
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2])
    printed = run("verify", tmp_path, "--tasks", "MC", code=1)
    assert f"{file} is cut off: {len(data) // 2} of {len(data) - 8} bytes are there" in printed


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("speech_detection", {"answer": "neither"}, "the answer 'neither' is none of"),
        ("speech_detection", {"letter": "A"}, "the letter of 'fake' is not 'A'"),
        ("speech_detection", {"choices": ["real", "fake", "?"]}, r"the choices should be \['real', 'fake'\]"),
        ("speech_recognition", {"answer": " "}, "should have a transcript"),
        ("speech_detection", {"audio": {"bytes": None, "path": "gone.wav"}}, "gone.wav cannot be decoded"),
    ],
)
def test_what_is_wrong_with_an_item_is_told(prepared, name, change, message):
    row = next(iter(datasets.load_dataset(str(prepared), name, split="test", streaming=True)))
    assert check(TASKS[name], row) == []
    (problem,) = check(TASKS[name], row | change)
    assert re.match(f"{row['id']}: .*{message}", problem)


def test_an_item_that_is_there_twice_is_named(prepared, tmp_path):
    folder = Path(shutil.copytree(prepared / "emotion_recognition", tmp_path / "emotion_recognition"))
    file = next(folder.glob("mini-*"))
    table = parquet.read_table(file)
    parquet.write_table(pa.concat_tables([table, table]), file)
    assert f"{table['id'][0]} is there 2 times" in run("verify", tmp_path, code=1)


def test_a_folder_that_lacks_a_file_is_named(tmp_path):
    write_folder(tmp_path, ["speech_detection"], 1, 0.2)
    (tmp_path / "audio/00.flac").unlink()
    assert "speech_detection.jsonl, line 1" in run("verify", tmp_path, code=1)
    assert "nowhere is no folder" in run("verify", tmp_path / "nowhere", code=1)


def test_statistics_say_what_the_items_hold(tmp_path):
    write_folder(tmp_path / "items", ["speech_detection", "speech_recognition"], 4, 0.5)
    out, plots = tmp_path / "stats.json", tmp_path / "plots"
    run("stats", tmp_path / "items", "--json", out, "--plots", plots)
    held = json.loads(out.read_text("utf-8"))
    assert held["speech_detection"]["test"] == {
        "items": 4,
        "hours": 0.001,
        "seconds": [0.5] * 5,
        "durations": [0.5] * 4,
        "answers": {"real": 2, "fake": 2},
        "letters": {"A": 2, "B": 2},
        "evidence": [0.375] * 4,
        "left_out": {},
        "sources": [["noise", "CC0"]],
        "languages": [],
    }
    assert held["speech_recognition"]["test"]["answers"] is None
    assert {path.name for path in plots.iterdir()} == {"durations.png", "evidence.png"}


def test_plots_are_of_the_folder_and_not_of_the_mini(tmp_path):
    write_folder(tmp_path / "items", ["speech_recognition"], 1, 0.5)
    run("stats", tmp_path / "items", "--plots", tmp_path / "plots")
    assert (tmp_path / "plots/evidence.png").is_file(), "the mini's transcripts have no evidence"


def test_statistics_of_a_prepared_folder_are_those_of_its_source(snapshot, prepared, tmp_path):
    for name, folder in (("raw", snapshot), ("prepared", prepared)):
        run("stats", folder, "--json", tmp_path / f"{name}.json", "--tasks", "SD", "--tasks", "SCR")
    raw, again = (json.loads((tmp_path / f"{name}.json").read_text("utf-8")) for name in ("raw", "prepared"))
    assert raw == again


def test_the_card_tells_what_lies_beside_it(prepared):
    card = DatasetCard.load(prepared / "README.md")
    assert card.data.license == "cc-by-nc-4.0"
    assert [config["config_name"] for config in card.data.configs] == [*TASKS, "all"]
    assert '| `emotion_recognition` | full | 2 | "happy" of persons 2 and 10 |' in card.text
    assert "| `music_classification` | GTZAN | research only |" in card.text
    assert "6567 items, of which the authors' own filters leave 5774" in card.text
    assert (prepared / "pictures/durations.png").stat().st_size > 5_000
    assert "None" not in card.text


def test_a_folder_of_needles_has_no_config_of_all_ten(tmp_path):
    shutil.copytree(MINI, tmp_path / "items", ignore=shutil.ignore_patterns("s*.jsonl", "[a-m]*.jsonl"))
    run("prepare", "--data-dir", tmp_path / "items", "--out", tmp_path / "out")
    assert [config["config_name"] for config in DatasetCard.load(tmp_path / "out/README.md").data.configs] == ["needle"]


def test_push_lists_what_it_would_upload_and_warns_of_the_licence(prepared, tmp_path):
    printed = run("push", "someone/audiomarathon", "--dir", prepared, "--dry-run")
    assert "CC BY-NC 4.0" in printed
    assert "README.md" in printed
    assert printed.count(".parquet") == len(list(prepared.glob("*/*.parquet")))
    (tmp_path / "pictures").mkdir()
    for name in ("README.md", "pictures/durations.png"):
        shutil.copy(prepared / name, tmp_path / name)
    assert "has no card and Parquet files" in run("push", "someone/audiomarathon", "--dir", tmp_path, code=1)


class Hub(BaseHTTPRequestHandler):
    """The Hub's routes that an upload takes, every file by the regular way."""

    created: dict[str, Any] = {}
    files: dict[str, bytes] = {"speech_detection/test-00000-of-00001.parquet": b"old", "other/notes.parquet": b"kept"}

    def do_GET(self):
        if "/tree/" in self.path:
            self.send_json([{"type": "file", "path": path, "size": 3, "oid": "0" * 40} for path in Hub.files])
        else:
            self.send_json({"id": "someone/marathon", "sha": "0" * 40, "siblings": [], "tags": []})

    def do_POST(self):
        sent = self.rfile.read(int(self.headers["Content-Length"]))
        address = f"http://{self.headers['Host']}/datasets/someone/marathon"
        if self.path.endswith("/repos/create"):
            Hub.created = json.loads(sent)
            told = {"url": address, "name": "someone/marathon"}
        elif "/preupload/" in self.path:
            told = {
                "files": [
                    {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                    for file in json.loads(sent)["files"]
                ]
            }
        elif "/commit/" in self.path:
            lines = [json.loads(line) for line in sent.splitlines()]
            added = [line["value"] for line in lines if line["key"] == "file"]
            Hub.files |= {file["path"]: base64.b64decode(file["content"]) for file in added}
            for line in lines:
                if line["key"] == "deletedFile":
                    del Hub.files[line["value"]["path"]]
            told = {"commitUrl": f"{address}/commit/0", "commitOid": "0" * 40}
        else:
            told = {"errors": [], "warnings": []}
        self.send_json(told)

    def send_json(self, told: Any) -> None:
        data = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


def test_push_uploads_the_folder_privately(prepared, tmp_path):
    (prepared / "notes.txt").write_text("mine", "utf-8")
    with serving(Hub) as address:
        done = subprocess.run(
            [sys.executable, "-m", "dataset_builders.audiomarathon", "push", "someone/marathon", "--dir", prepared],
            env=os.environ
            | {"HF_ENDPOINT": address, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1", "HF_TOKEN": "hf_none"},
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stderr
    assert "pushed: " in done.stdout
    assert Hub.created["visibility"] == "private"
    held = {path.relative_to(prepared).as_posix(): path.read_bytes() for path in list_files(prepared)}
    assert Hub.files == held | {"other/notes.parquet": b"kept"}


def test_a_source_is_rebuilt_from_the_command_line(tmp_path):
    gtzan(tmp_path / "gtzan")
    words = ("rebuild", "MC", "--source", tmp_path / "gtzan", "--out", tmp_path / "out")
    assert "gives no item of music_classification of 225 to 250 s" in run(*words, code=1)
    assert "AudioMarathon has no task 'XY'" in run("rebuild", "XY", *words[2:], code=1)
    assert "needle is made of no source corpus" in run("rebuild", "needle", *words[2:], code=1)
