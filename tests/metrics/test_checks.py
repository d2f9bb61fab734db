import io

import numpy as np
import pytest
import soundfile

from metrics.open_audio.baselines import file_properties, forest
from metrics.open_audio.near_duplicates import fingerprint, matches

RATE = 16_000


def melody(seed: int, seconds: float = 4.0) -> np.ndarray:
    """Random notes with overtones and a little noise, `(samples,)`."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(0.2 * RATE)) / RATE
    notes = []
    for _ in range(int(seconds / 0.2)):
        pitch = rng.uniform(150, 700)
        tones = [rng.uniform(0.1, 1) * np.sin(2 * np.pi * pitch * k * time + rng.uniform(0, 6)) for k in range(1, 8)]
        notes.append(np.sum(tones, axis=0) * np.exp(-4 * time))
    return 0.1 * (np.concatenate(notes) + 0.05 * rng.standard_normal(len(time) * len(notes)))


def through_mp3(samples: np.ndarray) -> np.ndarray:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, RATE, format="MP3")
    buffer.seek(0)
    return soundfile.read(buffer)[0]


def pairs(clips: list[np.ndarray], sides: list[str]) -> list[tuple[int, int]]:
    return [(match.one, match.other) for match in matches([fingerprint(clip) for clip in clips], sides)]


def test_recording_is_known_again_after_a_cut_a_codec_and_a_change_of_level():
    clips = [melody(seed) for seed in range(6)]
    cut = through_mp3(0.3 * clips[2][5_001:40_000])
    assert pairs([*clips, cut], ["train"] * 6 + ["test"]) == [(2, 6)]


def test_short_copy_is_known_again_and_other_recordings_are_not():
    clips = [melody(seed, 0.6) for seed in range(8)]
    assert pairs([*clips, clips[5].copy()], ["train"] * 8 + ["test"]) == [(5, 8)]


def test_copies_within_a_split_are_no_matter():
    assert pairs([melody(1), melody(1), melody(2)], ["train", "train", "test"]) == []


@pytest.mark.parametrize("samples", [np.zeros(3 * RATE), np.zeros(1), 0.1 * np.ones(RATE)])
def test_silence_matches_nothing_else(samples):
    assert pairs([samples, melody(1)], ["train", "test"]) == []


def test_file_properties_name_what_they_say():
    half = np.concatenate([np.zeros(RATE), 0.5 * np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE)])
    seconds, peak, _, floor, zeros, cutoff, _ = file_properties(half)
    assert (seconds, zeros) == (2.0, pytest.approx(0.5, abs=0.01))
    assert peak == pytest.approx(0.5, abs=1e-3)
    assert floor < -100
    assert cutoff == pytest.approx(1000, abs=50)


def test_forest_finds_a_shortcut_and_none_where_there_is_none():
    rng = np.random.default_rng(0)
    features, labels = rng.standard_normal((300, 4)), rng.integers(0, 2, 300)
    told = features + 2 * labels[:, None]
    assert forest((told[:200], labels[:200]), (told[200:], labels[200:])) > 0.8
    assert forest((features[:200], labels[:200]), (features[200:], labels[200:])) < 0.65
