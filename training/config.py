"""The recipe of a training run: one YAML file, checked when it is read."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_type_hints

import yaml

from dataset_builders.instructions import OPEN_ENDED

PUBLIC = "public_mixture"
LEARNS = ("full", "lora", "frozen")


class RecipeError(ValueError):
    """An entry of a recipe that is unknown, missing or impossible; the message names it."""


def share(name: str, value: float) -> None:
    """Raise unless `value` lies between 0 and 1."""
    if not 0 <= value <= 1:
        raise RecipeError(f"{name} is {value}, but it is a share from 0 to 1")


@dataclass(kw_only=True)
class Mixture:
    """What is heard, and how often.

    Args:
        tasks: task, a config of `dataset`, to its weight.
        dataset: name for `datasets.load_dataset`, or "public_mixture", whose tasks are those of its table.
        streaming: read the dataset as it is needed, instead of having all of it on this machine.
        examples: clips that the whole run hears.
        batch_seconds: audio of one optimizer step, padding and all processes included.
        max_seconds: longer clips are left out (counted and printed).
        joined: how often a clip with a label is heard in a long recording, among other clips of its task.
        joined_seconds: the longest of those.
        buried: how often a clip with a label is heard in the middle of speech or music, not of its own domain.
        temperature: a task is heard in proportion to its clips to this power, times its weight: 0 looks at
            weights only, 1 hears every clip equally often.
        floors: least share of a domain.
        replay: least share of transcription, which keeps the encoder's speech.
        excluded: of the public mixture, by dataset id, a file with the rows to drop, one value of its `leaves_out`
            column a line; a dataset that must drop some and has no such file is left out.
    """

    tasks: dict[str, float]
    dataset: str = "open_audio"
    streaming: bool = False
    examples: int = 16_000
    batch_seconds: float = 96.0
    max_seconds: float = 12.0
    joined: float = 0.0
    joined_seconds: float = 60.0
    buried: float = 0.0
    temperature: float = 0.5
    floors: dict[str, float] = field(default_factory=dict)
    replay: float = 0.0
    excluded: dict[str, Path] = field(default_factory=dict)

    def __post_init__(self):
        if not self.tasks or min(self.tasks.values()) <= 0:
            raise RecipeError(f"mixture.tasks is {self.tasks}, but it needs tasks with weights above 0")
        share("mixture.temperature", self.temperature)
        for name in ("joined", "buried"):
            share(f"mixture.{name}", getattr(self, name))
            if getattr(self, name) and self.streaming:
                raise RecipeError(f"mixture.{name} is not for streams, which cannot be searched for other clips")
        self.excluded = {name: Path(path) for name, path in self.excluded.items()}
        if self.dataset == PUBLIC and not self.streaming:
            raise RecipeError("mixture.dataset is public_mixture, which is only read with `streaming: true`")
        for domain, floor in self.floors.items():
            share(f"mixture.floors.{domain}", floor)
        share("mixture.replay", self.replay)
        if sum(self.floors.values()) > 1:
            raise RecipeError(f"mixture.floors add up to {sum(self.floors.values())}, more than 1")
        for name in ("max_seconds", *(["joined_seconds"] if self.joined else [])):
            if (longest := getattr(self, name)) > self.batch_seconds:
                raise RecipeError(f"mixture.{name} is {longest}, more than the {self.batch_seconds} of a whole batch")


@dataclass(kw_only=True)
class Lora:
    """PEFT's LoRA.

    Args:
        r, lora_alpha, lora_dropout, target_modules: as `peft.LoraConfig` has them.
    """

    r: int = 16
    lora_alpha: int = 32
    lora_dropout: float = 0.0
    target_modules: str | list[str] = "all-linear"


@dataclass(kw_only=True)
class Encoder:
    """How the encoder learns.

    Args:
        learns: "full", "lora" or "frozen".
        layers: only this many layers, from the top; all if not given.
        lr: peak learning rate of the top layer.
        layer_decay: each layer below learns at this fraction of the one above.
        starts: share of the run after which it learns.
        lora: for "lora"; merged into the weights at the end.
    """

    learns: Literal["full", "lora", "frozen"] = "full"
    layers: int | None = None
    lr: float = 5e-5
    layer_decay: float = 0.7
    starts: float = 0.25
    lora: Lora = field(
        default_factory=lambda: Lora(target_modules=["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"])
    )

    def __post_init__(self):
        one_of("encoder.learns", self.learns, LEARNS)
        share("encoder.starts", self.starts)
        if self.layers is not None and self.layers < 1:
            raise RecipeError(f"encoder.layers is {self.layers}, but at least 1 layer learns: or `learns: frozen`")


@dataclass(kw_only=True)
class LanguageModel:
    """How the language model learns.

    Args:
        learns: "lora", "full" or "frozen".
        lr: peak learning rate.
        lora: for "lora".
    """

    learns: Literal["full", "lora", "frozen"] = "lora"
    lr: float = 5e-4
    lora: Lora = field(default_factory=Lora)

    def __post_init__(self):
        one_of("language_model.learns", self.learns, LEARNS)


@dataclass(kw_only=True)
class Augmentation:
    """What happens to a clip before it is heard; each with its own probability.

    Args:
        speed: play it 0.9 to 1.1 times as fast. Not where pitch or tempo is the answer.
        gain: change the level by -12 to 6 dB, never clipping.
        noise: add white or pink noise 10 to 40 dB below it.
        mix: add another clip of the batch, of the same domain, 10 to 20 dB below it.
        band_limit: cut off above 1.5 to 6 kHz, or below 100 to 400 Hz.
        codec: encode and decode it as mu-law, MP3 or Opus.
        spectrogram: replace a band and a stretch of the mel by its mean (SpecAugment).
        silence: let the batch's clips end with up to 2 s of silence.
    """

    speed: float = 0.0
    gain: float = 1.0
    noise: float = 0.5
    mix: float = 0.0
    band_limit: float = 0.0
    codec: float = 0.0
    spectrogram: float = 0.5
    silence: float = 0.5

    def __post_init__(self):
        for entry in fields(self):
            share(f"augmentation.{entry.name}", getattr(self, entry.name))


@dataclass(kw_only=True)
class Recipe:
    """Everything that a run depends on; `trainer` is handed to `transformers.TrainingArguments` as it is.

    Args:
        mixture: what is heard.
        output: folder of the run: Trainer checkpoints, and `final/` at the end.
        base: checkpoint folder to start from; the assembled, untrained base if not given.
        start: an exported run whose encoder and adapter to begin with, such as one that another decoder trained; and
            its LoRA, if it has one, as it is.
        decoder: "text", the checkpoint's language model, or "whisper", Whisper's own decoder on the encoder's
            frames: the paper's ablation, which trains an encoder and no checkpoint that answers.
        encoder, language_model: who learns.
        adapter_lr: peak learning rate of the adapter, which always learns.
        pooled: how often Whisper's decoder answers from the mean of the frames alone, but for transcripts: the loss
            then falls on what `embed` gives.
        open_ended: how often an instruction names no options: shorter, so faster, and harder to guess.
        lettered: how often a question about a label asks for the letter of an option, as AudioMarathon does.
        taught: how often a clip of sound or music, as it was augmented, is asked for the sounds that YAMNet hears.
        audio_token_rates: how often a batch runs at each rate.
        augmentation: what happens to clips.
        embedding_layer: encoder layer that `embed` reads by default.
        max_grad_norm: gradient norm to which adapter, language model and encoder are clipped, each apart.
        spike: stop where a loss is this many times the running mean; a loss that is no number always stops.
        validation_clips: clips a task on which the loss is measured, and nearest neighbours, during training.
        seed: of weights, order and augmentation.
        trainer: anything of `TrainingArguments` but what is set above.
    """

    mixture: Mixture
    output: Path = Path("runs/starter")
    base: Path | None = None
    start: Path | None = None
    decoder: Literal["text", "whisper"] = "text"
    encoder: Encoder = field(default_factory=Encoder)
    language_model: LanguageModel = field(default_factory=LanguageModel)
    adapter_lr: float = 1e-3
    pooled: float = 0.0
    open_ended: float = OPEN_ENDED
    lettered: float = 0.0
    taught: float = 0.0
    audio_token_rates: dict[float, float] = field(default_factory=lambda: {12.5: 1.0})
    augmentation: Augmentation = field(default_factory=Augmentation)
    embedding_layer: int | None = None
    max_grad_norm: float = 1.0
    spike: float = 10.0
    validation_clips: int = 16
    seed: int = 0
    trainer: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        one_of("decoder", self.decoder, ("text", "whisper"))
        self.output = Path(self.output)
        self.base, self.start = (Path(path) if path else None for path in (self.base, self.start))
        share("open_ended", self.open_ended)
        share("lettered", self.lettered)
        share("pooled", self.pooled)
        share("taught", self.taught)
        if self.pooled and self.decoder != "whisper":
            raise RecipeError("pooled is only for `decoder: whisper`")


def one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    """Raise unless `value` is among `known`."""
    if value not in known:
        raise RecipeError(f"{name} is {value!r}, but must be one of {', '.join(known)}")


def read_recipe(path: str | Path) -> Recipe:
    """Recipe in a YAML file.

    Raises:
        RecipeError: an entry is unknown, missing or impossible.
    """
    try:
        entries = yaml.safe_load(Path(path).read_text())
    except yaml.YAMLError as error:
        raise RecipeError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    try:
        return build_recipe(entries)
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from None


def build_recipe(entries: Any) -> Recipe:
    """Recipe from what its YAML holds; raises [`RecipeError`] as `read_recipe` does."""
    return _build(Recipe, entries, "")


def _build(kind: type, entries: Any, name: str) -> Any:
    """Dataclass `kind` from nested dicts; `name` says where in the recipe."""
    if not isinstance(entries, dict):
        raise RecipeError(f"{name or 'the recipe'} is {entries!r}, but must be a mapping")
    hints, known = get_type_hints(kind), {entry.name: entry for entry in fields(kind)}
    if unknown := [entry for entry in entries if entry not in known]:
        raise RecipeError(f"{name}{unknown[0]} is unknown; known: {', '.join(known)}")
    built = {}
    for entry, value in entries.items():
        hint = hints[entry]
        built[entry] = _build(hint, value, f"{name}{entry}.") if hasattr(hint, "__dataclass_fields__") else value
    try:
        return kind(**built)
    except TypeError as error:
        raise RecipeError(f"{name or 'the recipe'}: {error}") from None
