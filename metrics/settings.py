"""What is dropped of what is heard, as one name: `rate=6.25`, `prune=FastV:0.5`, `evict=SnapKV:0.8`, joined by `+`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import product
from math import inf, prod
from typing import Any

import numpy as np
from transformers import PreTrainedModel

from modeling_uniwhisper.cache_eviction import METHODS as EVICTION
from modeling_uniwhisper.cache_eviction import CacheEviction, eviction
from modeling_uniwhisper.token_pruning import METHODS as PRUNING
from modeling_uniwhisper.token_pruning import TokenPruning, pruning

FULL = "full"
"""Name of the setting in which nothing is dropped."""
ALL = "all"


class SettingError(ValueError):
    """A name that stands for no setting. The message is one sentence that says what would."""


@dataclass(frozen=True)
class Setting:
    """How a reply is made cheaper; the model's own way where nothing is given.

    Its name, `str(setting)`, is `full`, or these joined by `+`:

    - `rate=6.25`: audio tokens a second, of UniWhisper;
    - `prune=FastV:0.5`: method, share of the audio tokens that is dropped, and `@1` to drop before layer 1, not 2;
    - `evict=SnapKV:0.8`: method, share of the audio's cache entries that is dropped, and `@all` for text too.
    """

    audio_token_rate: float | None = None
    pruning: TokenPruning | None = None
    eviction: CacheEviction | None = None

    @classmethod
    def parse(cls, name: str) -> Setting:
        """The setting of a name.

        Raises:
            SettingError: a part, method, ratio or layer is none; the message lists the methods there are.
        """
        given: dict[str, Any] = {}
        for part in name.split("+") if name != FULL else ():
            kind, _, value = part.partition("=")
            if kind not in KINDS:
                raise SettingError(f"{name}: {part!r} is none of {FULL}, {', '.join(f'{kind}=' for kind in KINDS)}")
            field, read = KINDS[kind]
            if field in given:
                raise SettingError(f"{name}: {kind}= is there twice")
            try:
                given[field] = read(value)
            except ValueError as error:
                raise SettingError(f"{name}: {error}") from None
        return cls(**given)

    def __str__(self) -> str:
        parts = []
        if self.audio_token_rate is not None:
            parts.append(f"rate={_shortest(self.audio_token_rate)}")
        if (prune := self.pruning) is not None:
            layer = f"@{prune.layer}" * (prune.layer != TokenPruning.layer)
            parts.append(f"prune={type(prune).__name__}:{_shortest(prune.ratio)}{layer}")
        if (evict := self.eviction) is not None:
            parts.append(f"evict={type(evict).__name__}:{_shortest(evict.ratio)}{f'@{ALL}' * (not evict.audio_only)}")
        return "+".join(parts) or FULL

    @property
    def method(self) -> str:
        """How, without how much: `prune FastV`; `rate` where it is the rate alone."""
        methods = {"prune": self.pruning, "evict": self.eviction}
        return " + ".join(f"{verb} {type(one).__name__}" for verb, one in methods.items() if one) or "rate"

    @property
    def kept(self) -> float:
        """Audio tokens that replies are made from: a second where a rate is named, else a share."""
        return (self.audio_token_rate or 1.0) * prod(1 - one.ratio for one in (self.pruning, self.eviction) if one)

    @contextmanager
    def applied(self, model: PreTrainedModel) -> Iterator[None]:
        """Within it `model` prunes and evicts; the rate is the processor's to take."""
        with ExitStack() as stack:
            if self.pruning is not None:
                stack.enter_context(pruning(model, self.pruning))
            if self.eviction is not None:
                stack.enter_context(eviction(model, self.eviction))
            yield


def read_settings(text: str) -> list[Setting]:
    """Settings named with commas or spaces between; braces list what stands in their place, as in a shell.

    `prune={FastV,DART}:{0.5,0.9}` are four.
    """
    settings = []
    for pattern in re.findall(r"(?:\{[^}]*\}|[^\s,])+", text):
        parts = re.split(r"\{([^}]*)\}", pattern)
        options = [part.split(",") if place % 2 else [part] for place, part in enumerate(parts)]
        settings += [Setting.parse("".join(chosen)) for chosen in product(*options)]
    if not settings:
        raise SettingError(f"{text!r} names no setting")
    return settings


def _rate(value: str) -> float:
    rate = _number(value, "a rate, tokens a second, such as 6.25")
    if not 0 < rate < inf:
        raise ValueError(f"the rate is {value}, but it is above 0 tokens a second and finite")
    return rate


def _pruning(value: str) -> TokenPruning:
    method, ratio, layer = _method(value, PRUNING)
    if layer is None:
        return method(ratio=ratio)
    if not layer.isdecimal():
        raise ValueError(f"{layer!r} is not the number of a layer")
    return method(ratio=ratio, layer=int(layer))


def _eviction(value: str) -> CacheEviction:
    method, ratio, entries = _method(value, EVICTION)
    if entries not in (None, ALL):
        raise ValueError(f"{entries!r} is no kind of entries, of which there is {ALL}")
    return method(ratio=ratio, audio_only=entries is None)


def _method(value: str, known: Mapping[str, type]) -> tuple[type, float, str | None]:
    """Method, ratio, and what is after an @."""
    value, _, where = value.partition("@")
    name, _, ratio = value.partition(":")
    if name not in known:
        raise ValueError(f"there is no method {name!r}; there are {', '.join(known)}")
    return known[name], _number(ratio, f"the ratio of {name}, such as {name}:0.5"), where or None


def _shortest(value: float) -> str:
    """The fewest digits that read back as `value`; never an exponent, whose `+` would part the name."""
    return np.format_float_positional(value, trim="-")


def _number(value: str, name: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise ValueError(f"{value!r} is not {name}") from None


KINDS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "rate": ("audio_token_rate", _rate),
    "prune": ("pruning", _pruning),
    "evict": ("eviction", _eviction),
}
"""By what stands before the equals sign: the field, and who reads the rest."""
