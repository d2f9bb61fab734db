"""Rows of a dataset -> one batch in which only the answer is learned."""

import random
from dataclasses import dataclass

import numpy as np
import torch

from dataset_builders.instructions import cast
from dataset_builders.loading import decode
from modeling_uniwhisper import UniWhisperProcessor
from modeling_uniwhisper.audio_io import SAMPLING_RATE


@dataclass
class Collator:
    """Builds prompt, answer and features; in training it also augments and varies the token rate.

    Args:
        processor: the model's.
        rates: audio token rates and how often a batch uses each.
        train: augment, and draw a fresh instruction for every visit of a clip.
    """

    processor: UniWhisperProcessor
    rates: dict[float, float]
    train: bool = True

    def __call__(self, rows: list[dict]) -> dict:
        rng = np.random.default_rng(rows[0].get("seed", 0))
        audio = [decode(row["audio"]["bytes"]) for row in rows]
        rate, tail = max(self.rates, key=self.rates.get), 0.0
        if self.train:
            shares = np.array(list(self.rates.values()))
            rate = float(rng.choice(list(self.rates), p=shares / shares.sum()))
            tail = float(rng.choice([0.0, rng.uniform(0.0, 2.0)]))
            rows = [recast(row) for row in rows]
            audio = [augment(clip, np.random.default_rng(row["seed"])) for clip, row in zip(audio, rows)]
        prompts = [self.prompt(row["instruction"]) for row in rows]
        end = self.processor.tokenizer.eos_token
        batch = self.processor(
            text=[prompt + row["answer"] + end for prompt, row in zip(prompts, rows)],
            audio=audio,
            sampling_rate=SAMPLING_RATE,
            audio_token_rate=rate,
            padding_side="right",
            audio_kwargs={"tail_seconds": tail},
        )
        answers = [len(self.processor.tokenizer(row["answer"] + end).input_ids) for row in rows]
        labels = torch.full_like(batch["input_ids"], -100)
        for row, (length, answer) in enumerate(zip(batch["attention_mask"].sum(-1).tolist(), answers)):
            labels[row, length - answer : length] = batch["input_ids"][row, length - answer : length]
        if self.train:
            mask_spectrogram(batch["input_features"], batch["window_frames"], rng)
        unused = ("window_starts", "num_windows")
        return {**{k: v for k, v in batch.items() if k not in unused}, "labels": labels}

    def prompt(self, instruction: str) -> str:
        """The chat up to the answer, with one audio before the instruction."""
        content = [{"type": "audio"}, {"type": "text", "text": instruction}]
        return self.processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
        )


def recast(row: dict) -> dict:
    """`row` asked afresh, as its `seed` draws; the stored answer may be to a yes-or-no question."""
    right = row["label"] or row["answer"]
    instruction, answer, _ = cast(row["task"], right, row["labels"], random.Random(row["seed"]))
    return {**row, "instruction": instruction, "answer": answer}


def augment(waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Random level (-12 to +6 dB, never clipping) and, half the time, faint noise (15 to 40 dB below)."""
    peak = float(np.abs(waveform).max()) + 1e-6
    waveform = waveform * min(10 ** (rng.uniform(-12, 6) / 20), 1 / peak)
    if rng.random() < 0.5:
        level = float(np.sqrt(np.mean(waveform**2))) * 10 ** (-rng.uniform(15, 40) / 20)
        waveform = waveform + level * rng.standard_normal(len(waveform), dtype=np.float32)
    return waveform.astype(np.float32)


def mask_spectrogram(features: torch.Tensor, window_frames: torch.Tensor, rng: np.random.Generator) -> None:
    """SpecAugment (Park et al., 2019), light and in place: for half the windows a band and a stretch
    of at most an eighth of the mels and of the time take the window's mean."""
    for window, frames in zip(features, (2 * window_frames).tolist()):
        if rng.random() < 0.5:
            mean = float(window[:, :frames].mean())
            band, stretch = rng.integers(0, window.shape[0] // 8 + 1), rng.integers(0, min(frames // 8, 40) + 1)
            low, start = rng.integers(0, window.shape[0] - band + 1), rng.integers(0, frames - stretch + 1)
            window[low : low + band, :frames] = mean
            window[:, start : start + stretch] = mean
