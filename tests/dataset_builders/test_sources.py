import struct
import zlib

import pytest

from dataset_builders.open_audio.formats import FormatError, read_opensfx, read_queen, read_rcc
from dataset_builders.open_audio.speech.text import clean
from dataset_builders.open_audio.splits import assign


def test_queen_members(tmp_path):
    path = tmp_path / "queen.1c"
    entry = struct.pack(">12sxII", b"CHEF1.SB", 36, 3)
    path.write_bytes(b"QTBL" + bytes(8) + b"\1" + struct.pack(">H", 1) + entry + b"mp3")
    assert read_queen(path) == {"CHEF1.SB": b"mp3"}
    path.write_bytes(b"QTBL" + bytes(20))
    with pytest.raises(FormatError, match="not an MP3 build"):
        read_queen(path)


def test_opensfx_members(tmp_path):
    path = tmp_path / "opensfx.cat"
    path.write_bytes(struct.pack("<II", 8, 4) + b"\x09" + b'"Cow" by ' + b"RIFF")
    assert read_opensfx(path) == {"Cow": b"RIFF"}


def test_rcc_members(tmp_path):
    name = "a.wav"
    names = struct.pack(">HI", len(name), 0) + name.encode("utf-16-be")
    packed = struct.pack(">I", 4) + zlib.compress(b"RIFF")
    data = struct.pack(">I", len(packed)) + packed
    tree = struct.pack(">IHII", 0, 2, 1, 1) + struct.pack(">IHHHI", 0, 1, 0, 0, 0)
    offsets = (20, 20 + len(tree), 20 + len(tree) + len(data))
    path = tmp_path / "sounds.rcc"
    path.write_bytes(b"qres" + struct.pack(">4I", 1, *offsets) + tree + data + names)
    assert read_rcc(path, (".wav",)) == {"a.wav": b"RIFF"}
    assert read_rcc(path, (".ogg",)) == {}


@pytest.mark.parametrize("count", [1, 2, 3, 10, 200])
def test_assign_keeps_room_and_repeats(count):
    weights = {f"group {number}": 1.0 + number % 3 for number in range(count)}
    splits = assign(weights, "seed")
    assert splits == assign(dict(reversed(weights.items())), "seed")
    if count < 3:
        assert set(splits.values()) == {"train"}
    else:
        assert set(splits.values()) == {"train", "validation", "test"}
    if count == 200:
        held = sum(weights[group] for group, split in splits.items() if split == "test")
        assert held <= 0.15 * sum(weights.values())


@pytest.mark.parametrize(
    ("printed", "spoken"),
    [
        ("“Hi…”  it’s  me", '"Hi..." it\'s me'),
        ("Super Soldier Treatment^_.", "Super Soldier Treatment."),
        ("<gulp>", None),
        ("[ascending tones]", None),
        ("1 2 3", None),
        ("...has left .", "...has left."),
    ],
)
def test_clean(printed, spoken):
    assert clean(printed) == spoken
