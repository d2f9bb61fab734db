"""Reading many recordings for a search index on a Ray cluster: one model a worker, one file at a time."""

import logging
import os
import socket
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa

from .search_index import SearchIndexError
from .window_reader import FileRows, WindowReader

CONNECT_SECONDS = 10.0
MOST_BLOCKS = 10_000  # a block is one file up to here; a stopped run loses the blocks at work


class RayWorker:
    """A reader in a process of its own; rows travel as an Arrow stream, empty where a file failed."""

    def __init__(self, checkpoint: Path, dtype: str, words: bool):
        self.reader = WindowReader(checkpoint, dtype, words)

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, list]:
        files = list(self.reader.read_all(dict(zip(batch["path"].tolist(), batch["title"].tolist()))))
        return {
            "path": [file.path for file in files],
            "rows": [b"" if file.rows is None else _to_bytes(file.rows) for file in files],
            "error": [file.error or "" for file in files],
        }


def reading_on_ray(
    address: str, reader: WindowReader, workers: int | None = None
) -> Callable[[Mapping[str, str]], Iterator[FileRows]]:
    """What [`SearchIndex.update`] takes as `read_all`, at work on a Ray cluster.

    Args:
        address: of the cluster, HOST:PORT or ray://HOST:PORT; "auto" for one on this machine, "local" to start one.
        reader: each worker opens the same; the checkpoint and the recordings have the same paths on every machine.
        workers: as many as the cluster has GPUs, or CPUs where it has none, if not given.

    Raises [`SearchIndexError`] where Ray is not installed or no cluster answers.
    """
    try:
        import ray
    except ImportError:
        raise SearchIndexError("indexing on a cluster needs Ray: pip install 'uniwhisper[ray]'") from None

    def read_all(titles: Mapping[str, str]) -> Iterator[FileRows]:
        if not titles:
            return
        if address not in ("local", "auto"):
            _find(address)
        try:
            with warnings.catch_warnings():  # LanceDB's of a fork, which only starts other programs here
                warnings.simplefilter("ignore", RuntimeWarning)
                cpus = workers if address == "local" else None
                ray.init(address, num_cpus=cpus, log_to_driver=False, logging_level=logging.WARNING)
        except (ConnectionError, ValueError) as error:
            raise SearchIndexError(f"no Ray cluster answers at {address}: {error}") from None
        ray.data.DataContext.get_current().enable_progress_bars = False  # there is one already
        resources = ray.cluster_resources()
        gpus = int(resources.get("GPU", 0))
        files = [{"path": path, "title": title} for path, title in titles.items()]
        read = ray.data.from_items(files, override_num_blocks=min(len(files), MOST_BLOCKS)).map_batches(
            RayWorker,
            fn_constructor_args=(reader.checkpoint.resolve(), reader.dtype, reader.words),
            batch_size=1,
            num_cpus=1,
            num_gpus=1 if gpus else 0,
            compute=ray.data.ActorPoolStrategy(size=workers or gpus or int(resources["CPU"])),
        )
        try:
            for row in read.iter_rows():
                rows = pa.ipc.open_stream(row["rows"]).read_all() if row["rows"] else None
                yield FileRows(row["path"], rows, row["error"] or None)
        finally:
            ray.shutdown()

    return read_all


def _find(address: str) -> None:
    """Raises [`SearchIndexError`] where nothing listens, and lets Ray try once: it would for a quarter of an hour."""
    try:
        place = urlsplit(f"//{address.removeprefix('ray://')}")
        host, port = place.hostname, place.port
    except ValueError:
        port = None
    if port is None:
        raise SearchIndexError(f"{address} is no address of a Ray cluster: HOST:PORT, ray://HOST:PORT, auto or local")
    try:
        socket.create_connection((host, port), CONNECT_SECONDS).close()
    except OSError as error:
        raise SearchIndexError(f"no Ray cluster answers at {address}: {error.strerror or error}") from None
    os.environ.setdefault("RAY_gcs_server_port_wait_time_s", "1")  # of 40 s, where something else listens


def _to_bytes(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as stream:
        stream.write_table(rows)
    return sink.getvalue().to_pybytes()
