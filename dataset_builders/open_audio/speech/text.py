"""Transcripts as they are printed in games, made fit to be learned from."""

from __future__ import annotations

import re

_PLAIN = str.maketrans(
    {
        "‘": "'", "’": "'", "`": "'", "´": "'", "“": '"', "”": '"', "„": '"',
        "«": '"', "»": '"', "…": "...", "–": "-", "—": "-", "\xa0": " ",
    }
)  # fmt: skip
_MARKS = re.compile(r"[@^~*_|]+")
_DIRECTIONS = re.compile(r"<[^>]*>|\[[^\]]*\]|\([^)]*\)")
_DOTS = re.compile(r"\s*\.{2,}")
_GAP = re.compile(r"\s+(?=[.,](?:\s|$))")
_SPACES = re.compile(r"\s+")


def clean(text: str) -> str | None:
    """Return `text` with plain quotes and no stage directions, or `None` if nothing is spoken.

    Case and punctuation stay; runs of dots become "..."; brackets go with what they hold.
    """
    text = _DIRECTIONS.sub(" ", _MARKS.sub("", text.translate(_PLAIN)))
    text = _SPACES.sub(" ", _GAP.sub("", _DOTS.sub("...", text))).strip(" -")
    return text if any(letter.isalpha() for letter in text) else None
