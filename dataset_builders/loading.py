"""Batches of 16 kHz waveforms, decoded in the workers that make them.

    loader = AudioLoader(load_dataset("open_audio", "asr_en", split="train"), 32, ["answer"], seed=0, num_workers=2)
    for epoch in range(3):
        loader.set_epoch(epoch)
        for batch in loader:
            batch["audio"], batch["lengths"], batch["answer"]

Most of the time goes into decoding FLAC, which miniaudio does in half the time of libsndfile, the reader
of everything else, and which `decode_once` does once for all epochs. The rest is avoided: only the columns
asked for leave Arrow, a batch at a time, and a worker makes the batch in shared memory.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import datasets
import miniaudio
import numpy as np
import soundfile
import soxr
import torch
from datasets.distributed import split_dataset_by_node
from torch.utils.data import DataLoader, Dataset, IterableDataset, Sampler, get_worker_info

SAMPLE_RATE = 16_000
BATCHES_SORTED_TOGETHER = 16


class UndecodableError(ValueError):
    """A row whose audio cannot be decoded to its end."""


class AudioLoader(DataLoader):
    """A `DataLoader` of a dataset whose `audio` holds the bytes of sound files, such as `open_audio`.

    A batch is a dict: `audio`, float32 `(clips, samples)`, mono at 16 kHz, zero after each clip's end;
    `lengths` `(clips,)` in samples; and each of `columns` as a list. `UndecodableError` names a bad row.

    Args:
        dataset: rows at random access, or a stream, whose shards are split over ranks and then over workers.
        batch_size: clips of a batch; the last (of each worker, in a stream) may be smaller.
        columns: what else of a row is wanted.
        seed: shuffle, otherwise in each epoch, and batch clips of like length; `None` keeps the dataset's order.
        rank, world_size: this process and how many there are. Together they get each row exactly once, so
            one may get more batches than another: training in step needs torch's `Join`.
        **options: of `DataLoader`. `collate_fn` is called on each batch, in the worker.
    """

    def __init__(
        self,
        dataset: datasets.Dataset | datasets.IterableDataset,
        batch_size: int,
        columns: Sequence[str] = (),
        seed: int | None = None,
        rank: int = 0,
        world_size: int = 1,
        **options: Any,
    ):
        if isinstance(dataset, datasets.IterableDataset):
            rows = _Stream(split_dataset_by_node(dataset, rank, world_size), batch_size, columns, seed)
        else:
            rows = _Rows(dataset, columns)
            options["sampler"] = _Batches(dataset, batch_size, seed, rank, world_size)
        super().__init__(rows, batch_size=None, **options)

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next pass."""
        (self.dataset if isinstance(self.dataset, IterableDataset) else self.sampler).set_epoch(epoch)


class _Rows(Dataset):
    """Indexed by the row numbers of a batch."""

    def __init__(self, dataset: datasets.Dataset, columns: Sequence[str]):
        self.name = _name(dataset)
        self.dataset = dataset.select_columns(["audio", *columns]).with_format("arrow")

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, rows: list[int]) -> dict[str, Any]:
        return make_batch(self.dataset[rows].to_pydict(), rows, self.name)


