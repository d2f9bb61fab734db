"""The authors' scoring, hazards included, after their scripts for Qwen2.5-Omni (repository of October 2025).

Known from those scripts: every ladder and which average is printed. Not uniform there: those for Voxtral and
Phi-4 average otherwise. Ours: their cut at "assistant", as these replies hold nothing else, is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import jiwer
import numpy as np
from sklearn.metrics import f1_score

from dataset_builders.audiomarathon.tasks import LETTERS, MarathonTask

Step = Callable[[str, str, Sequence[str]], int | None]
"""From the reply and the letters, both in lower case, and the choices to the place of one, or None."""


def each(pattern: str) -> Step:
    """The first letter, in the order of the alphabet, whose `pattern` is found; `@` in it is the letter."""

    def step(text: str, letters: str, choices: Sequence[str]) -> int | None:
        found = (place for place, letter in enumerate(letters) if re.search(pattern.replace("@", letter), text, re.S))
        return next(found, None)

    return step


def first(pattern: str) -> Step:
    """The letter that comes first in the reply; `@` in the pattern is any letter."""

    def step(text: str, letters: str, choices: Sequence[str]) -> int | None:
        found = re.search(pattern.replace("@", f"[{letters}]"), text)
        return letters.index(found[0]) if found else None

    return step


def lone(text: str, letters: str, choices: Sequence[str]) -> int | None:
    """The only letter that stands as a word, the article "a" included."""
    found = set(re.findall(rf"\b[{letters}]\b", text))
    return letters.index(found.pop()) if len(found) == 1 else None


def only_text(text: str, letters: str, choices: Sequence[str]) -> int | None:
    """The only choice whose text occurs; "female" contains "male" and so is two."""
    found = [place for place, choice in enumerate(choices) if choice.lower() in text]
    return found[0] if len(found) == 1 else None


def only_word(*words: str) -> Step:
    """The only choice of which a word occurs; `words` are patterns, in the order of the choices."""

    def step(text: str, letters: str, choices: Sequence[str]) -> int | None:
        found = [place for place, pattern in enumerate(words) if re.search(rf"\b(?:{pattern})\b", text)]
        return found[0] if len(found) == 1 else None

    return step


def scene(text: str, letters: str, choices: Sequence[str]) -> int | None:
    """The first choice whose text occurs, or that has the most of its words in the reply, two at least."""
    most, best = 1, None
    for place, choice in enumerate(choices):
        if choice.lower() in text:
            return place
        overlap = sum(word in text for word in choice.lower().split(" - ")[0].split())
        if overlap > most:
            most, best = overlap, place
    return best


KEYWORDS = {
    "angry": ("anger", "frustrated", "mad", "furious"),
    "happy": ("joy", "cheerful", "pleased", "delighted"),
    "sad": ("sadness", "melancholy", "depressed", "sorrow"),
    "fearful": ("fear", "anxiety", "scared", "afraid"),
    "monotone": ("flat", "emotionless", "neutral", "bland"),
}


def emotion(text: str, letters: str, choices: Sequence[str]) -> int | None:
    """The first choice of an emotion with a keyword in the reply; "angry" itself is none, and "made" has "mad".

    The authors look for the keywords in the choice as well, whose gloss has them; that the label alone
    says as much is our inference.
    """
    for place, choice in enumerate(choices):
        for label, words in KEYWORDS.items():
            if any(word in text for word in words) and any(word in choice.lower() for word in (label, *words)):
                return place
    return None


START = r"^@(?:$|[.)])"
OPTION = r"option @|choice @|@\)"
LADDERS: dict[str, tuple[Step, ...]] = {
    "SCR": (first("@"),),
    "SER": (each("^@.{0,2}$"), first(r"\b@\b"), first("@")),
    "SED": (first(r"\b@\b"), first("@")),
    "MC": (each(rf"{START}| @$"), each(OPTION), first(r"\b@\b"), first("@")),
    "ASC": (each(r"^@(?:$|[.):])"), each(OPTION), scene),
    "ER": (each(START), each(OPTION), emotion),
    "SD": (
        each(rf"{START}| @$"),
        each(rf"{OPTION}| @ "),
        only_text,
        only_word("real|authentic|genuine", "fake|artificial|synthetic|synthesized|contains.*fake"),
    ),
    "SGR": (each(START), each(OPTION), only_text, only_word("male", "female")),
    "SAR": (each(rf"{START}| @$"), lone, each("option @|choice @|answer @"), only_text),
}
"""By abbreviation: the steps, of which the first that finds something decides.

