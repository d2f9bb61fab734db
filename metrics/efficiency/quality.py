"""What dropping does to answers: `python -m metrics.efficiency quality metrics/efficiency/recipes/mini.yaml --out DIR`.

A recipe is a grid of settings and the items that are asked. Each setting is a run of `metrics.audiomarathon` in a
folder of its own, which goes on where it was stopped. The model is opened once, and what its encoder made of a
recording is kept for the next setting, as far as memory is given: seconds of a reply there are no measure of cost.
"""

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
import yaml
from huggingface_hub.dataclasses import strict
from huggingface_hub.errors import StrictDataclassError
from rich.console import Console
from torch import nn

from dataset_builders.audiomarathon.tasks import TASKS, MarathonTask, find_task
from metrics.audiomarathon.models.local import LocalModel
from metrics.audiomarathon.run import Settings, open_model, run
from metrics.settings import Setting, SettingError, read_settings

from .cost import parts_of

RECIPE = "recipe.yaml"
"""The copy of it beside the runs."""


@strict
@dataclass(kw_only=True)
class Recipe:
    """A grid.

    Args:
        settings: names, with braces as in a shell; the first is what the others are held against.
        tasks: names or abbreviations; the ten if None.
        model, split, data_dir, limit, batch_size, device, dtype: as `Settings.resolve` of the runner has them.
    """

    settings: list[str]
    tasks: list[str] | None = None
    model: str = "uniwhisper"
    split: str = "mini"
    data_dir: str | None = None
    limit: int | None = None
    batch_size: int = 1
    device: str = "auto"
    dtype: str = "auto"

    @property
    def grid(self) -> list[Setting]:
        """The settings.

        Raises:
            SettingError: one is none, is there twice, or some name a rate and others do not.
        """
        settings = read_settings(" ".join(self.settings))
        if twice := sorted({str(one) for one in settings if settings.count(one) > 1}):
            raise SettingError(f"{twice[0]} is there twice")
        if len({one.audio_token_rate is None for one in settings}) > 1:
            raise SettingError("some settings name a rate and others do not: name it in all of them, or in none")
        return settings

    @property
    def asked(self) -> list[MarathonTask]:
        """The tasks; raises `ValueError` if there is none of a name."""
        return [*TASKS.values()] if self.tasks is None else [find_task(name) for name in self.tasks]

    def run_settings(self, setting: Setting) -> Settings:
        """Of the run with `setting`."""
        rest = {name: value for name, value in asdict(self).items() if name not in ("settings", "tasks")}
        return Settings.resolve(**rest, setting=str(setting))


def main(
    recipe: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="YAML; see `Recipe`.")],
    out: Annotated[Path, typer.Option(help="Folder of the runs, one a setting; what is there is not asked again.")],
    keep_gb: Annotated[float, typer.Option(help="Memory for what the encoder made of recordings.")] = 2.0,
) -> None:
    """Answer, keep and score every item in every setting of a recipe."""
    told, console = read_recipe(recipe), Console(stderr=True, highlight=False)
    out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(recipe, out / RECIPE)
    with ExitStack() as stack:
        opened: list[Any] = []

        def model_of(settings: Settings) -> LocalModel:
            if not opened:
                opened.append(open_model(settings))
                stack.enter_context(encoded_once(parts_of(opened[0].network)["encoder"], int(keep_gb * 1e9)))
            opened[0].take(settings.listening)
            return opened[0]

        for number, setting in enumerate(told.grid, 1):
            console.print(f"{number} of {len(told.grid)}: {setting}")
            run(told.run_settings(setting), told.asked, folder_of(out, setting), console, model_of)


def read_recipe(path: Path) -> Recipe:
    """Recipe in a YAML file.

    Raises:
        SettingError: it is no YAML, or an entry is unknown, missing or impossible.
    """
    try:
        entries = yaml.safe_load(path.read_text("utf-8"))
        recipe = Recipe(**entries)
        _ = recipe.grid, recipe.asked
    except (yaml.YAMLError, StrictDataclassError, TypeError, ValueError) as error:
        raise SettingError(f"{path}: {' '.join(str(error).split())}") from None
    return recipe


def folder_of(out: Path, setting: Setting) -> Path:
    """Where the run with `setting` goes: its name, without what some file systems refuse."""
    return out / str(setting).replace(":", "-")


@contextmanager
def encoded_once(encoder: nn.Module, limit: int) -> Iterator[None]:
    """Within it `encoder` gives what it gave before for the same input, of which up to `limit` bytes are kept."""
    kept: dict[str, Any] = {}
    forward, held = encoder.forward, 0

    def remember(*args: Any, **kwargs: Any) -> Any:
        nonlocal held
        key = digest([*args, *(value for pair in sorted(kwargs.items()) for value in pair)])
        if key in kept:
            return kept[key]
        output = forward(*args, **kwargs)
        size = sum(tensor.nbytes for tensor in output.values() if isinstance(tensor, torch.Tensor))
        if held + size <= limit:
            kept[key] = output
            held += size
        return output

    encoder.forward = remember
    try:
        yield
    finally:
        del encoder.forward


def digest(values: Sequence[Any]) -> str:
    """Of tensors by what they hold, of anything else by how it prints."""
    hashed = hashlib.blake2b()
    for value in values:
        if isinstance(value, torch.Tensor):
            hashed.update(f"{value.dtype} {tuple(value.shape)}".encode())
            hashed.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
        else:
            hashed.update(repr(value).encode())
    return hashed.hexdigest()
