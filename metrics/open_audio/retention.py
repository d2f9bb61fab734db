"""`python -m metrics.open_audio.retention`: is speech still in the encoder?

Whisper's own decoder transcribes test lines from the encoder's frames: once Whisper's encoder, once
the trained one; in 30 s windows, as Whisper was trained, and in windows cut to the clip. Then the
checkpoint's transcriber, which is that decoder trained along with the encoder, in windows cut to the clip.
"""

import tempfile
from pathlib import Path
from typing import Any

import torch
import typer
from datasets import load_dataset
from rich.progress import track
from transformers import GenerationMixin
from transformers.modeling_outputs import BaseModelOutput

import dataset_builders  # noqa: F401  (makes open_audio known to load_dataset)
from dataset_builders.errors import plain_errors
from metrics.reports import write_report
from modeling_uniwhisper import UniWhisperFeatureExtractor, UniWhisperModel, load_audio
from modeling_uniwhisper.audio_io import SAMPLING_RATE
from modeling_uniwhisper.checkpoints import find_checkpoint
from modeling_uniwhisper.transcribing import Transcriber
from training.ctranslate2 import load_whisper, load_whisper_processor
from training.wheels import WHISPER_BASE

from .scores import transcript_scores

WINDOWS: dict[str, dict[str, Any]] = {
    "30 s": {"pad_to_window": True},
    "cut": {},
    "cut, 1 s of silence after": {"tail_seconds": 1.0},
}
MAX_NEW_TOKENS = 64


def main(
    model: Path | None = typer.Option(None, help="Checkpoint folder; the assembled one if not given."),
    out: Path = typer.Option(Path("results/retention.json"), help="Where the JSON goes."),
    split: str = typer.Option("test", help="Split of asr_en to transcribe."),
    limit: int = typer.Option(100, help="Lines, drawn with a fixed seed."),
) -> None:
    """WER of Whisper's decoder on both encoders, for each kind of window, and of the transcriber."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = WHISPER_BASE.open(Path(scratch))
        whisper, processor = load_whisper(folder).eval(), load_whisper_processor(folder)
    checkpoint = find_checkpoint(model)
    trained = UniWhisperModel.from_pretrained(checkpoint).eval()
    encoders = {"Whisper": None, "UniWhisper": trained.encoder.state_dict()}
    rows = load_dataset("open_audio", "asr_en", split=split).shuffle(seed=0).select(range(limit))
    prompt = processor.tokenizer.convert_tokens_to_ids(
        ["<|startoftranscript|>", "<|en|>", "<|transcribe|>", "<|notimestamps|>"]
    )
    original = UniWhisperModel(trained.config).encoder.eval()
    original.load_state_dict(whisper.model.encoder.state_dict())
    extractor = UniWhisperFeatureExtractor()
    report: dict[str, Any] = {
        "command": f"python -m metrics.open_audio.retention --split {split} --limit {limit}",
        "results": {},
    }
    for name, state in encoders.items():
        encoder = original if state is None else trained.encoder
        for window, options in WINDOWS.items():
            texts = []
            for row in track(rows, description=f"{name}, {window}"):
                features = extractor(load_audio(row["audio"]["bytes"]), sampling_rate=SAMPLING_RATE, **options)
                with torch.inference_mode():
                    frames = encoder(features["input_features"], features["input_features_mask"]).last_hidden_state
                    # The generic loop: Whisper's own insists on 30 s of features.
                    ids = GenerationMixin.generate(
                        whisper,
                        encoder_outputs=BaseModelOutput(last_hidden_state=frames),
                        decoder_input_ids=torch.tensor([prompt]),
                        max_new_tokens=MAX_NEW_TOKENS,
                        do_sample=False,
                    )
                texts.append(processor.tokenizer.decode(ids[0], skip_special_tokens=True))
            scores = transcript_scores(texts, rows["answer"])
            report["results"].setdefault(name, {})[window] = scores
            print(f"{name}, {window}: WER {scores['wer']:.3f}")
    transcriber = Transcriber(checkpoint)
    for task in ("asr_en", "asr_multi"):
        rows = load_dataset("open_audio", task, split=split).shuffle(seed=0)
        rows = rows.select(range(min(limit, len(rows))))
        texts = [transcriber.write(load_audio(row["audio"]["bytes"])) for row in track(rows, description=task)]
        scores = transcript_scores(texts, rows["answer"])
        report["results"].setdefault("transcriber", {})[task] = scores
        print(f"transcriber, {task}: WER {scores['wer']:.3f}")
    write_report(report, out)


if __name__ == "__main__":
    with plain_errors():
        typer.run(main)
