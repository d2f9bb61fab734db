"""Debian packages on this machine: downloaded, checked, unpacked, but never installed."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from .pinned import PACKAGES


class PackageError(ValueError):
    """A package that is unknown, missing, damaged or not the pinned one."""

    def __init__(self, package: str, why: str):
        super().__init__(why)
        self.package = package


@dataclass(frozen=True)
class PackageStore:
    """A folder of .deb files, with the unpacked packages beside them in `unpacked/`.

    Of all packages `only` may be had, if given. `missing` tells why, for each package that a task
    had to do without.
    """

    debs: Path
    only: frozenset[str] | None = None
    missing: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def optional(self) -> Iterator[None]:
        """Go on after what needs a package that cannot be had, and note that one as missing."""
        try:
            yield
        except PackageError as error:
            self.missing[error.package] = str(error)

    def folders(self, names: Iterable[str]) -> Iterator[tuple[str, Path]]:
        """Yield `(name, root)` of those packages that can be had, and note the others as missing."""
        for name in names:
            with self.optional():
                yield name, self.folder(name)

    def folder(self, name: str) -> Path:
        """Return the root of the unpacked package `name`, fetching and unpacking it if needed.

        Raises:
            PackageError: the package is not in the table, cannot be had, or its sha256 differs.
        """
        if name not in PACKAGES:
            raise PackageError(name, f"package {name!r} is not one of the {len(PACKAGES)} pinned ones")
        if self.only is not None and name not in self.only:
            raise PackageError(name, f"{name} was not asked for")
        target = self.debs / "unpacked" / f"{name}-{PACKAGES[name].sha256[:12]}"
        if not target.is_dir():
            _unpack(name, self._verified_deb(name), target)
        return target

    def _verified_deb(self, name: str) -> Path:
        package = PACKAGES[name]
        found = sorted(self.debs.glob(f"{name}_*.deb")) or [self._download(name)]
        for deb in found:
            with deb.open("rb") as stream:
                if hashlib.file_digest(stream, "sha256").hexdigest() == package.sha256:
                    return deb
        raise PackageError(name, f"{found[0]} is not {name} {package.version}: its sha256 is not {package.sha256}")

    def _download(self, name: str) -> Path:
        version = PACKAGES[name].version
        if shutil.which("apt-get") is None:
            raise PackageError(name, f"{name}_*.deb is not in {self.debs} and apt-get is not installed")
        self.debs.mkdir(parents=True, exist_ok=True)
        command = ["apt-get", "download", f"{name}={version}"]
        done = subprocess.run(command, cwd=self.debs, capture_output=True, text=True)
        found = sorted(self.debs.glob(f"{name}_*.deb"))
        if done.returncode or not found:
            reason = done.stderr.strip().splitlines()[-1:] or ["no file came"]
            raise PackageError(name, f"apt-get could not download {name} {version}: {reason[0]}")
        return found[0]


def _unpack(name: str, deb: Path, target: Path) -> None:
    """Unpack `deb` under a temporary name and rename it when whole."""
    if shutil.which("dpkg-deb") is None:
        raise PackageError(name, f"dpkg-deb is needed to unpack {deb.name}")
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    command = ["dpkg-deb", "-x", str(deb), str(partial)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        shutil.rmtree(partial)
        raise PackageError(name, f"dpkg-deb could not unpack {deb.name}: {done.stderr.strip()}")
    partial.rename(target)
