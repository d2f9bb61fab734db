"""A search index: one Lance table, a row a window of each recording, at a path or an object store's URI.

Up to `EXACT_ROWS` rows are read into memory once and searched exactly; beyond that Lance's IVF_HNSW_SQ index is
asked, whose recall `SearchIndex.recall` measures. Words are looked for twice, by full text (BM25) and by meaning, and
the two rankings are fused by reciprocal ranks (Cormack et al. 2009).
"""

import json
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .audio_io import file_version
from .checkpoints import cache_home
from .window_reader import FileRows, WindowReader

if TYPE_CHECKING:
    import lancedb

EXACT_ROWS = 100_000
CANDIDATES = 200  # rows that are ranked, and of which hits are chosen
# at LanceDB's defaults a third of the nearest is missed, as `SearchIndex.recall` tells
NPROBES, EF, REFINE_FACTOR = 20, 128, 5
FUSION_RANK = 60  # the constant of reciprocal rank fusion
# of the ANN index: that of words is of raw vectors, so that taking their mean from all changes nothing
METRICS = {"embedding": "dot", "text_embedding": "l2"}
TABLE = "windows"
METADATA_KEY = b"uniwhisper"


class SearchIndexError(ValueError):
    """An index that cannot be used so. The message is one sentence."""


@dataclass(frozen=True)
class Hit:
    """A window that was found.

    Args:
        path: of its recording.
        title: of its recording.
        start: seconds.
        end: seconds.
        score: cosine similarity, or for words from 0 to 1, which is first by text and by meaning.
        embedding: its unit vector `(dim,)`.
        domain: what the model calls it: speech, music, ...; empty in an index without words.
        description: all that the model says of it.
        why: what it matched by.
    """

    path: str
    title: str
    start: float
    end: float
    score: float
    embedding: np.ndarray = field(repr=False, compare=False)
    domain: str = ""
    description: str = ""
    why: str = ""


@dataclass(frozen=True)
class Updated:
    """What [`SearchIndex.update`] did: numbers of files, and those that failed with the sentence why."""

    added: int
    unchanged: int
    dropped: int
    failed: dict[str, str]


