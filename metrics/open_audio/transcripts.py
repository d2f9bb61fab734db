"""`python -m metrics.open_audio.transcripts`: do the recordings say what their transcripts say?

Whisper-base transcribes a sample of every set (package and language). A set whose character error
rate is not under 0.35 is left out of the corpus or marked unproven in its card.
"""

import tempfile
from collections import defaultdict
from pathlib import Path

import faster_whisper
import typer
from datasets import concatenate_datasets, load_dataset
from faster_whisper import WhisperModel
from rich.progress import track

import dataset_builders  # noqa: F401  (makes open_audio known to load_dataset)
from metrics.reports import write_report
from modeling_uniwhisper import load_audio
from training.ctranslate2 import write_vocabulary
from training.wheels import WHISPER_BASE

from .scores import transcript_scores

TASKS = ("asr_en", "asr_multi")
PROVEN = 0.35
TOKENS = 10
"""Tokens a second that can be spoken, at most, and as many more."""
OUT = Path("dataset_builders/open_audio/results/transcripts.json")


def main(
    out: Path = typer.Option(OUT, help="Where the JSON goes."),
    limit: int = typer.Option(40, help="Clips a set, drawn with a fixed seed."),
) -> None:
    """Character error rate of Whisper-base on each package and language."""
    whisper = open_whisper()
    sets = {}
    for (source, language), rows in track(sorted(sample(limit).items()), description="sets"):
        texts = [transcribe(whisper, row, language) for row in rows]
        scores = transcript_scores(texts, [row["answer"] for row in rows])
        sets[f"{source} {language}"] = scores | {
            "proven": scores["cer"] < PROVEN,
            "examples": [{"transcript": row["answer"], "heard": text} for row, text in zip(rows[:3], texts)],
        }
        print(f"{source} {language}: CER {scores['cer']:.2f}, {len(rows)} clips")
    report = {
        "command": f"python -m metrics.open_audio.transcripts --limit {limit}",
        "model": "openai/whisper-base, int8, greedy",
        "faster_whisper": faster_whisper.__version__,
        "sets": sets,
    }
    write_report(report, out)


def open_whisper() -> WhisperModel:
    """Whisper-base from the pinned wheels, in int8."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = WHISPER_BASE.open(Path(scratch))
        write_vocabulary(folder)
        return WhisperModel(str(folder), device="cpu", compute_type="int8")


def sample(limit: int) -> dict[tuple[str, str], list[dict]]:
    """Return at most `limit` rows of each (package, language), over all splits."""
    sets: dict[tuple[str, str], list[dict]] = defaultdict(list)
    for task in TASKS:
        rows = concatenate_datasets(list(load_dataset("open_audio", task).values())).shuffle(seed=0)
        light = rows.select_columns(["source", "language"])
        for number, row in enumerate(light):
            key = (row["source"], row["language"])
            if len(sets[key]) < limit:
                sets[key].append(rows[number])
    return sets


def transcribe(whisper: WhisperModel, row: dict, language: str) -> str:
    """Whisper's greedy transcript of `row`, told which language it is in."""
    segments, _ = whisper.transcribe(
        load_audio(row["audio"]["bytes"]),
        language=language,
        beam_size=1,
        temperature=0.0,
        without_timestamps=True,
        condition_on_previous_text=False,
        max_new_tokens=int(TOKENS + TOKENS * row["duration"]),  # it runs into loops where it understands nothing
    )
    return " ".join(segment.text for segment in segments)


if __name__ == "__main__":
    typer.run(main)
