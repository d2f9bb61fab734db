"""From packages to Parquet: decode, resample, ask, write; a config is there whole or not at all."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
from pyarrow import parquet
from rich.progress import track

from ..instructions import cast, row_rng
from .builder import FEATURES, MANIFEST, VERSION, read_manifest
from .clips import Clip, Piece, Unusable, encode
from .configs import CONFIGS, TaskConfig
from .packages import PackageStore
from .splits import SPLITS

COUNTED = ("domain", "group", "label", "source", "license", "language")

CLIPS_AT_ONCE = 64
"""Clips decoded ahead of the writer: encoded ones wait in memory."""

ROWS_A_GROUP, BYTES_A_GROUP = 100, 8_000_000
SHARD_BYTES = 48_000_000
"""Small shards, so that several processes can each read some of them."""


class BuildError(ValueError):
    """A config that is unknown or came out without one of its splits."""


@dataclass(frozen=True)
class Schema:
    """The columns of a dataset, the version of its build, and the row made of a clip's numbered piece."""

    features: datasets.Features
    version: datasets.Version
    row: Callable[..., dict[str, Any]]


@dataclass
class Statistics:
    """What a split holds: how many clips, seconds of each, and clips by group, label, licence..."""

    seconds: list[float] = field(default_factory=list)
    counts: dict[str, Counter[str]] = field(default_factory=lambda: {column: Counter() for column in COUNTED})

    def add(self, row: dict[str, Any]) -> None:
        """Count one row."""
        self.seconds.append(row["duration"])
        for column, counter in self.counts.items():
            counter[row.get(column) or ""] += 1

    def summary(self) -> dict[str, Any]:
        """Return numbers for the manifest, the largest label's share among them."""
        clips = len(self.seconds)
        counts = {column: {k: n for k, n in sorted(c.items()) if k} for column, c in self.counts.items()}
        labels = counts["label"]
        quantiles = list(np.quantile(self.seconds, (0, 0.05, 0.5, 0.95, 1))) if clips else []
        return {
            "clips": clips,
            "minutes": round(sum(self.seconds) / 60, 2),
            "seconds": [round(float(value), 2) for value in quantiles],
            "groups": len(counts["group"]),
            "labels": labels,
            "majority": round(max(labels.values()) / clips, 3) if labels else None,
            "domains": counts["domain"],
            "sources": counts["source"],
            "licenses": counts["license"],
            "languages": counts["language"],
        }


def build(name: str, store: PackageStore, out: Path) -> dict[str, Any]:
    """Build config `name` into `out/name`, unless it is there already and nothing was missing then.

    Returns:
        Its manifest: statistics a split, how many clips were dropped for which reason, which
        packages were missing and why, sha256 of each shard.

    Raises:
        BuildError: `name` is no config, a split came out empty, or a group is in two splits.
        PackageError: a package that the task cannot do without is missing or not the pinned one.
    """
    return build_config(name, CONFIGS, Schema(FEATURES, VERSION, _row), store, out)


def build_config(
    name: str, configs: Mapping[str, TaskConfig], schema: Schema, store: PackageStore, out: Path
) -> dict[str, Any]:
    """Do what `build` does, for any dataset."""
    if name not in configs:
        raise BuildError(f"config {name!r} is not one of {', '.join(configs)}")
    store, target = PackageStore(store.debs, store.only), out / name
    built = read_manifest(target, schema.version)
    if built and not any(True for _ in store.folders(built["missing"])):
        return built
    partial = out / f".{name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    manifest = _write(name, configs[name], schema, store, partial)
    (partial / MANIFEST).write_text(json.dumps(manifest, indent=1, ensure_ascii=False), "utf-8")
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)
    return manifest


