"""Streams of the public mixture, from datasets that lie in a folder as they do on the Hub."""

import io

import datasets
import numpy as np
import pytest
import soundfile

from dataset_builders.open_audio.builder import FEATURES
from dataset_builders.public_mixture import PublicDataset
from dataset_builders.public_streams import open_streams, stream


def flac(seconds: float) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, np.zeros(round(8000 * seconds)), 8000, format="FLAC")
    return buffer.getvalue()


@pytest.fixture
def published(tmp_path):
    """`published(name, columns)`: an entry for a folder of Parquet."""

    def publish(name: str, columns: dict[str, list], **changes) -> PublicDataset:
        folder = tmp_path / name
        folder.mkdir()
        rows = datasets.Dataset.from_dict(columns)
        rows = rows.cast_column("audio", datasets.Audio()) if isinstance(columns["audio"][0], dict) else rows
        rows.to_parquet(folder / "train.parquet")
        entry = {
            "id": str(folder),
            "split": "train",
            "task": "asr",
            "domain": "speech",
            "columns": {"audio": "audio", "answer": "text"},
            "hours": 2.0,
            "license": "CC0-1.0",
            "unchecked": ("hours",),
        }
        return PublicDataset(**(entry | changes))

    return publish


def sounds(count: int) -> list[dict]:
    return [{"bytes": flac(1 + number / 10), "path": f"{number}.flac"} for number in range(count)]


def test_rows_have_our_schema_and_their_length(published):
    lines = published("lines", {"audio": sounds(3), "text": ["one", None, "three"]})
    rows = list(stream(lines))
    assert [row["answer"] for row in rows] == ["one", "three"]
    assert [round(row["duration"], 1) for row in rows] == [1.0, 1.2]
    for row in rows:
        assert row.keys() >= {*FEATURES} - {"choices", "label", "language", "start", "end", "group"}
        assert row["audio"]["bytes"][:4] == b"fLaC"


def test_a_subsample_is_the_same_each_time(published):
    half = published("half", {"audio": sounds(60), "text": ["word"] * 60}, full_hours=4.0)
    first, again = ([row["audio"]["path"] for row in stream(half)] for _ in "ab")
    assert first == again and 15 < len(first) < 45


def test_excluded_rows_are_dropped_and_without_a_list_the_dataset_is_left_out(published, capsys):
    columns = {"audio": sounds(4), "text": list("abcd"), "reader": [1, 12, 2, 12]}
    readers = published("readers", columns, leaves_out={"column": "reader", "rows": "test readers"})
    free = published("free", {"audio": sounds(2), "text": ["x", "y"]})
    task = open_streams([readers, free], ["asr"])["asr"]
    assert task.hours == 2 and {row["answer"] for row in task} == {"x", "y"}
    assert "readers/train: left out, 2 h, as no list tells its test readers" in capsys.readouterr().out
    task = open_streams([readers, free], ["asr"], {readers.id: frozenset({"12"})})["asr"]
    assert task.hours == 4 and sorted(row["answer"] for row in task) == ["a", "c", "x", "y"]
    by_path = published("paths", {"audio": sounds(3), "text": list("abc")}, leaves_out={"column": "audio", "rows": "-"})
    assert [row["answer"] for row in stream(by_path, frozenset({"1.fl"}))] == ["a", "c"]


def test_what_cannot_be_heard_is_named(published):
    broken = published("broken", {"audio": [{"bytes": b"no sound", "path": "a.flac"}], "text": ["a"]})
    with pytest.raises(ValueError, match="broken/train/0 cannot be read"):
        list(stream(broken))
    with pytest.raises(ValueError, match="no dataset for 'keyword'"):
        open_streams([broken], ["keyword"])
