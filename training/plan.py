"""What a run will take, without running it: `python -m training.plan training/recipes/large-paper.yaml`.

Parameters are counted on a model without weights. Arithmetic is counted as 2 operations a weight and position
forwards, as much again backwards for what gradients pass through, and again for what learns; attention apart.
Memory of activations follows Korthikanti et al. (2022): 34 bytes a position and hidden unit of a layer in 16 bits,
or 2 and one layer whole with activation checkpointing. Speed is what the caller says a device reaches.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.table import Table

from dataset_builders.errors import plain_errors
from modeling_uniwhisper import UniWhisperConfig, UniWhisperForConditionalGeneration
from modeling_uniwhisper.configuration_uniwhisper import ENCODER_FRAME_RATE

from .assemble import TRAINED
from .config import LEARNS, Recipe, RecipeError, read_recipe
from .optimizer import encoder_parts

PEAK = 989e12
"""Operations a second of an H100 (SXM) in dense bfloat16, as its maker states."""

FROZEN_BYTES, LEARNED_BYTES = 2, 16
"""A parameter in bfloat16, or in float32 with gradient and Adam's two moments."""

LAYER_BYTES, CHECKPOINT_BYTES = 34, 2
TEXT_TOKENS = 40
"""Assumed of a clip: chat form, instruction and answer."""


@dataclass(frozen=True)
class Part:
    """Encoder, adapter or language model.

    Args:
        parameters: all of them.
        learned: those that an optimizer changes.
        layers, hidden: of its transformer; the adapter has none.
    """

    parameters: int
    learned: int
    layers: int = 0
    hidden: int = 0


@dataclass(frozen=True)
class Plan:
    """Figures of a whole run; bytes are those of one device."""

    parameters: dict[str, int]
    learned: dict[str, int]
    steps: int
    audio_hours: float
    operations: float
    weight_bytes: float
    activation_bytes: float
    device_hours: float
    wall_hours: float
    dollars: float


def make_plan(
    recipe: Recipe,
    config: UniWhisperConfig,
    clip_seconds: float,
    devices: int = 8,
    speed: float = 0.3 * PEAK,
    price: float = 2.5,
) -> Plan:
    """Plan of `recipe` on a model of `config`.

    Args:
        clip_seconds: mean length of what the mixture draws.
        devices: that share the batch; each holds the whole model.
        speed: operations a second that one device reaches.
        price: dollars of a device for an hour.
    """
    parts = count(recipe, config)
    rates = recipe.audio_token_rates
    rate = sum(one * share for one, share in rates.items()) / sum(rates.values())
    clips_at_once = recipe.mixture.batch_seconds / clip_seconds / devices
    clips_at_once /= recipe.trainer.get("gradient_accumulation_steps", 1)
    examples: float = recipe.mixture.examples
    if (most := recipe.trainer.get("max_steps", -1)) > 0:
        examples = min(examples, most * recipe.mixture.batch_seconds / clip_seconds)
    frames, tokens = clip_seconds * ENCODER_FRAME_RATE, clip_seconds * rate + TEXT_TOKENS
    checkpoints = recipe.trainer.get("activation_checkpointing", False)
    reaches = {"encoder": parts["encoder"].learned > 0, "adapter": True, "language_model": True}
    positions = {"encoder": frames, "adapter": clip_seconds * rate, "language_model": tokens}
    operations = sum(work(part, positions[name], reaches[name], checkpoints) for name, part in parts.items())
    activations = sum(held(part, positions[name], checkpoints) for name, part in parts.items() if reaches[name])
    device_hours = operations * examples / speed / 3600
    return Plan(
        parameters={name: part.parameters for name, part in parts.items()},
        learned={name: part.learned for name, part in parts.items()},
        steps=round(examples * clip_seconds / recipe.mixture.batch_seconds),
        audio_hours=examples * clip_seconds / 3600,
        operations=operations * examples,
        weight_bytes=sum(
            LEARNED_BYTES * part.learned + FROZEN_BYTES * (part.parameters - part.learned) for part in parts.values()
        ),
        activation_bytes=activations * clips_at_once,
        device_hours=device_hours,
        wall_hours=device_hours / devices,
        dollars=device_hours * price,
    )


