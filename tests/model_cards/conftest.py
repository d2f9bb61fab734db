"""A release of a tiny model, published to a Hub on this machine by a run that was killed and one that went on."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import soundfile
from pyarrow import parquet

from dataset_builders.open_audio.builder import FEATURES, VERSION
from dataset_builders.open_audio.splits import SPLITS

from .hub_server import Hub

ROOT = Path(__file__).parents[2]
ORG = "someone"
UPLOADS_BEFORE_KILL = 3
SECONDS = 280
OF_EVERY_PROCESS = {
    "HF_HUB_DISABLE_XET": "1",
    "HF_TOKEN": "anything",
    "NO_PROXY": "127.0.0.1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "OMP_NUM_THREADS": "1",
}


@dataclass(frozen=True)
class Release:
    """What was published.

    Args:
        hub: where.
        start: starts a new process that knows the Hub.
        sent_before: large files that had arrived when the first run was killed.
        printed: by the second run.
    """

    hub: Hub
    start: Callable[..., subprocess.Popen]
    sent_before: list[str]
    printed: str = ""

    def run(self, *command: str, cwd: Path) -> str:
        """What a new process prints that knows the Hub and nothing else."""
        process = self.start(*command, cwd=cwd)
        printed, errors = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, errors
        return printed


@pytest.fixture(scope="session")
def open_audio(tmp_path_factory) -> Path:
    """Two tasks of open audio as they are built, with a clip in each split."""
    folder, flac = tmp_path_factory.mktemp("open_audio"), io.BytesIO()
    soundfile.write(flac, np.sin(np.arange(8000) / 9), 16_000, format="FLAC")
    for task in ("spoken_topic", "language_id"):
        (folder / task).mkdir()
        for split in SPLITS:
            values = {"audio": {"bytes": flac.getvalue(), "path": "clip-0.flac"}, "choices": ["a plant", "food"]}
            row = dict.fromkeys(FEATURES) | {"task": task, "answer": "food", "instruction": "What is named?"} | values
            table = pa.Table.from_pylist([row], schema=FEATURES.arrow_schema)
            parquet.write_table(table, folder / task / f"{split}-00000.parquet")
        splits = {split: {"languages": {"es": 1}} for split in SPLITS}
        manifest = {"version": str(VERSION), "missing": {}, "splits": splits}
        (folder / task / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture(scope="session")
def sources(tiny_checkpoint, open_audio) -> dict[str, str]:
    """The variables that say what is published."""
    return {"UNIWHISPER_MODEL": str(tiny_checkpoint), "UNIWHISPER_DATA": str(open_audio)}


@pytest.fixture(scope="session")
def release(tmp_path_factory, sources) -> Release:
    cache = tmp_path_factory.mktemp("publisher")
    with Hub(tmp_path_factory.mktemp("hub")) as hub:

        def start(*command: str, cwd: Path) -> subprocess.Popen:
            kept = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
            folders = {"HF_HOME": str(tmp_path_factory.mktemp("home")), "XDG_CACHE_HOME": str(cache)}
            return subprocess.Popen(
                [sys.executable, *command],
                cwd=cwd,
                env={**kept, **sources, **folders, **OF_EVERY_PROCESS, "HF_ENDPOINT": hub.url},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )

        publish = "-m", "model_cards.publish", "--target", ORG
        hub.uploads_before_stall = UPLOADS_BEFORE_KILL
        killed = start(*publish, cwd=ROOT)
        stalled = hub.stalled.wait(SECONDS)
        killed.kill()
        assert stalled, killed.communicate()[1]
        killed.wait()
        hub.uploads_before_stall = None
        sent = sorted(path.name for path in hub.folder.iterdir() if path.name in hub.uploads())
        release = Release(hub, start, sent)
        yield replace(release, printed=release.run(*publish, cwd=ROOT))
