"""A stock decoder whose layers hold different tokens: what token pruning and cache eviction stand on.

The decoder of a Llama, Qwen2 or Qwen3 runs in parts, each a view of its own layers with the library's own
`forward`, so that masks, rotary positions and caches stay the library's. Between two parts tokens may be dropped, and
after a layer cache entries may be. What is left is kept on the cache, row by row, for the steps that follow.
"""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.cache_utils import DynamicCache, DynamicLayer
from transformers.modeling_outputs import BaseModelOutputWithPast


@dataclass(frozen=True, kw_only=True)
class Thinning:
    """How much is dropped.

    Args:
        ratio: the share, from 0 to below 1.
        budget: how many to keep in each row, instead of a ratio.
    """

    ratio: float = 0.5
    budget: int | None = None

    def __post_init__(self):
        if not 0 <= self.ratio < 1:
            raise ValueError(f"ratio is {self.ratio}, but the share to drop is from 0 to below 1")
        if self.budget is not None and self.budget < 1:
            raise ValueError(f"budget is {self.budget}, but at least 1 is kept")

    @property
    def keeps_all(self) -> bool:
        """Whether nothing is ever dropped."""
        return self.ratio == 0 and self.budget is None

    def count(self, number: int) -> int:
        """How many of `number` are kept, at least one."""
        if self.budget is not None:
            return min(number, self.budget)
        return max(1, int(number * (1 - self.ratio) + 1e-6))  # 10 at a ratio of 0.9 are 1, not 0.999...


@dataclass
class Row:
    """One row of a batch at one layer, padding left out: what a method chooses by.

    Args:
        audio: which of the tokens are audio `(tokens,)`.
        states: the hidden states after the layer `(tokens, hidden size)`; the next layer's input.
        attention: the layer's attention, and `inputs` `(tokens, hidden size)`, what it was given.
        rotation: cosines and sines `(tokens, head size)`.
        keys, values: `(key heads, tokens, head size)`, keys rotated.
        norm: the decoder's last normalisation.
        rotations: cosines and sines `(positions, head size)` of the positions that follow the row, so many.
    """

    audio: torch.Tensor
    states: torch.Tensor | None = None
    attention: nn.Module | None = None
    inputs: torch.Tensor | None = None
    rotation: tuple[torch.Tensor, torch.Tensor] | None = None
    keys: torch.Tensor | None = None
    values: torch.Tensor | None = None
    norm: nn.Module | None = None
    rotations: Callable[[int], tuple[torch.Tensor, torch.Tensor]] | None = None

    def queries(self, tokens: torch.Tensor) -> torch.Tensor:
        """Queries of `tokens` before rotation `(heads, tokens, head size)`."""
        query = self.attention.q_proj(self.inputs[tokens]).view(len(tokens), -1, self.attention.head_dim)
        if hasattr(self.attention, "q_norm"):
            query = self.attention.q_norm(query)
        return query.transpose(0, 1)

    def weights(self, tokens: torch.Tensor) -> torch.Tensor:
        """Causal attention of `tokens` to the row `(key heads, heads a key head, tokens, row's tokens)`, float32."""
        cos, sin = (part[tokens] for part in self.rotation)
        query = rotate(self.queries(tokens), cos, sin)
        query = query.view(len(self.keys), -1, *query.shape[1:])
        scores = (query @ self.keys[:, None].transpose(-1, -2)).float() * self.attention.scaling
        later = torch.arange(len(self.audio), device=tokens.device) > tokens[:, None]
        return scores.masked_fill(later, -torch.inf).softmax(-1)