def _write(name: str, config: TaskConfig, schema: Schema, store: PackageStore, folder: Path) -> dict[str, Any]:
    clips = list(config.clips(store))
    random.Random(name).shuffle(clips)
    statistics = {split: Statistics() for split in SPLITS}
    writers = {split: _ShardWriter(folder, split, schema.features.arrow_schema) for split in SPLITS}
    dropped: Counter[str] = Counter()
    heard: set[bytes] = set()
    for clip, pieces in track(_encoded(clips), description=name, total=len(clips)):
        of_split = statistics[clip.split]
        for number, piece in enumerate(pieces):
            if isinstance(piece, Unusable):
                dropped[str(piece)] += 1
                continue
            digest = hashlib.sha256(piece.data).digest()
            if digest in heard:
                dropped["duplicate"] += 1
            elif of_split.counts["label"][clip.answer] >= config.cap.get(clip.split, len(clips)):
                dropped["over the cap of its label"] += 1
            else:
                heard.add(digest)
                row = schema.row(name, config, clip, number, piece)
                of_split.add(row)
                writers[clip.split].write(row)
    for writer in writers.values():
        writer.close()
    _check(name, statistics)
    return {
        "config": name,
        "version": str(schema.version),
        "splits": {split: statistics[split].summary() for split in SPLITS},
        "dropped": dict(dropped.most_common()),
        "missing": store.missing,
        "files": {path.name: _sha256(path) for path in sorted(folder.glob("*.parquet"))},
    }


def _encoded(clips: list[Clip]) -> Iterator[tuple[Clip, list[Piece | Unusable]]]:
    with ThreadPoolExecutor() as pool:
        for first in range(0, len(clips), CLIPS_AT_ONCE):
            some = clips[first : first + CLIPS_AT_ONCE]
            yield from zip(some, pool.map(lambda clip: list(encode(clip)), some), strict=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _row(name: str, config: TaskConfig, clip: Clip, number: int, piece: Piece) -> dict[str, Any]:
    path = f"{clip.name}-{number}.flac"
    rng = row_rng(name, f"{clip.source}/{path}")
    canonical = clip.split != "train"
    instruction, answer, choices = cast(name, clip.answer, config.labels, rng, canonical)
    return {
        "audio": {"bytes": piece.data, "path": path},
        "task": name,
        "domain": clip.domain,
        "instruction": instruction,
        "answer": answer,
        "choices": choices,
        "label": clip.answer if config.labels else None,
        "source": clip.source,
        "license": clip.license,
        "group": clip.group,
        "start": piece.start,
        "end": piece.end,
        "duration": piece.duration,
        "language": clip.language,
    }


def _check(name: str, statistics: dict[str, Statistics]) -> None:
    for split, of_split in statistics.items():
        if not of_split.seconds:
            raise BuildError(f"{name} came out without any {split} clip")
    for one, other in combinations(SPLITS, 2):
        shared = statistics[one].counts["group"].keys() & statistics[other].counts["group"].keys()
        if shared:
            raise BuildError(f"{name}: group {min(shared)!r} is in both {one} and {other}")


class _ShardWriter:
    """Writes rows of a split to `split-00000.parquet` and on, in small row groups."""

    def __init__(self, folder: Path, split: str, schema: pa.Schema) -> None:
        self._folder, self._split, self._schema = folder, split, schema
        self._rows: list[dict[str, Any]] = []
        self._writer: parquet.ParquetWriter | None = None
        self._shards = self._bytes = self._waiting = 0

    def write(self, row: dict[str, Any]) -> None:
        self._rows.append(row)
        size = len(row["audio"]["bytes"])
        self._bytes, self._waiting = self._bytes + size, self._waiting + size
        if len(self._rows) == ROWS_A_GROUP or self._waiting >= BYTES_A_GROUP:
            self._flush()
        if self._bytes >= SHARD_BYTES:
            self.close()

    def close(self) -> None:
        self._flush()
        if self._writer is not None:
            self._writer.close()
        self._writer, self._bytes = None, 0

    def _flush(self) -> None:
        if not self._rows:
            return
        if self._writer is None:
            path = self._folder / f"{self._split}-{self._shards:05d}.parquet"
            self._writer = parquet.ParquetWriter(path, self._schema)
            self._shards += 1
        self._writer.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
        self._rows, self._waiting = [], 0
