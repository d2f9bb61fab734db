"""The machine that numbers are made on: its name, and the memory that this process took of it."""

from __future__ import annotations

import platform
import re
from pathlib import Path

import torch


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