"The answer is C" is A in SCR, whose only step takes the first letter of "answer"; "a dog" is A in SED.
"""
FIXED = ("SCR", "MC", "SAR")
"""Tasks whose macro F1 is over all labels; elsewhere it is over those that occur, said or meant."""


def read(task: MarathonTask, reply: str, choices: Sequence[str]) -> int | None:
    """Place among the choices that the authors read from a reply, or None."""
    letters = LETTERS[: len(task.labels) if task.answer == "labels" else 4].lower()
    text = reply.lower().strip()
    found = (step(text, letters, choices) for step in LADDERS[task.abbreviation])
    return next((place for place in found if place is not None), None)


def standardise(text: str) -> str:
    """Their transcript normaliser: lower case, `.!?,;:"()[]{}` are spaces, hyphens and apostrophes go."""
    text = re.sub(r"[-']", "", re.sub(r'[.!?,;:"()\[\]{}]', " ", text.lower()))
    return " ".join(text.split())


def clean(reply: str) -> str:
    """What they take for the transcript: what follows the first marker, up to the same marker again."""
    for marker in ("spoken content:", "content:", "transcription:", "transcript:"):
        if marker in reply.lower():
            reply = re.split(re.escape(marker), reply, flags=re.IGNORECASE)[1]
            break
    return reply.strip()


def word_error_rate(reference: str, said: str) -> float:
    """WER of one file in percent; 100 where nothing is left of either."""
    reference, said = standardise(reference), standardise(said)
    return 100 * jiwer.wer(reference, said) if reference and said else 100.0


def score(
    task: MarathonTask, replies: Sequence[str], answers: Sequence[str], choices: Sequence[Sequence[str]]
) -> dict[str, float]:
    """The leaderboard's score of a task.

    Args:
        task: One of the ten.
        replies: As the model said them.
        answers: Text of the right choice, or transcript, of each item.
        choices: Of each item, in the order of the letters; empty for a transcript.

    Returns:
        score: In percent: 100 - mean WER over files; F1 of "fake" for SD; weighted F1 for SGR; macro F1 elsewhere,
            over letters where choices belong to the item. 0 if no reply is read.
        dropped: Share of replies that the score leaves out because nothing was read in them. None are in SD,
            where such a reply is wrong.
    """
    if task.answer == "transcript":
        said = [clean(reply) for reply in replies]
        rates = [word_error_rate(answer, text) for answer, text in zip(answers, said) if text]
        return {"score": 100 - float(np.mean(rates)) if rates else 0.0, "dropped": 1 - len(rates) / len(replies)}
    read_ = [read(task, reply, offered) for reply, offered in zip(replies, choices)]
    meant = [list(offered).index(answer) for answer, offered in zip(answers, choices)]
    if task.abbreviation == "SD":
        # An unread reply is the opposite of the truth.
        heard = [1 - truth if place is None else place for place, truth in zip(read_, meant)]
        return {"score": 100 * float(f1_score(meant, heard, zero_division=0)), "dropped": 0.0}
    kept = [(truth, place) for truth, place in zip(meant, read_) if place is not None]
    dropped = 1 - len(kept) / len(replies)
    if not kept:
        return {"score": 0.0, "dropped": dropped}
    count = len(task.labels) if task.answer == "labels" else 4
    value = f1_score(
        *zip(*kept),
        labels=range(count) if task.abbreviation in FIXED else None,
        average="weighted" if task.abbreviation == "SGR" else "macro",
        zero_division=0,
    )
    return {"score": 100 * float(value), "dropped": dropped}
