"""Train UniWhisper: `python -m training.train training/recipes/starter.yaml`.

One loss, next token on the answer, for every task. The adapter and a LoRA on the language model learn
the answer's form first; the encoder joins later at a low rate. Run it again to resume.
"""

from pathlib import Path

import torch
import typer
from peft import LoraConfig, get_peft_model
from transformers import Trainer, TrainingArguments, set_seed
from transformers.trainer_utils import get_last_checkpoint

from modeling_uniwhisper import UniWhisperForConditionalGeneration, UniWhisperProcessor

from .collator import Collator
from .config import Recipe, read_recipe
from .export import export
from .mixture import Mixture, load_tasks
from .optimizer import EncoderStarts, clip_parts, parameter_groups


class UniWhisperTrainer(Trainer):
    """The Trainer with our order of clips, our learning rates and the collators of each split."""

    def __init__(self, *args, recipe: Recipe, eval_collator: Collator, **kwargs):
        super().__init__(*args, **kwargs)
        self.recipe, self.eval_collator = recipe, eval_collator

    def _get_train_sampler(self, dataset=None):
        return torch.utils.data.SequentialSampler(dataset if dataset is not None else self.train_dataset)

    def create_optimizer(self, model=None):
        if self.optimizer is None:
            self.optimizer = torch.optim.AdamW(
                parameter_groups(self.model, self.recipe), weight_decay=self.args.weight_decay, betas=(0.9, 0.98)
            )
            clip_parts(self.optimizer, self.recipe.max_grad_norm)
        return self.optimizer

    def get_eval_dataloader(self, eval_dataset=None):
        trained, self.data_collator = self.data_collator, self.eval_collator
        try:
            return super().get_eval_dataloader(eval_dataset)
        finally:
            self.data_collator = trained


def prepare_model(recipe: Recipe, base: Path) -> UniWhisperForConditionalGeneration:
    """The base with a LoRA on its language model, whose frozen weights are held in bf16."""
    model = UniWhisperForConditionalGeneration.from_pretrained(base, dtype=torch.float32)
    model.language_model.to(torch.bfloat16).requires_grad_(False)
    lora = LoraConfig(task_type="CAUSAL_LM", **vars(recipe.lora))
    if recipe.embedding_layer is not None:
        model.config.embedding_layer = recipe.embedding_layer
    model.language_model = get_peft_model(model.language_model, lora, autocast_adapter_dtype=True)
    return model


def main(recipe_file: Path = typer.Argument(..., metavar="RECIPE", exists=True)) -> None:
    """Train by RECIPE, a YAML file; an interrupted run goes on from its last checkpoint."""
    recipe = read_recipe(recipe_file)
    if recipe.base is None:
        from .assemble import assemble_base

        recipe.base = assemble_base()
    args = TrainingArguments(
        output_dir=str(recipe.output),
        seed=recipe.seed,
        max_grad_norm=0.0,  # each part is clipped apart, see optimizer.clip_parts
        use_cpu=not torch.cuda.is_available(),
        remove_unused_columns=False,
        label_names=["labels"],
        **recipe.trainer,
    )
    set_seed(recipe.seed)
    processor = UniWhisperProcessor.from_pretrained(recipe.base)
    model = prepare_model(recipe, recipe.base)
    batch = args.train_batch_size * args.gradient_accumulation_steps * args.world_size
    train = Mixture(load_tasks(recipe, "train"), recipe.mixture, recipe.examples, batch, recipe.seed)
    validation = {
        name: task.shuffle(seed=recipe.seed).select(range(min(recipe.validation_clips, len(task))))
        for name, task in load_tasks(recipe, "validation").items()
    }
    trainer = UniWhisperTrainer(
        model=model,
        args=args,
        recipe=recipe,
        train_dataset=train,
        eval_dataset=validation,
        data_collator=Collator(processor, recipe.audio_token_rates),
        eval_collator=Collator(processor, recipe.audio_token_rates, train=False),
        processing_class=processor,
        callbacks=[EncoderStarts(recipe.encoder_starts)],
    )
    last = get_last_checkpoint(recipe.output) if recipe.output.is_dir() else None
    trainer.train(resume_from_checkpoint=last)
    trainer.save_state()

    export(trainer.accelerator.unwrap_model(trainer.model), recipe.output / "final", recipe.base)
    print(f"trained tensors: {recipe.output / 'final'}")


if __name__ == "__main__":
    typer.run(main)
