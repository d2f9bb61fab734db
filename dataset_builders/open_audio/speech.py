"""Spoken lines with their transcripts, and who speaks them in which language."""

from __future__ import annotations

import gzip
import re
import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .clips import Clip
from .formats import FormatError, read_queen
from .packages import PackageStore
from .pinned import PACKAGES
from .splits import assign
from .text import clean

STAMP_LANGUAGES = ("ca", "es", "fr", "ro", "ru")
"""Languages of tuxpaint-stamps-default whose recordings match their text."""

FISH_LANGUAGES = ("cs", "nl")


@dataclass(frozen=True)
class Line:
    """One spoken line: sound file, transcript, language code, speaker, unit of its split."""

    audio: Path | bytes
    text: str
    language: str
    speaker: str
    group: str
    source: str
    name: str


def asr_en(store: PackageStore) -> Iterator[Clip]:
    """English: split by character of the game; the telephone prompts are for training only."""
    for line, split in split_lines(queen_lines(store)):
        yield _transcribed(line, split)
    for line in asterisk_lines(store, "en"):
        if not reserved(line):
            yield _transcribed(line, "train")


def asr_multi(store: PackageStore) -> Iterator[Clip]:
    """Seven languages: stamps split by object in all languages at once, fish lines by level."""
    for lines in (stamp_lines(store), fish_lines(store)):
        for line, split in split_lines(lines):
            yield _transcribed(line, split)


def split_lines(lines: Iterator[Line]) -> list[tuple[Line, str]]:
    """Return each line with the split of its group.

    All lines of a source go in at once, whatever a task keeps of them afterwards: the draw
    weighs groups against each other, and a recording must have one split in every task.
    """
    kept = list(lines)
    splits = assign(Counter(line.group for line in kept), seed=kept[0].source)
    return [(line, splits[line.group]) for line in kept]


def reserved(line: Line) -> bool:
    """Whether a telephone prompt is kept out of transcription, to test language ID on."""
    return zlib.crc32(line.name.encode()) % 4 == 0 and "/" not in line.name


def _transcribed(line: Line, split: str) -> Clip:
    return Clip(
        parts=(line.audio,),
        answer=line.text,
        split=split,
        group=line.group,
        source=line.source,
        license=PACKAGES[line.source].license,
        name=line.name,
        domain="speech",
        language=line.language,
    )


def queen_lines(store: PackageStore) -> Iterator[Line]:
    """Flight of the Amazon Queen: each `.DOG` dialogue names the recordings of its lines.

    The layout is that of ScummVM's `engines/queen/talk.cpp`. A recording is called
    `room + line in hex + speaker + part`, a line being cut into parts at each `*`.
    """
    package = "flight-of-the-amazon-queen"
    path = store.folder(package) / "usr/share/scummvm" / package / "queen.1c"
    files = read_queen(path)
    for name in sorted(files):
        if name.endswith(".DOG"):
            character = name.removesuffix(".DOG").rstrip("0123456789")
            for who, recording, text in _dialogue(files[name]):
                spoken = clean(text)
                if spoken and f"{recording}.SB" in files:
                    yield Line(
                        audio=files[f"{recording}.SB"],
                        text=spoken,
                        language="en",
                        speaker="amazon-queen/" + ("Joe" if who == "J" else character),
                        group=f"amazon-queen/{character}",
                        source=package,
                        name=recording,
                    )


def _dialogue(data: bytes) -> Iterator[tuple[str, str, str]]:
    """Yield `(who, recording, text)` of a `.DOG` file; `who` is J for Joe, P for the other."""
    data = data[20:]
    levels, _, room, joe_lines, person_lines = struct.unpack_from(">5h", data)
    (person_at,) = struct.unpack_from(">H", data, 22)
    tables = (("J", 32 + abs(levels) * 96, joe_lines), ("P", person_at, person_lines))
    for who, offset, count in tables:
        for number, text in _strings(data, offset, count):
            for part, spoken in enumerate(re.split(r"\*..", text), start=1):
                recording = f"{room:2d}{number:4x}{who}".replace(" ", "0").upper()
                yield who, f"{recording}{part:X}", spoken


