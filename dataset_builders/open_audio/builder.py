"""`load_dataset("open_audio", CONFIG)`: the built Parquet as a dataset of `datasets`."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import datasets
import pyarrow as pa
from pyarrow import parquet

from .configs import CONFIGS
from .splits import SPLITS

FEATURES = datasets.Features(
    {
        "audio": datasets.Audio(sampling_rate=16_000, decode=False),
        "task": datasets.Value("string"),
        "domain": datasets.Value("string"),
        "instruction": datasets.Value("string"),
        "answer": datasets.Value("string"),
        "choices": datasets.List(datasets.Value("string")),
        "label": datasets.Value("string"),
        "source": datasets.Value("string"),
        "license": datasets.Value("string"),
        "group": datasets.Value("string"),
        "start": datasets.Value("float32"),
        "end": datasets.Value("float32"),
        "duration": datasets.Value("float32"),
        "language": datasets.Value("string"),
    }
)
"""One schema for every task; `audio` stays `{"bytes", "path"}` (FLAC, 16 kHz, mono) until it is
cast to `Audio()`, so that neither building nor reading needs torchcodec."""

MANIFEST = "manifest.json"
VERSION = datasets.Version("2.0.0")
"""Raised whenever a build would come out otherwise: older builds are made again."""


class NotBuiltError(ValueError):
    """A config whose Parquet has not been built on this machine."""


def cache_home() -> Path:
    """Return `uniwhisper` in `$XDG_CACHE_HOME`, or in `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "uniwhisper"


def data_folder() -> Path:
    """Return where built data lie: `$UNIWHISPER_DATA`, or `open_audio` in the cache."""
    chosen = os.environ.get("UNIWHISPER_DATA")
    return Path(chosen) if chosen else cache_home() / "open_audio"


def read_manifest(folder: Path, version: datasets.Version = VERSION) -> dict[str, Any] | None:
    """Return what `folder` was built from and holds, or `None` if this `version` did not build it."""
    path = folder / MANIFEST
    manifest = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return manifest if manifest.get("version") == str(version) else None


def fingerprint_files() -> list[Path]:
    """Return the files that decide what a load gives: the manifests of what is built."""
    return sorted(data_folder().glob(f"*/{MANIFEST}"))


class OpenAudio(datasets.ArrowBasedBuilder):
    """The tasks of `CONFIGS`, each read from its folder of Parquet shards."""

    VERSION = VERSION
    FEATURES: ClassVar[datasets.Features] = FEATURES
    BUILDER_CONFIGS: ClassVar[list[datasets.BuilderConfig]] = [
        datasets.BuilderConfig(name=name, version=VERSION, description=config.description)
        for name, config in CONFIGS.items()
    ]

    @staticmethod
    def data_folder() -> Path:
        """Return where the configs lie."""
        return data_folder()

    def _info(self) -> datasets.DatasetInfo:
        return datasets.DatasetInfo(description=self.config.description, features=self.FEATURES)

    def _split_generators(self, dl_manager: datasets.DownloadManager) -> list[datasets.SplitGenerator]:
        folder = self.data_folder() / self.config.name
        manifest = read_manifest(folder, self.VERSION)
        name = f"{self.dataset_name}/{self.config.name}"
        if manifest is None:
            raise NotBuiltError(
                f"{name} is not built in {folder.parent}; build it with "
                f"python -m dataset_builders.{self.dataset_name} build --only {self.config.name}"
            )
        if manifest["missing"]:
            missing = ", ".join(manifest["missing"])
            warnings.warn(f"{name} was built without {missing}", stacklevel=2)
        shards = {split: sorted(map(str, folder.glob(f"{split}-*.parquet"))) for split in SPLITS}
        return [datasets.SplitGenerator(name=split, gen_kwargs={"files": files}) for split, files in shards.items()]

    def _generate_tables(self, files: list[str]) -> Iterator[tuple[tuple[int, int], pa.Table]]:
        for shard, file in enumerate(files):
            for number, batch in enumerate(parquet.ParquetFile(file).iter_batches(100)):
                yield (shard, number), pa.Table.from_batches([batch])
