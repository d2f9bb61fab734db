"""The tasks of the corpus, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from .clips import Clip
from .domains import DOMAINS, audio_domain
from .music.drums import DRUMS, drum_class
from .music.harmony import CHORDS, PITCHES, chord, pitch
from .music.instruments import FAMILIES, INSTRUMENTS, instrument, instrument_family
from .music.tracks import ARTISTS, GAMES, long_music, track_artist
from .packages import PackageStore
from .sound.captions import sound_caption
from .sound.events import animal, footstep_surface, sound_event
from .sound.names import ANIMALS, GROUNDS, SOUND_EVENTS
from .speech.dialogues import asr_long
from .speech.languages import LANGUAGES, language_id
from .speech.speakers import CHARACTERS, speaker_gender, speaker_id
from .speech.synthetic import AUTHENTICITY, synthetic_speech
from .speech.transcription import asr_en, asr_multi, speech_translation
from .speech.words import (
    LETTERS,
    PHRASES,
    TONES,
    TOPICS,
    mandarin_tone,
    spoken_letter,
    spoken_phrase,
    spoken_topic,
)


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
    "asr_multi": TaskConfig(asr_multi, "Speech in eight languages and its transcript"),
    "asr_long": TaskConfig(asr_long, "One to five minutes of speech, spliced in order, and its transcript"),
    "speech_translation": TaskConfig(speech_translation, "Speech in seven languages and its English translation"),
    "language_id": TaskConfig(language_id, "Which language is spoken", tuple(LANGUAGES.values())),
    "speaker_id": TaskConfig(
        speaker_id,
        "Which character of a game speaks",
        tuple(CHARACTERS.values()),
        {"train": 150, "validation": 25, "test": 35},
    ),
    "speaker_gender": TaskConfig(
        speaker_gender,
        "Whether a woman or a man speaks (31 voices in all)",
        ("a woman", "a man"),
        {"train": 400, "validation": 70, "test": 110},
    ),
    "synthetic_speech": TaskConfig(synthetic_speech, "Whether speech is real or made by a machine", AUTHENTICITY),
    "spoken_letter": TaskConfig(spoken_letter, "Which letter of the alphabet is said", LETTERS),
    "spoken_phrase": TaskConfig(spoken_phrase, "Which short phrase is said", tuple(PHRASES.values())),
    "spoken_topic": TaskConfig(
        spoken_topic,
        "What kind of thing is named, in five languages",
        tuple(TOPICS.values()),
        {"train": 320, "validation": 40, "test": 60},
    ),
    "mandarin_tone": TaskConfig(mandarin_tone, "The tone of a Mandarin syllable", tuple(TONES.values())),
    "sound_event": TaskConfig(
        sound_event,
        "What makes a sound",
        SOUND_EVENTS,
        {"train": 60, "validation": 12, "test": 20},
    ),
    "animal": TaskConfig(animal, "Which animal is heard", tuple(ANIMALS), {"train": 30, "validation": 5, "test": 7}),
    "footstep_surface": TaskConfig(footstep_surface, "On what ground somebody walks", tuple(GROUNDS)),
    "sound_caption": TaskConfig(
        sound_caption, "Mixes of labelled sounds and a sentence put together from their labels"
    ),
    "instrument_family": TaskConfig(instrument_family, "Which family of instruments plays", tuple(FAMILIES)),
    "instrument": TaskConfig(instrument, "Which instrument plays", tuple(INSTRUMENTS)),
    "drum_class": TaskConfig(
        drum_class, "Which drum is hit", tuple(DRUMS), {"train": 100, "validation": 30, "test": 40}
    ),
    "chord": TaskConfig(chord, "The quality of a chord", tuple(CHORDS)),
    "pitch": TaskConfig(pitch, "Which note is played", PITCHES),
    "track_artist": TaskConfig(
        track_artist, "Who made this music", ARTISTS, {"train": 50, "validation": 12, "test": 20}
    ),
    "long_music": TaskConfig(
        long_music,
        "Which game one to five minutes of music are from",
        tuple(sorted(set(GAMES.values()))),
        {"train": 30, "validation": 8, "test": 12},
    ),
    "audio_domain": TaskConfig(audio_domain, "Speech, environmental sound or music", tuple(DOMAINS.values())),
}
