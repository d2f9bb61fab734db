"""Rows of a dataset -> one batch in which only the answer is learned."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from dataset_builders.instructions import OPEN_ENDED, cast, cast_heard, cast_lettered
from dataset_builders.loading import decode
from modeling_uniwhisper import UniWhisperProcessor
from modeling_uniwhisper.audio_io import SAMPLING_RATE

from .augmentation import augment, mask_spectrogram
from .config import Augmentation
from .long_recordings import buried, joined

TAGS = "sound_tags"
MODEL_INPUTS = (
    "input_ids",
    "attention_mask",
    "input_features",
    "input_features_mask",
    "window_frames",
    "audio_token_rate",
    "num_windows",
)


@dataclass
class Collator:
    """Builds prompt, answer and features; in training it also augments and varies the token rate.

    Beside the model's inputs a batch holds, of each row, `tasks`, `domains` and `clips`, which name it.

    Args:
        processor: the model's.
        rates: audio token rates and how often a batch uses each.
        augmentation: the recipe's.
        train: augment, and draw a fresh instruction for every visit of a clip.
        open_ended: how often that instruction names no options.
        lettered: how often a question about a label asks for the letter of an option.
        tagger: says what sounds are in a waveform.
        taught: how often a clip that is not speech is asked for what `tagger` says of it.
    """

    processor: UniWhisperProcessor
    rates: dict[float, float]
    augmentation: Augmentation = field(default_factory=Augmentation)
    train: bool = True
    open_ended: float = OPEN_ENDED
    lettered: float = 0.0
    tagger: Callable[[np.ndarray], list[str]] | None = None
    taught: float = 0.0

    def __call__(self, rows: list[dict]) -> dict:
        audio = [heard(row) for row in rows]
        rate, tail = max(self.rates, key=self.rates.__getitem__), 0.0
        if self.train:
            rng = np.random.default_rng(rows[0]["batch"])
            shares = np.array(list(self.rates.values()))
            rate = float(rng.choice(list(self.rates), p=shares / shares.sum()))
            if rng.random() < self.augmentation.silence:
                tail = float(rng.uniform(0.0, 2.0))
            rows = [recast(row, self.open_ended, self.lettered) for row in rows]
            audio = self.augmented(audio, rows)
            rows = [self.taught_row(row, clip) for row, clip in zip(rows, audio)]
        batch = self.inputs(rows, audio, rate, tail)
        windows = batch.pop("num_windows").tolist()
        if self.train:
            rngs = [np.random.default_rng((row["seed"], 1)) for row, count in zip(rows, windows) for _ in range(count)]
            mask_spectrogram(batch["input_features"], batch["window_frames"], rngs, self.augmentation.spectrogram)
        return {**batch, **told(rows)}

    def inputs(self, rows: list[dict], audio: list[np.ndarray], rate: float, tail: float) -> dict:
        """The model's inputs, and `num_windows`."""
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
        return {**{name: batch[name] for name in MODEL_INPUTS}, "labels": labels}

    def augmented(self, audio: list[np.ndarray], rows: list[dict]) -> list[np.ndarray]:
        """Each clip augmented as its row's `seed` draws; what is mixed in is another clip of its domain."""
        heard = []
        for place, (clip, row) in enumerate(zip(audio, rows)):
            rng = np.random.default_rng(row["seed"])
            others = [at for at, other in enumerate(rows) if at != place and other["domain"] == row["domain"]]
            other = audio[others[rng.integers(len(others))]] if others else None
            heard.append(augment(clip, self.augmentation, rng, row["task"], other))
        return heard

    def taught_row(self, row: dict, waveform: np.ndarray) -> dict:
        """`row`, or the question which sounds are in `waveform`, as it was augmented, with the tagger's answer."""
        rng = random.Random(f"{TAGS}/{row['seed']}")
        if self.tagger is None or row["domain"] == "speech" or rng.random() >= self.taught:
            return row
        instruction, answer, _ = cast(TAGS, ", ".join(self.tagger(waveform)), (), rng)
        return {**row, "task": TAGS, "instruction": instruction, "answer": answer}

    def prompt(self, instruction: str) -> str:
        """The chat up to the answer, with one audio before the instruction."""
        content = [{"type": "audio"}, {"type": "text", "text": instruction}]
        return self.processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
        )


def heard(row: dict) -> np.ndarray:
    """The waveform `(samples,)` of a row at 16 kHz, with its companions or in its bed, if it has any."""
    if "companions" in row:
        return joined(row["audio"]["bytes"], row["others"], row["companions"].before)
    if "bed" in row:
        return buried(row["audio"]["bytes"], row["bed"], np.random.default_rng((row["seed"], 3)))
    return decode(row["audio"]["bytes"])


def recast(row: dict, open_ended: float = OPEN_ENDED, lettered: float = 0.0) -> dict:
    """`row` asked afresh, as its `seed` draws; the stored answer may be to a yes-or-no question."""
    if row["task"] == "audio_qa":  # its question is its own
        return row
    right = row["label"] or row["answer"]
    rng = random.Random(row["seed"])
    present = row["companions"].labels if "companions" in row else frozenset()
    if row["labels"] and random.Random(f"lettered/{row['seed']}").random() < lettered:
        instruction, answer = cast_lettered(row["task"], right, row["labels"], rng, present)
    elif len(present) > 1:
        instruction, answer = cast_heard(right, present, row["labels"], rng)
    else:
        instruction, answer, _ = cast(row["task"], right, row["labels"], rng, open_ended=open_ended)
    return {**row, "instruction": instruction, "answer": answer}


def told(rows: list[dict]) -> dict[str, list]:
    """What a batch tells of its rows beside the model's inputs."""
    return {
        "tasks": [row["task"] for row in rows],
        "domains": [row["domain"] for row in rows],
        "clips": [f"{row['task']}: {row['audio']['path']} ({row['source']})" for row in rows],
        "seconds": [row["duration"] for row in rows],
    }