def rotate(states: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Rotary position embedding of `states` `(..., tokens, head size)`, halves paired as in Llama."""
    first, second = states.chunk(2, dim=-1)
    return states * cos + torch.cat([-second, first], dim=-1) * sin


@dataclass
class Held:
    """What the layers from `first` on hold of a prompt of `seen` tokens.

    Args:
        valid: which of the held places hold a token that is attended to `(batch, held)`.
        audio: which hold audio `(batch, held)`.
        places: where in the prompt each stood `(batch, held)`; of evicted caches, before eviction.
        weight: how many tokens each stands for `(batch, held)`, where tokens were merged.
    """

    first: int
    seen: int
    valid: torch.Tensor
    audio: torch.Tensor
    places: torch.Tensor
    weight: torch.Tensor | None = None


@dataclass
class Kept:
    """What pruning keeps of a row: `tokens`, ascending, and where they were merged their `states` and `weight`."""

    tokens: torch.Tensor
    states: torch.Tensor | None = None
    weight: torch.Tensor | None = None


class Pruning(Protocol):
    """A method of `token_pruning`: drops audio tokens before layer `layer`."""

    layer: int

    def keep(self, row: Row) -> Kept: ...


class Eviction(Protocol):
    """A method of `cache_eviction`: `(key heads, entries kept)`, ascending, of a row of a layer."""

    def keep(self, row: Row) -> torch.Tensor: ...


class ThinDecoder:
    """Stands in for `decoder.forward` while tokens are pruned or cache entries evicted."""

    def __init__(self, decoder: PreTrainedModel):
        self.decoder, self.forward, self.depth = decoder, decoder.forward, len(decoder.layers)
        self.pruning: Pruning | None = None
        self.eviction: Eviction | None = None
        self.audio: torch.Tensor | None = None
        self.held: list[Held] = []

    def note_audio(self, model: PreTrainedModel, args: tuple, kwargs: dict) -> None:
        """Forward pre-hook of the whole model, which alone sees where the audio tokens stand."""
        input_ids = kwargs.get("input_ids", args[0] if args else None)
        self.audio = None if input_ids is None else input_ids == model.config.audio_token_id

    def __call__(
        self, input_ids=None, attention_mask=None, position_ids=None, past_key_values=None, inputs_embeds=None, **kwargs
    ) -> BaseModelOutputWithPast:
        audio, self.audio = self.audio, None
        follows = hasattr(past_key_values, "held")
        if not follows and (audio is None or not audio.any()):
            return self.forward(
                input_ids, attention_mask, position_ids, past_key_values, inputs_embeds=inputs_embeds, **kwargs
            )
        if attention_mask is not None and attention_mask.ndim != 2:
            raise ValueError(f"the attention mask has {attention_mask.ndim} dimensions, but (batch, length) is needed")
        states = self.decoder.embed_tokens(input_ids) if inputs_embeds is None else inputs_embeds
        if follows:
            return self._step(states, attention_mask, position_ids, past_key_values)
        if past_key_values is not None and past_key_values.get_seq_length():
            raise ValueError("audio is pruned or evicted in the first forward of a prompt, but the cache holds tokens")
        return self._prefill(states, attention_mask, position_ids, past_key_values, audio, kwargs.get("use_cache"))

    def _prefill(self, states, attention_mask, position_ids, cache, audio, use_cache) -> BaseModelOutputWithPast:
        valid = torch.ones_like(audio) if attention_mask is None else attention_mask.bool()
        if position_ids is None:
            position_ids = torch.arange(audio.shape[1], device=audio.device)[None]
        cache = DynamicCache(config=self.decoder.config) if cache is None else cache
        cache.layers += [DynamicLayer() for _ in range(self.depth - len(cache.layers))]
        if {type(layer) for layer in cache.layers} != {DynamicLayer}:
            raise ValueError("pruning and eviction need a DynamicCache whose layers have no sliding window")
        places = torch.arange(audio.shape[1], device=audio.device).expand_as(audio)
        self.held = [Held(0, audio.shape[1], valid, audio & valid, places)]
        self.last_attention: tuple | None = None
        self.last = position_ids.expand(*position_ids.shape[:-2], *audio.shape).masked_fill(~valid, 0).amax(-1)
        self.last = self.last.view(-1, len(audio))[0]
        shape = states.shape
        with self._after_attention():
            if self.pruning is not None:
                if self.pruning.layer:
                    states = self._part(0, self.pruning.layer, states, valid, position_ids, cache).last_hidden_state
                states = self._prune(states)
                position_ids = _take(position_ids, self.held[-1].places, -1)
            held = self.held[-1]
            output = self._part(held.first, self.depth, states, _mask(held, held.valid, states), position_ids, cache)
        if self.pruning is not None:  # in the caller's shape: what was pruned comes out as zeros
            states, (row, column) = output.last_hidden_state, held.valid.nonzero(as_tuple=True)
            output.last_hidden_state = states.new_zeros(shape).index_put(
                (row, held.places[row, column]), states[row, column]
            )
        cache.held = [replace(held, valid=self.valid_after.get(held.first, held.valid)) for held in self.held]
        output.past_key_values = None if use_cache is False else cache
        return output

    def _step(self, states, attention_mask, position_ids, cache) -> BaseModelOutputWithPast:
        """Tokens after the prompt: each part of the layers attends to what it holds, and to what came since."""
        batch, new = states.shape[:2]
        since = cache.get_seq_length(self.depth - 1) - cache.held[-1].valid.shape[1] + new
        seen = cache.held[0].seen
        if position_ids is None:
            position_ids = torch.arange(seen + since - new, seen + since, device=states.device)[None]
        tail = torch.ones(batch, since, dtype=torch.bool, device=states.device)
        if attention_mask is not None:
            tail = attention_mask[:, seen : seen + since].bool()
        ends = [held.first for held in cache.held[1:]] + [self.depth]
        for held, end in zip(cache.held, ends):
            mask = _mask(held, torch.cat([held.valid, tail], dim=1), states)
            output = self._part(held.first, end, states, mask, position_ids, cache)
            states = output.last_hidden_state
        output.past_key_values = cache
        return output

    def _part(self, first: int, end: int, states, mask, position_ids, cache) -> BaseModelOutputWithPast:
        """Layers `first` to `end` on `states`, normalised if the last is among them."""
        part, view = copy.copy(self.decoder), copy.copy(cache)
        part.__dict__.pop("forward")
        part._modules = dict(self.decoder._modules, layers=self.decoder.layers[first:end])
        if end < self.depth:
            part._modules["norm"] = nn.Identity()
        if hasattr(part.config, "layer_types"):
            part.config = copy.copy(part.config)
            part.config.layer_types = part.config.layer_types[first:end]
        view.layers = [cache.layers[first]] * first + cache.layers[first:]  # lengths are asked of layer 0
        return part(
            inputs_embeds=states, attention_mask=mask, position_ids=position_ids, past_key_values=view, use_cache=True
        )

    @contextmanager
    def _after_attention(self) -> Iterator[None]:
        """Notes what pruning chooses by, and evicts a layer's entries as soon as the layer has attended."""
        self.valid_after: dict[int, torch.Tensor] = {}
        hooks = [
            layer.self_attn.register_forward_hook(self._attended, with_kwargs=True) for layer in self.decoder.layers
        ]
        try:
            yield
        finally:
            self.last_attention = None
            for hook in hooks:
                hook.remove()

    def _attended(self, attention: nn.Module, args: tuple, kwargs: dict, output: tuple) -> None:
        entries = kwargs["past_key_values"].layers[attention.layer_idx]
        seen = attention, kwargs["hidden_states"], kwargs["position_embeddings"], entries.keys, entries.values
        if self.pruning is not None and attention.layer_idx == self.pruning.layer - 1:
            self.last_attention = seen
        if self.eviction is not None:
            held = next(held for held in reversed(self.held) if held.first <= attention.layer_idx)
            if held.weight is not None:
                raise ValueError("entries of merged tokens cannot be evicted: prune by another method, or do not evict")
            kept = [places[self.eviction.keep(row)] for places, row in self._rows(held, seen)]
            places, self.valid_after[held.first] = _left_fill(kept)
            places = places[..., None].expand(-1, -1, -1, entries.keys.shape[-1])
            entries.keys, entries.values = entries.keys.gather(2, places), entries.values.gather(2, places)

    def _rows(self, held: Held, seen: tuple | None, states: torch.Tensor | None = None) -> Iterator[tuple]:
        """Each row's places in the batch that hold a token, and the row."""
        for row, valid in enumerate(held.valid):
            places = valid.nonzero().squeeze(1)
            told = {"states": None if states is None else states[row, places], "norm": self.decoder.norm}
            if seen is not None:
                attention, inputs, rotation, keys, values = seen
                told |= {
                    "rotations": partial(self._rotations, inputs, self.last[row]),
                    "attention": attention,
                    "inputs": inputs[row, places],
                    "rotation": tuple(part[row if len(part) > 1 else 0, places] for part in _angles(rotation)),
                    "keys": keys[row, :, places],
                    "values": values[row, :, places],
                }
            yield places, Row(audio=held.audio[row, places], **told)

    def _rotations(self, states: torch.Tensor, last: torch.Tensor, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Cosines and sines of the `number` positions after `last`."""
        following = last + torch.arange(1, number + 1, device=states.device)
        return tuple(part[0] for part in _angles(self.decoder.rotary_emb(states, following[None])))

    def _prune(self, states: torch.Tensor) -> torch.Tensor:
        """What is left of `states` `(batch, kept, hidden size)`; rows that keep less are filled on the left."""
        whole = self.held[0]
        rows = list(self._rows(whole, self.last_attention, states))
        kept = [self.pruning.keep(row) for _, row in rows]
        places, valid = _left_fill([place[k.tokens] for (place, _), k in zip(rows, kept)])
        states, weight = _take(states, places, 1), None
        if kept[0].states is not None:
            weight = torch.ones(valid.shape, device=states.device)
            for row, k in enumerate(kept):
                states[row, valid[row]], weight[row, valid[row]] = k.states, k.weight
        audio = whole.audio.gather(1, places) & valid
        below = self.held if self.pruning.layer else []
        self.held = [*below, Held(self.pruning.layer, whole.seen, valid, audio, places, weight)]
        return states


def _angles(rotation: tuple[torch.Tensor, torch.Tensor]) -> tuple[torch.Tensor, ...]:
    """`(batch, length, head size)`; of several kinds of positions, which are the same for audio and text, the first."""
    return tuple(part[0] if part.ndim == 4 else part for part in rotation)


def _left_fill(rows: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of indices `(..., kept)` as one tensor, zeros filled in on the left, and which of them are real."""
    longest = max(row.shape[-1] for row in rows)
    filled = torch.stack([nn.functional.pad(row, (longest - row.shape[-1], 0)) for row in rows])
    kept = torch.tensor([row.shape[-1] for row in rows], device=filled.device)
    return filled, torch.arange(longest, device=filled.device) >= longest - kept[:, None]


def _take(tensor: torch.Tensor, places: torch.Tensor, dim: int) -> torch.Tensor:
    """`tensor` at `places` `(batch, kept)` along `dim`; dimensions before it but the batch are kept as they are."""
    if dim == -1:  # position ids: (batch, length), or (kinds, batch, length)
        places = places.expand(*tensor.shape[:-2], *places.shape)
        return tensor.expand(*places.shape[:-1], tensor.shape[-1]).gather(-1, places)
    return tensor.gather(dim, places[..., None].expand(-1, -1, tensor.shape[-1]))


def _mask(held: Held, columns: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
    """The mask of keys `columns` `(batch, keys)`; where tokens have weights, their logarithms are added to scores."""
    if held.weight is None:
        return columns
    keys, queries = columns.shape[1], states.shape[1]
    order = torch.arange(keys, device=columns.device)
    seen = columns[:, None, None, :] & (order <= order[-queries:, None])
    bias = nn.functional.pad(held.weight.log(), (0, keys - held.weight.shape[1])).to(states.dtype)
    return bias[:, None, None, :].where(seen, torch.finfo(states.dtype).min)


def decoder_of(model: PreTrainedModel) -> PreTrainedModel:
    """The stack of layers that reads text and audio tokens.

    Raises:
        ValueError: it is not built like Llama's, or the model has no audio token.
    """
    decoder = model
    while (inner := decoder.get_decoder()) is not decoder:
        decoder = inner
    parts = [getattr(decoder, name, None) for name in ("layers", "norm", "embed_tokens", "rotary_emb")]
    if None in parts or not hasattr(getattr(parts[0][0], "self_attn", None), "q_proj"):
        raise ValueError(f"{type(decoder).__name__} is not built like Llama's decoder, which pruning and eviction need")
    if getattr(model.config, "audio_token_id", None) is None:
        raise ValueError(f"{type(model).__name__} has no audio_token_id in its config")
    return decoder


@contextmanager
def thinned(model: PreTrainedModel, **methods: Pruning | Eviction) -> Iterator[None]:
    """Within it `model` prunes or evicts: `pruning=`, `eviction=`, or one inside the other."""
    decoder = decoder_of(model)
    before = decoder.__dict__.get("forward")
    thin = before if isinstance(before, ThinDecoder) else ThinDecoder(decoder)
    others = {name: getattr(thin, name) for name in methods}
    hook = model.register_forward_pre_hook(thin.note_audio, with_kwargs=True)
    decoder.forward = thin
    vars(thin).update(methods)
    try:
        yield
    finally:
        vars(thin).update(others)
        hook.remove()
        if before is None:
            del decoder.forward
        else:
            decoder.forward = before