class _Batches(Sampler):
    """The row numbers of each batch of one rank."""

    def __init__(self, dataset: datasets.Dataset, batch_size: int, seed: int | None, rank: int, world_size: int):
        self.sizes = np.zeros(len(dataset))
        if seed is not None and "duration" in dataset.column_names:
            self.sizes = dataset.select_columns("duration").with_format("numpy")[:]["duration"]
        self.batch_size, self.seed, self.epoch = batch_size, seed, 0
        self.of_rank = slice(rank, None, world_size)

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(range(-(-len(self.sizes) // self.batch_size))[self.of_rank])

    def __iter__(self) -> Iterator[list[int]]:
        rng, order = None, np.arange(len(self.sizes))
        if self.seed is not None:
            rng = np.random.default_rng((self.seed, self.epoch))
            order = rng.permutation(order)
        for batch in batch_like_sizes(self.sizes[order], self.batch_size, rng)[self.of_rank]:
            yield order[batch].tolist()


class _Stream(IterableDataset):
    """Batches of the shards of one worker: `datasets` itself gives each its own."""

    def __init__(self, dataset: datasets.IterableDataset, batch_size: int, columns: Sequence[str], seed: int | None):
        self.name, self.batch_size, self.seed = _name(dataset), batch_size, seed
        self.pool = batch_size * (1 if seed is None else BATCHES_SORTED_TOGETHER)
        self.dataset = dataset.decode(False).select_columns(["audio", *columns])
        if seed is not None:
            # More input shards than one would leave shards to the first worker only (datasets#8669).
            self.dataset = self.dataset.shuffle(seed=seed, buffer_size=self.pool, max_buffer_input_shards=1)

    def set_epoch(self, epoch: int) -> None:
        if self.seed is not None:
            self.dataset.set_epoch(epoch)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        rng = None if self.seed is None else np.random.default_rng((self.seed, self.dataset.epoch))
        rows = enumerate(self.dataset)
        while pool := list(islice(rows, self.pool)):
            sizes = np.array([len(row["audio"]["bytes"] or b"") for _, row in pool])
            for batch in batch_like_sizes(sizes, self.batch_size, rng):
                numbers, chosen = zip(*(pool[at] for at in batch))
                yield make_batch({name: [row[name] for row in chosen] for name in chosen[0]}, numbers, self.name)


def batch_like_sizes(sizes: np.ndarray, batch_size: int, rng: np.random.Generator | None) -> list[np.ndarray]:
    """Cut the places of `sizes` into batches: in order or, given `rng`, of like sizes and in random order."""
    span = batch_size * BATCHES_SORTED_TOGETHER
    batches: list[np.ndarray] = []
    for start in range(0, len(sizes), span):
        part = np.arange(start, min(start + span, len(sizes)))
        if rng is not None:
            part = part[np.argsort(sizes[part], kind="stable")]
        cut = [part[at : at + batch_size] for at in range(0, len(part), batch_size)]
        batches += cut if rng is None else [cut[at] for at in rng.permutation(len(cut))]
    return batches


def make_batch(columns: dict[str, list], rows: Sequence[int], name: str) -> dict[str, Any]:
    """Decode the `audio` of `columns` into one tensor; errors cite the dataset's `name` and of `rows` the bad one."""
    waveforms = []
    for row, clip in zip(rows, columns.pop("audio")):
        try:
            waveforms.append(decode(clip["bytes"] or b""))
        except UndecodableError as error:
            raise UndecodableError(f"{name}: row {row} ({clip['path']}) cannot be decoded: {error}") from None
    lengths = [len(waveform) for waveform in waveforms]
    batch = _zeros(len(lengths), max(lengths))
    for place, waveform in zip(batch.numpy(), waveforms):
        place[: len(waveform)] = waveform
    return {"audio": batch, "lengths": torch.tensor(lengths), **columns}


def decode(data: bytes) -> np.ndarray:
    """Return a sound file as float32 `(samples,)` at 16 kHz, the mean of its channels.

    Raises:
        UndecodableError: it is no sound file, holds no sample, or ends before its header says.
    """
    try:
        samples, rate, promised = READERS.get(data[:4], _read)(data)
    except (soundfile.LibsndfileError, miniaudio.DecodeError) as error:
        raise UndecodableError(str(error)) from None
    if not len(samples) or len(samples) < promised:
        raise UndecodableError(f"{len(samples)} of {promised} samples can be read")
    mono = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1)
    return mono if rate == SAMPLE_RATE else soxr.resample(mono, rate, SAMPLE_RATE)


def decode_once(dataset: datasets.Dataset, num_proc: int | None = None) -> datasets.Dataset:
    """Return `dataset` with its audio decoded and resampled, as 16-bit PCM at 16 kHz in the cache of `datasets`.

    That takes about twice the room of FLAC, and every pass after it is several times faster.

    Raises:
        UndecodableError: a row's audio cannot be decoded; the message names its path.
    """
    features = dataset.features.copy()
    features["audio"] = {"bytes": datasets.Value("binary"), "path": datasets.Value("string")}
    return dataset.map(_as_pcm, features=features, num_proc=num_proc, desc="Decoding once")


def _as_pcm(row: dict[str, Any]) -> dict[str, Any]:
    audio, buffer = row["audio"], io.BytesIO()
    try:
        soundfile.write(buffer, decode(audio["bytes"] or b""), SAMPLE_RATE, format="WAV", subtype="PCM_16")
    except UndecodableError as error:
        raise UndecodableError(f"{audio['path']} cannot be decoded: {error}") from None
    return {"audio": {"bytes": buffer.getvalue(), "path": audio["path"]}}


def _read_flac(data: bytes) -> tuple[np.ndarray, int, int]:
    """Return `(samples, channels)`, their rate, and how many there should be."""
    sound = miniaudio.flac_read_f32(data)
    promised = int.from_bytes(data[21:26], "big") & 0xF_FFFF_FFFF  # 36 bits of STREAMINFO, 0 if unknown
    return np.frombuffer(sound.samples, np.float32).reshape(-1, sound.nchannels), sound.sample_rate, promised


def _read_wav(data: bytes) -> tuple[np.ndarray, int, int]:
    sound = miniaudio.wav_read_f32(data)
    return np.frombuffer(sound.samples, np.float32).reshape(-1, sound.nchannels), sound.sample_rate, 0


def _read(data: bytes) -> tuple[np.ndarray, int, int]:
    with soundfile.SoundFile(io.BytesIO(data)) as sound:
        samples = sound.read(dtype="float32", always_2d=True)
        guessed = sound.format == "MP3"  # whose header need not give the length
        return samples, sound.samplerate, 0 if guessed else sound.frames


READERS = {b"fLaC": _read_flac, b"RIFF": _read_wav}
"""First four bytes of a file to its reader; libsndfile reads everything else."""


def _zeros(clips: int, samples: int) -> torch.Tensor:
    """Zeros that a worker can hand over without a copy; untouched padding takes no memory."""
    if get_worker_info() is None:
        return torch.from_numpy(np.zeros((clips, samples), np.float32))  # torch.zeros touches every page
    shared = torch.UntypedStorage._new_shared(4 * clips * samples)  # as default_collate does
    return torch.empty(0).set_(shared, 0, (clips, samples))


def _name(dataset: datasets.Dataset | datasets.IterableDataset) -> str:
    parts = (dataset.info.dataset_name, dataset.info.config_name, dataset.split)
    return "/".join(str(part) for part in parts if part) or "dataset"
