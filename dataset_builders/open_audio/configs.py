"""The tasks of the corpus, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from .clips import Clip
from .domains import DOMAINS, audio_domain
from .languages import LANGUAGES, language_id
from .music import DRUMS, FAMILIES, drum_class, instrument_family
from .packages import PackageStore
from .sound_names import SOUND_EVENTS
from .sounds import sound_event
from .speech import asr_en, asr_multi


@dataclass(frozen=True)
class TaskConfig:
    """One task: where its clips come from, its labels (none for transcription), and at most how
    many clips of a label a split holds (`cap`; no entry, no limit)."""

    clips: Callable[[PackageStore], Iterator[Clip]]
    description: str
    labels: tuple[str, ...] = ()
    cap: Mapping[str, int] = field(default_factory=dict)


CONFIGS: dict[str, TaskConfig] = {
    "asr_en": TaskConfig(asr_en, "English speech and its transcript"),
    "asr_multi": TaskConfig(asr_multi, "Speech in seven languages and its transcript"),
    "language_id": TaskConfig(language_id, "Which language is spoken", tuple(LANGUAGES.values())),
    "sound_event": TaskConfig(
        sound_event,
        "What makes a sound",
        tuple(SOUND_EVENTS),
        {"train": 60, "validation": 14, "test": 22},
    ),
    "instrument_family": TaskConfig(instrument_family, "Which family of instruments plays", tuple(FAMILIES)),
    "drum_class": TaskConfig(drum_class, "Which drum is hit", tuple(DRUMS), {"validation": 20, "test": 30}),
    "audio_domain": TaskConfig(audio_domain, "Speech, environmental sound or music", tuple(DOMAINS.values())),
}
