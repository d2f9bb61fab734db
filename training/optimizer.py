"""Which part learns when, how fast, and how far in one step."""

from __future__ import annotations

import torch
from torch import nn
from transformers import TrainerCallback

from .config import Recipe


def parameter_groups(model: nn.Module, recipe: Recipe) -> list[dict]:
    """Adapter, language model and encoder with their own rates; the encoder's fall from the top layer down.

    Convolutions and positions, the lowest part, learn at the bottom layer's rate times the decay, if all
    layers learn. A LoRA's factors have the rate of the layer they belong to.
    """
    groups = [{"name": "adapter", "params": list(model.model.adapter.parameters()), "lr": recipe.adapter_lr}]
    learned = [
        p for n, p in model.language_model.named_parameters() if recipe.language_model.learns == "full" or "lora_" in n
    ]
    groups.append({"name": "language_model", "params": learned, "lr": recipe.language_model.lr})
    if recipe.encoder.learns != "frozen":
        rate = recipe.encoder.lr
        for name, modules in encoder_parts(model.model.encoder, recipe.encoder.layers):
            params = [
                p
                for part in modules
                for n, p in part.named_parameters()
                if recipe.encoder.learns == "full" or "lora_" in n
            ]
            groups.append({"name": f"encoder.{name}", "params": params, "lr": rate})
            rate *= recipe.encoder.layer_decay if name != "top" else 1.0
    return [group for group in groups if group["params"]]


def encoder_parts(encoder: nn.Module, layers: int | None) -> list[tuple[str, list[nn.Module]]]:
    """Names and modules from the top of the encoder down, as deep as it learns."""
    count = len(encoder.layers)
    parts = [("top", [encoder.layer_norm])]
    parts += [(str(number), [encoder.layers[number]]) for number in reversed(range(count))][: layers or count]
    if layers is None or layers >= count:
        parts.append(("bottom", [encoder.conv1, encoder.conv2, encoder.embed_positions]))
    return parts


def clip_parts(optimizer: torch.optim.Optimizer, max_norm: float) -> None:
    """Before every step, clip adapter, language model and encoder each by its own norm.

    The encoder's gradients start some fifty times larger than the adapter's; one common norm would
    stop the adapter.
    """

    def clip(optimizer, args, kwargs):
        parts: dict[str, list] = {}
        for group in optimizer.param_groups:
            parts.setdefault(group["name"].split(".")[0], []).extend(group["params"])
        for params in parts.values():
            nn.utils.clip_grad_norm_(params, max_norm)

    optimizer.register_step_pre_hook(clip)


class EncoderStarts(TrainerCallback):
    """Keeps the encoder's learned parameters still until a share of the run is over.

    Args:
        optimizer_groups: as `parameter_groups` gives them.
        share: of the run's steps.
    """

    def __init__(self, optimizer_groups: list[dict], share: float):
        self.params = [p for group in optimizer_groups if group["name"].startswith("encoder") for p in group["params"]]
        self.share = share

    def on_step_begin(self, args, state, control, **kwargs):
        learns = state.global_step >= self.share * state.max_steps
        for parameter in self.params:
            parameter.requires_grad_(learns)
