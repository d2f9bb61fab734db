"""A model through the benchmark: asked in batches, every reply kept at once, scored at the end.

`OUT/TASK.jsonl` holds a line a sample, written batch by batch, so that a run that was killed goes on where it was;
`OUT/run.json` the settings, which must then be the same; `OUT/scores.json` what the lines come to.
"""

from __future__ import annotations

import json
import os
import platform
import shlex
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress

import dataset_builders  # noqa: F401  (makes audiomarathon known to load_dataset)
from dataset_builders.audiomarathon.builder import VARIABLE
from dataset_builders.audiomarathon.items import ItemsError
from dataset_builders.audiomarathon.layouts import PublishedError
from dataset_builders.audiomarathon.tasks import MarathonTask
from metrics.machine import device_name
from metrics.reports import write_report
from metrics.settings import FULL, Setting
from modeling_uniwhisper import AudioError, load_audio

from .models import HOSTED, AudioLanguageModel, Reply
from .outputs import HEARD_WHOLE, read_json
from .parsing import parse
from .scoring import average_scores, summarise

OPENAI = "https://api.openai.com/v1"
PACKAGES = ("torch", "transformers", "datasets", "numpy", "soundfile", "soxr")
DTYPES = (None, "float32", "bfloat16", "float16")
KEPT = ("id", "task", "answer", "choices", "letter", "group", "duration", "start", "end", "left_out")
"""Fields of a row that its sample keeps."""


class Hearing(StrEnum):
    """What the model gets of a recording."""

    AUDIO = "audio"
    SILENCE = "silence"
    NOTHING = "nothing"


