"""Puts the model, the data sets, the metrics and the pages on the Hub.

    python -m model_cards.publish --target ORG --dry-run
    python -m model_cards.publish --target ORG

Every repository is written into a folder of the cache, checked there, and then made or brought up to date in one
commit with the version of `pyproject.toml` as its tag. What is on the Hub already is not sent again, so a run that was
stopped is simply run again. Log in before (`hf auth login`), with a token that may write to the organisation.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import Annotated

import typer
from filelock import FileLock
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, SpaceCard
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import validate_repo_id
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from training.files import cache_home, staged
from training.progress import console

from .repos import REPOS, REPOSITORY, HubRepo, PublishError
from .validate import validate

OF_THE_HUB = ".gitattributes"
"""What the Hub itself writes into every new repository."""


def assemble(org: str) -> dict[HubRepo, Path]:
    """Write what every repository of `org` holds into a folder of the cache, and check it.

    Raises:
        PublishError: something is missing, or the content may not go to the Hub.
        HFValidationError: the Hub has no such names.
    """
    validate_repo_id(f"{org}/{REPOS[0].name}")  # the name becomes a folder
    home = cache_home() / "hub" / org
    home.mkdir(parents=True, exist_ok=True)
    folders = {repo: home / repo.name for repo in REPOS}
    problems = []
    with FileLock(home / ".lock"):
        for repo, folder in folders.items():
            console.print(f"Assembling {repo.name}")
            with staged(folder) as content:
                repo.write(content, org)
            problems += [f"{repo.name}: {problem}" for problem in validate(folder, repo.type)]
    if problems:
        raise PublishError("nothing is published:\n" + "\n".join(problems))
    return folders


def tabulate(folders: dict[HubRepo, Path]) -> Table:
    """Repositories with their files and sizes."""
    table = Table("repository", "type", "files", "size", "largest file", "folder")
    for repo, folder in folders.items():
        sizes = {path: path.stat().st_size for path in folder.rglob("*") if path.is_file()}
        largest = max(sizes, key=sizes.__getitem__)
        table.add_row(
            repo.name,
            repo.type,
            str(len(sizes)),
            decimal(sum(sizes.values())),
            f"{largest.relative_to(folder)}, {decimal(sizes[largest])}",
            str(folder),
        )
    return table


def publish(repo: HubRepo, folder: Path, org: str, tag: str) -> str:
    """Make the repository, or bring it up to date, in one commit; tag it, and return its address.

    Raises:
        PublishError: the tag is that of other content.
        HfHubHTTPError: the Hub refuses.
    """
    api = HfApi()
    where = {"repo_id": f"{org}/{repo.name}", "repo_type": repo.type}
    sdk = SpaceCard.load(folder / "README.md").data.sdk if repo.type == "space" else None
    url = api.create_repo(**where, space_sdk=sdk, exist_ok=True)
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    gone = set(api.list_repo_files(**where)) - {*files, OF_THE_HUB}
    commit = api.create_commit(
        **where,
        operations=[
            *(CommitOperationAdd(name, path) for name, path in files.items()),
            *map(CommitOperationDelete, sorted(gone)),
        ],
        commit_message=f"UniWhisper {tag}",
    )
    tags = {known.name: known.target_commit for known in api.list_repo_refs(**where).tags}
    if tags.get(tag, commit.oid) != commit.oid:
        raise PublishError(
            f"{url} has new content, but {tag} is the tag of older content: raise `version` in pyproject.toml "
            "and publish again"
        )
    api.create_tag(**where, tag=tag, revision=commit.oid, exist_ok=True)
    return f"{url}/tree/{tag}"


def main(
    target: Annotated[str, typer.Option(help="The organisation or user on the Hub.")],
    dry_run: Annotated[bool, typer.Option(help="Stop after the checks; nothing is sent.")] = False,
) -> None:
    """Put the model, the data sets, the metrics and the pages on the Hub."""
    shown = Console()
    try:
        folders = assemble(target)
        shown.print(tabulate(folders))
        if dry_run:
            return
        tag = f"v{tomllib.loads((REPOSITORY / 'pyproject.toml').read_text('utf-8'))['project']['version']}"
        for repo, folder in folders.items():
            shown.print(publish(repo, folder, target, tag), soft_wrap=True)
    except (ValueError, OSError, HfHubHTTPError) as error:
        console.print(f"Error: {error}", style="red", markup=False)
        sys.exit(1)


if __name__ == "__main__":
    typer.run(main)
