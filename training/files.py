"""Checked and atomic files: a checksum, a folder that appears whole or not at all, the cache."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class WeightsError(RuntimeError):
    """Weights that cannot be had or used; the message says in a sentence which, and what to do."""


def cache_home() -> Path:
    """`uniwhisper` in `$XDG_CACHE_HOME`, or in `~/.cache`: as the model has it, without importing torch."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "uniwhisper"


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """An empty folder beside `target` that replaces it once the block ends without an error.

    After an error `target` is as it was; what a killed process left is removed by the next one.
    Whoever stages a target holds a lock on it.
    """
    partial, old = (target.with_name(f".{target.name}.{state}") for state in ("partial", "old"))
    for leftover in (partial, old):
        shutil.rmtree(leftover, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        for path in partial.rglob("*"):
            flush(path)
        if target.exists():
            target.rename(old)
        partial.rename(target)
        flush(target.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def flush(path: Path) -> None:
    """Makes the disk hold what was written to a file or folder, so that a rename cannot overtake it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
