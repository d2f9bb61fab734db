"""Music genres from GTZAN.

    SOURCE/genres_original/GENRE/GENRE.00000.wav    100 of 30 s each; the folder is the label, there is no other

Eight excerpts of a genre, in seeded order, make an item. jazz.00054.wav of the usual copy is no sound file, and is the
only one that is left out unread. The corpus is known to repeat some excerpts and to label some wrongly (Sturm, 2013).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..tasks import GENRES
from .drafts import Draft, Limits, SourceError, measure, pack, shuffled

QUESTION = "Which genre is this music?"
BROKEN = "jazz.00054.wav"


def genres(source: Path, limits: Limits) -> list[Iterator[Draft]]:
    """Return the joined excerpts of each genre."""
    return [_of_genre(source / "genres_original" / genre.replace(" ", ""), genre, limits) for genre in GENRES]


def _of_genre(folder: Path, genre: str, limits: Limits) -> Iterator[Draft]:
    excerpts = sorted(path for path in folder.glob("*.wav") if path.name != BROKEN)
    if not excerpts:
        raise SourceError(f"{folder} holds no excerpt, {folder.name}.00000.wav and on")
    wrong = tuple(other for other in GENRES if other != genre)
    for number, parts in enumerate(pack(map(measure, shuffled(excerpts, genre)), limits)):
        name = f"{folder.name}-{number}"
        yield Draft(id=name, parts=parts, question=QUESTION, answer=genre, wrong=wrong, group=name)
