"""What each repository on the Hub holds: one function each writes all of it into an empty folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Literal

from huggingface_hub import DatasetCard, SpaceCard

from modeling_uniwhisper.checkpoints import find_checkpoint

from .card import render_card
from .eval_results import OPEN_AUDIO_TASK, write_eval_results
from .metric_space import write_metric

REPOSITORY = Path(__file__).resolve().parents[1]
CARDS = Path(__file__).parent
MODEL = "uniwhisper-base"
GPL = CARDS / "open-audio/COPYING"  # version 2, which has to go along
NO_CACHES = shutil.ignore_patterns("__pycache__", ".*")
OF_THE_LEADERBOARD = (
    "dataset_builders/audiomarathon/tasks.py",  # without the packages' `__init__`, which need `datasets`
    "metrics/audiomarathon/published.json",
    "model_cards/*/results/audiomarathon/*/scores.json",
    "model_cards/*/results/probe/*.json",
)
"""What its page imports and reads of the rest of a checkout."""


class PublishError(ValueError):
    """A repository that cannot be published; the message says in a sentence why, and what to do."""


@dataclass(frozen=True)
class HubRepo:
    """A repository of the Hub.

    Args:
        name: without the organisation.
        type: as the Hub calls it.
        write: writes the content for an organisation into an empty folder.
    """

    name: str
    type: Literal["model", "dataset", "space"]
    write: Callable[[Path, str], None]


def write_model(folder: Path, org: str) -> None:
    """The assembled checkpoint with its code, the card, and the results that it tells."""
    checkpoint = find_checkpoint()
    for code in checkpoint.glob("*.py"):
        if code.read_bytes() != (REPOSITORY / "modeling_uniwhisper" / code.name).read_bytes():
            raise PublishError(f"{code} is not that of modeling_uniwhisper: run `python -m training.assemble`")
    shutil.copytree(checkpoint, folder, dirs_exist_ok=True, ignore=NO_CACHES)
    shutil.copytree(CARDS / MODEL / "results", folder / "results")
    shutil.copy(REPOSITORY / "LICENSE", folder)
    (folder / "README.md").write_text(render_card(f"{org}/{MODEL}"), "utf-8")
    write_eval_results(folder, org)


def write_audiomarathon(folder: Path, org: str) -> None:
    """The shipped mini as Parquet, a config for each task and for its abbreviation.

    The published release is not passed on: it is CC BY-NC 4.0, and some of its sources forbid more.
    """
    from dataset_builders.audiomarathon.builder import MINI, VARIABLE
    from dataset_builders.audiomarathon.prepare import prepare_parquet
    from dataset_builders.audiomarathon.tasks import NEEDLE, TASKS

    if VARIABLE in os.environ:
        raise PublishError(f"${VARIABLE} is set, but only the mini may be published: unset it")
    prepare_parquet([*TASKS.values(), NEEDLE], None, folder)
    card = DatasetCard.load(folder / "README.md")
    of_task = {config["config_name"]: config for config in deepcopy(card.data.configs)}
    card.data.configs += [of_task[task.name] | {"config_name": task.abbreviation.lower()} for task in TASKS.values()]
    card.save(folder / "README.md")
    _fill(folder / "README.md", org)
    _, head, sources = (MINI / "README.md").read_text("utf-8").partition("## Sources and licences")
    (folder / "LICENSES.md").write_text(head.removeprefix("#") + sources, "utf-8")
    shutil.copy(GPL, folder)


def write_open_audio(folder: Path, org: str) -> None:
    """The card of open audio, which says how to build it, and the one task that comes from a single package.

    The other packages name their authors and licences file by file in `debian/copyright`, and some are copyleft: who
    passes their audio on has to pass those texts on too, which Debian does and rows of Parquet do not.
    """
    from dataset_builders.open_audio.builder import data_folder, read_manifest
    from dataset_builders.open_audio.card import FOLDER

    built = data_folder() / OPEN_AUDIO_TASK
    manifest = read_manifest(built)
    if manifest is None or manifest["missing"]:
        raise PublishError(
            f"{OPEN_AUDIO_TASK} is not built in {built.parent}: run "
            f"`python -m dataset_builders.open_audio build --only {OPEN_AUDIO_TASK}`"
        )
    shutil.copytree(built, folder / OPEN_AUDIO_TASK, ignore=shutil.ignore_patterns("manifest.json", ".*"))
    for name in ("pictures", "results"):
        shutil.copytree(FOLDER / name, folder / name)
    shutil.copy(GPL, folder)
    card = DatasetCard.load(FOLDER / "README.md")
    card.data.configs = [config for config in card.data.configs if config["config_name"] == OPEN_AUDIO_TASK]
    card.data.language = sorted({code for held in manifest["splits"].values() for code in held["languages"]})
    card.data.license, card.data.license_name, card.data.license_link = "gpl-2.0", None, None
    card.data.size_categories = "1K<n<10K"
    title, rest = card.text.lstrip().split("\n", 1)
    card.text = "\n".join(["", title, "", (CARDS / "open-audio/on_the_hub.md").read_text("utf-8").rstrip(), rest])
    card.save(folder / "README.md")
    _fill(folder / "README.md", org)


def write_score(folder: Path, org: str, name: str, script: str) -> None:
    """A metric as a Space that `evaluate.load` opens, with a page that shows its card."""
    shutil.copytree(CARDS / name, folder, dirs_exist_ok=True)
    write_metric(REPOSITORY / script, name, folder)
    _fill(folder / "README.md", org)
    shutil.copy(REPOSITORY / "LICENSE", folder)


def write_space(folder: Path, org: str) -> None:
    """The page with the package's source beside it; it starts with the published checkpoint."""
    _copy_page("uniwhisper", folder, org, "start.py")
    shutil.copytree(REPOSITORY / "modeling_uniwhisper", folder / "modeling_uniwhisper", ignore=NO_CACHES)
    shutil.copy(CARDS / "uniwhisper-space/start.py", folder)
    _fill(folder / "start.py", org)


