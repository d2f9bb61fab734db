"""What a reply costs, part by part: `python -m metrics.efficiency cost --seconds 30,90,300 --out cost.json`.

Noise goes through the model's own `generate`, with a fixed number of new tokens, in every setting in turns. Of each:

- `mel` (waveform to model inputs, the prompt's text too), `encoder`, `adapter`, `prefill` (from there to the logits of
  the first new token) and `decode` (what is left), in seconds; and the ratio of each to the first setting's, by round;
- tokens of the prompt, how many of them the last layer keeps, and the bytes of the cache after prefill;
- the real-time factor: seconds of a reply for a second of audio;
- peak memory, on a CPU of a fresh process for each setting;
- with `--memory-gb`, how many replies fit at a time. That is computed, not measured: one at its peak, and for each
  other what its cache holds after prefill.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.progress import track
from torch import nn
from transformers import PreTrainedModel
from transformers.cache_utils import Cache

from metrics.audiomarathon.models import ModelError
from metrics.audiomarathon.models.local import LocalModel
from metrics.audiomarathon.run import Settings
from metrics.machine import environment
from metrics.reports import write_report
from metrics.settings import Setting, read_settings
from modeling_uniwhisper.cache_eviction import METHODS as EVICTION
from modeling_uniwhisper.token_pruning import METHODS as PRUNING

from .embedding import noise
from .timing import in_new_process, in_turns, now, spread

SETTINGS = (
    f"full rate={{25,6.25,3.125}} prune={{{','.join(PRUNING)}}}:{{0.5,0.9}} evict={{{','.join(EVICTION)}}}:{{0.5,0.9}}"
)
QUESTION = "What do you hear?"
SECONDS, REPEATS, NEW_TOKENS = "30,90,300,1800", 3, 16
MODULES = {"encoder": ("encoder", "audio_tower"), "adapter": ("adapter", "multi_modal_projector")}
"""Names that a part has in the models that there are."""
SEES = ("image", "vision", "visual")
"""In the names of modules that hear nothing."""
PACKAGES = ("torch", "transformers", "numpy")


@dataclass(frozen=True)
class Cost:
    """Of one reply.

    Args:
        seconds: by part, in their order.
        tokens: of the prompt.
        kept: those whose entries the last layer's cache holds after prefill.
        cache_bytes: of all layers, after prefill.
    """

    seconds: dict[str, float]
    tokens: int
    kept: int
    cache_bytes: int


def main(
    out: Annotated[Path | None, typer.Option(help="Where the JSON goes; printed if not given.")] = None,
    model: Annotated[str, typer.Option(help="`uniwhisper`, a folder or a Hub id.")] = "uniwhisper",
    settings: Annotated[str, typer.Option(help="The first is what ratios are to; braces as in a shell.")] = SETTINGS,
    seconds: Annotated[str, typer.Option(help="Of audio, with commas between.")] = SECONDS,
    new_tokens: Annotated[int, typer.Option(help="That every reply has.", min=2)] = NEW_TOKENS,
    repeats: Annotated[int, typer.Option(help="Timed rounds after the warm-up.", min=1)] = REPEATS,
    memory_gb: Annotated[float | None, typer.Option(help="Of which to say how many replies fit at a time.")] = None,
    device: Annotated[str, typer.Option(help="As torch names it; `auto` takes an accelerator.")] = "auto",
    dtype: Annotated[str, typer.Option(help="As torch names it.")] = "bfloat16",
) -> None:
    """Time, tokens and memory of a reply, in every setting."""
    chosen = read_settings(settings)
    try:
        lengths = sorted(float(length) for length in seconds.split(","))
    except ValueError:
        raise typer.BadParameter(f"{seconds!r} are not seconds with commas between") from None
    place = Settings.resolve(model=model, split="mini", device=device, dtype=dtype)
    opened = LocalModel(model, place.device, place.dtype)
    found = {length: measure(opened, chosen, length, new_tokens, repeats) for length in lengths}
    peaks = {
        str(setting): peak_gigabytes(opened, setting, [s for s in lengths if str(setting) in found[s][0]], new_tokens)
        for setting in track(chosen, "peak memory")
    }
    rows = []
    for length, (costs, left_out) in found.items():
        of_length = {name: peaks[name][length] for name in costs}
        rows += summarise(costs, of_length, str(chosen[0]), length, memory_gb)
        rows += [{"setting": name, "audio_seconds": length, "left_out": why} for name, why in left_out.items()]
    told: dict[str, Any] = {
        "model": model,
        "settings": settings,
        "seconds": seconds,
        "new-tokens": new_tokens,
        "repeats": repeats,
    }
    told |= {"device": place.device, "dtype": dtype} | ({} if memory_gb is None else {"memory-gb": memory_gb})
    options = [word for name, value in told.items() for word in (f"--{name}", str(value))]
    report: dict[str, Any] = {"command": shlex.join(["python", "-m", "metrics.efficiency", "cost", *options])}
    report |= {**environment(PACKAGES, place.device), **told, "reference": str(chosen[0]), "batch": 1, "rows": rows}
    write_report(report, out)


def measure(
    model: LocalModel, settings: Sequence[Setting], seconds: float, new_tokens: int, repeats: int
) -> tuple[dict[str, list[Cost]], dict[str, str]]:
    """Costs of a reply about noise in every round, by setting; and why a setting is left out, if it is."""
    audio, left_out = noise(seconds, 0), {}
    for setting in settings:
        try:
            model.take(setting)
            model.prepare([audio], [QUESTION])
        except ValueError as error:
            left_out[str(setting)] = str(error)
    arms: dict[str, Callable[[], Cost]] = {
        str(setting): partial(reply_cost, model, setting, audio, new_tokens)
        for setting in settings
        if str(setting) not in left_out
    }
    progress: Callable[[Sequence], Iterable] = partial(track, description=f"{seconds:g} s, {len(arms)} settings")
    return in_turns(arms, repeats, progress), left_out


def reply_cost(model: LocalModel, setting: Setting, audio: np.ndarray, new_tokens: int) -> Cost:
    """One reply of exactly `new_tokens` tokens to a question about `audio` `(samples,)`, with its parts timed."""
    model.setting = setting
    read: dict[str, Any] = {}

    def note(module: nn.Module, args: tuple, output: Any) -> None:
        if not read:
            cache = output.past_key_values
            read.update(at=now(), kept=cache.layers[-1].keys.shape[-2], cache_bytes=cache_bytes(cache))

    start = now()
    inputs = model.prepare([audio], [QUESTION])
    prepared = now()
    hook = model.network.register_forward_hook(note)
    try:
        with timed(parts_of(model.network)) as spent:
            model.generate(inputs, max_new_tokens=new_tokens, min_new_tokens=new_tokens)
    finally:
        hook.remove()
    prefill = read["at"] - prepared - sum(spent.values())
    seconds = {"mel": prepared - start, **spent, "prefill": prefill, "decode": now() - read["at"]}
    return Cost(seconds, inputs["input_ids"].shape[1], read["kept"], read["cache_bytes"])


def parts_of(network: PreTrainedModel) -> dict[str, nn.Module]:
    """Encoder and adapter, as far as they are modules of their own.

    Raises:
        ModelError: there is no encoder among the modules.
    """
    found = {}
    for part, names in MODULES.items():
        for name, module in network.named_modules():
            if part not in found and name.rpartition(".")[2] in names and not any(word in name for word in SEES):
                found[part] = module
    if "encoder" not in found:
        raise ModelError(f"{type(network).__name__} has no module named {' or '.join(MODULES['encoder'])}")
    return found


@contextmanager
def timed(modules: dict[str, nn.Module]) -> Iterator[dict[str, float]]:
    """Seconds in the forward of each module, over all calls."""
    spent = dict.fromkeys(modules, 0.0)

    def start(name: str, *_: Any) -> None:
        spent[name] -= now()

    def stop(name: str, *_: Any) -> None:
        spent[name] += now()

    hooks = []
    for name, module in modules.items():
        hooks.append(module.register_forward_pre_hook(partial(start, name)))
        hooks.append(module.register_forward_hook(partial(stop, name)))
    try:
        yield spent
    finally:
        for hook in hooks:
            hook.remove()


def cache_bytes(cache: Cache) -> int:
    """What keys and values take."""
    return sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)


def peak_gigabytes(
    model: LocalModel, setting: Setting, lengths: Sequence[float], new_tokens: int
) -> dict[float, float | None]:
    """Most memory held for a reply, weights and all, by ascending seconds of audio; None if unknown."""
    if lengths and model.network.device.type == "cpu":
        dtype = str(model.network.dtype).removeprefix("torch.")
        return in_new_process(peaks_of_process, model.name, dtype, setting, lengths, new_tokens)
    model.setting = setting
    return peaks_of_replies(model, lengths, new_tokens)


def peaks_of_process(
    name: str, dtype: str, setting: Setting, lengths: Sequence[float], new_tokens: int
) -> dict[float, float | None]:
    """As `peaks_of_replies`, of a process that has done nothing before."""
    return peaks_of_replies(LocalModel(name, "cpu", dtype, setting), lengths, new_tokens)


def peaks_of_replies(model: LocalModel, lengths: Sequence[float], new_tokens: int) -> dict[float, float | None]:
    """Peak memory as the model tells it, of a GPU by reply, of a process so far."""
    return {s: model.reply([noise(s, 0)], [QUESTION], new_tokens)[0].peak_memory_gb for s in lengths}


def summarise(
    costs: dict[str, list[Cost]],
    peaks: dict[str, float | None],
    reference: str,
    audio_seconds: float,
    memory_gb: float | None,
) -> list[dict[str, Any]]:
    """A row a setting, with ratios to `reference` where that was measured."""
    seconds = {name: by_part(rounds) for name, rounds in costs.items()}
    rows = []
    for name, rounds in costs.items():
        one, parts = rounds[0], seconds[name]
        row = {
            "setting": name,
            "audio_seconds": audio_seconds,
            "tokens": one.tokens,
            "tokens_kept": one.kept,
            "cache_bytes": one.cache_bytes,
            "seconds": {part: spread(times) for part, times in parts.items()},
            "real_time_factor": spread(parts["reply"] / audio_seconds),
            "peak_gigabytes": peaks[name],
        }
        if reference in seconds:
            row["ratio"] = {part: spread(times / seconds[reference][part]) for part, times in parts.items()}
        if memory_gb is not None and peaks[name] is not None:
            row["concurrency"] = concurrency(memory_gb, peaks[name], one.cache_bytes)
        rows.append(row)
    return rows


def by_part(rounds: Sequence[Cost]) -> dict[str, np.ndarray]:
    """Seconds of each part, and of the whole reply, in every round `(rounds,)`."""
    parts = {part: np.array([one.seconds[part] for one in rounds]) for part in rounds[0].seconds}
    return parts | {"reply": np.sum([*parts.values()], axis=0)}


def concurrency(memory_gb: float, peak_gigabytes: float, cache_bytes: int) -> int:
    """Replies that fit into memory at a time: one at its peak, the others as their caches."""
    room = memory_gb - peak_gigabytes
    return 0 if room < 0 else 1 + int(room * 1e9 / cache_bytes)
