"""Every labelled clip as (audio, instruction, answer).

The answer is always words: a transcript, or a label spelled out, never the letter of an option.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

LISTED_IN_FULL = 10
"""A task with at most this many labels lists them all."""

OPTIONS = 8
"""How many options a task with more labels lists, the right one among them."""

OPEN_ENDED = 0.25
"""Share of training prompts that name no options."""

PHRASINGS: dict[str, tuple[str, ...]] = {
    "asr": ("Transcribe the speech.", "What is said?", "Write down the words."),
    "language_id": (
        "What language is spoken?",
        "Which language do you hear?",
        "Name the language.",
    ),
    "sound_event": ("What makes this sound?", "What do you hear?", "Name the sound."),
    "instrument_family": (
        "Which instrument family plays?",
        "What kind of instrument is this?",
        "Name the instrument family.",
    ),
    "drum_class": ("Which drum is hit?", "What drum sound is this?", "Name the drum."),
    "audio_domain": ("What kind of audio is this?", "Speech, sound or music?", "Name the domain."),
}
"""Task to phrasings; the first is the one that validation and test ask."""


class UnknownTaskError(ValueError):
    """A task that no phrasing exists for."""


def row_rng(task: str, key: str, seed: int = 0) -> random.Random:
    """Return the generator that decides how row `key` of `task` is asked under `seed`."""
    return random.Random(f"{seed}/{task}/{key}")


def cast(
    task: str,
    answer: str,
    labels: Sequence[str],
    rng: random.Random,
    canonical: bool = False,
) -> tuple[str, str, list[str] | None]:
    """Turn a label or a transcript into a question and its answer.

    Args:
        task: a config's name; every `asr...` task is asked alike.
        answer: the label, one of `labels`, or the transcript of a task without labels.
        labels: the task's labels; empty for transcription.
        rng: draws the phrasing, the options, their order, and whether they are listed at all.
        canonical: ask as validation and test do: first phrasing, options listed in the order
            of `labels`. Of more labels than `LISTED_IN_FULL`, `rng` still draws the options.

    Returns:
        `(instruction, answer, choices)`; `choices` is `None` where no option is listed.

    Raises:
        UnknownTaskError: `task` has no phrasing.
        ValueError: `answer` is not one of `labels`.
    """
    phrasings = PHRASINGS.get("asr" if task.startswith("asr") else task)
    if phrasings is None:
        raise UnknownTaskError(f"task {task!r} has no phrasing; known: {', '.join(PHRASINGS)}")
    question = phrasings[0] if canonical else rng.choice(phrasings)
    if not labels:
        return question, answer, None
    if answer not in labels:
        raise ValueError(f"answer {answer!r} of {task} is not one of its {len(labels)} labels")
    if not canonical and rng.random() < OPEN_ENDED:
        return question, answer, None
    choices = _options(answer, labels, rng)
    if not canonical:
        rng.shuffle(choices)
    return f"{question} Choose: {', '.join(choices)}.", answer, choices


def _options(answer: str, labels: Sequence[str], rng: random.Random) -> list[str]:
    """Return `answer` and wrong labels in the order of `labels`, at most `OPTIONS` if many."""
    if len(labels) <= LISTED_IN_FULL:
        return list(labels)
    wrong = [label for label in labels if label != answer]
    listed = {answer, *rng.sample(wrong, OPTIONS - 1)}
    return [label for label in labels if label in listed]
