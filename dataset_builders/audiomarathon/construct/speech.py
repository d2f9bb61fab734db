"""What is said: transcripts, questions and counts, on dialogues one after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import yaml

from .choices import choices, counts
from .recordings import Draft, Recording, join, length, offset, read, take

UNREAL = "amazon-queen/SPARKY/SPARKY8"
"""A dialogue of a gagged man, whose transcript is no words."""


@cache
def passages() -> dict[str, dict[str, Any]]:
    """Return what `passages.yaml` asks, by dialogue."""
    return yaml.safe_load(Path(__file__).with_name("passages.yaml").read_text("utf-8"))


def dialogues() -> list[Recording]:
    """Return all dialogues: those that are asked about, those in English, and the others."""
    asked = list(passages())
    pool = [recording for recording in read("asr_long") if recording.clip.group != UNREAL]
    return sorted(
        pool,
        key=lambda recording: (
            asked.index(recording.clip.group) if recording.clip.group in asked else len(asked),
            recording.clip.language != "en",
        ),
    )


def speech_recognition(seconds: float, depths: Sequence[float]) -> Iterator[Draft]:
    """Dialogues in full until they last for `seconds`; English while there is some, then Czech, Dutch and Russian."""
    pool = iter(dialogues())
    while True:
        used = take(pool, seconds)
        yield Draft(used=used, sound=partial(join, used), answer=" ".join(recording.clip.answer for recording in used))


def speech_content_reasoning(seconds: float, depths: Sequence[float]) -> Iterator[Draft]:
    """A question on one dialogue, among others where `seconds` leave room."""
    for number, (group, asked) in enumerate(passages().items()):
        options = choices(asked["answer"], asked["others"], number)
        yield _among(group, seconds, depths[number % len(depths)], asked["question"], asked["answer"], options)


def speech_entity_recognition(seconds: float, depths: Sequence[float]) -> Iterator[Draft]:
    """How many proper names one dialogue has, among others where `seconds` leave room."""
    named = [(group, asked) for group, asked in passages().items() if "names" in asked]
    for number, (group, asked) in enumerate(named):
        question = (
            f"How often is a person, a place, a company or a god called by a proper name in {asked['about']}? "
            "Count every mention."
        )
        count = len(asked["names"])
        yield _among(group, seconds, depths[number % len(depths)], question, str(count), counts(count, number))


def _among(group: str, seconds: float, depth: float, question: str, answer: str, options: tuple[str, ...]) -> Draft:
    """Put the dialogue `group` at `depth` of others, which are as long as is needed to fill `seconds`."""
    pool = dialogues()
    passage = next(recording for recording in pool if recording.clip.group == group)
    others = iter([recording for recording in pool if recording.clip.group not in passages()])
    room = max(seconds - passage.seconds, 0.0)
    before = take(others, depth * room)
    after = take(others, room - length(before))
    used = [*before, passage, *after]
    start = offset(before)
    return Draft(
        used=used,
        sound=partial(join, used),
        answer=answer,
        question=question,
        choices=options,
        start=start if room else None,
        end=start + passage.seconds if room else None,
    )
