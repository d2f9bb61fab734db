"""From packages to Parquet: decode, resample, ask, write; a config is there whole or not at all."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet
from rich.progress import track

from ..instructions import cast, row_rng
from .builder import FEATURES, MANIFEST
from .clips import Clip, Piece, Unusable, encode
from .configs import CONFIGS, TaskConfig
from .packages import PackageStore
from .splits import SPLITS

DECODERS = 2
ROWS_A_GROUP = 100
SHARD_BYTES = 200_000_000


class BuildError(ValueError):
    """A config that is unknown or came out without one of its splits."""


@dataclass
class Statistics:
    """What a split holds; `seconds` of audio, rows of each label."""

    clips: int = 0
    seconds: float = 0.0
    groups: set[str] = field(default_factory=set)
    labels: Counter[str] = field(default_factory=Counter)

    def add(self, row: dict[str, Any]) -> None:
        """Count one row."""
        self.clips += 1
        self.seconds += row["duration"]
        self.groups.add(row["group"])
        self.labels[row["label"] or ""] += 1

    def summary(self) -> dict[str, Any]:
        """Return numbers for the manifest, the largest label's share among them."""
        named = {label: count for label, count in sorted(self.labels.items()) if label}
        return {
            "clips": self.clips,
            "minutes": round(self.seconds / 60, 2),
            "groups": len(self.groups),
            "labels": named,
            "majority": round(max(named.values()) / self.clips, 3) if named else None,
        }


def build(name: str, store: PackageStore, out: Path) -> dict[str, Any]:
    """Build config `name` into `out/name` unless it is there already.

    Returns:
        Its manifest: statistics a split, and how many clips were dropped for which reason.

    Raises:
        BuildError: `name` is no config, a split came out empty, or a group is in two splits.
        PackageError: a package is missing or not the pinned one.
    """
    if name not in CONFIGS:
        raise BuildError(f"config {name!r} is not one of {', '.join(CONFIGS)}")
    target = out / name
    if (target / MANIFEST).is_file():
        return json.loads((target / MANIFEST).read_text("utf-8"))
    partial = out / f".{name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    manifest = _write(name, CONFIGS[name], store, partial)
    (partial / MANIFEST).write_text(json.dumps(manifest, indent=1, ensure_ascii=False), "utf-8")
    partial.rename(target)
    return manifest


def _write(name: str, config: TaskConfig, store: PackageStore, folder: Path) -> dict[str, Any]:
    clips = list(config.clips(store))
    random.Random(name).shuffle(clips)
    statistics = {split: Statistics() for split in SPLITS}
    writers = {split: _ShardWriter(folder, split) for split in SPLITS}
    dropped: Counter[str] = Counter()
    heard: set[bytes] = set()
    with ThreadPoolExecutor(DECODERS) as pool:
        encoded = zip(clips, pool.map(lambda clip: list(encode(clip)), clips), strict=True)
        for clip, pieces in track(encoded, description=name, total=len(clips)):
            of_split = statistics[clip.split]
            for number, piece in enumerate(pieces):
                if isinstance(piece, Unusable):
                    dropped[str(piece)] += 1
                    continue
                digest = hashlib.sha256(piece.data).digest()
                if digest in heard:
                    dropped["duplicate"] += 1
                elif of_split.labels[clip.answer] >= config.cap.get(clip.split, len(clips)):
                    dropped["over the cap of its label"] += 1
                else:
                    heard.add(digest)
                    row = _row(name, config, clip, number, piece)
                    of_split.add(row)
                    writers[clip.split].write(row)
    for writer in writers.values():
        writer.close()
    _check(name, statistics)
    return {
        "config": name,
        "splits": {split: statistics[split].summary() for split in SPLITS},
        "dropped": dict(dropped.most_common()),
    }


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
        if not of_split.clips:
            raise BuildError(f"{name} came out without any {split} clip")
    for one, other in combinations(SPLITS, 2):
        shared = statistics[one].groups & statistics[other].groups
        if shared:
            raise BuildError(f"{name}: group {min(shared)!r} is in both {one} and {other}")


class _ShardWriter:
    """Writes rows of a split to `split-00000.parquet` and on, in small row groups."""

    def __init__(self, folder: Path, split: str) -> None:
        self._folder, self._split = folder, split
        self._rows: list[dict[str, Any]] = []
        self._writer: parquet.ParquetWriter | None = None
        self._shards = self._bytes = 0

    def write(self, row: dict[str, Any]) -> None:
        self._rows.append(row)
        self._bytes += len(row["audio"]["bytes"])
        if len(self._rows) == ROWS_A_GROUP:
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
            self._writer = parquet.ParquetWriter(path, FEATURES.arrow_schema)
            self._shards += 1
        self._writer.write_table(pa.Table.from_pylist(self._rows, schema=FEATURES.arrow_schema))
        self._rows = []
