"""From packages to the Parquet of the probes."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..open_audio.build import Schema, build_config
from ..open_audio.clips import Piece
from ..open_audio.configs import TaskConfig
from ..open_audio.packages import PackageStore
from .builder import FEATURES, VERSION
from .clips import ProbeClip
from .configs import CONFIGS


def build(name: str, store: PackageStore, out: Path) -> dict[str, Any]:
    """Build config `name` into `out/name`; see `open_audio.build.build`."""
    return build_config(name, CONFIGS, Schema(FEATURES, VERSION, _row), store, out)


def _row(name: str, config: TaskConfig, clip: ProbeClip, number: int, piece: Piece) -> dict[str, Any]:
    return {
        "audio": {"bytes": piece.data, "path": f"{clip.name}-{number}.flac"},
        "duration": piece.duration,
        "labels": sorted({event.label for event in clip.events}) or None,
        "events": [asdict(event) for event in clip.events] or None,
        "text": clip.answer or None,
        "key": clip.key,
        "side": clip.side,
        "language": clip.language,
        "group": clip.group,
        "source": clip.source,
        "license": clip.license,
    }