def count(recipe: Recipe, config: UniWhisperConfig) -> dict[str, Part]:
    """The parts of the model and what of them learns, LoRA's own factors included."""
    with torch.device("meta"):
        model = UniWhisperForConditionalGeneration(config)
    encoder, adapter, text = model.model.encoder, model.model.adapter, model.language_model
    if recipe.encoder.learns == "full":
        modules = [module for _, part in encoder_parts(encoder, recipe.encoder.layers) for module in part]
        learned = sum(size(module) for module in modules)
    else:
        learned = lora_size(encoder, recipe.encoder.lora.r) if recipe.encoder.learns == "lora" else 0
    by_kind = dict(zip(LEARNS, (size(text), lora_size(text, recipe.language_model.lora.r), 0)))
    audio, language = config.audio_config, config.text_config
    return {
        "encoder": Part(size(encoder), learned, audio.num_hidden_layers, audio.hidden_size),
        "adapter": Part(size(adapter), size(adapter)),
        "language_model": Part(
            size(text), by_kind[recipe.language_model.learns], language.num_hidden_layers, language.hidden_size
        ),
    }


def size(module: torch.nn.Module) -> int:
    """Parameters of `module`, shared ones once."""
    return sum(parameter.numel() for parameter in module.parameters())


def lora_size(module: torch.nn.Module, rank: int) -> int:
    """Parameters that LoRA of `rank` adds to the linear layers of a transformer's blocks."""
    linear = [m for name, m in module.named_modules() if isinstance(m, torch.nn.Linear) and "layers." in name]
    return sum(rank * (one.in_features + one.out_features) for one in linear)


def work(part: Part, positions: float, backward: bool, checkpoints: bool) -> float:
    """Operations for one clip of `positions` frames or tokens."""
    weights = 2 * part.parameters * positions
    attention = 4 * part.layers * part.hidden * positions**2
    passes = 1 + (1 + checkpoints * (part.layers > 0)) * backward
    return (weights + attention) * passes + 2 * part.learned * positions + attention * backward


def held(part: Part, positions: float, checkpoints: bool) -> float:
    """Bytes of activations that one clip of `positions` keeps until the backward pass."""
    whole = LAYER_BYTES * part.hidden * positions
    return CHECKPOINT_BYTES * part.hidden * positions * part.layers + whole if checkpoints else whole * part.layers


def read_config(recipe_file: Path, recipe: Recipe) -> UniWhisperConfig:
    """Shape of the recipe's base, which is that of the shipped model if it names none; where it is not assembled yet,
    the JSON beside the recipe tells it.

    Raises:
        RecipeError: neither is there.
    """
    for path in (recipe.base and recipe.base / "config.json", recipe_file.with_suffix(".json")):
        if path and path.exists():
            return UniWhisperConfig.from_dict(json.loads(path.read_text()))
    if recipe.base is None:
        return UniWhisperConfig.from_pretrained(TRAINED)
    raise RecipeError(f"{recipe.base} is not there yet, and {recipe_file.with_suffix('.json')} does not tell its shape")


def main(
    recipe_file: Annotated[Path, typer.Argument(metavar="RECIPE", exists=True)],
    clip_seconds: Annotated[float, typer.Option(help="Mean length of a clip.")] = 10.0,
    devices: Annotated[int, typer.Option(min=1, help="How many share a batch.")] = 8,
    peak: Annotated[float, typer.Option(help="Operations a second of one device.")] = PEAK,
    utilisation: Annotated[float, typer.Option(help="Share of them that a run reaches.")] = 0.3,
    price: Annotated[float, typer.Option(help="Dollars a device and hour.")] = 2.5,
) -> None:
    """Count parameters, memory, steps, time and cost of RECIPE; nothing is downloaded or trained."""
    recipe = read_recipe(recipe_file)
    config = read_config(recipe_file, recipe)
    plan = make_plan(recipe, config, clip_seconds, devices, peak * utilisation, price)
    table = Table(title=f"{recipe_file.stem}, {devices} x {peak / 1e12:,.0f} Tflop/s at {utilisation:.0%}")
    for name in ("", "all", "encoder", "adapter", "language model"):
        table.add_column(name, justify="right" if name else "left")
    for row in ("parameters", "learned"):
        counts = getattr(plan, row)
        table.add_row(f"{row}, M", *(f"{number / 1e6:,.1f}" for number in (sum(counts.values()), *counts.values())))
    for name, figure in {
        "optimizer steps": f"{plan.steps:,}",
        "audio, hours": f"{plan.audio_hours:,.0f}",
        "operations": f"{plan.operations:.2e}",
        "weights and optimizer, GB a device": f"{plan.weight_bytes / 1e9:,.1f}",
        "activations, GB a device": f"{plan.activation_bytes / 1e9:,.1f}",
        "device hours": f"{plan.device_hours:,.2f}",
        "hours": f"{plan.wall_hours:,.2f}",
        f"cost at ${price} a device and hour": f"${plan.dollars:,.0f}",
    }.items():
        table.add_row(name, figure)
    Console(width=110).print(table)


if __name__ == "__main__":
    with plain_errors():
        typer.run(main)
