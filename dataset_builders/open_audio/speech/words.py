"""Single spoken words: letters, phrases of a game, Mandarin syllables, names of things."""

from __future__ import annotations

import string
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

from ..clips import Clip
from ..packages import PackageStore
from ..pinned import PACKAGES
from ..splits import assign
from .sources import asterisk_lines, split_lines, stamp_lines
from .transcription import transcribed

LETTERS = tuple(string.ascii_uppercase)

LETTER_LANGUAGES = {
    "train": ("cs", "da", "de", "en", "es", "fr", "hu", "it", "nb", "pt_BR"),
    "validation": ("en_GB", "nl"),
    "test": ("en", "es", "fr", "it"),
}


def spoken_letter(store: PackageStore) -> Iterator[Clip]:
    """Letters of the alphabet in eleven languages, one speaker each; the test is by telephone."""
    package = "klettres-data"
    root = store.folder(package) / "usr/share/klettres"
    for split in ("train", "validation"):
        for language in LETTER_LANGUAGES[split]:
            for name, path in _alphabet(root, language):
                yield _word(path, name, split, f"klettres/{language}", package, f"{language}/{path.name}", language)
    for language in LETTER_LANGUAGES["test"]:
        for line in asterisk_lines(store, language):
            letter = line.name.removeprefix("letters/").upper()
            if letter in LETTERS:
                yield transcribed(line, "test", letter)


def _alphabet(root: Path, language: str) -> Iterator[tuple[str, Path]]:
    sounds = ElementTree.parse(root / language / "sounds.xml").iterfind(".//alphabet/sound")
    for sound in sounds:
        name, path = (sound.get("name") or "").upper(), root / (sound.get("file") or "")
        if name in LETTERS and path.is_file():
            yield name, path


PHRASES = {
    "Amazing": "amazing",
    "Boring": "boring",
    "Brilliant": "brilliant",
    "Bugger": "bugger",
    "Byebye": "bye bye",
    "Comeonthen": "come on then",
    "Coward": "coward",
    "Cutitout": "cut it out",
    "Drat": "drat",
    "Enemydown": "enemy down",
    "Excellent": "excellent",
    "Fire": "fire",
    "Firstblood": "first blood",
    "Flawless": "flawless",
    "Flyaway": "fly away",
    "Gonnagetyou": "gonna get you",
    "Grenade": "grenade",
    "Hello": "hello",
    "Hurry": "hurry",
    "Illgetyou": "I'll get you",
    "Incoming": "incoming",
    "Justyouwait": "just you wait",
    "Kamikaze": "kamikaze",
    "Leavemealone": "leave me alone",
    "Melon": "melon",
    "Missed": "missed",
    "Nooo": "no",
    "Nutter": "nutter",
    "Ohdear": "oh dear",
    "Oops": "oops",
    "Reinforcements": "reinforcements",
    "Revenge": "revenge",
    "Runaway": "run away",
    "Sameteam": "same team",
    "Solong": "so long",
    "Stupid": "stupid",
    "Takecover": "take cover",
    "Thisoneismine": "this one is mine",
    "Traitor": "traitor",
    "Victory": "victory",
    "Watchit": "watch it",
    "Watchthis": "watch this",
    "Whatthe": "what the",
    "Yessir": "yes sir",
    "Youllregretthat": "you'll regret that",
}
"""File name to phrase, for every recording that is words and not a cry."""

VOICES = {
    "Classic": "train", "Default": "train", "HillBilly": "train", "Pirate": "train", "Robot": "train",
    "Surfer": "train", "British": "validation", "Singer": "validation", "Mobster": "test", "Russian": "test",
}  # fmt: skip
"""Voices of the game that speak English (one of them, Robot, is processed), by split."""


def spoken_phrase(store: PackageStore) -> Iterator[Clip]:
    """Short phrases, each said by ten voices of one game; voices are split."""
    package = "hedgewars-data"
    voices = store.folder(package) / "usr/share/games/hedgewars/Data/Sounds/voices"
    for voice, split in VOICES.items():
        for stem, phrase in PHRASES.items():
            path = voices / voice / f"{stem}.ogg"
            if path.is_file() and not path.is_symlink():
                yield _word(path, phrase, split, f"hedgewars/{voice}", package, f"{voice}/{path.name}", "en")


SYLLABLE_LICENSES = {"3.ogg": "GPL-3 or LGPL-3: Edward Der-Hua Liu", "5.ogg": "CC-BY-3.0: ChionMeilin with Chu Lo"}

TONES = {"": "first tone", "2": "second tone", "3": "third tone", "4": "fourth tone"}


def mandarin_tone(store: PackageStore) -> Iterator[Clip]:
    """The tone of a Mandarin syllable: a man trains, a woman tests; no syllable is in two splits."""
    package = "gcin-voice"
    root = store.folder(package) / "usr/share/gcin-voice/ogg"
    syllables = sorted(folder.name for folder in root.iterdir())
    splits = assign(dict.fromkeys(syllables, 1.0), seed=package, validation=0.15, test=0.3)
    for syllable in syllables:
        tone = TONES.get(syllable[-1] if syllable[-1].isdigit() else "")
        recording = "3.ogg" if splits[syllable] == "train" else "5.ogg"
        path = root / syllable / recording
        if tone and path.is_file():
            group = f"gcin-voice/{'train' if recording == '3.ogg' else syllable}"
            clip = _word(path, tone, splits[syllable], group, package, f"{syllable}/{recording}", "zh")
            yield replace(clip, license=SYLLABLE_LICENSES[recording])


TOPICS = {
    "animals": "an animal",
    "clothes": "clothing",
    "food": "food",
    "household": "a household object",
    "plants": "a plant",
    "symbols": "a symbol",
    "town": "something in a town",
    "vehicles": "a vehicle",
}
"""Folder of a stamp to what its spoken name names."""


def spoken_topic(store: PackageStore) -> Iterator[Clip]:
    """What kind of thing is named, in Catalan, French, Romanian, Russian or Spanish."""
    for line, split in split_lines(stamp_lines(store)):
        if line.topic in TOPICS:
            yield transcribed(line, split, TOPICS[line.topic])


def _word(path: Path, answer: str, split: str, group: str, package: str, name: str, language: str) -> Clip:
    return Clip(
        parts=(path,),
        answer=answer,
        split=split,
        group=group,
        source=package,
        license=PACKAGES[package].license,
        name=name,
        domain="speech",
        language=language,
    )
