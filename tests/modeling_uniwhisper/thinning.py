"""The slow way to leave tokens out: all are computed, and an attention mask hides those that were dropped."""

from collections.abc import Callable

import torch
from torch import nn

from modeling_uniwhisper.thin_decoder import Row, decoder_of

PROMPTS = ["what is this, a long question?", "who"]


def answers(model, inputs) -> torch.Tensor:
    """Twelve greedy tokens a row."""
    return model.generate(**inputs, max_new_tokens=12, do_sample=False)[:, inputs["input_ids"].shape[1] :]


def steps(model, inputs, **kwargs):
    """Six tokens a row, with their logits, the sequences and the cache."""
    told = {"output_logits": True, "return_dict_in_generate": True, "suppress_tokens": [model.config.audio_token_id]}
    return model.generate(**inputs, max_new_tokens=6, do_sample=False, **told, **kwargs)


def logits_by_masking(model, inputs, sequences: torch.Tensor, hide: Callable[[int], torch.Tensor]) -> torch.Tensor:
    """Logits `(batch, new tokens, vocabulary)` of one forward over `sequences`, a prompt and its answer.

    Args:
        hide: layer -> what its queries may not see `(batch, heads or 1, length or 1, length)`.
    """
    length, prompt = sequences.shape[1], inputs["input_ids"].shape[1]
    valid = nn.functional.pad(inputs["attention_mask"], (0, length - prompt), value=1)
    causal = torch.ones(length, length, dtype=torch.bool).tril() & valid[:, None, None].bool()

    def mask(layer, args, kwargs):
        seen = causal & ~hide(layer.self_attn.layer_idx) | torch.eye(length, dtype=torch.bool)
        bias = torch.zeros(seen.shape).masked_fill(~seen, torch.finfo(torch.float32).min)
        return args, kwargs | {"attention_mask": bias}

    hooks = [layer.register_forward_pre_hook(mask, with_kwargs=True) for layer in decoder_of(model).layers]
    try:
        new = {"input_ids": sequences, "attention_mask": valid, "position_ids": (valid.cumsum(1) - 1).clamp(min=0)}
        return model(**{**inputs, **new}).logits[:, prompt - 1 : -1]
    finally:
        for hook in hooks:
            hook.remove()


def make_row(tokens: int = 40, text: int = 6, seed: int = 0) -> Row:
    """Audio, then text, in a layer with two key heads of two heads each."""
    torch.manual_seed(seed)
    attention = nn.Module()
    attention.q_proj, attention.head_dim, attention.scaling = nn.Linear(32, 32, bias=False), 8, 8**-0.5
    attention.requires_grad_(False)
    angles = torch.arange(tokens)[:, None] * torch.tensor([1.0, 0.3, 0.1, 0.01]).repeat(2)
    return Row(
        audio=torch.arange(tokens) < tokens - text,
        states=torch.randn(tokens, 32),
        attention=attention,
        inputs=torch.randn(tokens, 32),
        rotation=(angles.cos(), angles.sin()),
        keys=torch.randn(2, tokens, 8),
        values=torch.randn(2, tokens, 8),
        norm=nn.RMSNorm(32),
    )


def slow_attention(row: Row, query: int, heads: tuple[int, ...] = (0, 1, 2, 3)) -> list[float]:
    """Mean over `heads` of the weights of token `query`, one number at a time."""
    cos, sin = row.rotation
    totals = [0.0] * len(row.audio)
    for head in heads:
        q = row.attention.q_proj(row.inputs[query])[head * 8 : head * 8 + 8]
        turned = [q[i] * cos[query, i] + (-q[i + 4] if i < 4 else q[i - 4]) * sin[query, i] for i in range(8)]
        scores = [
            sum(float(turned[i]) * float(row.keys[head // 2, key, i]) for i in range(8)) * 8**-0.5
            for key in range(query + 1)
        ]
        weights = torch.tensor(scores).softmax(0)
        for key, weight in enumerate(weights):
            totals[key] += float(weight) / len(heads)
    return totals