class SearchIndex:
    """An opened index; made by [`SearchIndex.open`] or [`SearchIndex.create`].

    Args:
        table: its Lance table.
        reader: the checkpoint that made it.
        exact_rows: up to this many rows are searched exactly.
    """

    def __init__(self, table: "lancedb.Table", reader: WindowReader, exact_rows: int = EXACT_ROWS):
        self.table, self.reader, self.exact_rows = table, reader, exact_rows

    @classmethod
    def open(cls, uri: str | Path, reader: WindowReader, exact_rows: int = EXACT_ROWS) -> "SearchIndex":
        """The index at `uri`. Raises [`SearchIndexError`] where there is none, or one of another reader."""
        before, now = made_by(uri), reader.made_by
        if different := [key for key in now if before.get(key) != now[key]]:
            raise SearchIndexError(f"the index {uri} was made with different {' and '.join(different)}: make a new one")
        return cls(_connect(uri).open_table(TABLE), reader, exact_rows)

    @classmethod
    def create(cls, uri: str | Path, reader: WindowReader, exact_rows: int = EXACT_ROWS) -> "SearchIndex":
        """The index at `uri`, a new one where there is none. Raises [`SearchIndexError`] for one of another reader."""
        if not exists(uri):
            from lancedb.index import FTS

            schema = reader.schema.with_metadata({METADATA_KEY: json.dumps(reader.made_by)})
            table = _connect(uri).create_table(TABLE, schema=schema)
            if reader.words:
                table.create_index("text", config=FTS())
        return cls.open(uri, reader, exact_rows)

    def __len__(self) -> int:
        return self.table.count_rows()

    def update(
        self,
        titles: Mapping[str, str],
        read_all: Callable[[Mapping[str, str]], Iterable[FileRows]] | None = None,
        progress: Callable[[Iterable, int], Iterable] = lambda items, total: items,
    ) -> Updated:
        """Reads files that are new or changed since, and drops those that no longer exist.

        A file's rows are written at once, so an interrupted update goes on where it was. Of a file that two updates
        wrote at the same moment, the rows are there twice: it is read again.

        Args:
            titles: files by path, each with its title.
            read_all: reads them; the reader, one after the other, if not given.
            progress: wraps what is read, of which the number is told too.
        """
        rows = self.table.search().select(["path", "start", "size", "mtime_ns"]).limit(None).to_arrow()
        held = dict(zip(rows["path"].to_pylist(), zip(rows["size"].to_pylist(), rows["mtime_ns"].to_pylist())))
        times = Counter(zip(rows["path"].to_pylist(), rows["start"].to_pylist()))
        held |= {path: None for (path, _), number in times.items() if number > 1}
        gone = [path for path in held if not os.path.exists(path)]
        todo = {path: title for path, title in titles.items() if held.get(path) != file_version(Path(path))}
        failed = {}
        for path in gone:
            self._drop(path)
        for file in progress((read_all or self.reader.read_all)(todo), len(todo)):
            self._drop(file.path)  # what it had, or what another update of the same index has just added
            if file.rows is None:
                failed[file.path] = file.error
            else:
                self.table.add(file.rows)
        if gone or todo:
            self._tidy()
        return Updated(len(todo) - len(failed), len(titles) - len(todo), len(gone), failed)

    def by_audio(
        self, audio: np.ndarray, top: int = 10, per_recording: int | None = None, leave_out: str = ""
    ) -> list[Hit]:
        """The `top` windows nearest to 16 kHz mono `audio` `(samples,)`.

        Args:
            per_recording: at most so many of one recording.
            leave_out: path of a recording that is not searched.
        """
        return self.by_vector(self.reader.embed(audio), top, per_recording, leave_out)

    def by_vector(
        self, vector: np.ndarray, top: int = 10, per_recording: int | None = None, leave_out: str = ""
    ) -> list[Hit]:
        """As [`by_audio`], for a unit vector `(dim,)`, such as a hit's own: "more like this"."""
        hits = _first(self._nearest("embedding", vector, leave_out), top, per_recording)
        return [replace(hit, why=f"sounds alike: cosine {hit.score:.3f}") for hit in hits]

    def by_words(self, words: str, top: int = 10, per_recording: int | None = None) -> list[Hit]:
        """The `top` windows that match words by full text, by meaning, or by both.

        Raises [`SearchIndexError`] for an index without words.
        """
        if not self.reader.words:
            raise SearchIndexError("this index was made without words: search it by audio, or make one with words")
        fused = _fused(self.by_text(words), self.by_meaning(words))
        return [replace(hit, why=self._why(words, hit)) for hit in _first(fused, top, per_recording)]

    def by_text(self, words: str) -> list[Hit]:
        """All windows, up to `CANDIDATES`, whose words match by full text, best first."""
        found = self.table.search(words, query_type="fts", fts_columns="text").limit(CANDIDATES).to_arrow()
        return _hits(found, found["_score"].to_numpy())

    def by_meaning(self, words: str) -> list[Hit]:
        """The `CANDIDATES` windows whose words are nearest in meaning, best first."""
        return self._nearest("text_embedding", self.reader.embed_words([words])[0])

    def sample(self, count: int) -> list[Hit]:
        """Up to `count` windows, at equal distances in the table."""
        places = np.linspace(0, len(self) - 1, min(count, len(self))).astype(int)
        return _hits(self.table.take_offsets(places.tolist()).to_arrow(), np.zeros(len(places)))

    def recall(self, column: str = "embedding", queries: int = 100, top: int = 10, seed: int = 0) -> float:
        """Share of the exact `top` nearest rows that the ANN index finds, by sampled rows of `column`.

        Raises [`SearchIndexError`] for an index that is searched exactly.
        """
        if self._is_exact:
            raise SearchIndexError(f"an index of up to {self.exact_rows} rows is searched exactly")
        sample = np.random.default_rng(seed).choice(len(self), min(queries, len(self)), replace=False)
        vectors = _matrix(self.table.take_offsets(sample.tolist()).to_arrow(), column)
        found = 0
        for vector in vectors:
            exact = self._search(column, vector, top).bypass_vector_index().to_arrow()
            found += len(_keys(exact) & _keys(self._search(column, vector, top).to_arrow()))
        return found / (len(vectors) * top)

    @cached_property
    def _rows(self) -> pa.Table:
        """All rows, or the first `exact_rows`, in memory."""
        return self.table.search().limit(self.exact_rows).to_arrow().combine_chunks()

    @cached_property
    def _words_mean(self) -> np.ndarray:
        """Mean of the descriptions' vectors `(text hidden size,)`: what all texts share says nothing."""
        return _matrix(self._rows, "text_embedding").sum(0) / max(len(self._rows), 1)

    @cached_property
    def _compared(self) -> dict[str, np.ndarray]:
        """The vectors of all rows in memory as they are compared, by column."""
        return {column: self._comparable(column, _matrix(self._rows, column)) for column in self._columns}

    @property
    def _columns(self) -> list[str]:
        return [column for column in METRICS if column in self.table.schema.names]

    @property
    def _is_exact(self) -> bool:
        return len(self) <= self.exact_rows

    def _comparable(self, column: str, vectors: np.ndarray) -> np.ndarray:
        """Unit vectors `(..., dim)` whose inner product is their likeness; those of words without their mean."""
        if column == "embedding":
            return vectors
        centred = vectors - self._words_mean
        return centred / np.maximum(np.linalg.norm(centred, axis=-1, keepdims=True), 1e-12)

    def _nearest(self, column: str, vector: np.ndarray, leave_out: str = "") -> list[Hit]:
        """The `CANDIDATES` rows whose `column` is nearest to `vector` `(dim,)`, best first."""
        query = self._comparable(column, vector)
        if not self._is_exact:
            search = self._search(column, vector, CANDIDATES)
            rows = (search.where(f"path != {_quoted(leave_out)}") if leave_out else search).to_arrow()
            return _hits(rows, _cosines(self._comparable(column, _matrix(rows, column)), query))
        scores = _cosines(self._compared[column], query)
        places = np.flatnonzero(pc.not_equal(self._rows["path"], leave_out).to_numpy())
        best = places[np.argsort(-scores[places], kind="stable")[:CANDIDATES]]
        return _hits(self._rows.take(best), scores[best])

    def _search(self, column: str, vector: np.ndarray, top: int) -> "lancedb.query.LanceVectorQueryBuilder":
        search = self.table.search(vector, vector_column_name=column).distance_type(METRICS[column]).limit(top)
        return search.nprobes(NPROBES).ef(max(EF, REFINE_FACTOR * top)).refine_factor(REFINE_FACTOR)

    def _why(self, query: str, hit: Hit) -> str:
        """The query's words in a hit's title or description, in any form that full-text search takes for the same."""

        def stems(text: str) -> set[str]:
            return {token.text for token in self.table.tokenize(text, column="text")}

        said = stems(f"{hit.title}. {hit.description}")
        if words := [word for word in dict.fromkeys(query.split()) if stems(word) & said]:
            return f"in its words: {', '.join(words)}"
        return f"alike in meaning: {hit.description}"

    def _drop(self, path: str) -> None:
        self.table.checkout_latest()
        self.table.delete(f"path = {_quoted(path)}")

    def _tidy(self) -> None:
        """Brings the indexes up to date and joins the small files that single recordings leave."""
        from lancedb.index import HnswSq

        for kept in ("_rows", "_words_mean", "_compared"):
            self.__dict__.pop(kept, None)
        if not self._is_exact:
            indexed = {index.columns[0] for index in self.table.list_indices()}
            for column in set(self._columns) - indexed:
                self.table.create_index(column, config=HnswSq(distance_type=METRICS[column]))
        self.table.optimize()


