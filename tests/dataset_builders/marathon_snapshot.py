"""A tiny AudioMarathon release: every kind of file it has, and everything known to be wrong with it."""

import json
from pathlib import Path

import numpy as np
import soundfile

RACE = "race_audio/race_benchmark.json"
SLUE = "SLUE/merged_audio_data.json"
TAU = "TAU/concatenated_resampled/acoustic_scene_task_meta.json"
GTZAN = "GTZAN/concatenated_audio/music_genre_classification_meta.json"
DESED = "DESED/DESED_dataset/concatenated_audio/desed_sound_event_detection_task.json"
VESUS = "VESUS/audio_emotion_dataset.json"
AGES = "VoxCeleb/concatenated_audio/age_classification_task_meta.json"
GENDERS = "VoxCeleb/concatenated_audio/gender_id_task_meta.json"

METRO, STATION = "Traveling by an underground metro - metro", "Metro station - metro_station"
AIRPORT, PARK, MALL = "Airport - airport", "Urban park - park", "Indoor shopping mall - shopping_mall"


def sound(path: Path, seconds: float = 0.5, rate: int = 16_000) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.sin(np.arange(int(seconds * rate)) / 9) / 2, rate)


def ask(path: str, answer: str, *options: str, question: str = "Which is it?", **more) -> dict:
    lettered = {f"choice_{letter}": option for letter, option in zip("abcde", options)}
    return {"path": path, "question": question, **lettered, "answer_gt": answer, "uniq_id": 0, **more}


def write_json(file: Path, content) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content), "utf-8")


def write_snapshot(root: Path) -> Path:
    for write in (speech, race, slue, tau, gtzan, desed, had, vesus, voxceleb):
        write(root)
    return root


def speech(root: Path) -> None:
    chapter = root / "librispeech-long/test-clean/61/70968"
    for name in ("61-70968-0000", "61-70968-0001", "61-70968-0002"):
        sound(chapter / f"{name}.flac", 1.0)
    (chapter / "61-70968-0000.txt").write_text("HE BEGAN A\nCONFUSED COMPLAINT\n", "utf-8")
    (chapter / "61-70968.trans.txt").write_text("61-70968-0001 GIVE NOT SO\n61-70968-0002 A GOLDEN FORTUNE\n", "utf-8")
    (chapter / "61-70968-0003.txt").write_text("NO SOUND", "utf-8")


def race(root: Path) -> None:
    sound(root / "race_audio/test/high/12.wav")
    item = {"audio_path": "test/high/12.wav", "options": ["one", "two", "three", "four"], "article_id": "high12"}
    questions = [{**item, "question": f"Question {n}?", "answer": "ABCD"[n], "question_idx": n} for n in range(2)]
    write_json(root / RACE, questions)


def slue(root: Path) -> None:
    name = "dev/mixed_concatenated_audio/mixed_concatenated_audio_0061.wav"
    sound(root / "SLUE" / name)
    write_json(root / SLUE, [ask(name, "B", "51", "52", "46", "49", question="How many named entities?")])


def tau(root: Path) -> None:
    items = [
        ask("airport/airport_lyon.wav", "C", METRO, PARK, AIRPORT, MALL, scene_label="airport"),
        ask("metro/metro_paris.wav", "A", METRO, PARK, AIRPORT, STATION, scene_label="metro"),
        ask("metro/metro_station_paris.wav", "A", METRO, PARK, AIRPORT, MALL, scene_label="metro"),
        ask("metro/metro_station_wien.wav", "A", METRO, PARK, AIRPORT, STATION, scene_label="metro"),
    ]
    for item in items:
        sound(root / "TAU/concatenated_resampled" / item["path"])
    write_json(root / TAU, items)


def gtzan(root: Path) -> None:
    options = "Rock - rock", "Hip-hop - hiphop", "Jazz - jazz", "Pop - pop"
    sound(root / "GTZAN/concatenated_audio/wav/hiphop_1.wav", rate=22_050)
    write_json(root / GTZAN, [ask("hiphop_1.wav", "B", *options, genre_label="hiphop")])


def desed(root: Path) -> None:
    sound(root / "DESED/DESED_dataset/concatenated_audio/Cat/cat_1.wav")
    item = ask("Cat/cat_1.wav", "C")
    item["choices"] = {"B": "Alarm_bell_ringing", "A": "Dog", "C": "Cat", "D": "Running_water"}
    write_json(root / DESED, {"task_info": {}, "missing_files_info": {}, "tasks": [item]})


def had(root: Path) -> None:
    for label, count in (("real", 2), ("fake", 5)):
        for n in range(count):
            sound(root / f"HAD/concatenated_audio/{label}/HAD_train_{label}_{n}.wav")
    write_json(root / "HAD/concatenated_audio/had_audio_classification_task.json", {"metadata": {}, "samples": []})


def vesus(root: Path) -> None:
    options = "Angry - tense, loud", "Happy - joyful", "Sad - low", "Monotone - flat"
    cases = [(2, "Happy", "B"), (10, "Happy", "B"), (3, "Happy", "B"), (2, "Sad", "C")]
    items = []
    for person, emotion, letter in cases:
        name = f"{person}/person_{person}_{emotion}_sentences_001_2.0min.wav"
        sound(root / "VESUS" / name)
        items.append(ask(name, letter, *options, emotion_label=emotion, person_id=person))
    write_json(root / VESUS, items)


def voxceleb(root: Path) -> None:
    ages = "18-30", "31-40", "41-50", "51-70", "71+"
    genders, aged = [], []
    for n in range(6):
        name, speaker = f"id1000{n}/id1000{n}_segment_0.wav", f"id1000{n}"
        sound(root / "VoxCeleb/concatenated_audio/wav" / name)
        gender = "Female" if n < 2 else "Male"
        genders.append(ask(name, gender, "Male", "Female", speaker_id_original=speaker))
        aged.append(ask(name, ages[n % 5], *ages, speaker_id_original=speaker, speaker_age=30))
    lost = ask("id10009/id10009_segment_0.wav", "71+", *ages, speaker_id_original="id10009", speaker_age=80)
    write_json(root / GENDERS, genders)
    write_json(root / AGES, [*aged, lost])
