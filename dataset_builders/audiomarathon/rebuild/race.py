"""Reading comprehension from RACE, read aloud.

    SOURCE/test/{high,middle}/NUMBER.txt    JSON: id, article, questions, options (four each), answers (letters)
    SOURCE/speech/ID.wav                    the article, read aloud; its id without ".txt", as in high1234

An article without speech is read by the neural voice of open audio (`pip install "uniwhisper[tts]"`), and put there.
A question whose options repeat each other is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import soundfile

from ...open_audio.clips import SAMPLE_RATE
from ...open_audio.packages import PackageStore
from ...open_audio.speech.synthesis import Voice, speak
from ..tasks import LETTERS
from .drafts import OPTIONS, Draft, Limits, Recording, SourceError, measure, shuffled

VOICE = Voice("piper", "joe")
FIELDS = ("id", "article", "questions", "options", "answers")


def questions(source: Path, limits: Limits) -> list[Iterator[Draft]]:
    """Return the questions of high school and those of middle school, article by article."""
    return [_of_level(source, level, limits) for level in ("high", "middle")]


def _of_level(source: Path, level: str, limits: Limits) -> Iterator[Draft]:
    files = sorted((source / "test" / level).glob("*.txt"))
    if not files:
        raise SourceError(f"{source / 'test' / level} holds no article of RACE, NUMBER.txt")
    for file in shuffled(files, level):
        article = _load(file)
        name = article["id"].removesuffix(".txt")
        speech = _speech(source / "speech" / f"{name}.wav", article["article"])
        if not limits.shortest <= speech.seconds <= limits.longest:
            continue
        asked = zip(article["questions"], article["options"], article["answers"], strict=True)
        for number, (question, options, letter) in enumerate(asked):
            if len(options) != OPTIONS or letter not in LETTERS[:OPTIONS]:
                raise SourceError(f"{file}, question {number}: has options {options} and the answer {letter!r}")
            if len(set(options)) == OPTIONS:
                yield Draft(
                    id=f"{name}-{number}",
                    audio=name,
                    parts=(speech,),
                    question=question,
                    choices=tuple(options),
                    answer=options[LETTERS.index(letter)],
                    group=name,
                )


def _load(file: Path) -> dict[str, Any]:
    try:
        article = json.loads(file.read_text("utf-8"))
    except ValueError as error:
        raise SourceError(f"{file} is not JSON: {error}") from None
    if missing := [field for field in FIELDS if field not in article]:
        raise SourceError(f"{file} has no field {', '.join(map(repr, missing))}")
    if not len(article["questions"]) == len(article["options"]) == len(article["answers"]):
        raise SourceError(f"{file} has not as many options and answers as questions")
    return article


def _speech(path: Path, article: str) -> Recording:
    if not path.is_file():
        (samples,) = speak(PackageStore(path.parent), VOICE, [article])
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.partial")
        soundfile.write(partial, samples, SAMPLE_RATE, format="WAV", subtype="PCM_16")
        partial.rename(path)
    return measure(path)
