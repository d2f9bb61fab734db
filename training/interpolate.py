"""Put a trained encoder between itself and the one it came from: `python -m training.interpolate TRAINED --out DIR`.

What training forgot comes back sooner than what it learned goes (Wortsman et al., 2022). The share is to be chosen
on validation.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import torch
import typer

from dataset_builders.errors import plain_errors
from modeling_uniwhisper import UniWhisperFeatureExtractor, UniWhisperModel

from .assemble import assemble_base


def interpolate(trained: Path, base: Path, share: float, out: Path) -> None:
    """Write to `out` the model in `trained`, each tensor of its encoder `share` of the way from that of `base`.

    Its adapter is kept, and its LoRA if it has one: with a share of 0 they come to stand on another encoder.

    Raises:
        ValueError: `share` is not between 0 and 1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share is {share}, but it lies between 0 (the base) and 1 (what was trained)")
    model, origin = (UniWhisperModel.from_pretrained(folder, dtype=torch.float32) for folder in (trained, base))
    first = origin.encoder.state_dict()
    mixed = {name: torch.lerp(first[name], tensor, share) for name, tensor in model.encoder.state_dict().items()}
    model.encoder.load_state_dict(mixed)
    model.save_pretrained(out)
    UniWhisperFeatureExtractor.from_pretrained(trained).save_pretrained(out)
    if (trained / "lora").is_dir():
        shutil.copytree(trained / "lora", out / "lora", dirs_exist_ok=True)


def main(
    trained: Annotated[Path, typer.Argument(exists=True, help="Folder that a run exported.")],
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    share: Annotated[float, typer.Option(help="Of what was trained.")] = 0.5,
    base: Annotated[Path | None, typer.Option(help="Where it came from; the untrained base if not given.")] = None,
) -> None:
    """Write a model between the trained one and its base, to probe or to `start` from."""
    interpolate(trained, base or assemble_base(), share, out)
    print(f"written: {out}")


if __name__ == "__main__":
    with plain_errors():
        typer.run(main)
