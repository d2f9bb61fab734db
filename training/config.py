"""The recipe of a training run: one YAML file, checked when it is read."""

from dataclasses import dataclass, field
from pathlib import Path

import yaml


@dataclass
class AdapterRecipe:
    """LoRA on the language model."""

    r: int = 16
    lora_alpha: int = 32
    lora_dropout: float = 0.0
    target_modules: str | list[str] = "all-linear"


@dataclass
class Recipe:
    """Everything that a run depends on; `trainer` is handed to `TrainingArguments` as it is.

    Args:
        base: checkpoint folder to start from; the assembled, untrained base if not given.
        output: folder of the run: Trainer checkpoints, and `final/` at the end.
        dataset: name for `datasets.load_dataset`, whose configs are the tasks.
        mixture: share of each task in the training clips.
        max_seconds: longer clips are left out of training (counted and printed).
        examples: clips that the whole run hears.
        audio_token_rates: how often a batch runs at each rate.
        adapter_lr, lora_lr, encoder_lr: peak learning rate of each part.
        encoder_layer_decay: each encoder layer below the top learns at this fraction of the one above.
        encoder_starts: share of the run after which the encoder learns too.
        max_grad_norm: gradient norm to which each of the three parts is clipped, apart from the others.
        validation_clips: clips a task on which the loss is measured during training.
        embedding_layer: encoder layer that `embed` reads by default, as `metrics.open_audio.layers` chose it.
    """

    mixture: dict[str, float]
    trainer: dict
    output: Path = Path("runs/starter")
    base: Path | None = None
    dataset: str = "open_audio"
    max_seconds: float = 12.0
    examples: int = 16_000
    audio_token_rates: dict[float, float] = field(default_factory=lambda: {12.5: 1.0})
    adapter_lr: float = 1e-3
    lora_lr: float = 5e-4
    encoder_lr: float = 5e-5
    encoder_layer_decay: float = 0.7
    encoder_starts: float = 0.4
    max_grad_norm: float = 1.0
    validation_clips: int = 16
    embedding_layer: int | None = None
    seed: int = 0
    lora: AdapterRecipe = field(default_factory=AdapterRecipe)

    def __post_init__(self):
        self.output = Path(self.output)
        self.base = Path(self.base) if self.base else None
        if isinstance(self.lora, dict):
            self.lora = AdapterRecipe(**self.lora)
        if not self.mixture or min(self.mixture.values()) <= 0:
            raise ValueError(f"mixture is {self.mixture}, but it needs tasks with shares above 0")
        if not 0 <= self.encoder_starts <= 1:
            raise ValueError(f"encoder_starts is {self.encoder_starts}, but it is a share from 0 to 1")


def read_recipe(path: str | Path) -> Recipe:
    """Recipe in a YAML file. Raises `ValueError` for an unknown or missing entry."""
    entries = yaml.safe_load(Path(path).read_text())
    try:
        return Recipe(**entries)
    except TypeError as error:
        raise ValueError(f"{path} is not a recipe: {error}") from None
