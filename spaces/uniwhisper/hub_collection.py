"""A data set of the Hub as a folder of recordings in the cache, for a collection."""

import json
from hashlib import sha256
from pathlib import Path

from transformers.utils import logging

from modeling_uniwhisper.audio_io import AUDIO_SUFFIXES
from modeling_uniwhisper.checkpoints import cache_home
from modeling_uniwhisper.search_index import SearchIndexError, title_of

PREFIX = "hf:"
MAX_RECORDINGS = 1_000
MAX_BYTES = 2_000_000_000  # of all recordings

logger = logging.get_logger(__name__)


def fetched(name: str) -> Path:
    """The folder that holds the recordings of a data set, fetched now if they are not there, and `metadata.json`.

    Args:
        name: `hf:ORG/NAME[:CONFIG[:SPLIT]]`; its first split if none is named. Audio is kept as it is, not decoded.

    Of a larger one the first `MAX_RECORDINGS` are taken, or as many as are in `MAX_BYTES`, which is logged, as the
    licence is. Raises `SearchIndexError` for a data set that cannot be read, or has no audio.
    """
    folder = cache_home() / "collections" / sha256(name.encode()).hexdigest()[:32]
    if not (listed := folder / "metadata.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        listed.write_text(json.dumps(_fetch(name, folder)))  # last, so that what was interrupted is fetched again
    return folder


def _fetch(name: str, folder: Path) -> list[dict[str, str]]:
    try:
        import datasets
        import fsspec
    except ImportError:
        raise SearchIndexError("a data set of the Hub needs datasets: pip install 'uniwhisper[data]'") from None
    path, config, split, *more = [*name.removeprefix(PREFIX).split(":"), "", ""]
    if more[2:]:
        raise SearchIndexError(f"{name} is not hf:ORG/NAME[:CONFIG[:SPLIT]]")
    size, clips = 0, list[dict[str, str]]()
    try:
        splits = datasets.load_dataset(path, config or None, streaming=True)
        rows = splits[split or next(iter(splits))]
        columns = [column for column, kind in (rows.features or {}).items() if isinstance(kind, datasets.Audio)]
        if not columns:
            raise SearchIndexError(f"the data set {name} has no column of audio")
        logger.warning("%s: licence %s", name, rows.info.license or "not stated")
        rows = rows.select_columns(columns[0]).cast_column(columns[0], datasets.Audio(decode=False))
        for row in logging.tqdm(rows, desc="fetching"):
            source = row[columns[0]]
            heard = source["bytes"]
            if heard is None:
                with fsspec.open(source["path"]) as file:
                    heard = file.read()
            size += len(heard)
            if size > MAX_BYTES or len(clips) == MAX_RECORDINGS:
                logger.warning("%s is larger: its first %d recordings are taken", name, len(clips))
                break
            called = Path(source["path"] or f"{len(clips) + 1}")
            suffix = called.suffix if called.suffix.lower() in AUDIO_SUFFIXES else ".wav"  # its bytes say what it is
            file = f"{len(clips):06}{suffix}"
            (folder / file).write_bytes(heard)
            clips.append({"file": file, "title": title_of(called)})
    except SearchIndexError:
        raise
    except (OSError, ValueError, LookupError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise SearchIndexError(f"the data set {name} cannot be read: {reason}") from None
    if not clips:
        raise SearchIndexError(f"the data set {name} holds no recordings")
    return clips
