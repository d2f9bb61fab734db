import io
from collections import Counter

import datasets
import numpy as np
import pytest
import soundfile
import soxr
import torch

from dataset_builders.loading import AudioLoader, UndecodableError, batch_like_sizes, decode, decode_once, make_batch

ROWS, SHARDS = 40, 4


def sound(number: int, rate: int = 16_000, channels: int = 1, kind: str = "FLAC") -> bytes:
    """A tone of its own pitch, `number` steps long."""
    samples = np.arange(rate // 20 + rate * number // 800)
    tone = np.sin(2 * np.pi * (200 + 10 * number) * samples / rate) / 2
    tones = np.stack([tone, -tone / 2], axis=1)[:, :channels]
    buffer = io.BytesIO()
    soundfile.write(buffer, tones, rate, format=kind, subtype="PCM_16")
    return buffer.getvalue()


def write(folder, damaged: int | None = None, damage=None):
    """Shards of tones; `damage` changes the bytes of one row."""
    features = datasets.Features(
        {
            "audio": datasets.Audio(sampling_rate=16_000, decode=False),
            "answer": datasets.Value("string"),
            "duration": datasets.Value("float32"),
        }
    )
    sounds = [sound(number) for number in range(ROWS)]
    if damaged is not None:
        sounds[damaged] = damage(sounds[damaged])
    columns = {
        "audio": [{"bytes": data, "path": f"tone-{number}.flac"} for number, data in enumerate(sounds)],
        "answer": [str(number) for number in range(ROWS)],
        "duration": [1 / 20 + number / 800 for number in range(ROWS)],
    }
    rows = datasets.Dataset.from_dict(columns, features)
    for shard in range(SHARDS):
        rows.shard(SHARDS, shard, contiguous=True).to_parquet(folder / f"train-{shard}.parquet")
    return folder


def read(folder, streaming: bool):
    data, cache = str(folder / "train-*.parquet"), str(folder / "cache")
    return datasets.load_dataset("parquet", data_files=data, split="train", streaming=streaming, cache_dir=cache)


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    folder = write(tmp_path_factory.mktemp("tones"))
    return lambda streaming: read(folder, streaming)


def answers(loader) -> list[str]:
    return [answer for batch in loader for answer in batch["answer"]]


def test_samples_lengths_and_zero_padding():
    sounds = [sound(3), sound(9), sound(5, kind="WAV"), sound(1, channels=2)]
    batch = make_batch({"audio": [{"bytes": data, "path": "a"} for data in sounds], "answer": [*"abcd"]}, range(4), "x")
    expected = [soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)[0].mean(axis=1) for data in sounds]
    assert batch["lengths"].tolist() == [len(waveform) for waveform in expected]
    assert batch["audio"].dtype == torch.float32
    assert batch["answer"] == [*"abcd"]
    for row, waveform in zip(batch["audio"].numpy(), expected):
        np.testing.assert_array_equal(row[: len(waveform)], waveform)
        assert not row[len(waveform) :].any()


def test_another_rate_is_resampled():
    data = sound(20, rate=44_100, channels=2)
    samples, rate = soundfile.read(io.BytesIO(data), dtype="float32")
    np.testing.assert_allclose(decode(data), soxr.resample(samples.mean(axis=1), rate, 16_000), atol=1e-6)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("streaming", [False, True])
def test_every_batch_holds_the_rows_of_soundfile(load, streaming, workers):
    """Through real workers: the tensor in shared memory arrives whole."""
    seen = Counter()
    for batch in AudioLoader(load(streaming), 7, ["answer"], num_workers=workers):
        for row, length, answer in zip(batch["audio"].numpy(), batch["lengths"].tolist(), batch["answer"]):
            waveform = soundfile.read(io.BytesIO(sound(int(answer))), dtype="float32")[0]
            np.testing.assert_array_equal(row[:length], waveform)
            assert not row[length:].any()
            seen[answer] += 1
    assert seen == Counter(map(str, range(ROWS)))