class SettingsError(ValueError):
    """Settings that do not go together, or not with what is in the folder."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What decides a run's replies.

    Args:
        model: `uniwhisper`, a folder, a Hub id, or `openai:NAME` at an endpoint.
        split, data_dir: as `load_dataset("audiomarathon")` takes them.
        hear: the recording; silence of its length; or nothing, the question alone.
        limit: at most this many samples a task, drawn with a fixed seed; all if None.
        batch_size: samples asked at once.
        device, dtype: of a model that runs here.
        setting: rate, and what is dropped of what is heard, of a model that runs here, as `Setting.parse` reads it.
        endpoint: URL, up to and with `/v1`.
    """

    model: str
    split: str
    data_dir: str | None = None
    hear: Hearing = Hearing.AUDIO
    limit: int | None = None
    batch_size: int = 1
    device: str | None = None
    dtype: str | None = None
    setting: str | None = None
    endpoint: str | None = None

    def __post_init__(self):
        for name in ("limit", "batch_size"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise SettingsError(f"{name} is {value}, but at least 1 is needed")
        if self.dtype not in DTYPES:
            raise SettingsError(f"dtype is {self.dtype}, but it can be {', '.join(DTYPES[1:])}")
        if self.model.startswith(HOSTED) != (self.endpoint is not None):
            raise SettingsError(
                f"{self.endpoint} is no endpoint for {self.model}: it goes with {HOSTED}NAME, and only with it"
            )
        if self.setting is not None and self.endpoint is not None:
            raise SettingsError(f"{self.setting} is a setting of a model that runs here, which {self.model} does not")
        _ = self.listening  # which raises where there is no such setting

    @property
    def listening(self) -> Setting:
        """`setting`, read; raises `SettingError` if it is none."""
        return Setting.parse(self.setting or FULL)

    @classmethod
    def resolve(
        cls,
        *,
        model: str,
        data_dir: str | None = None,
        device: str = "auto",
        dtype: str = "auto",
        endpoint: str | None = None,
        **rest: Any,
    ) -> Settings:
        """As the class, with `auto` for the accelerator of this machine, if it has one, and bfloat16 there."""
        rest |= {"model": model, "data_dir": data_dir or os.environ.get(VARIABLE)}
        if model.startswith(HOSTED):
            return cls(endpoint=endpoint or OPENAI, **rest)
        devices = ["cpu"]
        if torch.accelerator.is_available():
            devices.append(torch.accelerator.current_accelerator().type)
        if device == "auto":
            device = devices[-1]
        elif device.split(":")[0] not in devices:
            raise SettingsError(f"device is {device}, but here there is {' and '.join(devices)}")
        if dtype == "auto":
            dtype = "float32" if device == "cpu" else "bfloat16"
        return cls(device=device, dtype=dtype, endpoint=endpoint, **rest)

    def command(self, tasks: Sequence[MarathonTask]) -> str:
        """The command line that runs `tasks` like this, but for the folder, which changes no score."""
        told = {field.name: getattr(self, field.name) for field in fields(self)}
        options = [word for name, value in told.items() if value is not None for word in (option(name), str(value))]
        names = ",".join(task.abbreviation for task in tasks)
        return shlex.join(["python", "-m", "metrics.audiomarathon", "run", *options, "--tasks", names])


def option(name: str) -> str:
    """The command line's name of a setting."""
    return f"--{name.replace('_', '-')}"


def run(
    settings: Settings,
    tasks: Sequence[MarathonTask],
    out: Path,
    console: Console,
    model_of: Callable[[Settings], AudioLanguageModel] | None = None,
) -> dict[str, Any]:
    """Answer what is not answered yet, score `tasks`, and write and return `out/scores.json`.

    Args:
        settings, tasks, out, console: what is asked, where it goes, and where progress is told.
        model_of: gives the model, if there is anything left to answer; `open_model` if not given.

    Raises:
        SettingsError: there is no such split, or what is in `out` was made with other settings or data.
        RunError: a file in `out` is broken.
        ModelError: the model cannot be opened, or fails for good.
        AudioError: a recording cannot be read; the message names it.
    """
    tasks = list(dict.fromkeys(tasks))
    out.mkdir(parents=True, exist_ok=True)
    guard(settings, out / "run.json")
    rows = {task.name: load_rows(settings, task) for task in tasks}
    done = {task.name: resume(out / f"{task.name}.jsonl", rows[task.name], settings.batch_size) for task in tasks}
    if any(done[name] < len(rows[name]) for name in rows):
        model = (model_of or open_model)(settings)
        keep(settings, out / "run.json")
        with Progress(console=console) as progress:
            for task in tasks:
                answer(model, settings, task, rows[task.name], done[task.name], out, progress)
    results = {}
    for task in tasks:
        samples = [json.loads(line) for line in (out / f"{task.name}.jsonl").read_bytes().splitlines()]
        results[task.name] = summarise(task, samples)
        warn(task, samples, settings.hear, console)
    report = {
        "command": settings.command(tasks),
        "model": settings.model,
        "split": settings.split,
        "data": settings.data_dir,
        "settings": asdict(settings),
        "environment": environment(settings),
        "tasks": results,
        "average": average_scores(results),
    }
    write_report(report, out / "scores.json")
    return report


def guard(settings: Settings, file: Path) -> None:
    """Hold `settings` against those in `file`, if it is there."""
    before, now = read_json(file.read_text("utf-8"), file) if file.is_file() else {}, asdict(settings)
    if differ := [name for name, value in now.items() if before and before.get(name) != value]:
        told = "; ".join(f"{option(name)} was {before.get(name)}, now it is {now[name]}" for name in differ)
        raise SettingsError(
            f"{file.parent} holds a run with other settings: {told}; name another folder, or go on as before"
        )


def keep(settings: Settings, file: Path) -> None:
    """Write `settings` to `file`, which is there whole or not."""
    part = file.with_suffix(".part")
    part.write_text(json.dumps(asdict(settings), indent=1) + "\n", "utf-8")
    part.replace(file)


def load_rows(settings: Settings, task: MarathonTask) -> datasets.Dataset:
    """The samples that are asked, the shortest recordings first, so that a batch has few gaps."""
    try:
        rows = datasets.load_dataset("audiomarathon", task.name, split=settings.split, data_dir=settings.data_dir)
    except (ItemsError, PublishedError):
        raise
    except ValueError as error:  # which names the splits that there are
        raise SettingsError(f"{task.name}: {error}") from None
    if not len(rows):
        raise SettingsError(f"split {settings.split} of {settings.data_dir} has no items of {task.name}")
    if settings.limit:
        rows = rows.shuffle(seed=0).select(range(min(settings.limit, len(rows))))
    return rows.select(np.argsort(rows["duration"], kind="stable"))


def resume(file: Path, rows: datasets.Dataset, batch_size: int) -> int:
    """Return how many samples `file` holds; a torn line, or part of a batch, is cut off.

    Batches stay as they were, since padding may change a reply.

    Raises:
        SettingsError: the lines are of other samples, or of other questions or answers to them.
        RunError: a line is broken.
    """
    lines = file.read_bytes().split(b"\n")[:-1] if file.is_file() else []
    kept = len(lines) if len(lines) == len(rows) else len(lines) - len(lines) % batch_size
    for number, (line, row) in enumerate(zip(lines, rows), 1):
        before = read_json(line, f"{file}, line {number}")
        for field, now in asked(row).items():
            if before.get(field) != now:
                raise SettingsError(
                    f"{file}, line {number}: {field} was {before.get(field)!r}, now it is {now!r}: "
                    "the data are others now"
                )
    if len(lines) > len(rows):
        raise SettingsError(f"{file} holds {len(lines)} samples, but there are {len(rows)}: the data are others now")
    with file.open("ab") as out:
        out.truncate(sum(len(line) + 1 for line in lines[:kept]))
    return kept


def open_model(settings: Settings) -> AudioLanguageModel:
    """The model that `settings` name."""
    if settings.endpoint is not None:
        from .models.endpoint import EndpointModel

        return EndpointModel(settings.model.removeprefix(HOSTED), settings.endpoint)
    from .models.local import LocalModel

    return LocalModel(settings.model, settings.device, settings.dtype, settings.listening)


def answer(
    model: AudioLanguageModel,
    settings: Settings,
    task: MarathonTask,
    rows: datasets.Dataset,
    done: int,
    out: Path,
    progress: Progress,
) -> None:
    """Append a line a sample to the file of `task`, from the one numbered `done` on; a batch is there whole or not."""
    bar = progress.add_task(task.abbreviation, total=len(rows), completed=done)
    with (out / f"{task.name}.jsonl").open("a", encoding="utf-8") as file:
        for start in range(done, len(rows), settings.batch_size):
            batch = rows.select(range(start, min(start + settings.batch_size, len(rows)))).to_list()
            instructions = [row["instruction"] for row in batch]
            replies = model.reply(audio_of(batch, settings.hear), instructions, task.max_new_tokens)
            file.writelines(f"{json.dumps(sample(task, *pair))}\n" for pair in zip(batch, replies))
            file.flush()
            os.fsync(file.fileno())
            progress.advance(bar, len(batch))


def audio_of(batch: Sequence[dict[str, Any]], hear: Hearing) -> list[np.ndarray] | None:
    """The waveforms of a batch, mono at 16 kHz.

    Raises:
        AudioError: one cannot be read; the message names task, item and file.
    """
    if hear is Hearing.NOTHING:
        return None
    audios = []
    for row in batch:
        try:
            audios.append(load_audio(row["audio"]["bytes"] or row["audio"]["path"]))
        except AudioError as error:
            raise AudioError(f"{row['task']}, {row['id']}: {error}") from None
    return [np.zeros_like(audio) for audio in audios] if hear is Hearing.SILENCE else audios


def asked(row: dict[str, Any]) -> dict[str, Any]:
    """What the line of a sample holds of its row."""
    return {**{field: row[field] for field in KEPT}, "prompt": row["instruction"]}


def sample(task: MarathonTask, row: dict[str, Any], reply: Reply) -> dict[str, Any]:
    """The line of one sample."""
    return {
        **asked(row),
        "reply": reply.text,
        "parsed": parse(task, reply.text, row["choices"] or ()),
        **{name: value for name, value in asdict(reply).items() if name != "text"},
    }


def warn(task: MarathonTask, samples: Sequence[dict[str, Any]], hear: Hearing, console: Console) -> None:
    """Tell of replies that are missing, of transcripts that were cut, and of recordings that were not heard whole."""
    if failed := [one for one in samples if one["error"] is not None]:
        console.print(
            f"{task.abbreviation}: {len(failed)} of {len(samples)} replies are missing and count as wrong, "
            f"first {failed[0]['id']}: {failed[0]['error']}",
            style="yellow",
            markup=False,
        )
    heard = [one for one in samples if one["heard_seconds"] is not None and one["error"] is None]
    cut = [one for one in heard if one["heard_seconds"] < HEARD_WHOLE * one["duration"]]
    if cut and hear is not Hearing.NOTHING:
        seconds = [f"{np.mean([one[field] for one in cut]):.1f} s" for field in ("heard_seconds", "duration")]
        console.print(
            f"{task.abbreviation}: of {len(cut)} of {len(samples)} recordings the model got only a part, "
            f"on average {' of '.join(seconds)}",
            style="yellow",
        )
    full = sum((one["new_tokens"] or 0) >= task.max_new_tokens for one in samples)
    if full and task.answer == "transcript":
        console.print(
            f"{task.abbreviation}: {full} of {len(samples)} transcripts have all {task.max_new_tokens} tokens that a "
            "reply may have, and may be cut",
            style="yellow",
        )


def environment(settings: Settings) -> dict[str, Any]:
    """Where the scores were made."""
    return {
        "device": device_name(settings.device or "cpu"),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "versions": {package: version(package) for package in PACKAGES},
    }
