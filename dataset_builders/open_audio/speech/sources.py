"""Spoken lines of each package, with what is said, by whom, and in which language."""

from __future__ import annotations

import gzip
import re
import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ..formats import FormatError, read_queen
from ..packages import PackageStore
from ..splits import assign
from .text import clean

STAMP_LANGUAGES = ("ca", "es", "fr", "ro", "ru")
"""Languages of tuxpaint-stamps-default whose recordings match their text."""

FISH_LANGUAGES = ("cs", "nl")

NO_LINES = ("beep", "beeperr", "second-time")
"""Telephone prompts that are no speech, or another one's recording."""


@dataclass(frozen=True)
class Line:
    """One spoken line: sound file, transcript, language code, speaker, unit of its split.

    `scene` is the part of the group that the line belongs to (a dialogue), `order` its place there;
    `english` is a translation that came with it, `topic` what it is about.
    """

    audio: Path | bytes
    text: str
    language: str
    speaker: str
    group: str
    source: str
    name: str
    scene: str = ""
    order: tuple[int, ...] = ()
    english: str | None = None
    topic: str = ""


def split_lines(lines: Iterator[Line]) -> list[tuple[Line, str]]:
    """Return each line with its split and, as its group, what was not cut.

    All lines of a source go in at once, whatever a task keeps of them afterwards: the draw
    weighs groups against each other, and a recording must have one split in every task.
    A training group of three scenes or more gives some to validation and test, so that there
    are speakers whom all three splits know.
    """
    kept = list(lines)
    splits = assign(Counter(line.group for line in kept), seed=kept[0].source)
    scenes: dict[str, Counter[str]] = {}
    for line in kept:
        if line.scene and splits[line.group] == "train":
            scenes.setdefault(line.group, Counter())[line.scene] += 1
    for group, weights in scenes.items():
        splits |= assign(weights, seed=group, validation=0.1, test=0.15)
    return [
        (replace(line, group=line.scene or line.group), splits.get(line.scene) or splits[line.group]) for line in kept
    ]


def reserved(line: Line) -> bool:
    """Whether a telephone prompt is kept out of transcription, to test other tasks on.

    Decided by what is said: some prompts are there twice.
    """
    words = re.sub(r"\W", "", line.text.lower())
    return zlib.crc32(words.encode()) % 4 == 0 or line.name.startswith("letters/")


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
            scene = name.removesuffix(".DOG")
            character = scene.rstrip("0123456789")
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
                        scene=f"amazon-queen/{character}/{scene}",
                        order=(int(recording[-6:-2], 16), "JP".index(who), int(recording[-1], 16)),
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
        if spoken and path.is_file() and name.strip() not in NO_LINES:
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
    """Names of Tux Paint stamps, one volunteer a language; the group is what the stamp shows.

    Several stamps may share a name and its recording, which counts once.
    """
    package = "tuxpaint-stamps-default"
    root = store.folder(package) / "usr/share/tuxpaint/stamps"
    heard: set[object] = set()
    for script in sorted(root.rglob("*.txt")):
        english, *translations = script.read_text("utf-8", errors="replace").splitlines() or [""]
        texts = dict(line.split(".utf8=", 1) for line in translations if ".utf8=" in line)
        for language in STAMP_LANGUAGES:
            path = script.with_name(f"{script.stem}_desc_{language}.ogg")
            text = texts.get(language, "")
            spoken = None if "(" in text else clean(text)  # asides are spoken by some only
            if not spoken or not path.is_file():
                continue
            once = {(language, spoken.lower()), path.read_bytes()}
            if heard.isdisjoint(once):
                heard |= once
                yield Line(
                    audio=path,
                    text=spoken,
                    language=language,
                    speaker=f"tuxpaint/{language}",
                    group=f"tuxpaint/{english.strip().lower()}",
                    source=package,
                    name=str(path.relative_to(root)),
                    english=None if "(" in english else clean(english),
                    topic=path.relative_to(root).parts[0],
                )


_SAID = re.compile(
    r'dialogId\("(?P<id>[^"]+)",\s*"font_(?P<speaker>\w+)",\s*"(?P<english>(?:[^"\\]|\\.)*)"\)\s*'
    r'dialogStr\("(?P<text>(?:[^"\\]|\\.)*)"\)'
)


def fish_lines(store: PackageStore) -> Iterator[Line]:
    """Fish Fillets in Czech and Dutch; a recording that several levels share counts once."""
    game = "usr/share/games/fillets-ng"
    scripts = store.folder("fillets-ng-data") / game / "script"
    for language in FISH_LANGUAGES:
        package = f"fillets-ng-data-{language}"
        said: dict[str, re.Match[str]] = {}
        for script in sorted(scripts.rglob(f"dialogs_{language}.lua")):
            for match in _SAID.finditer(script.read_text("utf-8")):
                said.setdefault(match["id"], match)
        if not said:
            raise FormatError(f"{scripts} holds no dialogs_{language}.lua with spoken lines")
        places = {name: place for place, name in enumerate(said)}
        heard = set()
        for path in sorted((store.folder(package) / game / "sound").glob(f"*/{language}/*.ogg")):
            if path.stem not in said or path.stem in heard:
                continue
            heard.add(path.stem)
            spoken, english = (clean(said[path.stem][key].replace('\\"', '"')) for key in ("text", "english"))
            level = path.parent.parent.name
            if spoken:
                yield Line(
                    audio=path,
                    text=spoken,
                    language=language,
                    speaker=f"fillets-{language}/{said[path.stem]['speaker']}",
                    group=f"fillets/{level}",
                    source=package,
                    name=f"{level}/{path.name}",
                    order=(places[path.stem],),
                    english=english,
                )


SENTENCES_A_BLOCK = 20

_SENTENCE = re.compile(r'\( (?P<name>ru_\d+) "(?P<text>[^"]*)" \)')


def reader_lines(store: PackageStore) -> Iterator[Line]:
    """One Russian reader; the sentences follow each other in stories, so the unit is a block of them."""
    package = "festvox-ru"
    voice = store.folder(package) / "usr/share/festival/voices/russian/msu_ru_nsh_clunits"
    said = _SENTENCE.findall((voice / "etc/txt.done.data").read_text("utf-8"))
    for number, (name, text) in enumerate(said):
        spoken = clean(text.replace("+", ""))  # a plus marks the stress
        if spoken and (voice / f"wav/{name}.wav").is_file():
            yield Line(
                audio=voice / f"wav/{name}.wav",
                text=spoken,
                language="ru",
                speaker="festvox-ru/reader",
                group=f"festvox-ru/block-{number // SENTENCES_A_BLOCK:02d}",
                source=package,
                name=name,
                order=(number,),
            )
