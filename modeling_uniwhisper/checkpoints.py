"""Where a checkpoint folder is, and which weights it holds."""

import hashlib
import os
import re
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


class CheckpointError(FileNotFoundError):
    """No checkpoint where one was looked for. The message is one sentence that says what to do."""


def cache_home() -> Path:
    """`uniwhisper` in `$XDG_CACHE_HOME`, or in `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "uniwhisper"


def find_checkpoint(model: str | Path | None = None) -> Path:
    """The folder or Hub id `model`, else `$UNIWHISPER_MODEL`, else `uniwhisper-base` in the cache.

    Raises [`CheckpointError`] where that is not a checkpoint.
    """
    named = str(model or os.environ.get("UNIWHISPER_MODEL") or cache_home() / "uniwhisper-base")
    folder = Path(named).expanduser()
    if HUB_ID.fullmatch(named) and not folder.exists():
        try:
            return Path(snapshot_download(named))
        except (HfHubHTTPError, LocalEntryNotFoundError):
            raise CheckpointError(f"{named} is no folder here, and could not be fetched from the Hub") from None
    if not (folder / "config.json").is_file():
        raise CheckpointError(
            f"there is no UniWhisper checkpoint at {folder}: run `python -m training.assemble`, or name a "
            "folder or Hub id by --model or the variable UNIWHISPER_MODEL"
        )
    return folder


def encoder_sha256(checkpoint: Path) -> str:
    """Hexadecimal SHA-256 of all that decides a checkpoint's embeddings: encoder weights and configs."""
    weights = sorted(checkpoint.glob("*.encoder*.safetensors")) or sorted(checkpoint.glob("*.safetensors"))
    return _sha256([*sorted(checkpoint.glob("*config.json")), *weights])


def checkpoint_sha256(checkpoint: Path) -> str:
    """Hexadecimal SHA-256 of all that decides a whole checkpoint's answers: weights, configs, tokenizer, template."""
    others = (path for name in ("*config.json", "tokenizer.json", "*.jinja") for path in checkpoint.glob(name))
    weights = (path for path in checkpoint.rglob("*.safetensors") if ".encoder" not in path.name)
    return _sha256(sorted([*others, *weights]))


def _sha256(paths: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