@pytest.mark.parametrize("seed", [None, 1])
@pytest.mark.parametrize("streaming", [False, True])
def test_two_ranks_of_two_workers_share_the_rows(load, streaming, seed):
    heard = []
    for rank in range(2):
        loader = AudioLoader(load(streaming), 4, ["answer"], seed, rank, 2, num_workers=2)
        loader.set_epoch(3)
        heard.append(answers(loader))
    assert sorted(heard[0] + heard[1], key=int) == list(map(str, range(ROWS)))
    assert len(heard[0]) == len(heard[1]) == ROWS // 2


def test_without_a_seed_the_order_is_kept(load):
    for streaming in (False, True):
        loader = AudioLoader(load(streaming), 7, ["answer"])
        loader.set_epoch(1)
        assert answers(loader) == list(map(str, range(ROWS)))
    assert len(AudioLoader(load(False), 7)) == 6
    assert [len(AudioLoader(load(False), 16, rank=rank, world_size=2)) for rank in range(2)] == [2, 1]


@pytest.mark.parametrize("streaming", [False, True])
def test_seed_and_epoch_fix_the_order(load, streaming):
    first, again = (AudioLoader(load(streaming), 4, ["answer"], seed=5) for _ in range(2))
    order = answers(first)
    assert order == answers(again) != list(map(str, range(ROWS)))
    again.set_epoch(1)
    assert sorted(answers(again)) == sorted(order) != answers(again)
    assert answers(AudioLoader(load(streaming), 4, ["answer"], seed=6)) != order


def test_persistent_workers_hear_of_the_epoch(load):
    loader = AudioLoader(load(True), 4, ["answer"], seed=5, num_workers=1, persistent_workers=True)
    order = answers(loader)
    loader.set_epoch(1)
    assert sorted(answers(loader)) == sorted(order) != answers(loader)


def test_batches_hold_like_sizes():
    sizes = np.random.default_rng(0).permutation(64)
    batches = batch_like_sizes(sizes, 8, np.random.default_rng(1))
    assert sorted(np.concatenate(batches)) == list(range(64))
    assert all(np.ptp(sizes[batch]) == 7 for batch in batches)
    assert np.any(np.diff([sizes[batch].min() for batch in batches]) < 0)


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"no sound", lambda data: b""])
def test_a_bad_row_is_named(tmp_path, damage):
    write(tmp_path, 11, damage)
    for streaming in (False, True):
        with pytest.raises(UndecodableError, match=r"parquet/default/train: row 11 \(tone-11\.flac\)"):
            answers(AudioLoader(read(tmp_path, streaming), 4, ["answer"]))


def test_a_bad_row_is_named_by_a_worker(tmp_path):
    write(tmp_path, 11, lambda data: data[:-100])
    with pytest.raises(UndecodableError, match=r"row 11 \(tone-11\.flac\) cannot be decoded: "):
        answers(AudioLoader(read(tmp_path, False), 4, ["answer"], num_workers=1))


def test_decoded_once_gives_the_same_samples_in_one_format(tmp_path):
    rows = read(write(tmp_path), streaming=False)
    once = decode_once(rows)
    assert {row["audio"]["bytes"][:4] for row in once} == {b"RIFF"}
    for before, after in zip(rows, once):
        np.testing.assert_allclose(decode(after["audio"]["bytes"]), decode(before["audio"]["bytes"]), atol=1e-6)
        assert (after["answer"], after["audio"]["path"]) == (before["answer"], before["audio"]["path"])


def test_decoding_once_names_a_bad_row(tmp_path):
    rows = read(write(tmp_path, damaged=7, damage=lambda data: data[: len(data) // 2]), streaming=False)
    with pytest.raises(UndecodableError, match=r"tone-7\.flac cannot be decoded"):
        decode_once(rows)
