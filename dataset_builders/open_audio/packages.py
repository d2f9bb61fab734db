"""Debian packages on this machine: downloaded, checked, unpacked, but never installed."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .pinned import PACKAGES


class PackageError(ValueError):
    """A package that is unknown, missing, damaged or not the pinned one."""


@dataclass(frozen=True)
class PackageStore:
    """A folder of .deb files, with the unpacked packages beside them in `unpacked/`."""

    debs: Path

    def folder(self, name: str) -> Path:
        """Return the root of the unpacked package `name`, fetching and unpacking it if needed.

        Raises:
            PackageError: the package is not in the table, cannot be had, or its sha256 differs.
        """
        if name not in PACKAGES:
            raise PackageError(f"package {name!r} is not one of the {len(PACKAGES)} pinned ones")
        target = self.debs / "unpacked" / f"{name}-{PACKAGES[name].sha256[:12]}"
        if not target.is_dir():
            _unpack(self._verified_deb(name), target)
        return target

    def _verified_deb(self, name: str) -> Path:
        package = PACKAGES[name]
        found = sorted(self.debs.glob(f"{name}_*.deb")) or [self._download(name)]
        for deb in found:
            with deb.open("rb") as stream:
                if hashlib.file_digest(stream, "sha256").hexdigest() == package.sha256:
                    return deb
        raise PackageError(f"{found[0]} is not {name} {package.version}: its sha256 is not {package.sha256}")

    def _download(self, name: str) -> Path:
        version = PACKAGES[name].version
        if shutil.which("apt-get") is None:
            raise PackageError(f"{name}_*.deb is not in {self.debs} and apt-get is not installed")
        self.debs.mkdir(parents=True, exist_ok=True)
        command = ["apt-get", "download", f"{name}={version}"]
        done = subprocess.run(command, cwd=self.debs, capture_output=True, text=True)
        found = sorted(self.debs.glob(f"{name}_*.deb"))
        if done.returncode or not found:
            reason = done.stderr.strip().splitlines()[-1:] or ["no file came"]
            raise PackageError(f"apt-get could not download {name} {version}: {reason[0]}")
        return found[0]


def _unpack(deb: Path, target: Path) -> None:
    """Unpack `deb` under a temporary name and rename it when whole."""
    if shutil.which("dpkg-deb") is None:
        raise PackageError(f"dpkg-deb is needed to unpack {deb.name}")
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    command = ["dpkg-deb", "-x", str(deb), str(partial)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        shutil.rmtree(partial)
        raise PackageError(f"dpkg-deb could not unpack {deb.name}: {done.stderr.strip()}")
    partial.rename(target)
