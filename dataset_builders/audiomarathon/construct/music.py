"""Which genre music is of, where its maker says so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from .choices import choices
from .recordings import Draft, prolong, read

GENRES = {
    "wesnoth-1.16-music/northern_mountains": "classical",
    "fretsonfire-songs-muldjord/mutilated_mime": "metal",
    "naev-data/eureka": "electronic",
    "naev-data/ambiphonic": "ambient",
    "wesnoth-1.16-music/underground": "classical",
}
"""Group of `long_music` to the genre that the file's own tags tell: GENRE "Romantic Classical", "Death Metal" and
"Electronic", the album "Ambient Pills"."""
OTHERS = {
    "classical": ("country", "electronic", "hip hop", "metal", "reggae"),
    "metal": ("ambient", "classical", "electronic", "jazz", "reggae"),
    "electronic": ("blues", "classical", "country", "metal", "reggae"),
    "ambient": ("blues", "country", "hip hop", "metal", "reggae"),
}
"""Genre to wrong answers that it could not be taken for."""


def music_classification(seconds: float, depths: Sequence[float]) -> Iterator[Draft]:
    """One track from its beginning, which begins again once it is over."""
    for number, (group, genre) in enumerate(GENRES.items()):
        pieces = (piece for piece in read("long_music") if piece.clip.group == group)
        used = sorted(pieces, key=lambda piece: piece.clip.start or 0.0)
        yield Draft(
            used=used,
            sound=partial(prolong, used, seconds),
            answer=genre,
            question="Which genre is this music?",
            choices=choices(genre, OTHERS[genre], number),
        )
