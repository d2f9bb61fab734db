"""The ten tasks by name: what is asked, and which answers there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LETTERS = "ABCDE"


@dataclass(frozen=True)
class MarathonTask:
    """One of the ten, or `NEEDLE`.

    Args:
        name: config of `load_dataset`.
        abbreviation: as the paper's table has it; a config name too.
        group: the paper's grouping.
        domain: speech, sound or music.
        answer: "transcript"; "options", whose texts belong to the item, or are drawn from `labels`; or "labels",
            the same choice for every item.
        labels: every answer there is, in the order of the letters where `answer` is "labels".
        max_new_tokens: that a reply may have.
        items: that the published card counts.
        runnable: that the authors' own filters leave.
    """

    name: str
    abbreviation: str
    group: Literal["content", "classification", "speaker"]
    domain: Literal["speech", "sound", "music"]
    answer: Literal["transcript", "options", "labels"]
    labels: tuple[str, ...] = ()
    max_new_tokens: int = 5
    items: int = 0
    runnable: int = 0


SCENES = (
    "airport",
    "bus",
    "metro",
    "metro station",
    "park",
    "public square",
    "shopping mall",
    "street, pedestrian",
    "street, traffic",
    "tram",
)
GENRES = ("blues", "classical", "country", "disco", "hip hop", "jazz", "metal", "pop", "reggae", "rock")
EVENTS = (
    "alarm or bell ringing",
    "blender",
    "cat",
    "dishes",
    "dog",
    "electric shaver or toothbrush",
    "frying",
    "running water",
    "speech",
    "vacuum cleaner",
)
EMOTIONS = ("angry", "happy", "sad", "fearful", "monotone")
AGES = ("18-30", "31-40", "41-50", "51-70", "71+")

TASKS: dict[str, MarathonTask] = {
    task.name: task
    for task in (
        MarathonTask(
            "speech_recognition", "ASR", "content", "speech", "transcript", max_new_tokens=1100, items=204, runnable=204
        ),
        MarathonTask("speech_content_reasoning", "SCR", "content", "speech", "options", items=820, runnable=820),
        MarathonTask("speech_entity_recognition", "SER", "content", "speech", "options", items=490, runnable=490),
        MarathonTask(
            "acoustic_scene_classification",
            "ASC",
            "classification",
            "sound",
            "options",
            SCENES,
            items=1145,
            runnable=1145,
        ),
        MarathonTask(
            "music_classification", "MC", "classification", "music", "options", GENRES, items=120, runnable=120
        ),
        MarathonTask(
            "sound_event_detection", "SED", "classification", "sound", "options", EVENTS, items=254, runnable=254
        ),
        MarathonTask(
            "speech_detection", "SD", "speaker", "speech", "labels", ("real", "fake"), items=776, runnable=630
        ),
        MarathonTask(
            "emotion_recognition", "ER", "speaker", "speech", "options", EMOTIONS, 10, items=185, runnable=178
        ),
        MarathonTask("speaker_age_recognition", "SAR", "speaker", "speech", "labels", AGES, items=959, runnable=957),
        MarathonTask(
            "speaker_gender_recognition",
            "SGR",
            "speaker",
            "speech",
            "labels",
            ("male", "female"),
            items=1614,
            runnable=976,
        ),
    )
}

NEEDLE = MarathonTask("needle", "NEEDLE", "classification", "sound", "options")
"""An eleventh, ours: what was heard once in much else. It is in no published table, and so not in `TASKS`."""

BY_ABBREVIATION = {task.abbreviation: task for task in TASKS.values()}


def find_task(name: str) -> MarathonTask:
    """The task of a full name or an abbreviation, in any case.

    Raises:
        ValueError: there is no such task; the message lists those there are.
    """
    found = (TASKS | {NEEDLE.name: NEEDLE}).get(name.lower()) or BY_ABBREVIATION.get(name.upper())
    if found is None:
        known = ", ".join(f"{task.name} ({task.abbreviation})" for task in TASKS.values())
        raise ValueError(f"AudioMarathon has no task {name!r}; it has {known}")
    return found
