"""The machine that numbers are made on: what it is, and the memory that this process took of it."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

PACKAGES = ("torch", "transformers", "ctranslate2", "faster-whisper", "numpy", "soundfile", "soxr")


def peak_memory() -> int:
    """Most bytes that this process held, as Linux tells it; `ru_maxrss` would start from the parent's.

    Raises:
        OSError: the system is not Linux.
    """
    [kilobytes] = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return 1024 * int(kilobytes)


def device_name(device: str) -> str:
    """The name of a GPU, else of the processor."""
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else cpu_name()


def cpu_name() -> str:
    """The processor's name, where the system tells it."""
    names = Path("/proc/cpuinfo")
    lines = names.read_text().splitlines() if names.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def environment(packages: Sequence[str] = PACKAGES, device: str = "cpu") -> dict[str, Any]:
    """What the numbers depend on; `device` as torch names it."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": device_name(device),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load_average": os.getloadavg(),
        "python": platform.python_version(),
        "versions": {package: version(package) for package in packages},
    }
