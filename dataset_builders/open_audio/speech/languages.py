"""Spoken language, each split with speakers that the other splits never hear."""

from __future__ import annotations

import random
from collections.abc import Iterator

from ..clips import Clip
from ..packages import PackageStore
from .joining import Heard, heard, join, joined, recordings
from .sources import asterisk_lines, fish_lines, queen_lines, reserved, split_lines, stamp_lines

LANGUAGES = {
    "en": "English",
    "es": "Spanish",
    "fr": "French",
    "it": "Italian",
    "ru": "Russian",
    "cs": "Czech",
    "nl": "Dutch",
}

CLIPS = {"train": 300, "validation": 30, "test": 40}
"""At most this many clips of a language in a split."""

_TOYS = {
    "ktuberling-data": "usr/share/ktuberling/sounds/{}/*",
    "klettres-data": "usr/share/klettres/{}/syllab/*",
}


def language_id(store: PackageStore) -> Iterator[Clip]:
    """Seven languages; where a line is also transcribed, both tasks give it the same split.

    Training hears game characters, the small fish, stamp names and an Italian telephone; validation
    hears minor fish characters, letters and object names; the test hears telephone prompts and the
    big fish.
    """
    for split, lines in _lines_of_splits(store).items():
        for code, language in LANGUAGES.items():
            clips = list(join([line for line in lines if line.language == code], split))
            random.Random(f"{split}/{code}").shuffle(clips)
            for clip in clips[: CLIPS[split]]:
                yield joined(clip, language, split)


def _lines_of_splits(store: PackageStore) -> dict[str, list[Heard]]:
    fish = split_lines(fish_lines(store))
    others = split_lines(queen_lines(store)) + split_lines(stamp_lines(store))
    train = [line for line, split in others if split == "train"]
    train += [line for line, split in fish if split == "train" and line.speaker.endswith("small")]
    train += [line for line in asterisk_lines(store, "it") if not reserved(line)]
    minor = [line for line, split in fish if split == "validation" and not line.speaker.endswith(("small", "big"))]
    test = [line for line, split in fish if split == "test" and line.speaker.endswith("big")]
    for language in ("en", "es", "fr", "ru"):
        test += filter(reserved, asterisk_lines(store, language))
    return {
        "train": [heard(line) for line in train],
        "validation": [heard(line) for line in minor] + list(_toy_words(store)),
        "test": [heard(line) for line in test] + list(italian_prompts(store)),
    }


def _toy_words(store: PackageStore) -> Iterator[Heard]:
    """Object names of ktuberling and syllables of klettres, by language folder."""
    for package, root in store.folders(_TOYS):
        for code in LANGUAGES:
            speaker = f"{package.removesuffix('-data')}/{code}"
            yield from recordings(root, _TOYS[package].format(code), code, speaker, package)


def italian_prompts(store: PackageStore) -> Iterator[Heard]:
    """Telephone prompts by Paola Dal Zot, without their texts."""
    package = "asterisk-prompt-it-menardi-wav"
    root = store.folder(package) / "usr/share/asterisk/sounds/it_IT_f_Menardi"
    yield from recordings(root, "**/[!b]*", "it", "asterisk/Menardi", package)  # not the two beeps
