"""The Parquet file that `uniwhisper embed` writes and goes on with."""

import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .audio_io import file_version
from .embedder import Embedded

SCHEMA = pa.schema(
    {
        "path": pa.string(),
        "kind": pa.string(),  # window or file
        "start": pa.float64(),  # seconds
        "end": pa.float64(),
        "duration": pa.float64(),  # of the file
        "embedding": pa.list_(pa.float32()),
        "size": pa.int64(),  # of the file when it was read: with mtime_ns it tells whether to read it again
        "mtime_ns": pa.int64(),
    }
)
METADATA_KEY = b"uniwhisper"


class TableError(ValueError):
    """A file that cannot be gone on with; the message is one sentence."""


class EmbeddingTable:
    """Rows of a Parquet file: one a window of each recording, and one for all of the recording.

    `made_by` (model, sha256, layer, dtype, normalized) is kept as JSON in the file's metadata under
    `uniwhisper`; rows that differ in anything but the model's name never get into the same file.
    """

    def __init__(self, path: Path, made_by: dict, rows: pa.Table):
        self.path = path
        self.made_by = made_by
        self.tables = [rows]
        self.changed = False
        sizes = zip(*(rows[name].to_pylist() for name in ("path", "size", "mtime_ns")))
        self.versions = {path: (size, mtime) for path, size, mtime in sizes}

    @classmethod
    def open(cls, path: Path, made_by: dict) -> "EmbeddingTable":
        """The table at `path`, empty where there is no file. Raises [`TableError`]."""
        if not path.exists():
            return cls(path, made_by, SCHEMA.empty_table())
        try:
            rows = pq.read_table(path)
            before = json.loads(rows.schema.metadata[METADATA_KEY])
        except (pa.ArrowInvalid, OSError, KeyError, TypeError, ValueError):
            raise TableError(f"{path} exists and was not written by `uniwhisper embed`") from None
        different = [key for key in made_by if key != "model" and before.get(key) != made_by[key]]
        if different:
            raise TableError(f"{path} was made with another {' and '.join(different)}: name another file by --out")
        return cls(path, made_by, rows.cast(SCHEMA))

    def holds(self, path: Path) -> bool:
        """Whether the file as it is now has its rows here."""
        return self.versions.get(str(path)) == file_version(path)

    def add(self, path: Path, version: tuple[int, int], embedded: Embedded) -> None:
        """Adds a recording's rows, in place of those that an older version of the file has."""
        name, duration = str(path), float(embedded.ends[-1])
        if name in self.versions:
            self.tables = [table.filter(pc.field("path") != name) for table in self.tables]
        count = len(embedded.starts) + 1
        vectors = np.concatenate([embedded.windows, embedded.recording[None]]).astype(np.float32)
        offsets = np.arange(count + 1, dtype=np.int32) * vectors.shape[1]
        columns = {
            "path": [name] * count,
            "kind": ["window"] * (count - 1) + ["file"],
            "start": [*embedded.starts, 0.0],
            "end": [*embedded.ends, duration],
            "duration": [duration] * count,
            "embedding": pa.ListArray.from_arrays(offsets, vectors.ravel()),
            "size": [version[0]] * count,
            "mtime_ns": [version[1]] * count,
        }
        self.tables.append(pa.table(columns, schema=SCHEMA))
        self.versions[name] = version
        self.changed = True

    def save(self) -> None:
        """Writes the file anew, whole or not at all, if anything was added."""
        if not self.changed:
            return
        rows = pa.concat_tables(self.tables).replace_schema_metadata({METADATA_KEY: json.dumps(self.made_by)})
        partial = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        try:
            pq.write_table(rows, partial)
            partial.replace(self.path)
        finally:
            partial.unlink(missing_ok=True)
        self.changed = False
