"""How fast clips come from disk to a batch: `python -m metrics.efficiency.loading [CONFIG]...`.

Clips of `open_audio` go into Parquet shards, which are read to padded batches of the same clips by
`datasets`' own `Audio` feature and by `dataset_builders.loading`, in turns, after a warm-up. A speedup
is the median over rounds against `datasets` with as many workers.
"""

import tempfile
from collections import deque
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import datasets
import numpy as np
import torch
import typer
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader

import dataset_builders
from dataset_builders.errors import plain_errors
from dataset_builders.loading import SAMPLE_RATE, AudioLoader, decode_once
from metrics.machine import environment
from metrics.reports import write_report
from modeling_uniwhisper import UniWhisperFeatureExtractor

from .timing import spread, take_turns

OUT = Path(dataset_builders.__file__).parent / "open_audio" / "results" / "loading.json"
MINUTES, SHARDS = 20, 4
BATCH, REPEATS, WORKERS = 32, 5, (0, 2)
MANY_WORKERS, GPU = 16, 2_000  # of a training machine, and how many times real time its GPU learns
BAR = 3.0
PACKAGES = ("datasets", "pyarrow", "torch", "torchcodec", "miniaudio", "soundfile", "numpy")

app = typer.Typer(add_completion=False)


@app.command()
def main(
    configs: list[str] = typer.Argument(None, help="Configs of open_audio; asr_en if none is given."),
    out: Path = typer.Option(OUT, help="Where the JSON goes."),
) -> None:
    """Audio hours a second from Parquet to batches, ours and that of `datasets`."""
    configs = configs or ["asr_en"]
    command = " ".join(["python -m metrics.efficiency.loading", *configs])
    report = {"command": command, **environment(PACKAGES), "bar": BAR}
    datasets.disable_progress_bars()
    torch.set_num_threads(1)  # as in a worker
    report["configs"] = [measure(name) for name in configs]
    write_report(report, out)


def measure(config: str) -> dict[str, object]:
    """Every arm on the first 20 minutes of clips of `config`."""
    clips = datasets.load_dataset("open_audio", config, split="train")
    clips = clips.select(range(1 + int(np.searchsorted(np.cumsum(clips["duration"]), 60 * MINUTES))))
    with tempfile.TemporaryDirectory() as folder:
        for shard in range(SHARDS):
            clips.shard(SHARDS, shard, contiguous=True).to_parquet(Path(folder, f"{shard}.parquet"))
        source = {"path": "parquet", "data_files": f"{folder}/*.parquet", "split": "train", "cache_dir": folder}
        rows, stream = (datasets.load_dataset(**source, streaming=streaming) for streaming in (False, True))
        decoded, arms = decode_once(rows), {}
        for workers in WORKERS:
            options = {"num_workers": workers, "persistent_workers": workers > 0}
            plain = rows.cast_column("audio", datasets.Audio())
            arms["datasets", workers] = DataLoader(plain, BATCH, collate_fn=pad, **options)
            arms["map", workers] = AudioLoader(rows, BATCH, ["answer"], **options)
            arms["stream", workers] = AudioLoader(stream, BATCH, ["answer"], **options)
            arms["decoded_once", workers] = AudioLoader(decoded, BATCH, ["answer"], **options)
        arms["decoded_once_features", workers] = AudioLoader(
            decoded, BATCH, ["answer"], collate_fn=Features(), **options
        )
        for ours in ("map", "stream", "decoded_once"):
            check_same(arms["datasets", 0], arms[ours, 0])
        seconds = take_turns({name: partial(deque, arm, maxlen=0) for name, arm in arms.items()}, REPEATS)
    audio = sum(clips["duration"])
    results = {}
    for (arm, workers), times in seconds.items():
        real_time = audio / times
        of_worker = float(np.median(real_time)) / max(workers, 1)
        results[f"{arm}_{workers}_workers"] = {
            "audio_hours_per_second": spread(real_time / 3600),
            "times_real_time": spread(real_time),
            "times_real_time_per_worker": round(of_worker),
            "speedup": spread(seconds["datasets", workers] / times),
        }
        if workers == max(WORKERS):
            results[f"{arm}_{workers}_workers"] |= {
                f"times_real_time_of_{MANY_WORKERS}_workers_extrapolated": round(MANY_WORKERS * of_worker),
                f"times_a_gpu_at_{GPU}_times_real_time": round(MANY_WORKERS * of_worker / GPU, 1),
            }
    lasts = np.percentile(clips["duration"], [0, 50, 100]).round(2).tolist()
    size = {"clips": len(clips), "audio_seconds": round(audio), "clip_seconds_min_median_max": lasts}
    return {"config": config, **size, "shards": SHARDS, "batch": BATCH, "repeats": REPEATS, "arms": results}


def pad(rows: list[dict]) -> dict[str, object]:
    """The usual collate: decode, pad, list."""
    audio = [torch.from_numpy(row["audio"]["array"]) for row in rows]
    lengths = torch.tensor([len(waveform) for waveform in audio])
    return {"audio": pad_sequence(audio, batch_first=True), "lengths": lengths, "answer": [r["answer"] for r in rows]}


class Features:
    """Log-mel features instead of waveforms, made in the worker."""

    def __init__(self):
        self.extract = UniWhisperFeatureExtractor()

    def __call__(self, batch: dict) -> dict:
        clips = [clip[:length] for clip, length in zip(batch.pop("audio"), batch["lengths"].tolist())]
        return {**batch, **self.extract(clips, sampling_rate=SAMPLE_RATE)}


def check_same(first: Iterable[dict], second: Iterable[dict]) -> None:
    """Raise `AssertionError` unless both give the same batches."""
    for one, other in zip(first, second, strict=True):
        torch.testing.assert_close(one["audio"], other["audio"], rtol=0, atol=1e-6)
        assert one["lengths"].equal(other["lengths"]) and one["answer"] == other["answer"]


if __name__ == "__main__":
    with plain_errors():
        app()
