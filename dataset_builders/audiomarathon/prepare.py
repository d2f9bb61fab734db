"""What stock `datasets` loads without this package: Parquet for the Hub, or its cache on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import datasets
import pyarrow as pa
from datasets.table import embed_table_storage
from pyarrow import parquet
from rich.progress import track

from .builder import ALL, AudioMarathon
from .card import write_card
from .features import FEATURES
from .sources import COLUMNS, load_anew
from .tasks import TASKS, MarathonTask, find_task

SHARDS = 50
"""Files of a split, where it has as many items: whoever streams reads ahead, but never beyond a fiftieth of it."""


def prepare_parquet(tasks: Sequence[MarathonTask], folder: Path | None, out: Path) -> Path:
    """Write `tasks` of the release, the folder of items or (`None`) the mini, and a card, and return the card.

    A row group is one item, with the bytes of its audio. A file that holds its items already is left as it is.

    Raises:
        PublishedError, ItemsError: `folder` lacks something; the message names it.
    """
    for task in tasks:
        splits = load_anew(task.name, folder)
        kinds = {split: rows for split, rows in splits.items() if split != "full"}
        if "full" in splits:
            kinds["left_out"] = splits["full"].filter(lambda reason: reason is not None, input_columns="left_out")
        written = [path for kind, rows in kinds.items() for path in _write_shards(rows, out / task.name, kind)]
        for stale in {*(out / task.name).glob("*.parquet")} - {*written}:
            stale.unlink()
    return write_card(out)


def _write_shards(rows: datasets.Dataset, folder: Path, kind: str) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    count = max(1, min(SHARDS, len(rows)))
    paths = [folder / f"{kind}-{number:05}-of-{count:05}.parquet" for number in range(count)]
    for number, path in track(list(enumerate(paths)), f"{folder.name}, {kind}"):
        shard = rows.shard(count, number, contiguous=True)
        if not (path.is_file() and _told(path).equals(_told(shard))):
            _write(shard, path)
    return paths


def _told(held: Path | datasets.Dataset) -> pa.Table:
    """Return all but the audio."""
    if isinstance(held, Path):
        return parquet.read_table(held, columns=list(COLUMNS)).replace_schema_metadata()
    return held.select_columns(list(COLUMNS)).with_format("arrow")[:].replace_schema_metadata()


def _write(shard: datasets.Dataset, path: Path) -> None:
    partial = path.with_name(f".{path.name}.partial")
    schema = FEATURES.arrow_schema
    # Sound is compressed already, and a row group of one row has nothing to share.
    with parquet.ParquetWriter(
        partial, schema, compression="none", use_dictionary=False, write_page_index=True
    ) as writer:
        for table in shard.with_format("arrow").iter(batch_size=1):
            writer.write_table(embed_table_storage(table.select(schema.names).cast(schema)))
    partial.rename(path)


def fill_cache(tasks: Sequence[MarathonTask], folder: Path | None) -> list[str]:
    """Read `tasks`, under each of their names, into the cache of `datasets`, and return the names.

    Rows go on referring to the sound files where they lie.

    Raises:
        PublishedError, ItemsError: `folder` lacks something; the message names it.
    """
    names = [config.name for config in AudioMarathon.BUILDER_CONFIGS]
    names = [name for name in names if {*tasks} >= ({*TASKS.values()} if name == ALL else {find_task(name)})]
    for name in track(names, "cache"):
        load_anew(name, folder)
    return names