def cached_index(folder: str | Path, reader: WindowReader) -> SearchIndex:
    """The index of a folder that the cache keeps for a reader, empty at first."""
    key = json.dumps([str(Path(folder).resolve()), reader.made_by])
    return SearchIndex.create(cache_home() / "index" / sha256(key.encode()).hexdigest()[:32], reader)


def exists(uri: str | Path) -> bool:
    """Whether there is an index at `uri`."""
    is_remote = "://" in str(uri)
    return (is_remote or Path(uri).is_dir()) and TABLE in _connect(uri).list_tables().tables


def made_by(uri: str | Path) -> dict:
    """What made the index at `uri`. Raises [`SearchIndexError`] where there is none."""
    if not exists(uri):
        raise SearchIndexError(f"there is no index at {uri}: make it by `uniwhisper index`")
    metadata = _connect(uri).open_table(TABLE).schema.metadata or {}
    if METADATA_KEY not in metadata:
        raise SearchIndexError(f"the Lance table at {uri} was not written by `uniwhisper index`")
    return json.loads(metadata[METADATA_KEY])


def title_of(path: str | Path) -> str:
    """A file's name as words."""
    return " ".join(Path(path).stem.replace("_", " ").replace("-", " ").split())


def _connect(uri: str | Path) -> "lancedb.DBConnection":
    os.environ.setdefault("LANCE_LOG", "error")  # it warns of each table that it makes
    try:
        import lancedb
    except ImportError:
        raise SearchIndexError("a search index needs LanceDB: pip install 'uniwhisper[search]'") from None
    return lancedb.connect(str(uri))


