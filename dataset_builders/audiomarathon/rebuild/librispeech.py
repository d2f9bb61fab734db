"""Speech recognition from LibriSpeech-long, whose recordings are long already.

    SOURCE/test-clean/SPEAKER/CHAPTER/NAME.flac
    SOURCE/test-clean/SPEAKER/CHAPTER/NAME.txt      what is said; or a line "NAME TEXT" of *.trans.txt

Recordings below the limit are left out: some last one minute, which the benchmark's own floor forbids.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..layouts import LAYOUTS, read_transcripts
from .drafts import Draft, Limits, SourceError, measure

SPLIT = "test-clean"


def transcripts(source: Path, limits: Limits) -> list[Iterator[Draft]]:
    """Return the recordings with their transcripts, by name."""
    if not (source / SPLIT).is_dir():
        raise SourceError(f"{source / SPLIT} is missing: LibriSpeech-long has a folder a split")
    return [_recordings(source / SPLIT, limits)]


def _recordings(folder: Path, limits: Limits) -> Iterator[Draft]:
    for entry in read_transcripts(folder, LAYOUTS["speech_recognition"]):
        recording = measure(entry.audio)
        if limits.shortest <= recording.seconds <= limits.longest:
            yield Draft(id=entry.audio.stem, parts=(recording,), answer=entry.answer, group=entry.group)
