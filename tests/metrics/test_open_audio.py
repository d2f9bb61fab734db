"""Scores against their definitions and against scikit-learn; baselines on made-up tasks."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from metrics.open_audio.baselines import linear_probe, majority, mean_log_mel
from metrics.open_audio.rates import summary
from metrics.open_audio.scores import interval, label_scores, normalize, right, transcript_scores
from metrics.probe.intervals import estimate, mean
from modeling_uniwhisper import UniWhisperFeatureExtractor


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

    told = summary({rate: {task: accuracy(said, task) for task in "xy"} for rate, said in answers.items()})
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
    assert linear_probe(*parts) == 1.0
    shuffled = [(features, rng.integers(0, 2, len(labels))) for features, labels in parts]
    assert linear_probe(*shuffled) < 0.9


def test_padding_does_not_reach_the_mean_spectrum(make_audio):
    extractor = UniWhisperFeatureExtractor()
    alone = mean_log_mel(extractor(make_audio(0.5), sampling_rate=16_000))
    beside = mean_log_mel(extractor([make_audio(0.5), make_audio(3.0)], sampling_rate=16_000))
    np.testing.assert_allclose(alone[0], beside[0], rtol=1e-5)