def _strings(data: bytes, offset: int, count: int) -> Iterator[tuple[int, str]]:
    """Yield `(number, text)` of a table of strings, each padded to 4 bytes."""
    for _ in range(count):
        if offset + 5 > len(data):
            return
        number, length = struct.unpack_from(">2xhB", data, offset)
        offset += 5
        if length:
            yield number, data[offset : offset + length].decode("latin1")
            offset = (offset + length + 3) & ~3


def asterisk_lines(store: PackageStore, language: str) -> Iterator[Line]:
    """Telephone prompts in `language`, one professional speaker each (Allison in en and es)."""
    texts_of, package = f"asterisk-core-sounds-{language}", f"asterisk-core-sounds-{language}-g722"
    script = store.folder(texts_of) / f"usr/share/doc/{texts_of}/core-sounds-{language}.txt.gz"
    texts = dict(
        line.split(":", 1)
        for line in gzip.decompress(script.read_bytes()).decode().splitlines()
        if ":" in line and not line.startswith(";")
    )
    (root,) = (store.folder(package) / "usr/share/asterisk/sounds").iterdir()
    speaker = root.name.rpartition("_")[2]
    for name in sorted(texts):
        path, spoken = root / f"{name.strip()}.g722", clean(texts[name])
        if spoken and path.is_file():
            yield Line(
                audio=path,
                text=spoken,
                language=language,
                speaker=f"asterisk/{speaker}",
                group=f"asterisk-{language}",
                source=package,
                name=name.strip(),
            )


def stamp_lines(store: PackageStore) -> Iterator[Line]:
    """Names of Tux Paint stamps, one volunteer a language; the group is what the stamp shows."""
    package = "tuxpaint-stamps-default"
    root = store.folder(package) / "usr/share/tuxpaint/stamps"
    for script in sorted(root.rglob("*.txt")):
        english, *translations = script.read_text("utf-8", errors="replace").splitlines() or [""]
        texts = dict(line.split(".utf8=", 1) for line in translations if ".utf8=" in line)
        for language in STAMP_LANGUAGES:
            path = script.with_name(f"{script.stem}_desc_{language}.ogg")
            text = texts.get(language, "")
            spoken = None if "(" in text else clean(text)  # asides are spoken by some only
            if spoken and path.is_file() and not path.is_symlink():
                yield Line(
                    audio=path,
                    text=spoken,
                    language=language,
                    speaker=f"tuxpaint/{language}",
                    group=f"tuxpaint/{english.strip().lower()}",
                    source=package,
                    name=str(path.relative_to(root)),
                )


_SAID = re.compile(
    r'dialogId\("(?P<id>[^"]+)",\s*"font_(?P<speaker>\w+)",\s*"(?:[^"\\]|\\.)*"\)\s*'
    r'dialogStr\("(?P<text>(?:[^"\\]|\\.)*)"\)'
)


def fish_lines(store: PackageStore) -> Iterator[Line]:
    """Fish Fillets in Czech and Dutch; a recording that several levels share counts once."""
    game = "usr/share/games/fillets-ng"
    scripts = store.folder("fillets-ng-data") / game / "script"
    for language in FISH_LANGUAGES:
        package = f"fillets-ng-data-{language}"
        said = {}
        for script in sorted(scripts.rglob(f"dialogs_{language}.lua")):
            for match in _SAID.finditer(script.read_text("utf-8")):
                said.setdefault(match["id"], (match["speaker"], match["text"]))
        if not said:
            raise FormatError(f"{scripts} holds no dialogs_{language}.lua with spoken lines")
        heard = set()
        for path in sorted((store.folder(package) / game / "sound").glob(f"*/{language}/*.ogg")):
            if path.stem not in said or path.stem in heard:
                continue
            heard.add(path.stem)
            speaker, text = said[path.stem]
            spoken = clean(text.replace('\\"', '"'))
            level = path.parent.parent.name
            if spoken:
                yield Line(
                    audio=path,
                    text=spoken,
                    language=language,
                    speaker=f"fillets-{language}/{speaker}",
                    group=f"fillets/{level}",
                    source=package,
                    name=f"{level}/{path.name}",
                )