def _quoted(text: str) -> str:
    escaped = text.replace("'", "''")
    return f"'{escaped}'"


def _matrix(rows: pa.Table, column: str) -> np.ndarray:
    """A column of vectors `(rows, dim)`, not copied where it is one chunk."""
    vectors = rows[column].combine_chunks()
    return vectors.flatten().to_numpy().reshape(len(rows), vectors.type.list_size)


def _cosines(vectors: np.ndarray, query: np.ndarray) -> np.ndarray:
    """Of unit vectors `(rows, dim)` and `(dim,)`, whose rounding may make them a little more than 1."""
    return (vectors @ query).clip(-1, 1)


def _keys(rows: pa.Table) -> set[tuple[str, float]]:
    return set(zip(rows["path"].to_pylist(), rows["start"].to_pylist()))


def _hits(rows: pa.Table, scores: np.ndarray) -> list[Hit]:
    """A hit for each row, best first."""
    vectors = _matrix(rows, "embedding")
    columns = [name for name in ("path", "title", "start", "end", "domain", "description") if name in rows.column_names]
    hits = [
        Hit(**row, score=float(score), embedding=vector)
        for row, score, vector in zip(rows.select(columns).to_pylist(), scores, vectors)
    ]
    return sorted(hits, key=lambda hit: -hit.score)


def _fused(*rankings: list[Hit]) -> list[Hit]:
    """Hits of several rankings by the sum of their reciprocal ranks, 1 being first in each; equals share a rank."""
    scores: defaultdict[tuple[str, float], float] = defaultdict(float)
    for hits in rankings:
        ranks = {score: rank for rank, score in enumerate(dict.fromkeys(hit.score for hit in hits), 1)}
        for hit in hits:
            scores[hit.path, hit.start] += (FUSION_RANK + 1) / (FUSION_RANK + ranks[hit.score]) / len(rankings)
    found = {(hit.path, hit.start): hit for hits in rankings for hit in hits}
    return [replace(found[key], score=score) for key, score in sorted(scores.items(), key=lambda item: -item[1])]


def _first(hits: Iterable[Hit], top: int, per_recording: int | None) -> list[Hit]:
    """The first `top` hits, of each recording no more than `per_recording`."""
    seen: Counter[str] = Counter()
    chosen = []
    for hit in hits:
        seen[hit.path] += 1
        if per_recording is None or seen[hit.path] <= per_recording:
            chosen.append(hit)
    return chosen[:top]
