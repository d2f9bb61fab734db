"""Each effect by what it does to a sound."""

import numpy as np
import pytest
import torch

from training.augmentation import CODECS, augment, band_limit, codec, gain, mask_spectrogram, mix, noise, speed
from training.config import Augmentation

RATE = 16_000


def tone(hertz: float, seconds: float = 1.0, level: float = 0.3) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hertz * np.arange(int(RATE * seconds)) / RATE)).astype(np.float32)


def peak(waveform: np.ndarray) -> float:
    """Hertz of the strongest component."""
    return float(np.abs(np.fft.rfft(waveform)).argmax() * RATE / len(waveform))


def level(waveform: np.ndarray) -> float:
    """Root mean square in dB."""
    return float(10 * np.log10(np.mean(np.square(waveform, dtype=np.float64))))


def test_speed_raises_pitch_and_shortens():
    fast = speed(tone(440), 1.1)
    assert len(fast) == pytest.approx(RATE / 1.1, abs=5)
    assert peak(fast) == pytest.approx(484, abs=2)


def test_gain_is_in_decibels_and_never_clips():
    assert level(gain(tone(440), -6)) == pytest.approx(level(tone(440)) - 6, abs=0.01)
    assert np.abs(gain(tone(440), 20)).max() == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("pink", [False, True])
def test_noise_lies_as_far_below_as_asked(pink):
    clip = tone(440)
    added = noise(clip, 20, np.random.default_rng(0), pink) - clip
    assert level(added) == pytest.approx(level(clip) - 20, abs=0.01)
    spectrum = np.abs(np.fft.rfft(added)) ** 2
    low, high = spectrum[50:500].mean(), spectrum[5000:7500].mean()
    assert (low > 5 * high) == pink


def test_mix_adds_the_other_clip():
    heard = mix(tone(440), tone(2000, 0.3), 10, np.random.default_rng(0))
    assert len(heard) == RATE
    spectrum = np.abs(np.fft.rfft(heard))
    assert spectrum[2000] / spectrum[440] == pytest.approx(10 ** (-10 / 20), rel=0.1)
    assert np.allclose(mix(tone(440), np.zeros(10, np.float32), 10, np.random.default_rng(0)), tone(440))


@pytest.mark.parametrize(("low", "high", "kept", "lost"), [(None, 3000, 1000, 6000), (300, None, 1000, 60)])
def test_band_limit_cuts_what_lies_outside(low, high, kept, lost):
    assert level(band_limit(tone(kept), low, high)) == pytest.approx(level(tone(kept)), abs=0.5)
    assert level(band_limit(tone(lost), low, high)[RATE // 2 :]) < level(tone(lost)) - 20


@pytest.mark.parametrize("name", CODECS)
def test_codecs_keep_length_and_sound_but_not_samples(name):
    clip = tone(440) + tone(1700, level=0.1)
    heard = codec(clip, name)
    assert heard.shape == clip.shape and not np.array_equal(heard, clip)
    assert peak(heard) == pytest.approx(peak(clip), abs=2)
    assert level(heard) == pytest.approx(level(clip), abs=1)


def test_augment_repeats_by_seed_and_spares_pitch():
    every = Augmentation(speed=1, gain=1, noise=1, mix=1, band_limit=1, codec=1)
    clip, other = tone(440), tone(900)
    one, again, another = (augment(clip, every, np.random.default_rng(seed), "animal", other) for seed in (1, 1, 2))
    assert np.array_equal(one, again) and len(one) != len(another)
    assert one.dtype == np.float32 and np.abs(one).max() <= 1.01
    assert len(augment(clip, every, np.random.default_rng(1), "pitch", other)) == len(clip)
    none = Augmentation(gain=0, noise=0)
    assert np.array_equal(augment(clip, none, np.random.default_rng(1), "animal", other), clip)


def test_spectrogram_is_masked_lightly():
    features = torch.randn(40, 80, 100)
    masked = features.clone()
    mask_spectrogram(masked, torch.full((40,), 50), [np.random.default_rng(seed) for seed in range(40)])
    changed = (masked != features).float().mean((1, 2))
    assert 0 < (changed > 0).float().mean() < 1 and changed.max() < 0.3
    untouched = features.clone()
    mask_spectrogram(untouched, torch.full((40,), 50), [np.random.default_rng(seed) for seed in range(40)], chance=0)
    assert torch.equal(untouched, features)
