"""Train UniWhisper: `python -m training.train training/recipes/starter.yaml`.

One loss, next token on the answer, for every task. The adapter and a LoRA on the language model learn
the answer's form first; the encoder joins later at a low rate. Run it again to resume, on as many processes
as there are: `accelerate launch training/train.py RECIPE`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
import typer
from peft import LoraConfig, PeftModel, get_peft_model, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from torch.utils.data import DataLoader
from transformers import Trainer, TrainingArguments, WhisperForConditionalGeneration, set_seed
from transformers.trainer_utils import get_last_checkpoint

if not __package__:  # run as a script, which is how `accelerate launch` likes it
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from dataset_builders.errors import plain_errors
from modeling_uniwhisper import UniWhisperForConditionalGeneration, UniWhisperModel, UniWhisperProcessor
from modeling_uniwhisper.transcribing import TRANSCRIBER
from training.collator import Collator
from training.config import Recipe, RecipeError, read_recipe
from training.export import export
from training.meter import Meter, losses_by_row
from training.mixture import Mixture, Parts, StreamedMixture, load_tasks
from training.optimizer import EncoderStarts, clip_parts, parameter_groups
from training.quick_knn import QuickKNN
from training.whisper_decoder import WhisperAnswers, WhisperCollator, open_whisper

TOLD = ("tasks", "domains", "clips", "seconds")


class UniWhisperTrainer(Trainer):
    """The Trainer with our batches, our learning rates, the collators of each split, and a meter."""

    data_collator: Collator
    optimizer: torch.optim.Optimizer | None

    def __init__(self, *args, recipe: Recipe, eval_collator: Collator, quick_knn: QuickKNN | None = None, **kwargs):
        super().__init__(*args, **kwargs)
        self.recipe, self.eval_collator, self.quick_knn = recipe, eval_collator, quick_knn
        self.meter = Meter(recipe.spike, self.args.world_size)
        self.groups = parameter_groups(self.model, recipe)
        for group in self.groups:
            for parameter in group["params"]:
                parameter.requires_grad_(True)
        self.add_callback(EncoderStarts(self.groups, recipe.encoder.starts))

    def get_train_dataloader(self) -> DataLoader:
        """This process's part of every batch; nothing is left for `accelerate` to share out."""
        where = self.args.process_index, self.args.world_size, self.args.gradient_accumulation_steps
        options = {"collate_fn": self.data_collator, "num_workers": self.args.dataloader_num_workers}
        if isinstance(self.train_dataset, StreamedMixture):
            if options["num_workers"] > 1:
                raise RecipeError(f"trainer.dataloader_num_workers is {options['num_workers']}, but one reads a stream")
            self.train_dataset.rank, self.train_dataset.world_size, self.train_dataset.pieces = where
            return DataLoader(self.train_dataset, batch_size=None, **options)
        return DataLoader(self.train_dataset, batch_sampler=Parts(self.train_dataset.batches, *where), **options)

    def get_eval_dataloader(self, eval_dataset=None) -> DataLoader:
        trained, self.data_collator = self.data_collator, self.eval_collator
        try:
            return super().get_eval_dataloader(eval_dataset)
        finally:
            self.data_collator = trained

    def create_optimizer(self, model=None):
        if self.optimizer is None:
            self.optimizer = torch.optim.AdamW(
                self.groups, weight_decay=self.args.weight_decay, betas=(0.9, 0.98), fused=True
            )
            clip_parts(self.optimizer, self.recipe.max_grad_norm)
        return self.optimizer

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        told = {name: inputs.pop(name) for name in TOLD}
        loss, outputs = super().compute_loss(model, inputs, True, num_items_in_batch)
        if model.training:
            losses = losses_by_row(outputs.logits, inputs["labels"])
            self.meter.add(losses, int(inputs["attention_mask"].sum()), told)
        return (loss, outputs) if return_outputs else loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        super().log(logs | self.meter.report() if "loss" in logs else logs, start_time)

    def _evaluate(self, *args, **kwargs) -> dict[str, float]:
        metrics = super()._evaluate(*args, **kwargs)
        if self.quick_knn:
            near = self.quick_knn(self.accelerator.unwrap_model(self.model).model)
            metrics |= {f"eval_{name}": value for name, value in near.items()}
            self.log({f"eval_{name}": value for name, value in near.items()})
        return metrics


def prepare_model(
    recipe: Recipe, base: Path, whisper: WhisperForConditionalGeneration | None = None
) -> UniWhisperForConditionalGeneration | WhisperAnswers:
    """The base, with what the recipe lets learn in float32 and what it keeps still in bfloat16.

    Given a `whisper`, its decoder answers.
    """
    model = UniWhisperForConditionalGeneration.from_pretrained(base, dtype=torch.float32)
    if whisper is not None:
        model = WhisperAnswers(model.model, whisper)
    if recipe.start is not None:
        model.model.load_state_dict(UniWhisperModel.from_pretrained(recipe.start, dtype=torch.float32).state_dict())
    if recipe.embedding_layer is not None:
        model.config.embedding_layer = recipe.embedding_layer
    if recipe.language_model.learns != "full":
        model.language_model.to(torch.bfloat16).requires_grad_(False)
    if recipe.language_model.learns == "lora":
        begun = recipe.start and recipe.start / ("lora" if whisper is None else TRANSCRIBER)
        if begun and begun.is_dir():
            model.language_model = PeftModel.from_pretrained(model.language_model, begun, is_trainable=True)
        else:
            lora = LoraConfig(**vars(recipe.language_model.lora))
            model.language_model = get_peft_model(model.language_model, lora)
    encoder = model.model.encoder.requires_grad_(False)
    if recipe.encoder.learns == "lora":
        inject_adapter_in_model(LoraConfig(**vars(recipe.encoder.lora)), encoder)
    return model


