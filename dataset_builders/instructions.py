"""Every labelled clip as (audio, instruction, answer).

The answer is words, a transcript or a label spelled out; in training it may be the letter of an option, which is what
AudioMarathon asks for.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from string import ascii_uppercase

LETTERED = 5
"""Options with letters, at most: AudioMarathon's."""

LISTED_IN_FULL = 10
"""A task with at most this many labels lists them all."""

OPTIONS = 8
"""How many options a task with more labels lists, the right one among them."""

OPEN_ENDED, YES_OR_NO = 0.25, 0.1
"""Shares of training prompts that name no options, and that ask whether one label is right."""

WHICH_IS_HEARD = ("Which of these is heard?", "Which of these is in the recording?", "What do you hear, among others?")
"""Asked of a recording with several labels."""

LONGEST_INSTRUCTION, LONGEST_ANSWER = 400, 10_000
"""Characters; ten minutes of fast speech are about 9,000."""


@dataclass(frozen=True)
class Phrasing:
    """How a task is asked: `questions`, the first of them in validation and test, and for tasks
    with labels a question about one label, `is_it`, whose `{}` the label fills."""

    questions: tuple[str, ...]
    is_it: str | None = None


PHRASINGS: dict[str, Phrasing] = {
    "asr": Phrasing(("Transcribe the speech.", "What is said?", "Write down the words.")),
    "language_id": Phrasing(
        ("What language is spoken?", "Which language do you hear?", "Name the language."), "Is this {}?"
    ),
    "speech_translation": Phrasing(
        ("Translate the speech into English.", "What is said, in English?", "Give the English meaning of the speech.")
    ),
    "speaker_id": Phrasing(
        ("Which character speaks?", "Whose voice is this?", "Name the character."), "Is this the voice of {}?"
    ),
    "speaker_gender": Phrasing(
        ("Who speaks, a woman or a man?", "Is this a woman's or a man's voice?", "Whose voice is this?"),
        "Does {} speak?",
    ),
    "spoken_letter": Phrasing(
        ("Which letter is said?", "Name the letter.", "What letter of the alphabet do you hear?"),
        "Is this the letter {}?",
    ),
    "spoken_phrase": Phrasing(
        ("Which phrase is said?", "What does the voice say?", "Name the phrase."), 'Is "{}" said?'
    ),
    "spoken_topic": Phrasing(
        ("What kind of thing is named?", "What does the word stand for?", "Name the kind of thing."), "Is {} named?"
    ),
    "mandarin_tone": Phrasing(
        ("Which Mandarin tone is this?", "What tone does the syllable have?", "Name the tone."), "Is this the {}?"
    ),
    "emotion": Phrasing(
        ("Which emotion is in the voice?", "How does the speaker feel?", "Name the emotion."), "Is the emotion {}?"
    ),
    "intent": Phrasing(
        ("What does the speaker want?", "What is the request about?", "Name the intent."), "Is this about {}?"
    ),
    "keyword": Phrasing(("Which word is said?", "What word do you hear?", "Name the word."), 'Is "{}" said?'),
    "accent": Phrasing(
        ("Which accent does the speaker have?", "What accent do you hear?", "Name the accent."), "Is this accent {}?"
    ),
    "synthetic_speech": Phrasing(
        (
            "Is this speech real or synthetic?",
            "Does a person speak, or a machine?",
            "Judge if the speech is real.",
        ),
        "Is this speech {}?",
    ),
    "sound_event": Phrasing(
        ("What makes this sound?", "What do you hear?", "Name the sound."), "Is this the sound of: {}?"
    ),
    "animal": Phrasing(
        ("Which animal is this?", "What animal do you hear?", "Name the animal."), "Is this the sound of: {}?"
    ),
    "footstep_surface": Phrasing(
        ("What are the footsteps on?", "On what ground does someone walk?", "Name the ground."),
        "Are these footsteps on {}?",
    ),
    "sound_caption": Phrasing(("Describe the sounds.", "What happens in this audio?", "Caption this audio.")),
    "sound_tags": Phrasing(("Tag the sounds.", "Which sounds are in this audio?", "List what you hear.")),
    "acoustic_scene": Phrasing(
        ("Where was this recorded?", "What place do you hear?", "Name the place."), "Is this place: {}?"
    ),
    "bird_species": Phrasing(
        ("Which bird is this?", "What bird do you hear?", "Name the bird."), "Is this the call of: {}?"
    ),
    "audio_qa": Phrasing(("Answer the question.", "Listen and answer.", "Answer by listening.")),
    "instrument_family": Phrasing(
        ("Which instrument family plays?", "What kind of instrument is this?", "Name the instrument family."),
        "Does an instrument of this family play: {}?",
    ),
    "drum_class": Phrasing(("Which drum is hit?", "What drum sound is this?", "Name the drum."), "Is this drum a {}?"),
    "instrument": Phrasing(
        ("Which instrument plays?", "What instrument do you hear?", "Name the instrument."),
        "Does this instrument play: {}?",
    ),
    "chord": Phrasing(
        ("Which kind of chord is this?", "What is the quality of this chord?", "Name the chord quality."),
        "Is this chord {}?",
    ),
    "pitch": Phrasing(("Which note is played?", "What note is this?", "Name the note."), "Is this note {}?"),
    "track_artist": Phrasing(
        ("Who made this music?", "Which artist made this track?", "Name the composer."), "Is this music by {}?"
    ),
    "long_music": Phrasing(
        ("Which game is this music from?", "What game does this music belong to?", "Name the game."),
        "Is this music from the game {}?",
    ),
    "music_genre": Phrasing(
        ("Which genre is this music?", "What style of music is this?", "Name the genre."), "Is this music {}?"
    ),
    "music_tags": Phrasing(
        ("Which words describe this music?", "Tag this music.", "What mood is this music?"), "Is this music {}?"
    ),
    "audio_domain": Phrasing(
        ("What kind of audio is this?", "Speech, sound or music?", "Name the domain."), "Is this {}?"
    ),
}
"""Task to how it is asked; every `asr...` task is asked alike."""


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
    open_ended: float = OPEN_ENDED,
) -> tuple[str, str, list[str] | None]:
    """Turn a label or a text into a question and its answer.

    Args:
        task: a config's name; every `asr...` task is asked alike.
        answer: the label, one of `labels`, or the text that a task without labels asks for.
        labels: the task's labels; empty where the answer is free text.
        rng: draws the phrasing, the form (open, options, yes or no), the options and their order.
        canonical: ask as validation and test do: first phrasing, options listed in the order
            of `labels`. Of more labels than `LISTED_IN_FULL`, `rng` still draws the options.
        open_ended: how often a training prompt names no options.

    Returns:
        `(instruction, answer, choices)`; `choices` is `None` where no option is listed.

    Raises:
        UnknownTaskError: `task` has no phrasing.
        ValueError: `answer` is not one of `labels`, or a text is longer than the limits above.
    """
    phrasing = PHRASINGS.get("asr" if task.startswith("asr") else task)
    if phrasing is None:
        raise UnknownTaskError(f"task {task!r} has no phrasing; known: {', '.join(PHRASINGS)}")
    if labels and answer not in labels:
        raise ValueError(f"answer {answer!r} of {task} is not one of its {len(labels)} labels")
    instruction, answer, choices = _ask(phrasing, answer, labels, rng, canonical, open_ended)
    for name, text, limit in (
        ("instruction", instruction, LONGEST_INSTRUCTION),
        ("answer", answer, LONGEST_ANSWER),
    ):
        if len(text) > limit:
            raise ValueError(f"{name} of {task} has {len(text)} characters, at most {limit} are allowed")
    return instruction, answer, choices


