import random
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dataset_builders.open_audio.clips import SAMPLE_RATE, Unusable, encode
from dataset_builders.open_audio.music import harmony, instruments, tracks
from dataset_builders.open_audio.music.drums import GENERAL_MIDI, KIT_SPLITS, _named
from dataset_builders.open_audio.music.render import DRUM_CHANNEL, SOUNDFONTS, Note, Passage, midi, phrase
from dataset_builders.open_audio.pinned import PACKAGES


def test_midi_bytes():
    data = midi([Passage(9, [Note(0.0, 0.5, 60, 100)])])
    assert data[:14] == b"MThd" + bytes((0, 0, 0, 6, 0, 0, 0, 1, 1, 224))
    silence, program = (0, 0xB0, 120, 0), (0, 0xC0, 9)
    note = (0, 0x90, 60, 100, 0x83, 0x60, 0x80, 60, 0)
    assert data[22:] == bytes((*silence, *program, *note, 0x83, 0x00, 0xFF, 0x2F, 0))


def test_midi_plays_passages_one_after_another_and_drums_on_their_channel():
    first, second = Passage(0, [Note(0.0, 1.0, 60, 90)]), Passage(25, [Note(0.5, 0.5, 38, 90)], DRUM_CHANNEL)
    data = midi([first, second])
    assert data.index(bytes((0xC9, 25))) > data.index(bytes((0x80, 60, 0)))
    assert bytes((0x99, 38, 90)) in data
    assert struct.unpack(">I", data[18:22])[0] == len(data) - 22


def test_no_soundfont_plays_two_splits():
    packages = [package for files in SOUNDFONTS.values() for package in files]
    assert len(packages) == len(set(packages))
    assert set(packages) <= set(PACKAGES)


@pytest.mark.parametrize("family", instruments.FAMILIES)
def test_held_out_programs_are_disjoint_and_complete(family):
    programs = instruments.FAMILIES[family][0]
    splits = instruments.held_out(family, programs)
    assert all(splits.values())
    assert sorted(program for heard in splits.values() for program in heard) == sorted(programs)


def test_real_recordings_have_known_labels():
    named = {label for names in instruments.REAL.values() for label in names.values()}
    assert named <= set(instruments.INSTRUMENTS)
    assert set(instruments.FAMILY_OF) <= named
    assert set(instruments.FAMILY_OF.values()) <= set(instruments.FAMILIES)


@pytest.mark.parametrize("programs", [harmony.CHORD_PROGRAMS, harmony.PITCH_PROGRAMS])
def test_no_program_plays_two_splits(programs):
    played = sum(programs.values(), ())
    assert len(played) == len(set(played))


@pytest.mark.parametrize("quality", harmony.CHORDS)
def test_chord_holds_its_intervals_over_its_root(quality):
    intervals = harmony.CHORDS[quality]
    for seed in range(20):
        keys = [note.key for note in harmony._chord(random.Random(seed), 0, intervals).notes]
        assert {(key - min(keys)) % 12 for key in keys} == set(intervals)


def test_phrase_keeps_to_two_octaves_above_its_keys():
    for seed in range(50):
        notes = phrase(random.Random(seed), 40, 76)
        assert {note.key for note in notes} <= set(range(40, 76 + 12 + 1))
        assert all(1 <= note.velocity <= 127 and note.seconds > 0 for note in notes)


@pytest.mark.parametrize(
    ("name", "drums"),
    [("Hi-Hat Open", {"hi-hat"}), ("Crash Ride", {"ride cymbal"}), ("Agogo", {"bell"}), ("Tambourine", set())],
)
def test_drum_names(name, drums):
    assert _named(name) == drums


def test_drum_keys_and_kits():
    keys = sum(GENERAL_MIDI.values(), ())
    assert len(keys) == len(set(keys))
    assert set(KIT_SPLITS.values()) == {"validation", "test"}


@pytest.fixture
def library(tmp_path, monkeypatch):
    """Tracks of two packages: eight by an artist and versions of two of them."""
    monkeypatch.setattr(tracks, "MUSIC", {"naev-data": "*.wav", "flare-game": "*.wav"})
    noise = Path(tmp_path, "noise.wav")
    soundfile.write(noise, np.random.default_rng(0).normal(0, 0.01, 80 * SAMPLE_RATE), SAMPLE_RATE)
    names = [*(tracks.WHALLON[:8]), "airship_2", "airship_remix", "calm", "storm"]
    for package in tracks.MUSIC:
        (tmp_path / package).mkdir()
        for name in names:
            (tmp_path / package / f"{name}.wav").symlink_to(noise)

    class Store:
        def folders(self, names):
            return [(name, tmp_path / name) for name in names]

    tracks._tracks.cache_clear()
    yield Store()
    tracks._tracks.cache_clear()


def test_a_track_has_one_split_in_every_task(library):
    splits = {}
    for task in (tracks.track_cuts, tracks.track_artist, tracks.long_music):
        for clip in task(library):
            assert splits.setdefault(clip.group, clip.split) == clip.split
    assert set(splits.values()) == {"train", "validation", "test"}
    assert "flare-game/airship_2" in splits and "flare-game/airship_remix" not in splits


def test_each_split_hears_an_artist(library):
    heard = {clip.split for clip in tracks.track_artist(library) if clip.answer == "Nikola Whallon"}
    assert heard == {"train", "validation", "test"}


def test_cuts_lie_within_their_tracks(library):
    for task in (tracks.track_cuts, tracks.track_artist, tracks.long_music):
        assert all(0 <= clip.start < clip.end <= 80 for clip in task(library))
    assert all(60 <= clip.end - clip.start <= 300 for clip in tracks.long_music(library))


def test_labelled_cuts_are_equally_loud(library):
    clip = next(iter(tracks.track_artist(library)))
    (piece,) = encode(clip)
    assert piece.duration == pytest.approx(10.0) and piece.start == pytest.approx(clip.start)
    samples = clip.parts[0]()
    assert np.sqrt(np.mean(samples**2)) == pytest.approx(tracks.LEVEL, rel=0.01)


def test_silent_cut_is_left_out(tmp_path):
    path = Path(tmp_path, "silence.wav")
    soundfile.write(path, np.zeros(SAMPLE_RATE), SAMPLE_RATE)
    track = tracks.Track(path, "naev-data", "naev-data/silence", "", 1.0, "train")
    (reason,) = encode(tracks._levelled(tracks._cut(track, "Askyel", 0.0, 1.0)))
    assert isinstance(reason, Unusable)
