"""What questions about long recordings cost, and how often they are answered: `python -m metrics.efficiency.listening`.

- Ten questions about one recording of 300 s, against one question about it.
- Files of 15, 30 and 60 minutes, from disk to an answer, each in a process of its own (Linux).
- `--needles`: recordings with a sound that is heard once, asked in every way to listen to more than fits the context.

The checkpoint is the assembled one, in bfloat16. Time and memory are of noise, answers of open audio.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
import typer
from rich.progress import track

from dataset_builders.audiomarathon.construct import extend
from dataset_builders.audiomarathon.items import Item, read_items
from dataset_builders.audiomarathon.tasks import NEEDLE
from dataset_builders.audiomarathon.wording import instruct
from dataset_builders.errors import plain_errors
from metrics.audiomarathon import strict
from metrics.audiomarathon.parsing import parse
from metrics.intervals import estimate, mean
from metrics.machine import environment, peak_memory
from metrics.reports import write_report
from modeling_uniwhisper import UniWhisperForConditionalGeneration, UniWhisperProcessor, load_audio
from modeling_uniwhisper.checkpoints import find_checkpoint
from modeling_uniwhisper.listening import TOO_LONG, WAYS, listen

from .embedding import noise, write_noise
from .timing import in_new_process, now, spread, take_turns

SECONDS, REPEATS = 300.0, 3
REPLY_TOKENS = 8  # a word or two
QUESTIONS = (
    "What do you hear?",
    "Is there speech?",
    "What language is spoken?",
    "How many people speak?",
    "Is there music?",
    "What instrument is played?",
    "What makes this sound?",
    "Where was this recorded?",
    "Is anybody laughing?",
    "Speech, sound or music?",
)
MINUTES = (15.0, 30.0, 60.0)
NEEDLE_MINUTES = 20.0  # 15,000 tokens at 12.5 Hz; the context has 8,192
BARS = {"ten_questions": 1.6, "hour_rss_gb": 6.0}


def main(
    out: Path | None = typer.Option(None, help="Where the JSON goes; printed if not given."),
    repeats: int = typer.Option(REPEATS, help="Timed rounds of the questions after the warm-up."),
    minutes: list[float] = typer.Option(MINUTES, help="Length of a file; repeatable."),
    needles: int = typer.Option(0, help="Recordings with a needle, none if not given."),
    needle_minutes: float = typer.Option(NEEDLE_MINUTES, help="Length of a recording with a needle."),
) -> None:
    """Time, memory and answers on long recordings."""
    options = f" --needles {needles} --needle-minutes {needle_minutes:g}" if needles else ""
    lengths = "".join(f" --minutes {length:g}" for length in minutes)
    command = f"python -m metrics.efficiency.listening --repeats {repeats}{lengths}{options}"
    checkpoint = find_checkpoint()
    report: dict[str, Any] = {
        "command": command,
        **environment(),
        "dtype": "bfloat16",
        "bars": BARS,
        "too_long": TOO_LONG,
    }
    report["questions"] = in_new_process(ask_ten, checkpoint, SECONDS, repeats)
    report["ten_questions"] = report["questions"]["ten_over_one"]["median"]
    report["long_files"] = files = [in_new_process(ask_noise, checkpoint, length) for length in minutes]
    report["hour_rss_gb"] = next((file["peak_gigabytes"] for file in files if file["minutes"] == 60), None)
    if needles:
        with tempfile.TemporaryDirectory() as scratch:
            extend(Path(scratch), [needle_minutes], [NEEDLE.name], items=needles)
            report["needles"] = find_needles(checkpoint, Path(scratch))
    write_report(report, out)


def open_model(checkpoint: Path) -> tuple[UniWhisperForConditionalGeneration, UniWhisperProcessor]:
    """The model in bfloat16, and its processor."""
    model = UniWhisperForConditionalGeneration.from_pretrained(checkpoint, dtype=torch.bfloat16)
    return model.eval(), UniWhisperProcessor.from_pretrained(checkpoint)


def ask_ten(checkpoint: Path, seconds: float, repeats: int) -> dict[str, object]:
    """From waveform to the last answer, of ten questions over one."""
    model, processor = open_model(checkpoint)
    audio = noise(seconds, 0)

    def ask(questions: Sequence[str]) -> None:
        recording = listen(model, processor, audio)
        for question in questions:
            recording.ask(question, "all", REPLY_TOKENS)

    taken = take_turns({"one": lambda: ask(QUESTIONS[:1]), "ten": lambda: ask(QUESTIONS)}, repeats)
    return {
        "audio_seconds": seconds,
        "audio_token_rate": model.config.audio_token_rate,
        "max_new_tokens": REPLY_TOKENS,
        "repeats": repeats,
        "seconds": {name: spread(times) for name, times in taken.items()},
        "ten_over_one": spread(taken["ten"] / taken["one"]),
    }


def ask_noise(checkpoint: Path, minutes: float) -> dict[str, object]:
    """Seconds that loading, encoding and one answer take for a file, and the process's peak memory."""
    model, processor = open_model(checkpoint)
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch, "noise.wav")
        write_noise(file, 60 * minutes)
        times = [now()]
        audio = load_audio(file)
    times.append(now())
    recording = listen(model, processor, audio)
    times.append(now())
    reply = recording.ask(QUESTIONS[0], max_new_tokens=REPLY_TOKENS)
    times.append(now())
    load, encode, ask = np.diff(times)
    return {
        "minutes": minutes,
        "seconds": {"load": round(load, 3), "encode": round(encode, 3), "ask": round(ask, 3)},
        "encode_seconds_per_minute": round(encode / minutes, 3),
        "heard": reply.heard,
        "peak_gigabytes": round(peak_memory() / 1e9, 3),
    }


