import io
import shutil
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from dataset_builders.open_audio.clips import SAMPLE_RATE, encode
from dataset_builders.open_audio.packages import PackageStore
from dataset_builders.open_audio.speech import dialogues, sources, words
from dataset_builders.open_audio.speech.joining import heard, join
from dataset_builders.open_audio.speech.sources import Line, fish_lines, reader_lines, split_lines, stamp_lines


@pytest.fixture
def store(monkeypatch, tmp_path):
    """Every package is `tmp_path`."""
    monkeypatch.setattr(PackageStore, "folder", lambda self, name: tmp_path)
    return PackageStore(tmp_path)


def write(path, seconds: float = 1.0, hertz: float = 300.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = 0.3 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE)
    soundfile.write(path, samples, SAMPLE_RATE, format={".ogg": "OGG", ".wav": "WAV"}[path.suffix])
    return path


def line(number: int, **changes) -> Line:
    buffer = io.BytesIO()
    tone = 0.3 * np.sin(0.01 * (number + 9) * np.arange(SAMPLE_RATE))
    soundfile.write(buffer, tone, SAMPLE_RATE, format="WAV")
    values = {
        "audio": buffer.getvalue(),
        "text": f"Line {number}.",
        "language": "en",
        "speaker": "Joe",
        "group": "game/scene",
        "source": "kajongg",
        "name": f"{number:03d}",
    }
    return Line(**(values | changes))


def test_scenes_of_a_training_group_reach_every_split_and_are_not_cut():
    lines = [
        line(n, group=f"game/{who}", scene=f"game/{who}/{n % 4}")
        for who, count in (("A", 200), ("B", 20), ("C", 20), ("D", 200))
        for n in range(count)
    ]
    split_of = {}
    for one, split in split_lines(iter(lines)):
        assert split_of.setdefault(one.group, split) == split
    assert {"train", "validation", "test"} <= {split_of[f"game/A/{n}"] for n in range(4)}
    whole = {who: {split_of[f"game/{who}/{n}"] for n in range(4)} for who in "BC"}
    assert sorted(map(len, whole.values())) == [1, 1]


def test_lines_are_joined_by_speaker_to_alike_lengths():
    lines = [line(n, speaker=who) for who in ("Ann", "Bob") for n in range(20)]
    joined = list(join(map(heard, lines), "train"))
    assert all(len({one.speaker for one in clip}) == 1 for clip in joined)
    names = [(one.speaker, one.name) for clip in joined for one in clip]
    assert names == sorted(names)
    assert {len(clip) for clip in joined} <= {2, 3, 4, 5}
    assert len({len(clip) for clip in joined}) > 1


def test_long_clip_speaks_its_lines_in_order_and_stays_within_its_length(store, monkeypatch):
    monkeypatch.setattr(dialogues, "SECONDS", (4.0, 10.0))
    spoken = [line(n, order=(n,), name=f"{(7 * n) % 30:03d}") for n in range(30)]
    for name in ("queen_lines", "fish_lines"):
        monkeypatch.setattr(dialogues, name, lambda store: iter([replace(spoken[0], source="kajongg")]))
    monkeypatch.setattr(dialogues, "reader_lines", lambda store: iter(spoken))
    clips = list(dialogues.asr_long(store))
    assert " ".join(clip.answer for clip in clips) == " ".join(one.text for one in spoken[: 5 * len(clips)])
    assert len({clip.name for clip in clips}) == len(clips) > 2
    for clip in clips:
        (piece,) = encode(clip)
        assert 4.0 <= piece.duration <= 10.0
        spoken_seconds = clip.answer.count("Line")
        assert spoken_seconds < piece.duration < spoken_seconds * 2


def test_fish_lines_carry_both_languages_and_their_place(store, tmp_path):
    game = tmp_path / "usr/share/games/fillets-ng"
    for language, text in (("cs", 'Co je \\"to\\"?'), ("nl", "Wat is dat?")):
        script = game / f"script/boat/dialogs_{language}.lua"
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(
            'dialogId("z-first", "font_big", "Silent one")\ndialogStr("")\n'
            f'dialogId("a-second", "font_small", "What is \\"that\\"?")\ndialogStr("{text}")\n'
        )
        write(game / f"sound/boat/{language}/a-second.ogg")
        write(game / f"sound/share/{language}/a-second.ogg")
    czech, dutch = fish_lines(store)
    assert (czech.text, czech.english, czech.order) == ('Co je "to"?', 'What is "that"?', (1,))
    assert (dutch.speaker, dutch.group) == ("fillets-nl/small", "fillets/boat")


def test_stamps_with_one_recording_count_once(store, tmp_path):
    stamps = tmp_path / "usr/share/tuxpaint/stamps/animals"
    recording = write(stamps / "cat_desc_fr.ogg")
    shutil.copy(recording, stamps / "tom_desc_fr.ogg")
    write(stamps / "cat_desc_es.ogg", hertz=400)
    for name, english in (("cat", "Cat"), ("tom", "Tomcat")):
        (stamps / f"{name}.txt").write_text(f"{english}\nfr.utf8=Chat\nes.utf8=Gato (macho)\n", "utf-8")
    (one,) = stamp_lines(store)
    assert (one.text, one.english, one.topic, one.group) == ("Chat", "Cat", "animals", "tuxpaint/cat")


def test_reader_stress_marks_are_dropped_and_blocks_are_whole(store, tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "SENTENCES_A_BLOCK", 2)
    voice = tmp_path / "usr/share/festival/voices/russian/msu_ru_nsh_clunits"
    said = [f'( ru_000{n} "Прядь вол+ос {n}." )' for n in range(3)]
    (voice / "etc").mkdir(parents=True)
    (voice / "etc/txt.done.data").write_text("\n".join(said), "utf-8")
    for n in range(3):
        write(voice / f"wav/ru_000{n}.wav")
    lines = list(reader_lines(store))
    assert lines[0].text == "Прядь волос 0."
    assert [one.group[-2:] for one in lines] == ["00", "00", "01"]


def test_letters_are_those_of_the_alphabet(store, tmp_path):
    for language in words.LETTER_LANGUAGES["train"] + words.LETTER_LANGUAGES["validation"]:
        folder = tmp_path / f"usr/share/klettres/{language}"
        write(folder / "alpha/a.ogg")
        (folder / "sounds.xml").write_text(
            f'<klettres><alphabet><sound name="a" file="{language}/alpha/a.ogg"/>'
            f'<sound name="Ä" file="{language}/alpha/a.ogg"/><sound name="B" file="{language}/alpha/b.ogg"/>'
            "</alphabet></klettres>"
        )
    found = list(words._alphabet(tmp_path / "usr/share/klettres", "de"))
    assert [letter for letter, _ in found] == ["A"]


def test_tone_trains_on_one_speaker_and_tests_on_another(store, tmp_path):
    folder = tmp_path / "usr/share/gcin-voice/ogg"
    for number in range(40):
        for recording in ("3.ogg", "5.ogg"):
            write(folder / f"s{number:02d}x{('', '2', '3', '4', '1')[number % 5]}" / recording, 0.3)
    clips = list(words.mandarin_tone(store))
    speakers = {split: {clip.name[-5] for clip in clips if clip.split == split} for split in ("train", "test")}
    assert speakers == {"train": {"3"}, "test": {"5"}}
    syllables = [clip.name[:-6] for clip in clips]
    assert len(set(syllables)) == len(syllables) == 32
    assert {clip.answer for clip in clips} == set(words.TONES.values())
