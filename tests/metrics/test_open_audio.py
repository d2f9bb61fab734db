"""Scores against their definitions and against scikit-learn; baselines on made-up tasks."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from datasets import Dataset
from sklearn.metrics import accuracy_score

from metrics.intervals import estimate, mean
from metrics.open_audio import __main__ as command
from metrics.open_audio import rates
from metrics.open_audio.baselines import likeliest, linear_probe, majority, mean_log_mel
from metrics.open_audio.scores import interval, label_scores, right, transcript_scores
from metrics.words import normalize
from modeling_uniwhisper import (
    UniWhisperFeatureExtractor,
    UniWhisperForConditionalGeneration,
    UniWhisperProcessor,
)


@pytest.mark.parametrize(
    ("text", "words"),
    [("It’s HIM!", "it's him"), ("  Hi-hat. ", "hi hat"), ("Straße, naïve", "strasse naïve"), ("...", "")],
)
def test_normalize(text, words):
    assert normalize(text) == words


def test_label_scores():
    choices = [["kick", "snare"], ["kick", "snare", "tom", "bell"]] * 10
    labels = ["kick", "tom"] * 10
    answers = ["Kick.", "snare"] * 9 + ["no idea", "tom"]
    scores = label_scores(answers, labels, choices)
    assert scores["accuracy"] == accuracy_score(labels, [answer.strip(".").lower() for answer in answers])
    assert scores["parse_rate"] == 19 / 20, "an answer outside its choices is invalid"
    assert scores["chance"] == pytest.approx(3 / 8)
    low, high = scores["accuracy_95"]
    assert low < scores["accuracy"] < high


def test_transcript_scores():
    scores = transcript_scores(["the cat sat", "", "yes"], ["The cat sat.", "Two words", "Yes!"])
    assert scores["wer"] == pytest.approx(2 / 6)
    assert scores["parse_rate"] == pytest.approx(2 / 3)
    assert scores["cer"] == pytest.approx(9 / 23)


def test_the_readme_says_what_was_answered():
    kept = json.loads(Path("model_cards/uniwhisper-base/results/open_audio.json").read_text())["tasks"]
    readme, labelled = Path("README.md").read_text(), [found for found in kept.values() if "accuracy" in found]
    for found in labelled:
        cells = [f"{found[name]:.2f}" for name in command.BESIDE]
        assert f"| **{found['accuracy']:.2f}** |" in readme
        assert f" | {' | '.join(cells)} | {found['parse_rate']:.0%} |" in readme
    ahead = [round(found["accuracy"] - found["whisper-base"], 6) for found in labelled]
    assert all(found["accuracy"] > found["majority"] for found in labelled) and len(labelled) == 12
    assert sum(by > 0 for by in ahead) == 2 and ahead.count(0) == 2
    assert (
        "above the majority on all twelve tasks, above Whisper-base's probe on two and level with it on two." in readme
    )


def test_interval_narrows_with_clips():
    rng = np.random.default_rng(0)
    widths = [np.ptp(interval((rng.random(n) < 0.5).astype(float), np.ones(n))) for n in (20, 2000)]
    assert widths[0] > 5 * widths[1] > 0


def test_rates_are_compared_on_the_same_clips():
    labels, groups = ["a"] * 8, list("ppqqrrss")
    answers = {"25": list("aaaabbbb"), "6.25": list("aaaaaabb")}

    def accuracy(said, task):
        found = right(said, labels)
        return estimate(lambda weights: mean(weights, found), groups, task)

    told = rates.summary({rate: {task: accuracy(said, task) for task in "xy"} for rate, said in answers.items()})
    assert told["25"]["mean"]["value"] == 0.5
    assert told["25"]["over_first"]["value"] == 1
    assert told["6.25"]["over_first"]["value"] == 1.5
    assert told["6.25"]["over_first"]["interval_95"][0] >= 1, "what the slower rate has wrong, the faster one has too"


def test_majority():
    assert majority(["a", "a", "b"], ["a", "b", "b", "b"]) == 0.25


def test_the_spectrum_names_pitch_but_not_noise(make_audio):
    extractor, rng = UniWhisperFeatureExtractor(), np.random.default_rng(0)

    def part(clips):
        labels = rng.integers(0, 2, clips)
        audio = [np.sin(np.arange(8000) * (0.1 if label else 0.5)).astype(np.float32) for label in labels]
        features = mean_log_mel(extractor(audio, sampling_rate=16_000))
        assert features.shape == (clips, 160)
        return features, labels

    parts = part(20), part(10), part(10)
    assert linear_probe(*parts[:2]).score(*parts[2]) == 1.0
    shuffled = [(features, rng.integers(0, 2, len(labels))) for features, labels in parts]
    assert linear_probe(*shuffled[:2]).score(*shuffled[2]) < 0.9


def test_a_probe_chooses_from_what_is_listed():
    features, labels = np.eye(3, dtype=np.float32).repeat(4, axis=0), ["kick"] * 4 + ["snare"] * 4 + ["tom"] * 4
    probe = linear_probe((features, labels), (features, labels))
    listed = [["tom", "kick"], ["tom", "snare"], ["gong", "snare"]]
    assert likeliest(probe, np.eye(3, dtype=np.float32), listed) == ["kick", "snare", "snare"], "gong was never learned"


def test_padding_does_not_reach_the_mean_spectrum(make_audio):
    extractor = UniWhisperFeatureExtractor()
    alone = mean_log_mel(extractor(make_audio(0.5), sampling_rate=16_000))
    beside = mean_log_mel(extractor([make_audio(0.5), make_audio(3.0)], sampling_rate=16_000))
    np.testing.assert_allclose(alone[0], beside[0], rtol=1e-5)


@pytest.fixture
def drums(make_audio, monkeypatch):
    """Clips of two labels and lines of speech in place of open audio, in both commands."""

    def load(name, task, split):
        rows = []
        for seed in range(8):
            buffer, label = io.BytesIO(), ("kick", "snare")[seed % 2]
            soundfile.write(buffer, make_audio(0.5 + seed / 10, seed), 16_000, format="FLAC")
            rows.append(
                {
                    "audio": {"bytes": buffer.getvalue(), "path": "made.flac"},
                    "duration": 0.5 + seed / 10,
                    "task": task,
                    "instruction": "Which drum is this? Choose: kick, snare.",
                    "answer": label,
                    "label": None if task == "asr_en" else label,
                    "choices": ["kick", "snare"],
                    "group": f"{split} {seed}",
                }
            )
        return Dataset.from_list(rows)

    monkeypatch.setattr(command, "load_dataset", load)
    monkeypatch.setattr(rates, "load_dataset", load)


def test_labels_and_lines_are_scored_beside_baselines(drums, tiny_checkpoint, tmp_path, monkeypatch, capsys):
    out = tmp_path / "scores.json"
    monkeypatch.setattr(command, "cache_home", lambda: tmp_path)
    command.main(tiny_checkpoint, out, ["drum_class", "asr_en"], "test", 5, 3.125, "float32")
    told = json.loads(out.read_text())
    drum, lines = (told["tasks"][task] for task in ("drum_class", "asr_en"))
    assert drum["clips"] == lines["clips"] == 5 and told["audio_token_rate"] == 3.125
    assert drum["chance"] == 0.5 and 0 <= drum["majority"] <= 1 and all(0 <= drum[name] <= 1 for name in command.PROBED)
    assert lines["wer"] > 0.5, "it was never trained"
    assert "drum_class" in capsys.readouterr().out


def test_every_rate_of_the_checkpoint_is_asked(drums, tiny_checkpoint, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(rates, "TASKS", ("drum_class", "pitch"))
    monkeypatch.setattr(rates, "accuracy", lambda *given: asked.append(given[2:]) or estimate_of(given[3]))
    asked = []

    def estimate_of(rate):
        return estimate(lambda weights: mean(weights, np.array([1.0, rate > 5, 0.0])), "abc", "same")

    rates.main(tmp_path / "rates.json", tiny_checkpoint, 5)
    whole = json.loads((tmp_path / "rates.json").read_text())
    told = whole["rates"]
    assert whole["score_6hz"]["value"] == told["6.25"]["over_first"]["value"]
    assert list(told) == ["25", "12.5", "6.25", "3.125"]
    assert asked[0] == ("drum_class", 25.0, 5) and len(asked) == 8
    assert told["3.125"]["over_first"]["value"] == 0.5 and told["6.25"]["over_first"]["value"] == 1
    assert "3.125" in capsys.readouterr().out


def test_a_rate_is_scored_by_groups(drums, tiny_checkpoint):
    network = UniWhisperForConditionalGeneration.from_pretrained(tiny_checkpoint).eval()
    processor = UniWhisperProcessor.from_pretrained(tiny_checkpoint)
    found = rates.accuracy(network, processor, "drum_class", 6.25, 4)
    assert found.value == 0 and found.interval == (0, 0), "it was never trained"
