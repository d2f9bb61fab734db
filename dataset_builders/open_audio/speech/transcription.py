"""What is said, in the language of the speaker or in English."""

from __future__ import annotations

from collections.abc import Iterator

from ..clips import Clip
from ..packages import PackageStore
from ..pinned import PACKAGES
from .sources import (
    Line,
    asterisk_lines,
    fish_lines,
    queen_lines,
    reader_lines,
    reserved,
    split_lines,
    stamp_lines,
)

PROMPT_LANGUAGES = ("es", "fr", "it", "ru")


def asr_en(store: PackageStore) -> Iterator[Clip]:
    """English: split by dialogue, some characters whole; telephone prompts are for training only."""
    for line, split in split_lines(queen_lines(store)):
        yield transcribed(line, split)
    with store.optional():
        yield from _prompts(store, "en")


def asr_multi(store: PackageStore) -> Iterator[Clip]:
    """Eight languages: stamps split by object in all languages at once, fish lines by level, the
    reader's sentences by blocks; telephone prompts are for training only."""
    for line, split in multilingual_lines(store):
        yield transcribed(line, split)
    for language in PROMPT_LANGUAGES:
        with store.optional():
            yield from _prompts(store, language)


def speech_translation(store: PackageStore) -> Iterator[Clip]:
    """Seven languages into English, by the games' own translators."""
    for line, split in multilingual_lines(store):
        if line.english:
            yield transcribed(line, split, line.english)


def multilingual_lines(store: PackageStore) -> Iterator[tuple[Line, str]]:
    """Yield every line that is not English and no telephone prompt, with its split."""
    for read in (stamp_lines, fish_lines, reader_lines):
        with store.optional():
            yield from split_lines(read(store))


def transcribed(line: Line, split: str, answer: str | None = None) -> Clip:
    """Return `line` as a clip whose answer is its text, or `answer`."""
    return Clip(
        parts=(line.audio,),
        answer=answer or line.text,
        split=split,
        group=line.group,
        source=line.source,
        license=PACKAGES[line.source].license,
        name=line.name,
        domain="speech",
        language=line.language,
    )


def _prompts(store: PackageStore, language: str) -> Iterator[Clip]:
    for line in asterisk_lines(store, language):
        if not reserved(line):
            yield transcribed(line, "train")
