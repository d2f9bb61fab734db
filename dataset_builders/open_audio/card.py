"""The dataset card: what is on disk, in numbers and pictures."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from huggingface_hub import DatasetCard, DatasetCardData

from .builder import read_manifest
from .configs import CONFIGS
from .pictures import draw
from .pinned import PACKAGES
from .splits import SPLITS

FOLDER = Path(__file__).parent
Manifest = dict[str, Any]


class CardError(ValueError):
    """A card that cannot be written, because a config is not built or was built without a package."""


def write_card(data: Path, folder: Path = FOLDER) -> Path:
    """Write `README.md`, its pictures and `results/statistics.json` of the corpus built in `data`.

    Raises:
        CardError: a config is not built, or not whole.
    """
    manifests = read_manifests(data)
    draw(manifests, data, folder / "pictures")
    (folder / "results").mkdir(parents=True, exist_ok=True)
    (folder / "results/statistics.json").write_text(json.dumps(manifests, indent=1, ensure_ascii=False) + "\n", "utf-8")
    path = folder / "README.md"
    path.write_text(render(read_results(folder)), "utf-8")
    return path


def read_results(folder: Path = FOLDER) -> dict[str, Any]:
    """Return what lies in `results/`, by name."""
    return {path.stem: json.loads(path.read_text("utf-8")) for path in sorted((folder / "results").glob("*.json"))}


def render(results: dict[str, Any]) -> str:
    """Return the card's text from statistics, checks, transcripts and loading benchmark."""
    manifests, checks = results["statistics"], results["checks"]
    card = DatasetCard.from_template(
        _metadata(manifests),
        template_path=str(FOLDER / "card_template.md"),
        tasks=_tasks(manifests),
        sources=_sources(manifests),
        shortcuts=_shortcuts(checks["baselines"]),
        transcripts=_transcripts(results["transcripts"]["sets"]),
        loading=_loading(results["loading"]["configs"]),
        number_of_tasks=len(manifests),
        hours=f"{sum(map(_hours, manifests.values())):.1f}",
        distinct_hours=f"{checks['distinct_hours']:.1f}",
        clips=sum(held["clips"] for manifest in manifests.values() for held in manifest["splits"].values()),
        distinct_clips=checks["distinct_clips"],
        shared=checks["shared_across_splits"]["pairs"],
    )
    return str(card).rstrip() + "\n"


def read_manifests(data: Path) -> dict[str, Manifest]:
    """Return the manifest of every config, in the order of `CONFIGS`.

    Raises:
        CardError: a config is not built, or not whole.
    """
    manifests = {}
    for name in CONFIGS:
        manifest = read_manifest(data / name)
        if manifest is None or manifest["missing"]:
            state = "not built" if manifest is None else f"built without {', '.join(manifest['missing'])}"
            raise CardError(f"{name} is {state} in {data}; the card describes the whole corpus")
        manifests[name] = manifest
    return manifests


def _metadata(manifests: dict[str, Manifest]) -> DatasetCardData:
    codes = {code for m in manifests.values() for held in m["splits"].values() for code in held["languages"]}
    return DatasetCardData(
        pretty_name="Open audio",
        language=sorted({code.partition("_")[0] for code in codes}),
        license="other",
        license_name="by-package",
        license_link="#sources",
        task_categories=["audio-classification", "automatic-speech-recognition", "audio-text-to-text"],
        size_categories="10K<n<100K",
        tags=["speech", "environmental-sound", "music", "instruction"],
        configs=[
            {
                "config_name": name,
                "data_files": [{"split": split, "path": f"{name}/{split}-*.parquet"} for split in SPLITS],
            }
            for name in manifests
        ],
    )


def _hours(manifest: Manifest) -> float:
    return sum(held["minutes"] for held in manifest["splits"].values()) / 60


def _tasks(manifests: dict[str, Manifest]) -> str:
    rows = []
    for name, manifest in manifests.items():
        held = [manifest["splits"][split] for split in SPLITS]
        labels = len({label for split in held for label in split["labels"]})
        majority = held[-1]["majority"]
        rows.append(
            (
                f"`{name}`",
                CONFIGS[name].description,
                labels or "text",
                " / ".join(str(split["clips"]) for split in held),
                f"{_hours(manifest):.2f}",
                " / ".join(str(split["groups"]) for split in held),
                "" if majority is None else f"{majority:.0%}",
            )
        )
    head = ("config", "asks", "labels", "clips", "hours", "groups", "largest label")
    return _table(head, rows)


def _sources(manifests: dict[str, Manifest]) -> str:
    used: dict[str, set[str]] = defaultdict(set)
    for name, manifest in manifests.items():
        for held in manifest["splits"].values():
            for source in held["sources"]:
                for package in PACKAGES:
                    if package in source.replace("(", " ").split():
                        used[package].add(name)
    rows = [
        (package, PACKAGES[package].version, PACKAGES[package].license, ", ".join(sorted(tasks)))
        for package, tasks in sorted(used.items())
    ]
    return _table(("package", "version", "licence of the audio", "tasks"), rows)


def _shortcuts(baselines: dict[str, dict[str, float]]) -> str:
    columns = ("majority", "file_properties", "mean_log_mel")
    rows = [(f"`{task}`", *(f"{told[column]:.2f}" for column in columns)) for task, told in baselines.items()]
    return _table(("config", "majority", "file properties", "mean log-mel"), rows)


def _transcripts(sets: dict[str, dict[str, Any]]) -> str:
    rows = [
        (name, scores["clips"], f"{scores['cer']:.2f}", f"{scores['wer']:.2f}", "yes" if scores["proven"] else "no")
        for name, scores in sets.items()
    ]
    return _table(("package, language", "clips", "CER", "WER", "proven"), rows)


def _loading(configs: list[dict[str, Any]]) -> str:
    rows = [
        (
            f"`{config['config']}`",
            arm.replace("_", " "),
            f"{measured['times_real_time']['median']:,.0f}",
            f"{measured['times_real_time_per_worker']:,}",
            f"{measured['speedup']['median']:.1f}",
        )
        for config in configs
        for arm, measured in config["arms"].items()
    ]
    return _table(("config", "path", "times real time", "of each worker", "against `datasets`"), rows)


def _table(head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "/") for cell in line) + " |" for line in lines)
