"""The clips that words ask for, and the words.

Made soundscapes, single sounds, instruments and English speech, mixed. Three kinds of words are looked for: the
caption of a soundscape, which it alone fits; the name of a sound or an instrument, which several clips may fit; and a
phrase that is said.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from dataset_builders.open_audio.sound.captions import BACKGROUNDS, CLAUSES
from dataset_builders.open_audio.sound.names import BROADER
from dataset_builders.probe_suite.registry import TASKS, load_probe
from metrics.words import normalize

SOURCES = {"caption": ("caption_retrieval",), "name": ("sound_event", "instrument"), "phrase": ("asr_ctc",)}
"""Kind of words to the probes whose test clips they ask for."""

PHRASE_WORDS = 5


@dataclass(frozen=True, eq=False)
class Clip:
    """A row of a probe, asked for by one kind of words."""

    kind: str
    row: dict

    @property
    def file(self) -> str:
        """Its name, of its content, so that the order of names tells nothing."""
        return f"{sha256(self.row['audio']['bytes']).hexdigest()[:32]}.flac"

    @property
    def names(self) -> set[str]:
        """What is heard: its label, or what the clauses of its caption are about."""
        if self.kind == "caption":
            clauses = (CLAUSES | BACKGROUNDS).items()
            return {BROADER.get(name, name) for name, clause in clauses if clause in self.row["text"].lower()}
        return {self.row["label"]} if self.kind == "name" else set()


@dataclass(frozen=True)
class Query:
    """Words, and the files of the clips that they fit; queries of one group are drawn together."""

    kind: str
    words: str
    right: frozenset[str]
    group: str


def load_clips(limit: int) -> list[Clip]:
    """Test clips, at most `limit` for each kind of words, drawn with a fixed seed."""
    clips = []
    for kind, tasks in SOURCES.items():
        found = [Clip(kind, row) for task in tasks for row in load_probe(TASKS[task], "test")]
        clips += [found[place] for place in np.random.default_rng(0).permutation(len(found))[:limit]]
    return clips


def queries(clips: Sequence[Clip]) -> Iterator[Query]:
    """What `clips` are asked for: every caption, every name, and five words from the middle of what each says."""
    said = {one: f" {normalize(one.row['text'])} " for one in clips if one.kind == "phrase"}
    for clip in clips:
        if clip.kind == "caption":
            yield Query(clip.kind, clip.row["text"], frozenset({clip.file}), clip.row["group"])
        elif clip.kind == "phrase":
            words = said[clip].split()
            start = max(0, len(words) - PHRASE_WORDS) // 2
            phrase = " ".join(words[start : start + PHRASE_WORDS])
            right = frozenset(one.file for one, text in said.items() if f" {phrase} " in text)
            yield Query(clip.kind, phrase, right, clip.row["group"])
    for name in sorted(set().union(*(clip.names for clip in clips if clip.kind == "name"))):
        yield Query("name", name, frozenset(clip.file for clip in clips if name in clip.names), name)
