"""`load_dataset("probe_suite", CONFIG)`: the built Parquet as a dataset of `datasets`."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import datasets

from ..open_audio import builder as open_audio
from .configs import CONFIGS

FEATURES = datasets.Features(
    {
        "audio": datasets.Audio(sampling_rate=16_000, decode=False),
        "duration": datasets.Value("float32"),
        "labels": datasets.List(datasets.Value("string")),
        "events": datasets.List(
            {
                "label": datasets.Value("string"),
                "start": datasets.Value("float32"),
                "end": datasets.Value("float32"),
            }
        ),
        "text": datasets.Value("string"),
        "key": datasets.Value("string"),
        "side": datasets.Value("string"),
        "language": datasets.Value("string"),
        "group": datasets.Value("string"),
        "source": datasets.Value("string"),
        "license": datasets.Value("string"),
    }
)
"""One schema for every config; what a config does not tell is `None`."""

VERSION = datasets.Version("1.0.0")
"""Raised whenever a build would come out otherwise: older builds are made again."""


def data_folder() -> Path:
    """Return where the configs lie: `probe_suite` beside those of `open_audio`."""
    return open_audio.data_folder() / "probe_suite"


def fingerprint_files() -> list[Path]:
    """Return the files that decide what a load gives: the manifests of what is built."""
    return sorted(data_folder().glob(f"*/{open_audio.MANIFEST}"))


class ProbeSuite(open_audio.OpenAudio):
    """The configs of `CONFIGS`, built and read as those of `open_audio` are."""

    VERSION = VERSION
    FEATURES = FEATURES
    BUILDER_CONFIGS: ClassVar[list[datasets.BuilderConfig]] = [
        datasets.BuilderConfig(name=name, version=VERSION, description=config.description)
        for name, config in CONFIGS.items()
    ]
    data_folder = staticmethod(data_folder)
