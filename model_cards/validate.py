"""What is wrong with a folder before it becomes a repository of the Hub; nothing here needs the network."""

from __future__ import annotations

import json
import re
import struct
import tempfile
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import yaml
from huggingface_hub import DatasetCard, ModelCard, SpaceCard, parse_eval_result_entries
from huggingface_hub.repocard import RepoCard
from safetensors import SafetensorError, safe_open

CARDS: dict[str, type[RepoCard]] = {"model": ModelCard, "dataset": DatasetCard, "space": SpaceCard}
NEEDED = {
    "model": ("license", "library_name", "pipeline_tag", "base_model", "language", "tags"),
    "dataset": ("license", "pretty_name", "language", "task_categories", "size_categories", "configs"),
    "space": ("title", "sdk", "app_file", "license"),
}
"""Fields of each type's card, without which the Hub cannot show or find it."""
MAX_BYTES = {"model": 5e9, "dataset": 50e9, "space": 1e9}
"""Of a repository: a Space holds 1 GB, the others far more than anything of ours should."""
PICKLED = {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".h5", ".msgpack", ".npy", ".npz"}
SECRET = re.compile(
    rb"\bhf_[A-Za-z0-9]{30,}|\bgh[oprsu]_[A-Za-z0-9]{36}|\bAKIA[0-9A-Z]{16}\b|\bsk-[A-Za-z0-9_-]{32,}"
    rb"|-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----"
)
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")


def validate(folder: Path, type: str) -> list[str]:
    """The problems of the folder of a "model", "dataset" or "space", a sentence each; none if it may go to the Hub."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    found = [*_size(files, type), *_weights(folder, files), *_private(folder, files)]
    try:
        found += _card(folder, type)
        for path in folder.glob(".eval_results/*.yaml"):
            parse_eval_result_entries(yaml.safe_load(path.read_text("utf-8")))
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        found.append(f"metadata cannot be read: {error!r}")
    return found


def _size(files: list[Path], type: str) -> Iterator[str]:
    total = sum(path.stat().st_size for path in files)
    if total > MAX_BYTES[type]:
        yield f"{total / 1e9:.1f} GB are more than the {MAX_BYTES[type] / 1e9:g} GB of a {type}"


def _weights(folder: Path, files: list[Path]) -> Iterator[str]:
    """Safetensors only, each whole, and all that an index names."""
    for path in files:
        name = path.relative_to(folder)
        if path.suffix in PICKLED:
            yield f"{name} is not safetensors"
        elif path.suffix == ".safetensors":
            try:
                with safe_open(path, "np"):
                    pass
            except SafetensorError as error:
                yield f"{name} is damaged: {error}"
        elif path.name.endswith(".safetensors.index.json"):
            shards = set(json.loads(path.read_text("utf-8"))["weight_map"].values())
            missing = sorted(shard for shard in shards if not (path.parent / shard).exists())
            yield from (f"{name} names {shard}, which is missing" for shard in missing)


def _private(folder: Path, files: list[Path]) -> Iterator[str]:
    """Secrets, and paths of the machine that publishes."""
    own = {Path.home(), Path(__file__).resolve().parents[1], Path(tempfile.gettempdir())} - {Path("/")}
    paths = re.compile(b"|".join([rb"/(?:home|Users)/[\w.-]+/", *(re.escape(f"{path}/".encode()) for path in own)]))
    for path in files:
        with path.open("rb") as file:
            # Tensors hold no text; their header may.
            length = struct.unpack("<Q", file.read(8))[0] if path.suffix == ".safetensors" else -1
            content = file.read(length)
        for what, pattern in (("a secret", SECRET), ("a path of this machine", paths)):
            if match := pattern.search(content):
                shown = "" if pattern is SECRET else f", {match[0].decode()}"
                yield f"{path.relative_to(folder)} holds {what}{shown}"


def _card(folder: Path, type: str) -> Iterator[str]:
    """A card with what the Hub needs, whose files and links are there."""
    card = CARDS[type].load(folder / "README.md")
    yield from (f"the card lacks {field}" for field in NEEDED[type] if not card.data.get(field))
    missing = (link for link in LINK.findall(card.text) if not (folder / link).exists())
    yield from (f"the card links to {link}, which is missing" for link in missing)
    if "USER/" in card.content:
        yield "the card does not name the organisation"
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*")]
    for config in card.data.get("configs", []):
        for split in config["data_files"]:
            patterns = [split["path"]] if isinstance(split["path"], str) else split["path"]
            yield from (
                f"config {config['config_name']} has no files {pattern}"
                for pattern in patterns
                if not any(fnmatch(name, pattern) for name in names)
            )
    if type == "space" and not (folder / str(card.data.app_file)).is_file():
        yield f"{card.data.app_file}, where the Space starts, is missing"
