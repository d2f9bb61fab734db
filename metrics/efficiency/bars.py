"""What issue 7 asks for, as one file: `python -m metrics.efficiency bars --merge listening.json --out efficiency.json`.

Measured here unless a merged file has it, of 300 s of noise at 25 Hz, in turns and in bfloat16 on whatever device:

- `prefill_half`: prefill with `FastV` at 0.5 before layer 2, over unpruned;
- `prefill_6hz`: prefill at 6.25 Hz, over 25 Hz;
- `decode_evicted_time`, `decode_evicted_cache`: a decode step of a batch of 8 and its cache with 80 % of the audio
  evicted by `SnapKV`, over the full cache. One row is prefilled, and its cache repeated over the batch.

Ratios of times are medians over rounds. The other keys come from files that `listening` and `report` wrote.
"""

from __future__ import annotations

import operator
import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rich.progress import track
from transformers.cache_utils import Cache

from metrics.audiomarathon.models.local import LocalModel
from metrics.audiomarathon.outputs import RunError, read_json
from metrics.audiomarathon.run import Settings
from metrics.machine import environment
from metrics.reports import write_report
from metrics.settings import Setting

from .cost import PACKAGES, QUESTION, by_part, cache_bytes, measure
from .embedding import noise
from .timing import in_turns, seconds_of, spread

SECONDS, ROWS, STEPS, REPEATS = 300.0, 8, 8, 5
FULL, SLOW, PRUNED, EVICTED = map(
    Setting.parse, ("rate=25", "rate=6.25", "rate=25+prune=FastV:0.5", "rate=25+evict=SnapKV:0.8")
)
BARS = {
    "prefill_half": ("<=", 0.62),
    "prefill_6hz": ("<=", 0.25),
    "score_6hz": (">=", 0.97),
    "needle_quarter": (">=", 0.95),
    "ten_questions": ("<=", 1.6),
    "hour_rss_gb": ("<", 6.0),
    "decode_evicted_time": ("<=", 0.6),
    "decode_evicted_cache": ("<=", 0.3),
}
COMPARISONS = {"<": operator.lt, "<=": operator.le, ">=": operator.ge}


def main(
    out: Annotated[Path | None, typer.Option(help="Where the JSON goes; printed if not given.")] = None,
    merge: Annotated[
        list[Path] | None, typer.Option(exists=True, dir_okay=False, help="JSON with other keys; repeatable.")
    ] = None,
    model: Annotated[str, typer.Option(help="`uniwhisper` or a folder of one.")] = "uniwhisper",
    seconds: Annotated[float, typer.Option(help="Of audio.")] = SECONDS,
    repeats: Annotated[int, typer.Option(help="Timed rounds after the warm-up.", min=1)] = REPEATS,
    device: Annotated[str, typer.Option(help="As torch names it; `auto` takes an accelerator.")] = "auto",
) -> None:
    """Take what was measured before, measure what else has a bar here, and say what is met."""
    told = {file: merged(file) for file in merge or ()}
    place = Settings.resolve(model=model, split="mini", device=device, dtype="bfloat16")
    found = {name: value for values in told.values() for name, value in values.items()}
    if missing := [measured for measured in MEASURED if not set(measured) <= found.keys()]:
        opened = LocalModel(model, place.device, place.dtype, FULL)
        for measured in missing:
            found |= MEASURED[measured](opened, seconds, repeats)
    options = [*(f"--merge={file}" for file in told), f"--seconds={seconds:g}", f"--repeats={repeats}"]
    report: dict[str, Any] = {"command": shlex.join(["python", "-m", "metrics.efficiency", "bars", *options])}
    report |= {**environment(PACKAGES, place.device), "model": model, "dtype": place.dtype, "repeats": repeats}
    write_report(report | {name: judged(name, found[name]) for name in BARS if name in found}, out)


def prefill_ratios(model: LocalModel, seconds: float, repeats: int) -> dict[str, dict[str, Any]]:
    """Prefill of one row, pruned or at a lower rate, over unthinned."""
    costs, left_out = measure(model, [FULL, PRUNED, SLOW], seconds, 2, repeats)
    if left_out:
        raise RunError("; ".join(f"{name}: {why}" for name, why in left_out.items()))
    prefill = {name: by_part(rounds)["prefill"] for name, rounds in costs.items()}
    return {
        key: of_first(prefill[str(FULL)], prefill[str(setting)], FULL, setting)
        for key, setting in (("prefill_half", PRUNED), ("prefill_6hz", SLOW))
    }


