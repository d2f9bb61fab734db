"""What the Find tab does: a collection's index, asked by clip, by span, by words or by a hit, and its map."""

import json
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from asking import MAX_QUESTION, QuestionError
from hub_collection import PREFIX, fetched
from sklearn.manifold import TSNE
from transformers.utils import logging

from modeling_uniwhisper import AudioError, load_audio
from modeling_uniwhisper.audio_io import SAMPLING_RATE, audio_files, load_span
from modeling_uniwhisper.search_index import Hit, SearchIndex, SearchIndexError, cached_index, exists, title_of
from modeling_uniwhisper.window_reader import WindowReader

MAX_SECONDS = 600.0  # of an example
HITS = 10
HITS_PER_RECORDING = 3  # so that the longest recording does not fill the list
EXCERPT_SECONDS = 30.0  # played from a hit's moment on
MAP_POINTS = 1_000
FEWEST_POINTS = 5  # that have a shape

logger = logging.get_logger(__name__)


class Point(NamedTuple):
    """A moment, and its place on the map, from 0 to 1."""

    x: float
    y: float
    hit: Hit


def open_collection(collection: str | Path, reader: WindowReader) -> SearchIndex:
    """The index at `collection`, or that of a folder of recordings, kept in the cache and brought up to date now.

    A data set of the Hub, `hf:ORG/NAME[:CONFIG[:SPLIT]]`, is fetched as a folder first. A `metadata.json` in the
    folder, a list of `file` and `title`, names its recordings. Raises `SearchIndexError` for an index of other weights,
    and for a folder or a data set without audio.
    """
    if exists(collection):
        return SearchIndex.open(collection, reader)
    folder = fetched(str(collection)) if str(collection).startswith(PREFIX) else Path(collection)
    named = folder / "metadata.json"
    titles = {clip["file"]: clip["title"] for clip in json.loads(named.read_text())} if named.exists() else {}
    files = {str(path.resolve()): titles.get(path.name, title_of(path)) for path in audio_files(folder)}
    if not files:
        raise SearchIndexError(f"{collection} is neither a search index nor a folder that holds audio files")
    index = cached_index(folder, reader)
    updated = index.update(files, progress=lambda items, total: logging.tqdm(items, total=total, desc="indexing"))
    for error in updated.failed.values():
        logger.warning("left out of the collection: %s", error)
    return index


class Finder:
    """Searches an index for visitors; raises sentences without a path of the server."""

    def __init__(self, index: SearchIndex):
        self.index = index

    def by_words(self, words: str) -> list[Hit]:
        """The moments that words tell of. Raises `QuestionError` for no words, or too many."""
        if not words.strip():
            raise QuestionError("Say in words what to look for.")
        if len(words) > MAX_QUESTION:
            raise QuestionError(f"There are {len(words)} characters of words; at most {MAX_QUESTION} are read.")
        return self.index.by_words(words, HITS, HITS_PER_RECORDING)

    def by_clip(self, path: str | None, start: float | None = None, end: float | None = None) -> list[Hit]:
        """The moments that sound most like a clip, or like it from `start` to `end` in seconds, 0 being its own end.

        Raises `AudioError` for a clip that is missing, not audio or longer than `MAX_SECONDS`, and a span not in it.
        """
        if not path:
            raise AudioError("Give a clip first.")
        try:
            audio = load_span(path, start or 0.0, end or None, MAX_SECONDS)
        except AudioError as error:
            raise AudioError(str(error).replace(path, "The clip")) from None
        return self.index.by_audio(audio, HITS, HITS_PER_RECORDING)

    def more_like(self, hit: Hit) -> list[Hit]:
        """The moments that sound most like one that was found, which is left out."""
        alike = self.index.by_vector(hit.embedding, HITS + 1, HITS_PER_RECORDING + 1)
        return [other for other in alike if (other.path, other.start) != (hit.path, hit.start)][:HITS]

    def excerpt(self, hit: Hit) -> tuple[int, np.ndarray]:
        """The recording from a hit's moment on, up to `EXCERPT_SECONDS`, as Gradio plays it."""
        first = round(hit.start * SAMPLING_RATE)
        audio = load_audio(hit.path)[first : first + round(EXCERPT_SECONDS * SAMPLING_RATE)]
        return SAMPLING_RATE, (audio.clip(-1, 1) * 32767).astype(np.int16)

    @cached_property
    def map(self) -> list[Point]:
        """Up to `MAP_POINTS` moments, those that sound alike near each other; empty for a handful of them.

        By t-SNE (van der Maaten and Hinton 2008) of the windows' vectors.
        """
        hits = self.index.sample(MAP_POINTS)
        if len(hits) < FEWEST_POINTS:
            return []
        vectors = np.stack([hit.embedding for hit in hits])
        places = TSNE(init="pca", perplexity=min(30, (len(hits) - 1) / 3), random_state=0).fit_transform(vectors)
        places = (places - places.min(0)) / np.maximum(np.ptp(places, axis=0), 1e-9)
        return [Point(float(x), float(y), hit) for (x, y), hit in zip(places, hits)]
