import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from dataset_builders.open_audio.clips import SAMPLE_RATE, Unusable, decode
from dataset_builders.open_audio.packages import PackageError, PackageStore
from dataset_builders.open_audio.speech import synthesis, synthetic
from dataset_builders.open_audio.speech.sources import Line
from dataset_builders.open_audio.speech.synthesis import Engine, EngineError, Voice, speak


def words(seed: int, count: int = 6) -> np.ndarray:
    """Bursts of noise, 0.25 s each, with 0.1 s of exact silence around them."""
    rng = np.random.default_rng(seed)
    burst, pause = int(0.25 * SAMPLE_RATE), np.zeros(int(0.1 * SAMPLE_RATE))
    return np.concatenate([pause, *(part for _ in range(count) for part in (rng.normal(0, 0.1, burst), pause))])


def line(number: int) -> Line:
    audio = synthetic.like_the_game(words(number))
    return Line(audio, f"line {number} of the game", "en", "x", f"group-{number}", "klettres-data", f"l{number}")


def program(root, script: str) -> None:
    (root / "usr/bin").mkdir(parents=True)
    (root / "usr/bin/say").write_text(f"#!/bin/sh\n{script}\n")
    (root / "usr/bin/say").chmod(0o755)


@pytest.fixture
def engine(monkeypatch, tmp_path):
    """Make `say` an engine whose only program is the script that the test writes."""
    monkeypatch.setattr(PackageStore, "folder", lambda self, name: tmp_path / name)

    def say(run, voice, texts, folder):
        for number, text in enumerate(texts):
            run("say", voice, f"{number}.wav", spoken=text)

    monkeypatch.setitem(synthesis.ENGINES, "say", Engine("CC0", ("say-package",), say))
    return lambda script: program(tmp_path / "say-package", script)


def test_clips_are_alike_whatever_their_level_band_and_silence():
    loud = np.concatenate([words(0), np.zeros(8000)]).astype(np.float32)
    quiet = loud / 50 + 0.001 * np.sin(2 * np.pi * 50 * np.arange(len(loud)) / SAMPLE_RATE)
    for samples in (loud, quiet):
        heard = synthetic.alike(samples, "a")
        power = np.abs(np.fft.rfft(heard)) ** 2
        hertz = np.fft.rfftfreq(len(heard), 1 / SAMPLE_RATE)
        assert np.sqrt((heard**2).mean()) == pytest.approx(synthetic.LOUDNESS, rel=1e-3)
        assert power[(hertz > 500) & (hertz < 3000)].mean() > 20 * power[(hertz < 150) | (hertz > 3600)].mean()
        assert not (heard == 0).any()
        assert np.array_equal(heard, synthetic.alike(samples, "a"))
        assert not np.array_equal(heard, synthetic.alike(samples, "b"))


def test_trimmed_to_what_is_heard():
    assert len(synthetic.trimmed(words(0))) == pytest.approx(2.0 * SAMPLE_RATE, abs=400)
    with pytest.raises(Unusable, match="silent"):
        synthetic.trimmed(np.zeros(SAMPLE_RATE))


def test_dips_are_the_pauses():
    found = synthetic.dips(synthetic.trimmed(words(0, count=3)))
    assert [cut / SAMPLE_RATE for cut in found] == pytest.approx([0, 0.31, 0.66, 0.96], abs=0.06)


def test_fake_is_cut_at_pauses_and_leaves_half_of_the_recording():
    real, fake = synthetic.trimmed(words(0)), synthetic.trimmed(words(1))
    for seed in range(20):
        removed, inserted = synthetic.places(real, fake, random.Random(seed))
        assert {removed.start, removed.stop} <= set(synthetic.dips(real))
        assert 0.4 * SAMPLE_RATE <= removed.stop - removed.start <= len(real) / 2
        assert abs(inserted.start - removed.start) < 0.2 * SAMPLE_RATE
    with pytest.raises(Unusable, match="no pause"):
        synthetic.places(real[: int(0.5 * SAMPLE_RATE)], fake, random.Random(0))


def test_spliced_keeps_length_level_and_all_else():
    rng = np.random.default_rng(0)
    real, fake = rng.normal(0, 0.1, 32_000), rng.normal(0, 0.9, 32_000)
    mixed = synthetic.spliced(real, fake, slice(8000, 16_000), slice(100, 10_100))
    assert len(mixed) == 34_000
    assert np.allclose(mixed[:8000], real[:8000]) and np.allclose(mixed[18_000:], real[16_000:])
    assert np.std(mixed[8000:18_000]) == pytest.approx(0.1, rel=0.05)
    assert np.corrcoef(mixed[9000:17_000], fake[1100:9100])[0, 1] > 0.99