def decode_ratios(model: LocalModel, seconds: float, repeats: int) -> dict[str, dict[str, Any]]:
    """Time and cache of a decode step of `ROWS` rows, evicted over full."""
    caches = {setting: prefilled(model, setting, seconds) for setting in (FULL, EVICTED)}
    held = {setting: cache_bytes(cache) for setting, cache in caches.items()}
    arms = {setting: partial(step_seconds, model, setting, cache) for setting, cache in caches.items()}
    progress: Callable[[Sequence], Iterable] = partial(track, description=f"decode, batch {ROWS}")
    steps = {setting: np.array(times) for setting, times in in_turns(arms, repeats, progress).items()}
    told = {"batch": ROWS, "prefill": "one row, its cache repeated over the batch"}
    gigabytes = {str(setting): round(size / 1e9, 4) for setting, size in held.items()}
    return {
        "decode_evicted_time": of_first(steps[FULL], steps[EVICTED], FULL, EVICTED) | told,
        "decode_evicted_cache": {"value": round(held[EVICTED] / held[FULL], 4), "gigabytes": gigabytes} | told,
    }


@torch.inference_mode()
def prefilled(model: LocalModel, setting: Setting, seconds: float, rows: int = ROWS) -> Cache:
    """The cache of a prompt about noise, the same in `rows` rows."""
    model.take(setting)
    inputs = model.prepare([noise(seconds, 0)], [QUESTION]).to(model.network.device, dtype=model.network.dtype)
    with setting.applied(model.network):
        cache = model.network(**inputs, use_cache=True, logits_to_keep=1).past_key_values
    cache.batch_repeat_interleave(rows)
    if hasattr(cache, "held"):
        cache.held = [replace(held, valid=held.valid.expand(rows, -1)) for held in cache.held]
    return cache


def step_seconds(model: LocalModel, setting: Setting, cache: Cache) -> float:
    """Seconds of one decode step of `ROWS` rows, the mean of a few, which go into `cache`."""
    token = torch.full((ROWS, 1), model.processor.tokenizer.eos_token_id, device=model.network.device)

    def decode() -> None:
        for _ in range(STEPS):
            model.network(input_ids=token, past_key_values=cache, use_cache=True)

    with setting.applied(model.network):
        return seconds_of(decode) / STEPS


MEASURED: dict[tuple[str, ...], Callable[[LocalModel, float, int], dict[str, dict[str, Any]]]] = {
    ("prefill_half", "prefill_6hz"): prefill_ratios,
    ("decode_evicted_time", "decode_evicted_cache"): decode_ratios,
}
"""Bars, and what measures them here."""


def of_first(base: np.ndarray, ours: np.ndarray, base_setting: Setting, setting: Setting) -> dict[str, Any]:
    """Ratio by round of seconds `(rounds,)`, and the medians behind it."""
    ratio = spread(ours / base)
    seconds = {str(base_setting): spread(base), str(setting): spread(ours)}
    return {"value": ratio["median"], "quartiles": ratio["quartiles"], "seconds": seconds}


def judged(name: str, found: dict[str, Any]) -> dict[str, Any]:
    """A number with its bar, and whether that is met."""
    sign, limit = BARS[name]
    return found | {"bar": f"{sign} {limit:g}", "met": COMPARISONS[sign](found["value"], limit)}


def merged(file: Path) -> dict[str, dict[str, Any]]:
    """What another command found, by key: an object with its `value` and the `file` it is from.

    Raises:
        RunError: the file has none of the keys.
    """
    told = read_json(file.read_text("utf-8"), file)
    found = {name: told[name] for name in BARS if told.get(name) is not None}
    if not found:
        raise RunError(f"{file} has none of {', '.join(BARS)}")
    return {
        name: {"file": file.name} | (value if isinstance(value, dict) else {"value": value})
        for name, value in found.items()
    }