def find_needles(checkpoint: Path, folder: Path) -> dict[str, object]:
    """Accuracy of each way on the items in `folder`, and how often the windows that it chose hold the evidence."""
    model, processor = open_model(checkpoint)
    items = read_items(folder, NEEDLE)
    samples: dict[str, list[dict]] = {way: [] for way in WAYS[1:]}
    for item in track(items, "needles"):
        recording = listen(model, processor, folder / item.audio, progress=iter)
        for way in samples:
            start = now()
            instruction = instruct(NEEDLE.name, item.question, item.choices)
            reply = recording.ask(instruction, way, NEEDLE.max_new_tokens)
            samples[way].append(
                {
                    "id": item.id,
                    "parsed": parse(NEEDLE, reply.text, item.choices),
                    "answer": item.answer,
                    "evidence": [item.start, item.end],
                    "evidence_heard": any(start <= item.start and item.end <= end for start, end in reply.spans),
                    "seconds": round(now() - start, 3),
                    **asdict(reply),
                }
            )
    return {way: {**summary(items, of_way), "samples": of_way} for way, of_way in samples.items()}


def summary(items: Sequence[Item], samples: Sequence[dict]) -> dict[str, object]:
    """Strict scores of one way; `evidence_heard` by chance is the share of the recording that was heard."""
    found = np.array([sample["evidence_heard"] for sample in samples], float)
    groups = [item.group for item in items]
    evidence = estimate(lambda weights: mean(weights, found), groups, NEEDLE.name)
    shares = [sum(end - start for start, end in sample["spans"]) / sample["duration"] for sample in samples]
    return {
        "strict": strict.score(
            NEEDLE,
            [sample["parsed"] for sample in samples],
            [item.answer for item in items],
            [item.choices for item in items],
            [item.duration for item in items],
            groups,
            [item.start for item in items],
            [item.end for item in items],
        ),
        "evidence_heard": {
            "share": evidence.value,
            "interval_95": list(evidence.interval),
            "by_chance": float(np.mean(shares)),
        },
        "seconds": spread(np.array([sample["seconds"] for sample in samples])),
    }


if __name__ == "__main__":
    with plain_errors():
        typer.run(main)
