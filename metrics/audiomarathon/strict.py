"""Scores of parsed answers in which an invalid one is wrong; all are shares, from 0 to 1."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeGuard

import jiwer
import numpy as np
from sklearn.metrics import f1_score
from transformers.models.whisper.english_normalizer import BasicTextNormalizer, EnglishTextNormalizer

from dataset_builders.audiomarathon.tasks import LETTERS, MarathonTask
from metrics.intervals import estimate, mean

from .paper import standardise

DURATIONS = {
    "90-150 s": (90, 150),
    "150-210 s": (150, 210),
    "210-300 s": (210, np.nextafter(300, 301)),
    "5-10 min": (300, 600),
    "10-20 min": (600, 1200),
    "20-40 min": (1200, 2400),
    "over 40 min": (2400, np.inf),
}
"""From, and up to but without; 300 s is of the benchmark's own."""
THIRDS = ("first third", "second third", "last third")
NORMALISERS: dict[str, Callable[[str], str]] = {
    "english": EnglishTextNormalizer({}),
    "basic": BasicTextNormalizer(),
    "authors": standardise,
}
"""Whisper's two and the authors'. The table of British spellings comes with a checkpoint, so "english" lacks it."""

Statistic = Callable[[np.ndarray], np.ndarray]


def score(
    task: MarathonTask,
    parsed: Sequence[str | None],
    answers: Sequence[str],
    choices: Sequence[Sequence[str]] | None = None,
    durations: Sequence[float | None] | None = None,
    groups: Sequence[Hashable] | None = None,
    starts: Sequence[float | None] | None = None,
    ends: Sequence[float | None] | None = None,
) -> dict[str, object]:
    """Score the answers to one task, as a whole and by parts.

    Args:
        task: One of the ten.
        parsed: What `parsing.parse` made of each reply; None is wrong, or for a transcript empty.
        answers: Text of the right choice, or transcript, of each item.
        choices: Of each item, in the order of the letters; none for a transcript.
        durations: Of each recording, in seconds.
        groups: Items of one group (speaker, recording) are drawn together for the interval; each is its own if not
            given.
        starts: Where in the recording the evidence begins, in seconds, or None where unknown.
        ends: Where it ends.

    Returns:
        Accuracy, or WER, with its 95 % interval and the rest; `by_duration` and `by_evidence` where they are known.
    """
    result: dict[str, Any]
    if task.answer == "transcript":
        name, statistic, result = "wer", *transcripts([text or "" for text in parsed], answers)
    else:
        name, statistic, result = "accuracy", *labels(task, parsed, answers, choices or ())
    whole = estimate(statistic, groups or range(len(answers)), task.name)
    result = {name: whole.value, f"{name}_95": list(whole.interval), **result, "items": len(answers)}
    result["parse_rate"] = float(np.mean([text is not None for text in parsed]))
    if durations:
        result["by_duration"] = by(statistic, name, [duration_bucket(duration) for duration in durations])
        if starts and ends:
            parts = [evidence_third(*item) for item in zip(starts, ends, durations)]
            result["by_evidence"] = by(statistic, name, parts)
    return result


def labels(
    task: MarathonTask, parsed: Sequence[str | None], answers: Sequence[str], choices: Sequence[Sequence[str]]
) -> tuple[Statistic, dict[str, float]]:
    """Accuracy as a statistic of how often each item counts, with macro F1 and what needs no model.

    Macro F1 is over the label texts that are right somewhere. Where options belong to the item (SCR, SER) there are
    no such labels, and it is over their letters.
    """
    right = np.array([said == answer for said, answer in zip(parsed, answers)], float)
    if task.labels:
        meant, said = list(answers), [text or "" for text in parsed]
    else:
        meant, said = (
            [LETTERS[list(offered).index(text)] if text else "" for text, offered in zip(texts, choices)]
            for texts in (answers, parsed)
        )
    counts = Counter(meant)
    return lambda weights: mean(weights, right), {
        "macro_f1": float(f1_score(meant, said, labels=sorted(counts), average="macro", zero_division=0)),
        "majority": max(counts.values()) / len(meant),
        "random": float(np.mean([1 / len(offered) for offered in choices])),
    }


def transcripts(said: Sequence[str], answers: Sequence[str]) -> tuple[Statistic, dict[str, object]]:
    """Word error rate over all words ("english") as a statistic, and by normaliser what jiwer counts.

    `wer` and `cer` are over all words and characters, `wer_files` and `cer_files` means over files. Rates are of one
    word or character where a reference has none.
    """
    result: dict[str, dict[str, float]] = {}
    rates: dict[tuple[str, str], tuple[np.ndarray, np.ndarray]] = {}
    for name, normalise in NORMALISERS.items():
        pairs = [(normalise(answer).strip(), normalise(text).strip()) for answer, text in zip(answers, said)]
        result[name] = {}
        for rate, process in (("wer", jiwer.process_words), ("cer", jiwer.process_characters)):
            counted = [process(*pair) for pair in pairs]
            errors = np.array([one.substitutions + one.deletions + one.insertions for one in counted], float)
            sizes = np.array([one.hits + one.substitutions + one.deletions for one in counted], float)
            result[name][rate] = float(errors.sum() / max(sizes.sum(), 1))
            result[name][f"{rate}_files"] = float(np.mean(errors / np.maximum(sizes, 1)))
            rates[name, rate] = errors, sizes
    errors, words = rates["english", "wer"]
    return lambda weights: (weights @ errors) / np.maximum(weights @ words, 1), {"normalisers": result}


def by(statistic: Statistic, name: str, parts: Sequence[str | None]) -> dict[str, dict[str, float]]:
    """The statistic over the items of each part; items whose part is None are in none."""
    masks = {part: np.array([one == part for one in parts], float) for part in (*DURATIONS, "other", *THIRDS)}
    return {
        part: {name: float(statistic(mask[None])[0]), "items": int(mask.sum())}
        for part, mask in masks.items()
        if mask.any()
    }


def duration_bucket(duration: float | None) -> str | None:
    """The bucket of a recording's seconds, "other" under 90; None if they are not known."""
    if not known(duration):
        return None
    inside = (name for name, (low, high) in DURATIONS.items() if low <= duration < high)
    return next(inside, "other")


def evidence_third(start: float | None, end: float | None, duration: float | None) -> str | None:
    """The third of the recording that the middle of the evidence is in; None if not all seconds are known."""
    if not (known(start) and known(end) and known(duration)):
        return None
    return THIRDS[min(int(3 * (start + end) / 2 / duration), 2)]


def known(seconds: float | None) -> TypeGuard[float]:
    """Whether there is a number."""
    return seconds is not None and not np.isnan(seconds)
