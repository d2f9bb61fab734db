"""What the ANN index of a large collection misses, and what it saves.

The collection is made of real vectors: each row is one of them, drawn at random, with Gaussian noise of a part of each
dimension's deviation, scaled to length 1. A row has dozens of such near ones, which the index must tell apart.
"""

import tempfile
from itertools import cycle

import numpy as np
import pyarrow as pa

from metrics.efficiency.timing import spread, take_turns
from metrics.probe.neighbours import unit
from modeling_uniwhisper.checkpoints import find_checkpoint
from modeling_uniwhisper.search_index import EXACT_ROWS, SearchIndex
from modeling_uniwhisper.window_reader import FileRows, WindowReader

JITTER = 0.3
QUERIES = 100


def measure(vectors: np.ndarray, exact_rows: int = EXACT_ROWS) -> dict[str, object]:
    """Recall at 10 in a collection of one row too many for exact search, and milliseconds of a query both ways.

    Args:
        vectors: real ones, float32 `(clips, dim)`.
        exact_rows: up to this many rows are searched exactly.
    """
    rng = np.random.default_rng(0)
    reader = WindowReader(find_checkpoint(), words=False)
    rows = as_table(crowd(vectors, exact_rows + 1, rng), reader.schema)
    with tempfile.TemporaryDirectory() as folder:
        index = SearchIndex.create(folder, reader, exact_rows)
        index.update({"crowd": ""}, lambda todo: [FileRows("crowd", rows)])
        exact, queries = SearchIndex.open(folder, reader, len(rows)), cycle(crowd(vectors, QUERIES, rng))
        arms = {"exact": lambda: exact.by_vector(next(queries)), "ann": lambda: index.by_vector(next(queries))}
        milliseconds = {name: spread(1000 * times) for name, times in take_turns(arms, QUERIES).items()}
        return {"rows": len(index), "jitter": JITTER, "recall_at_10": index.recall(), "milliseconds": milliseconds}


def crowd(vectors: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` of `vectors`, drawn with replacement, with noise, of length 1."""
    vectors = unit(vectors)
    noise = rng.standard_normal((count, vectors.shape[1]), dtype=np.float32)
    return unit(vectors[rng.integers(len(vectors), size=count)] + JITTER * vectors.std(0) * noise)


def as_table(vectors: np.ndarray, schema: pa.Schema) -> pa.Table:
    """A window a row, all of one recording."""
    count = len(vectors)
    columns = {
        **dict.fromkeys(("path", "title"), ["crowd"] * count),
        **dict.fromkeys(("size", "mtime_ns"), [0] * count),
        **dict.fromkeys(("start", "end"), np.arange(count, dtype=float)),
        "embedding": pa.FixedSizeListArray.from_arrays(vectors.ravel(), vectors.shape[1]),
    }
    return pa.table(columns, schema=schema)