def write_leaderboard(folder: Path, org: str) -> None:
    """The tables of results, with the files that they are drawn from beside them."""
    _copy_page("leaderboard", folder, org, "app.py")
    for file in chain.from_iterable(map(REPOSITORY.glob, OF_THE_LEADERBOARD)):
        copy = folder / file.relative_to(REPOSITORY)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)


def _copy_page(name: str, folder: Path, org: str, start: str) -> None:
    """A page's own files; its card tells where it starts and which model it is about."""
    shutil.copytree(REPOSITORY / "spaces" / name, folder, dirs_exist_ok=True, ignore=NO_CACHES)
    card = SpaceCard.load(folder / "README.md")
    card.data.app_file, card.data.models = start, [f"{org}/{MODEL}"]
    card.save(folder / "README.md")
    shutil.copy(REPOSITORY / "LICENSE", folder)


def _fill(file: Path, org: str) -> None:
    """Names the organisation in a text that is written for any."""
    file.write_text(file.read_text("utf-8").replace("USER/", f"{org}/"), "utf-8")


REPOS = (
    HubRepo(MODEL, "model", write_model),
    HubRepo("audiomarathon", "dataset", write_audiomarathon),
    HubRepo("open-audio", "dataset", write_open_audio),
    *(
        HubRepo(name, "space", partial(write_score, name=name, script=script))
        for name, script in (
            ("audiomarathon_score", "metrics/audiomarathon/audiomarathon.py"),
            ("frozen_probe", "metrics/probe/probe.py"),
        )
    ),
    HubRepo("uniwhisper", "space", write_space),
    HubRepo("leaderboard", "space", write_leaderboard),
)
"""In the order of publishing: the pages need the model."""
