"""`python -m metrics.open_audio`: score a checkpoint on the tasks of open audio."""

import platform
from pathlib import Path

import torch
import transformers
import typer
from datasets import Dataset, load_dataset
from rich.console import Console
from rich.table import Table

import dataset_builders  # noqa: F401  (makes open_audio known to load_dataset)
from dataset_builders.errors import plain_errors
from dataset_builders.open_audio.configs import CONFIGS
from metrics.probe.embed import embed
from metrics.probe.encoders import Encoder, open_encoder
from metrics.reports import write_report
from modeling_uniwhisper import UniWhisperForConditionalGeneration, UniWhisperProcessor
from modeling_uniwhisper.checkpoints import cache_home, find_checkpoint

from .answers import answer_rows
from .baselines import likeliest, linear_probe, majority
from .scores import label_scores, right, transcript_scores

PROBED = ("log-mel", "whisper-base")
BESIDE = ("majority", "chance", *PROBED)

app = typer.Typer(add_completion=False)


@app.command()
def main(
    model: Path | None = typer.Option(None, help="Checkpoint folder; the assembled one if not given."),
    out: Path = typer.Option(Path("results/open_audio.json"), help="Where the JSON goes."),
    tasks: list[str] = typer.Option(list(CONFIGS), "--task", help="Tasks to score; all if not given."),
    split: str = typer.Option("test", help="Split to score; baselines always learn on train."),
    limit: int = typer.Option(400, help="At most this many clips a task, drawn with a fixed seed."),
    audio_token_rate: float | None = typer.Option(
        None, help="Audio tokens a second; the model's default if not given."
    ),
    dtype: str = typer.Option("bfloat16", help="Precision of the model."),
) -> None:
    """Accuracy of label tasks, beside majority, chance and linear probes; WER and CER of transcription."""
    checkpoint = find_checkpoint(model)
    processor = UniWhisperProcessor.from_pretrained(checkpoint)
    network = UniWhisperForConditionalGeneration.from_pretrained(checkpoint, dtype=getattr(torch, dtype)).eval()
    if torch.cuda.is_available():
        network.to("cuda")
    probed = [open_encoder(name) for name in PROBED]
    results = {}
    for task in tasks:
        rows = load_dataset("open_audio", task, split=split)
        rows = rows.shuffle(seed=0).select(range(min(limit, len(rows))))
        answers = answer_rows(network, processor, rows, audio_token_rate)
        if CONFIGS[task].labels:
            results[task] = label_scores(answers, rows["label"], rows["choices"]) | baselines(task, rows, probed)
        else:
            results[task] = transcript_scores(answers, rows["answer"])
        results[task]["examples"] = [
            {"instruction": row["instruction"], "answer": answer, "truth": row["answer"]}
            for row, answer in zip(rows.select(range(5)), answers)
        ]
    report = {
        "command": " ".join(
            [f"python -m metrics.open_audio --split {split} --limit {limit} --dtype {dtype}"]
            + [f"--task {task}" for task in tasks if tasks != list(CONFIGS)]
        ),
        "split": split,
        "audio_token_rate": audio_token_rate or network.config.audio_token_rate,
        "dtype": dtype,
        "device": str(network.device),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "python": platform.python_version(),
        "tasks": results,
    }
    write_report(report, out)
    show(results)
    print(f"written: {out}")


def baselines(task: str, rows: Dataset, encoders: list[Encoder]) -> dict[str, float]:
    """Accuracy on `rows` of the majority, and of linear probes of `encoders` that choose from the same options.

    All learn on the training split; a probe reads the mean of its encoder's last layer, regularised by validation.
    """
    train, validation = (load_dataset("open_audio", task, split=name) for name in ("train", "validation"))
    found = {"majority": majority(train["label"], rows["label"])}
    for encoder in encoders:
        features = [
            embed(encoder, part, cache_home() / "embeddings", description=task).pooled[:, -1]
            for part in (train, validation, rows)
        ]
        probe = linear_probe((features[0], train["label"]), (features[1], validation["label"]))
        answers = likeliest(probe, features[2], rows["choices"])
        found[encoder.name] = float(right(answers, rows["label"]).mean())
    return found


def show(results: dict) -> None:
    """Print the results as a table."""
    table = Table("task", "clips", "score", "95 %", *BESIDE, "parse rate")
    for task, result in results.items():
        name = "accuracy" if "accuracy" in result else "wer"
        low, high = result[f"{name}_95"]
        beside = [f"{result[key]:.2f}" if key in result else "" for key in BESIDE]
        score = f"{name} {result[name]:.2f}"
        table.add_row(
            task, str(result["clips"]), score, f"{low:.2f}-{high:.2f}", *beside, f"{result['parse_rate']:.2f}"
        )
    Console(width=120).print(table)


if __name__ == "__main__":
    with plain_errors():
        app()