def cast_heard(answer: str, heard: Collection[str], labels: Sequence[str], rng: random.Random) -> tuple[str, str]:
    """Ask which of some labels is in a recording of several: `(instruction, answer)`.

    Args:
        answer: the one of `heard` that is listed.
        heard: labels that are in the recording.
        labels: the task's; at most three that are not heard are listed too.
        rng: draws the phrasing, the options and their order.
    """
    missing = [label for label in labels if label not in heard]
    choices = [answer, *rng.sample(missing, min(3, len(missing)))]
    rng.shuffle(choices)
    return f"{rng.choice(WHICH_IS_HEARD)} Choose: {', '.join(choices)}.", answer


def cast_lettered(
    task: str, answer: str, labels: Sequence[str], rng: random.Random, heard: Collection[str] = ()
) -> tuple[str, str]:
    """Ask for the letter of an option, as AudioMarathon does: `(instruction, letter)`.

    Args:
        task: whose questions are asked.
        answer: the right label.
        labels: the task's, from which one to four wrong ones are drawn.
        rng: draws the phrasing, how many options there are, which, and their order.
        heard: the labels that are in a recording of several, `answer` among them; the others are not listed.
    """
    wrong = [label for label in labels if label != answer and label not in heard]
    choices = [answer, *rng.sample(wrong, min(len(wrong), rng.randint(1, LETTERED - 1)))]
    rng.shuffle(choices)
    question = rng.choice(WHICH_IS_HEARD if len(heard) > 1 else PHRASINGS[task].questions)
    return lettered(question, choices, rng.choice(".:)")), ascii_uppercase[choices.index(answer)]


def lettered(question: str, options: Sequence[str], mark: str = ".") -> str:
    """Return `question` with options after letters and `mark`, one of which is asked for."""
    letters = list(ascii_uppercase[: len(options)])
    listed = "\n".join(f"{letter}{mark} {option}" for letter, option in zip(letters, options))
    *others, last = letters
    return f"{question}\n\n{listed}\n\nReply with one letter only: {', '.join(others)} or {last}."


def _ask(
    phrasing: Phrasing, answer: str, labels: Sequence[str], rng: random.Random, canonical: bool, open_ended: float
) -> tuple[str, str, list[str] | None]:
    question = phrasing.questions[0] if canonical else rng.choice(phrasing.questions)
    form = 1.0 if canonical else rng.random()
    if not labels or form < open_ended:
        return question, answer, None
    if phrasing.is_it and form < open_ended + YES_OR_NO:
        right = rng.random() < 0.5
        asked = answer if right else rng.choice([label for label in labels if label != answer])
        return phrasing.is_it.format(asked), "yes" if right else "no", ["yes", "no"]
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
