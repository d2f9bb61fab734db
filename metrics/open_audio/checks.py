"""`python -m metrics.open_audio.checks`: what could make the corpus too easy.

For every task with labels: what the file's properties and the mean spectrum alone tell. For the
whole corpus: recordings that one split holds and another one too, in the same task or in two.
"""

import hashlib
import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
import torch
import typer
from datasets import Dataset, load_dataset
from rich.console import Console
from rich.progress import track
from rich.table import Table

import dataset_builders  # noqa: F401  (makes open_audio known to load_dataset)
from dataset_builders.errors import plain_errors
from dataset_builders.open_audio.configs import CONFIGS
from metrics.reports import write_report
from modeling_uniwhisper import UniWhisperFeatureExtractor

from .baselines import file_properties, forest, linear_probe, majority, mean_log_mel
from .near_duplicates import Fingerprint, fingerprint, matches

SPLITS = ("train", "validation", "test")
SHOWN = 40
EXTRACTOR = UniWhisperFeatureExtractor()
OUT = Path("dataset_builders/open_audio/results/checks.json")


def main(
    out: Path = typer.Option(OUT, help="Where the JSON goes."),
    tasks: list[str] = typer.Option(list(CONFIGS), "--task", help="Tasks to check; all if not given."),
) -> None:
    """Shortcut baselines of each task and near-identical audio across splits."""
    torch.set_num_threads(1)  # a clip at a time is too little work to share
    prints: dict[bytes, Fingerprint] = {}
    places: dict[bytes, set[tuple[str, str, str]]] = {}
    baselines, seconds = {}, 0.0
    for task in tasks:
        splits = {name: load_dataset("open_audio", task, split=name) for name in SPLITS}
        features: dict[str, tuple[list, list]] = {name: ([], []) for name in SPLITS}
        for name, rows in splits.items():
            for audio, samples in track(decoded(rows), description=f"{task} {name}", total=len(rows)):
                key = hashlib.sha256(audio["bytes"]).digest()
                if key not in prints:
                    prints[key] = fingerprint(samples)
                    seconds += len(samples) / 16_000
                places.setdefault(key, set()).add((name, task, audio["path"]))
                if CONFIGS[task].labels:
                    features[name][0].append(file_properties(samples))
                    features[name][1].append(spectrum(samples))
        if CONFIGS[task].labels:
            baselines[task] = told(splits, features)
    shared = leaks(prints, places)
    report = {
        "command": "python -m metrics.open_audio.checks",
        "distinct_clips": len(prints),
        "distinct_hours": round(seconds / 3600, 2),
        "baselines": baselines,
        "shared_across_splits": {"pairs": len(shared), "examples": shared[:SHOWN]},
    }
    write_report(report, out)
    show(baselines)
    for pair in shared[:SHOWN]:
        print(" = ".join(pair["clips"]), f"({pair['seconds']} s, {pair['bit_errors']:.0%} of bits differ)")
    print(f"{len(shared)} recordings are in two splits; written: {out}")


def decoded(rows: Dataset) -> Iterator[tuple[dict, np.ndarray]]:
    """Yield each row's audio, as it is stored and as samples."""
    for row in rows.select_columns(["audio"]):
        yield row["audio"], soundfile.read(io.BytesIO(row["audio"]["bytes"]), dtype="float32")[0]


def spectrum(samples: np.ndarray) -> np.ndarray:
    """Mean and deviation of each mel bin over the whole clip."""
    return mean_log_mel(EXTRACTOR(samples, sampling_rate=16_000)).mean(0)


def told(splits: dict[str, Dataset], features: dict[str, tuple[list, list]]) -> dict[str, float]:
    """Test accuracy of the majority, of the file's properties and of the mean spectrum."""
    labels = {name: rows["label"] for name, rows in splits.items()}
    properties, spectra = (tuple((np.stack(features[name][kind]), labels[name]) for name in SPLITS) for kind in (0, 1))
    return {
        "majority": majority(labels["train"], labels["test"]),
        "largest_in_test": max(Counter(labels["test"]).values()) / len(labels["test"]),
        "file_properties": forest(properties[0], properties[2]),
        "mean_log_mel": float(linear_probe(*spectra[:2]).score(*spectra[2])),
    }


def leaks(prints: dict[bytes, Fingerprint], places: dict[bytes, set[tuple[str, str, str]]]) -> list[dict]:
    """Pairs of clips of different splits that hold the same recording."""
    found = []
    for where in places.values():
        for name, task, path in sorted(where):
            twins = [f"{t}/{s}/{p}" for s, t, p in sorted(where) if s > name]
            found += [{"clips": [f"{task}/{name}/{path}", twin], "seconds": None, "bit_errors": 0.0} for twin in twins]
    keys = list(prints)
    split_of = [min(places[key])[0] for key in keys]
    for match in track(list(matches(list(prints.values()), split_of)), description="near-identical"):
        sides = (min(places[keys[match.one]]), min(places[keys[match.other]]))
        found.append(
            {
                "clips": [f"{task}/{name}/{path}" for name, task, path in sides],
                "seconds": round(match.seconds, 2),
                "bit_errors": round(match.bit_errors, 3),
            }
        )
    return sorted(found, key=lambda pair: pair["clips"])


def show(baselines: dict[str, dict[str, float]]) -> None:
    """Print the baselines as a table."""
    table = Table("task", "majority", "file properties", "mean log-mel")
    for task, told_ in baselines.items():
        table.add_row(task, *(f"{told_[key]:.2f}" for key in ("majority", "file_properties", "mean_log_mel")))
    Console(width=100).print(table)


if __name__ == "__main__":
    with plain_errors():
        typer.run(main)
