"""Who speaks: the character of a game, a woman or a man."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

from ..clips import Clip
from ..packages import PackageStore
from .joining import Heard, heard, join, joined, recordings
from .languages import italian_prompts
from .sources import Line, asterisk_lines, fish_lines, queen_lines, reader_lines, reserved, split_lines
from .transcription import transcribed

CHARACTERS = {
    "Joe": "Joe",
    "APE": "the ape",
    "BOB": "Bob",
    "CHIEF": "the chief",
    "FAYE": "Faye",
    "JIM": "Jim",
    "ORACLE": "the oracle",
    "SPARKY": "Sparky",
    "TAM": "Tam",
    "WITCH": "the witch doctor",
}
"""Characters with three dialogues or more, so that each split has its own; a few actors play them all."""


def speaker_id(store: PackageStore) -> Iterator[Clip]:
    """Ten characters of one game; dialogues, not lines, are split."""
    for line, split in split_lines(queen_lines(store)):
        character = line.speaker.removeprefix("amazon-queen/")
        if character in CHARACTERS:
            yield transcribed(line, split, CHARACTERS[character])


WOMEN = (
    "amazon-queen/FAYE", "amazon-queen/NAOMI", "amazon-queen/PRIN", "amazon-queen/SEC", "amazon-queen/SHOWERAM",
    "fillets-cs/small", "fillets-nl/small", "asterisk/Allison", "asterisk/June", "asterisk/Menardi",
    "kajongg/female1", "kajongg/female2", "kajongg/de/female1", "kajongg/de/female2",
)  # fmt: skip
MEN = (
    "amazon-queen/Joe", "amazon-queen/BOB", "amazon-queen/BUD", "amazon-queen/FRANK", "amazon-queen/HENRY",
    "amazon-queen/IAN", "amazon-queen/JIM", "amazon-queen/JOHN", "amazon-queen/KLUNK",
    "fillets-cs/big", "fillets-nl/big", "asterisk/Carlo", "festvox-ru/reader",
    "kajongg/male1", "kajongg/male2", "kajongg/de/male1", "kajongg/de/male2",
)  # fmt: skip
"""Speakers whom their package names a woman or a man, or whom the game shows as one (the actors of
the game are not named by role); those in doubt are left out."""

MOST_OF_A_SPEAKER = {"train": 60, "validation": 20, "test": 25}
"""At most this many clips of a speaker in a split."""


def speaker_gender(store: PackageStore) -> Iterator[Clip]:
    """Woman or man, told from 31 voices that no two splits share, in five languages."""
    gender = dict.fromkeys(WOMEN, "a woman") | dict.fromkeys(MEN, "a man")
    for split, lines in _lines_of_splits(store).items():
        taken: Counter[str] = Counter()
        for clip in join([line for line in lines if line.speaker in gender], split):
            speaker = clip[0].speaker
            taken[speaker] += 1
            if taken[speaker] <= MOST_OF_A_SPEAKER[split]:
                yield joined(clip, gender[speaker], split)


def _lines_of_splits(store: PackageStore) -> dict[str, list[Heard]]:
    """Return what each split hears: a speaker of several splits elsewhere is heard in training only."""
    queen = _in_one_split(split_lines(queen_lines(store)))
    others = split_lines(fish_lines(store)) + split_lines(reader_lines(store))
    queen["train"] += [line for line, split in others if split == "train"]
    queen["train"] += [line for line in asterisk_lines(store, "en") if not reserved(line)]
    for language in ("fr", "it"):
        queen["test"] += filter(reserved, asterisk_lines(store, language))
    lines = {split: list(map(heard, of_split)) for split, of_split in queen.items()}
    lines["test"] += italian_prompts(store)
    for package, root in store.folders(["kajongg"]):
        voices = root / "usr/share/kajongg/voices"
        for voice in ("female1", "female2", "male1", "male2"):
            lines["test"] += recordings(voices, f"{voice}/*", "en", f"kajongg/{voice}", package)
            lines["validation"] += recordings(voices, f"de/{voice}/*", "de", f"kajongg/de/{voice}", package)
    return lines


def _in_one_split(lines: Iterable[tuple[Line, str]]) -> dict[str, list[Line]]:
    splits: dict[str, set[str]] = {}
    kept = list(lines)
    for line, split in kept:
        splits.setdefault(line.speaker, set()).add(split)
    chosen: dict[str, list[Line]] = {"train": [], "validation": [], "test": []}
    for line, split in kept:
        if split == "train" or "train" not in splits[line.speaker]:
            chosen[split].append(replace(line, group=line.speaker))
    return chosen
