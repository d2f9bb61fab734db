"""How each task is asked, in our words, after the prompts of the authors' Qwen2.5-Omni scripts.

Those differ from model to model, and ask for "a" or "b" in two tasks; here the letter of an option is always asked for.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..instructions import lettered

TRANSCRIBE = "Transcribe this recording verbatim: write down every word that is said, and nothing else."

LEADS: dict[str, tuple[str, str]] = {
    "speech_content_reasoning": ("A passage is read aloud. Answer only from what you hear.", "."),
    "speech_entity_recognition": ("Listen for the names of people, places and other entities in the speech.", "."),
    "acoustic_scene_classification": ("Choose the place that these surroundings sound like.", ":"),
    "music_classification": ("Identify the genre of this music.", "."),
    "sound_event_detection": ("Listen for sound events in this recording.", "."),
    "speech_detection": ("Judge whether this speech is authentic. A single synthesized part makes it fake.", "."),
    "emotion_recognition": ("Judge the emotion in the speaker's voice.", ")"),
    "speaker_age_recognition": ("Judge the age of the speaker from the voice.", ")"),
    "speaker_gender_recognition": ("Judge the gender of the speaker from the voice.", "."),
    "needle": ("Listen for what is heard only once.", "."),
}
"""Task to its first sentence, and to what follows the letters of its options."""


def instruct(task: str, question: str, options: Sequence[str]) -> str:
    """Return what a model is asked: the question and its lettered options, or a transcript if there are none."""
    if not options:
        return TRANSCRIBE
    lead, mark = LEADS[task]
    return lettered(f"{lead}\n\n{question}", options, mark)
