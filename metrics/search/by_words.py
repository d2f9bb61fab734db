"""Words ask for a clip: what is shipped, against each half of it alone and against Whisper-base.

The clips are indexed as `uniwhisper index` does it, without titles, so that one is found by what the model says of it.
Whisper-base has no vectors of words: its arm is full-text search in its transcripts.
"""

import tempfile
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import lancedb
import numpy as np
from lancedb.index import FTS
from rich.progress import track

from metrics.open_audio.transcripts import open_whisper, transcribe
from modeling_uniwhisper.checkpoints import cache_home, find_checkpoint
from modeling_uniwhisper.search_index import CANDIDATES, SearchIndex, cached_index
from modeling_uniwhisper.window_reader import WindowReader

from .collection import SOURCES, Clip, Query, load_clips, queries
from .scores import TOP, Scores, score, side_by_side

Ranking = Callable[[str], Iterable[str]]
"""From words to paths, best first."""


def measure(limit: int) -> dict[str, object]:
    """Scores of all rankings, on at most `limit` clips for each kind of words."""
    clips = load_clips(limit)
    asked, index = list(queries(clips)), index_clips(clips, WindowReader(find_checkpoint()))
    with tempfile.TemporaryDirectory() as scratch:
        whispered = partial(full_text, transcripts(clips, Path(scratch)))
        arms = rankings(index) | {"full text of Whisper-base's transcripts": whispered}
        found = side_by_side({arm: by_kind(rank, asked) for arm, rank in arms.items()})
    return {"clips": len(clips), "windows": len(index), **found}


def index_clips(clips: Sequence[Clip], reader: WindowReader) -> SearchIndex:
    """An index of just `clips`; it stays in the cache, so that none is described twice."""
    folder = cache_home() / "search_quality"
    folder.mkdir(parents=True, exist_ok=True)
    files = {folder / clip.file: clip.row["audio"]["bytes"] for clip in clips}
    for path in set(folder.iterdir()) - set(files):
        path.unlink()
    for path in set(files) - set(folder.iterdir()):
        path.write_bytes(files[path])
    index = cached_index(folder, reader)
    untitled = dict.fromkeys(map(str, sorted(files)), "")
    updated = index.update(untitled, progress=lambda todo, total: track(todo, "Describing", total))
    for failed, why in updated.failed.items():
        raise ValueError(f"{failed}: {why}")
    return index


def rankings(index: SearchIndex) -> dict[str, Ranking]:
    """The ranking that is shipped, the two that it fuses, and any order."""
    rng, paths = np.random.default_rng(0), sorted(set(index.table.to_arrow()["path"].to_pylist()))

    return {
        "fused": lambda words: [hit.path for hit in index.by_words(words, TOP, per_recording=1)],
        "full text": lambda words: [hit.path for hit in index.by_text(words)],
        "meaning": lambda words: [hit.path for hit in index.by_meaning(words)],
        "chance": lambda words: rng.permutation(paths),
    }


def full_text(table: lancedb.Table, words: str) -> list[str]:
    """Paths of the rows whose text matches, best first."""
    found = table.search(words, query_type="fts", fts_columns="text").limit(CANDIDATES).to_arrow()
    return found["path"].to_pylist()


def transcripts(clips: Sequence[Clip], scratch: Path) -> lancedb.Table:
    """Whisper-base's greedy transcript of each clip, told that it is English, with a full-text index."""
    whisper = open_whisper()
    by_name = sorted(clips, key=lambda clip: clip.file)
    rows = [{"path": clip.file, "text": transcribe(whisper, clip.row, "en")} for clip in track(by_name, "Transcribing")]
    table = lancedb.connect(scratch).create_table("transcripts", rows)
    table.create_index("text", config=FTS())
    return table


def by_kind(rank: Ranking, asked: Sequence[Query]) -> dict[str, Scores]:
    """Scores of a ranking by kind of words, and of all queries."""
    kinds = {kind: [query for query in asked if query.kind == kind] for kind in SOURCES} | {"all": asked}
    found = {query: in_order(rank(query.words), query.right) for query in asked}
    return {
        kind: score([found[one] for one in some], [one.group for one in some], kind, ("recall_at_10", "mrr"))
        for kind, some in kinds.items()
    }


def in_order(paths: Iterable[str], right: frozenset[str]) -> np.ndarray:
    """Of each file, as first ranked, whether it is right `(files,)`; one that is not, if none is ranked."""
    return np.array([file in right for file in dict.fromkeys(Path(path).name for path in paths)] or [False])
