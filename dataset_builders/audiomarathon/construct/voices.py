"""How it is said: made by a machine or not, by a woman or a man, and two labels that are only made."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import count

import numpy as np
import soxr

from ...open_audio.clips import SAMPLE_RATE, decode
from ...open_audio.speech.synthetic import LETTERS, PARTLY, alike, trimmed
from ..tasks import AGES, EMOTIONS, TASKS
from .choices import choices
from .recordings import GAP, Draft, Recording, join, length, offset, prolong, read, take

GAME = "flight-of-the-amazon-queen"
AUTHENTIC = "Is this speech completely real, or is a part of it fake?"
MACHINE = re.compile(r"@([\d.]+)-([\d.]+)-\d+\.flac$")
"""In the name of a partly synthetic line: from where to where (seconds) a machine speaks."""
VOICE_SECONDS = 90.0
"""A voice of which there is less is not asked about."""

EMOTION_RATES = dict(zip(EMOTIONS, (1.2, 1.1, 0.85, 1.3, 1.0)))
AGE_RATES = dict(zip(AGES, (1.15, 1.05, 1.0, 0.9, 0.8)))
"""How many times as fast speech is played, pitch and all, to stand for a label."""


def speech_detection(seconds: float, depths: Sequence[float]) -> Iterator[Draft]:
    """Genuine lines of one game; in every other item, one line has a stretch that a machine speaks.

    All went the same way: telephone band, one loudness, noise.
    """
    real, fake = TASKS["speech_detection"].labels
    lines = [line for line in read("asr_en") if LETTERS[0] <= len(line.clip.answer) <= LETTERS[1]]
    random.Random(0).shuffle(lines)
    genuine = map(_like_synthetic, lines)
    partly = (line for line in read("synthetic_speech") if line.clip.answer == PARTLY and GAME in line.clip.source)
    for number in count():
        used = take(genuine, seconds)
        yield Draft(used=used, sound=partial(join, used), answer=real, question=AUTHENTIC, choices=(real, fake))
        [made] = take(partly, 0.1)
        others = take(genuine, seconds - made.seconds)
        place = round(depths[number % len(depths)] * len(others))
        used = [*others[:place], made, *others[place:]]
        [edges] = MACHINE.findall(made.clip.name)
        start, end = (offset(others[:place]) + float(edge) for edge in edges)
        yield Draft(
            used=used,
            sound=partial(join, used),
            answer=fake,
            question=AUTHENTIC,
            choices=(real, fake),
            start=start,
            end=end,
        )


def _like_synthetic(line: Recording) -> Recording:
    """Return a genuine line as `synthetic_speech` would have it."""
    samples = alike(trimmed(decode(line.clip.parts[0])), line.clip.name)
    return Recording(replace(line.clip, parts=(samples,)), len(samples) / SAMPLE_RATE)


def speaker_gender_recognition(seconds: float, depths: Sequence[float]) -> Iterator[Draft]:
    """Lines of one voice, women and men in turn; they begin again once they are over."""
    male, female = choices = TASKS["speaker_gender_recognition"].labels
    women, men = (_voices(label) for label in ("a woman", "a man"))
    for woman, man in zip(women, men):
        for answer, used in ((female, woman), (male, man)):
            sound = partial(prolong, used, seconds, GAP)
            yield Draft(used=used, sound=sound, answer=answer, question="Who speaks?", choices=choices)


def _voices(*labels: str) -> list[list[Recording]]:
    """Return the lines of each voice with one of `labels`, those that speak most first."""
    voices: dict[str, list[Recording]] = defaultdict(list)
    for line in read("speaker_gender"):
        if line.clip.answer in labels:
            voices[line.clip.group].append(line)
    return sorted((lines for lines in voices.values() if length(lines) >= VOICE_SECONDS), key=length, reverse=True)


def emotion_recognition(seconds: float, depths: Sequence[float]) -> Iterator[Draft]:
    """Made: speech at another rate stands for an emotion."""
    for number, (emotion, rate) in enumerate(EMOTION_RATES.items()):
        options = choices(emotion, EMOTIONS, number)
        yield _made(number, seconds, rate, emotion, "Which emotion does the speaker express?", options)


def speaker_age_recognition(seconds: float, depths: Sequence[float]) -> Iterator[Draft]:
    """Made: speech at another rate stands for an age."""
    for number, (age, rate) in enumerate(AGE_RATES.items()):
        yield _made(number, seconds, rate, age, "How old is the speaker?", AGES)


def _made(number: int, seconds: float, rate: float, answer: str, question: str, options: tuple[str, ...]) -> Draft:
    voices = _voices("a woman", "a man")
    used = voices[number % len(voices)]
    return Draft(
        used=used,
        sound=partial(_played, used, seconds, rate),
        answer=answer,
        question=question,
        choices=options,
        left_out="made: a voice played at another rate stands for the answer",
    )


def _played(used: Sequence[Recording], seconds: float, rate: float) -> np.ndarray:
    return soxr.resample(prolong(used, seconds * rate, GAP), SAMPLE_RATE * rate, SAMPLE_RATE)
