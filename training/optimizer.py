"""Which part learns when, how fast, and how far in one step."""

import torch
from torch import nn
from transformers import TrainerCallback

from .config import Recipe


def parameter_groups(model: nn.Module, recipe: Recipe) -> list[dict]:
    """Adapter, LoRA and encoder with their own rates; the encoder's fall from the top layer down.

    Convolutions and positions, the lowest part, learn at the bottom layer's rate times the decay.
    """
    encoder = model.model.encoder
    groups = [
        {"name": "adapter", "params": list(model.model.adapter.parameters()), "lr": recipe.adapter_lr},
        {
            "name": "lora",
            "params": [p for n, p in model.language_model.named_parameters() if "lora_" in n],
            "lr": recipe.lora_lr,
        },
        {"name": "encoder.top", "params": list(encoder.layer_norm.parameters()), "lr": recipe.encoder_lr},
    ]
    rate = recipe.encoder_lr
    for index in reversed(range(len(encoder.layers))):
        groups.append({"name": f"encoder.{index}", "params": list(encoder.layers[index].parameters()), "lr": rate})
        rate *= recipe.encoder_layer_decay
    bottom = [*encoder.conv1.parameters(), *encoder.conv2.parameters(), *encoder.embed_positions.parameters()]
    groups.append({"name": "encoder.bottom", "params": bottom, "lr": rate})
    return groups


def clip_parts(optimizer: torch.optim.Optimizer, max_norm: float) -> None:
    """Before every step, clip adapter, LoRA and encoder each by its own norm.

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
    """Keeps the encoder frozen until a share of the run is over, then lets it learn."""

    def __init__(self, share: float):
        self.share = share

    def on_step_begin(self, args, state, control, model=None, **kwargs):
        learns = state.global_step >= self.share * state.max_steps
        encoder = model.model.encoder
        if next(encoder.parameters()).requires_grad != learns:
            encoder.requires_grad_(learns)