def training_arguments(recipe: Recipe) -> TrainingArguments:
    """Those of the recipe, and those that are the same for all.

    Raises:
        RecipeError: `trainer` holds an entry that is unknown or not its own to set.
    """
    ours = {
        "output_dir": str(recipe.output),
        "seed": recipe.seed,
        "max_grad_norm": 0.0,  # each part is clipped apart, see optimizer.clip_parts
        "num_train_epochs": 1,
        "remove_unused_columns": False,
        "label_names": ["labels"],
        "ddp_find_unused_parameters": True,  # the encoder joins later
        "enable_jit_checkpoint": True,  # SIGTERM saves
        "use_cpu": not torch.cuda.is_available(),
    }
    if both := ours.keys() & recipe.trainer.keys():
        raise RecipeError(f"trainer.{', '.join(sorted(both))} is not the recipe's to set")
    try:
        return TrainingArguments(**ours, **recipe.trainer)
    except TypeError as error:
        raise RecipeError(f"trainer: {error}") from None


def make_trainer(recipe: Recipe) -> UniWhisperTrainer:
    """The trainer of a recipe whose `base` is set."""
    args = training_arguments(recipe)
    set_seed(recipe.seed)
    processor = UniWhisperProcessor.from_pretrained(recipe.base)
    whisper, tokenizer = open_whisper() if recipe.decoder == "whisper" else (None, None)
    model = prepare_model(recipe, recipe.base, whisper)
    kind = partial(WhisperCollator, tokenizer=tokenizer, pooled=recipe.pooled) if whisper else Collator
    train, validation = (load_tasks(recipe.mixture, split) for split in ("train", "validation"))
    if recipe.mixture.streaming:
        mixture, knn = StreamedMixture(recipe.mixture, train, recipe.seed), None
    else:
        mixture = Mixture(recipe.mixture, train, recipe.seed)
        print("hears " + ", ".join(f"{name} {share:.1%}" for name, share in mixture.shares.items()))
        knn = QuickKNN(train, validation, processor.feature_extractor, recipe.validation_clips, recipe.seed)
    few = {
        name: rows.shuffle(seed=recipe.seed).select(range(min(recipe.validation_clips, len(rows))))
        for name, rows in validation.items()
    }
    return UniWhisperTrainer(
        model=model,
        args=args,
        recipe=recipe,
        train_dataset=mixture,
        eval_dataset=few,
        data_collator=kind(
            processor,
            recipe.audio_token_rates,
            recipe.augmentation,
            open_ended=recipe.open_ended,
            lettered=recipe.lettered,
            tagger=open_tagger() if recipe.taught else None,
            taught=recipe.taught,
        ),
        eval_collator=kind(processor, recipe.audio_token_rates, train=False),
        quick_knn=knn,
        processing_class=processor,
    )


def open_tagger() -> Callable[[np.ndarray], list[str]]:
    """YAMNet; imported here, so that other runs do without onnxruntime."""
    from training.yamnet import SoundTagger

    return SoundTagger()


def main(recipe_file: Path = typer.Argument(..., metavar="RECIPE", exists=True)) -> None:
    """Train by RECIPE, a YAML file; an interrupted run goes on from its last checkpoint."""
    run(read_recipe(recipe_file))


def run(recipe: Recipe) -> None:
    """Train from the recipe's last checkpoint, if it has one, to the end, and write `final/`."""
    if recipe.base is None:
        from training.assemble import assemble_base

        recipe.base = assemble_base()
    trainer = make_trainer(recipe)
    last = get_last_checkpoint(recipe.output) if recipe.output.is_dir() else None
    trainer.train(resume_from_checkpoint=last)
    if trainer.state.global_step < trainer.state.max_steps:
        print(f"stopped at step {trainer.state.global_step} of {trainer.state.max_steps}: run it again to go on")
        return
    trainer.save_state()
    if trainer.is_world_process_zero():
        finish(trainer.accelerator.unwrap_model(trainer.model), recipe)
        print(f"trained tensors: {recipe.output / 'final'}")


def finish(model: UniWhisperForConditionalGeneration | WhisperAnswers, recipe: Recipe) -> None:
    """Write `final/`: what `training.assemble` adds the bases to or, if the language model learned too, all of it."""
    for name, module in list(model.model.encoder.named_modules()):
        if isinstance(module, LoraLayer):
            module.merge()
            model.model.encoder.set_submodule(name, module.get_base_layer())
    final = recipe.output / "final"
    if recipe.decoder == "whisper":
        export(model, final, recipe.base, lora=TRANSCRIBER)
        return
    if recipe.language_model.learns == "full":
        model.half().save_pretrained(final)
        UniWhisperProcessor.from_pretrained(recipe.base).save_pretrained(final)
        return
    export(model, final, recipe.base)


if __name__ == "__main__":
    with plain_errors():
        typer.run(main)
