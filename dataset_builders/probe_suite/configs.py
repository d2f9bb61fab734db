"""What is built for the probes, by name."""

from __future__ import annotations

from ..open_audio.configs import TaskConfig
from .notes import notes
from .sound_mix import sound_mix
from .spoken_words import spoken_word_retrieval

CONFIGS: dict[str, TaskConfig] = {
    "sound_mix": TaskConfig(sound_mix, "Two to four sounds, some at once: which, and when"),
    "notes": TaskConfig(notes, "One to three voices of notes: which pitch classes, and when"),
    "spoken_word_retrieval": TaskConfig(spoken_word_retrieval, "Things named in two of five languages"),
}
