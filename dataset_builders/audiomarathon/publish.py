"""A prepared folder on its way to the Hub."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import DatasetCard, HfApi

PATTERNS = ("README.md", "*/*.parquet", "pictures/*.png")


class NotPreparedError(ValueError):
    """A folder that `prepare` did not finish."""


def list_files(folder: Path) -> list[Path]:
    """Return what there is to upload.

    Raises:
        NotPreparedError: the folder has no card, or no Parquet.
    """
    files = [path for pattern in PATTERNS for path in sorted(folder.glob(pattern))]
    if not {".md", ".parquet"} <= {path.suffix for path in files}:
        raise NotPreparedError(f"{folder} has no card and Parquet files; make them with `prepare --out {folder}`")
    return files


def is_release(folder: Path) -> bool:
    """Whether the folder holds audio of the published release, which is CC BY-NC 4.0."""
    return DatasetCard.load(folder / "README.md").data.license == "cc-by-nc-4.0"


def push(folder: Path, repo: str, private: bool) -> str:
    """Upload the folder to the dataset `repo`, going on where an upload stopped, and return its address.

    Parquet that lies there of the same tasks, but no longer in `folder`, is deleted: its rows would be read, too.
    """
    tasks = {file.parent.name for file in list_files(folder) if file.suffix == ".parquet"}
    api = HfApi()
    url = api.create_repo(repo, repo_type="dataset", private=private, exist_ok=True)
    api.upload_folder(
        repo_id=repo,
        repo_type="dataset",
        folder_path=folder,
        allow_patterns=list(PATTERNS),
        delete_patterns=[f"{task}/*.parquet" for task in sorted(tasks)],
    )
    return str(url)
