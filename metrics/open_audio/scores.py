"""Scores of answers: pure functions, each with a 95 % interval."""

import jiwer
import numpy as np

from metrics.words import normalize

RESAMPLES = 1000


def interval(errors: np.ndarray, totals: np.ndarray, seed: int = 0) -> list[float]:
    """95 % bootstrap interval of `errors.sum() / totals.sum()` over clips; both `(clips,)`."""
    draws = np.random.default_rng(seed).integers(0, len(errors), size=(RESAMPLES, len(errors)))
    return np.quantile(errors[draws].sum(1) / totals[draws].sum(1), [0.025, 0.975]).tolist()


def right(answers: list[str], labels: list[str]) -> np.ndarray:
    """1.0 for each answer that is the label, letter case and a final stop aside, else 0.0 `(clips,)`."""
    return np.array([normalize(answer) == normalize(label) for answer, label in zip(answers, labels)], float)


def label_scores(answers: list[str], labels: list[str], choices: list[list[str]]) -> dict:
    """Accuracy of answers to a multiple choice; an answer that is none of its choices is wrong.

    `parse_rate` is the share of answers that are one of the choices, letter case and a final stop aside.
    """
    found = right(answers, labels)
    valid = [normalize(answer) in {normalize(choice) for choice in listed} for answer, listed in zip(answers, choices)]
    return {
        "accuracy": float(found.mean()),
        "accuracy_95": interval(found, np.ones_like(found)),
        "parse_rate": float(np.mean(valid)),
        "chance": float(np.mean([1 / len(listed) for listed in choices])),
        "clips": len(labels),
    }


def transcript_scores(answers: list[str], references: list[str]) -> dict:
    """Word and character error rate over all clips; an empty answer counts as all words deleted."""
    said, meant = [normalize(text) for text in answers], [normalize(text) for text in references]
    words = np.array([len(text.split()) for text in meant], dtype=float)
    errors = np.array(
        [
            (out := jiwer.process_words(reference, answer)).substitutions + out.deletions + out.insertions
            for reference, answer in zip(meant, said)
        ],
        dtype=float,
    )
    return {
        "wer": float(errors.sum() / words.sum()),
        "wer_95": interval(errors, words),
        "cer": float(jiwer.cer(meant, said)),
        "parse_rate": float(np.mean([bool(text) for text in said])),
        "clips": len(references),
    }