def test_coloured_takes_over_the_spectrum():
    white = np.random.default_rng(0).normal(size=32_000)
    dull = np.convolve(np.random.default_rng(1).normal(size=32_000), np.ones(4) / 4, "same")
    before, after, wanted = map(synthetic._mean_log_power, (white, synthetic.coloured(white, dull), dull))
    assert np.abs(after - wanted).mean() < 0.2 * np.abs(before - wanted).mean()


def test_three_ways_are_balanced_and_say_where_the_fake_lies():
    role = synthetic.Role("test", Voice("flite", "slt"), 3)
    clips = [clip for n in range(3) for clip in synthetic.three_ways(line(n), words(n + 10), role)]
    assert Counter(clip.answer for clip in clips) == dict.fromkeys(synthetic.AUTHENTICITY, 3)
    real, fully, partly = clips[:3]
    assert (real.group, partly.group, fully.group) == ("group-0", "group-0", "flite slt/test")
    begin, end = map(float, partly.name.partition("@")[2].split("-"))
    original, mixed = real.parts[0].args[0], partly.parts[0].args[0]
    same = int(begin * SAMPLE_RATE) - 160
    assert 0.3 < end - begin < 2.1
    assert np.array_equal(original[: max(same, 0)], mixed[: max(same, 0)])
    assert np.array_equal(original[len(original) - 100 :], mixed[len(mixed) - 100 :]) or end == len(mixed) / SAMPLE_RATE
    assert all(np.array_equal(decode(clip.parts[0]), decode(clip.parts[0])) for clip in clips)


def test_engine_gets_its_text_and_its_libraries(engine, tmp_path):
    engine('cp "$LD_LIBRARY_PATH/tone.wav" "$2"; read text; [ "$text" = "two words" ]')
    libraries = tmp_path / "say-package/usr/lib/x-linux-gnu"
    libraries.mkdir(parents=True)
    soundfile.write(libraries / "tone.wav", np.zeros(SAMPLE_RATE // 2), SAMPLE_RATE // 2)
    (said,) = speak(PackageStore(tmp_path), Voice("say", "x"), ["two words"])
    assert len(said) == SAMPLE_RATE


def test_engine_that_fails_or_stays_silent_is_named(engine, tmp_path):
    engine('[ "$1" = mute ] || { echo no libpulse >&2; exit 1; }')
    with pytest.raises(EngineError, match="say failed: no libpulse"):
        speak(PackageStore(tmp_path), Voice("say", "x"), ["a"])
    with pytest.raises(EngineError, match="say mute did not speak all of 1 texts"):
        speak(PackageStore(tmp_path), Voice("say", "mute"), ["a"])


def test_missing_engines_are_noted_and_the_others_speak(monkeypatch, tmp_path):
    errors = {
        "piper": EngineError("piper", "piper is not installed"),
        "festival": PackageError("festlex-cmu", "festlex-cmu is damaged"),
    }

    def fake(store, voice, texts):
        if voice.engine in errors:
            raise errors[voice.engine]
        return [words(number + 50) for number in range(len(texts))]

    monkeypatch.setattr(synthetic, "speak", fake)
    roles = [synthetic.Role("train", Voice(engine, "v"), 2) for engine in ("piper", "flite", "festival")]
    monkeypatch.setattr(synthetic, "ROLES", roles)
    monkeypatch.setattr(synthetic, "_recordings", lambda store: {("train", "en"): [line(n) for n in range(6)]})
    store = PackageStore(tmp_path)
    clips = list(synthetic.synthetic_speech(store))
    assert store.missing == {"piper": "piper is not installed", "festlex-cmu": "festlex-cmu is damaged"}
    assert {clip.group for clip in clips} == {"flite v/train", "group-2", "group-3"}


def test_validation_and_test_hear_no_known_person(monkeypatch, tmp_path):
    game = [(replace(line(n), speaker=who, text="x" * 30), split) for n, (who, split) in enumerate(
        [("Joe", "train"), ("Joe", "test"), ("Lou", "validation"), ("Naomi", "test")]
    )]  # fmt: skip
    monkeypatch.setattr(synthetic, "split_lines", lambda lines: lines)
    monkeypatch.setattr(synthetic, "queen_lines", lambda store: game)
    monkeypatch.setattr(synthetic, "stamp_lines", lambda store: [(line(9), "test")])
    monkeypatch.setattr(synthetic, "asterisk_lines", lambda store, language: [])
    pools = synthetic._recordings(PackageStore(tmp_path))
    heard = {key: [line.speaker for line in pool] for key, pool in pools.items()}
    assert heard == {("train", "en"): ["Joe"], ("validation", "en"): ["Lou"], ("test", "en"): ["Naomi"]}


def test_no_voice_is_in_two_splits():
    splits = {}
    for role in synthetic.ROLES:
        splits.setdefault(role.voice, set()).add(role.split)
    assert all(len(of_voice) == 1 for of_voice in splits.values())
    assert {role.split for role in synthetic.ROLES} == {"train", "validation", "test"}
