"""Readers of the odd containers that some packages keep their sounds in.

Each returns member name to the bytes of an ordinary sound file (MP3, WAV, Ogg).
"""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from pathlib import Path

_RCC_COMPRESSED, _RCC_FOLDER, _RCC_ZSTD = 1, 2, 4


class FormatError(ValueError):
    """A container that does not begin or go on as its format says."""


def read_zip(path: Path, suffix: str | tuple[str, ...]) -> dict[str, bytes]:
    """Return the members of the zip (or .pk3) at `path` that end in `suffix`."""
    with zipfile.ZipFile(path) as archive:
        return {n: archive.read(n) for n in archive.namelist() if n.endswith(suffix)}


def read_queen(path: Path) -> dict[str, bytes]:
    """Return every file inside `queen.1c` of Flight of the Amazon Queen (MP3 build).

    Layout, as ScummVM's `engines/queen/resource.cpp` reads it: "QTBL", 8 bytes, compression,
    `u16` count, then `(name[12], u8, u32 offset, u32 size)` big-endian.
    """
    data = path.read_bytes()
    if data[:4] != b"QTBL" or data[12] != 1:
        raise FormatError(f"{path} is not an MP3 build of queen.1c")
    (count,) = struct.unpack_from(">H", data, 13)
    entries = struct.iter_unpack(">12sxII", data[15 : 15 + 21 * count])
    return {name.rstrip(b"\0").decode("latin1"): data[offset : offset + size] for name, offset, size in entries}


def read_opensfx(path: Path) -> dict[str, bytes]:
    """Return the WAV files of an OpenTTD `.cat`, named by the quoted words of their title.

    Layout: little-endian `(u32 offset, u32 size)` a sound, the first offset telling how many;
    at each offset a length byte, the title, then the RIFF data.
    """
    data = path.read_bytes()
    count = (struct.unpack_from("<I", data)[0] & 0x7FFFFFFF) // 8
    sounds = {}
    for offset, size in struct.iter_unpack("<II", data[: 8 * count]):
        begin = (offset & 0x7FFFFFFF) + 1
        begin, title = begin + data[begin - 1], data[begin : begin + data[begin - 1]]
        name = title.rstrip(b"\0").decode("latin1").replace("/", " or ")
        quoted = re.match(r'\s*"([^"]+)"', name)
        sounds[quoted[1] if quoted else name] = data[begin : begin + size]
    return sounds


def read_rcc(path: Path, suffixes: tuple[str, ...]) -> dict[str, bytes]:
    """Return the files of a Qt binary resource (`.rcc`) whose path ends in one of `suffixes`.

    Layout: "qres", then big-endian `u32` version and offsets of tree, data and names
    (Qt's `qresource.cpp`). Zstandard members are refused by name: no pinned sound uses them.
    """
    data = path.read_bytes()
    if data[:4] != b"qres":
        raise FormatError(f"{path} is not a Qt binary resource")
    version, tree, payload, names = struct.unpack_from(">4I", data, 4)
    node_size = 14 if version < 2 else 22
    files = {}

    def name_at(offset: int) -> str:
        (length,) = struct.unpack_from(">H", data, names + offset)
        start = names + offset + 6
        return data[start : start + 2 * length].decode("utf-16-be")

    def walk(index: int, parent: str) -> None:
        at = tree + index * node_size
        name, flags = struct.unpack_from(">IH", data, at)
        here = parent if index == 0 else f"{parent}/{name_at(name)}"
        if flags & _RCC_FOLDER:
            count, first = struct.unpack_from(">II", data, at + 6)
            for child in range(first, first + count):
                walk(child, here)
        elif here.endswith(suffixes):
            (offset,) = struct.unpack_from(">I", data, at + 10)
            (length,) = struct.unpack_from(">I", data, payload + offset)
            member = data[payload + offset + 4 : payload + offset + 4 + length]
            if flags & _RCC_ZSTD:
                raise FormatError(f"{path}:{here} is Zstandard-compressed, which is not read")
            plain = zlib.decompress(member[4:]) if flags & _RCC_COMPRESSED else member
            files[here.lstrip("/")] = plain

    walk(0, "")
    return files
