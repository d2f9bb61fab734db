"""Probes against scikit-learn, chance and themselves; statistics against their definitions."""

from types import SimpleNamespace

import evaluate
import jiwer
import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, f1_score
from sklearn.neighbors import KNeighborsClassifier

from metrics.intervals import Estimate, compare, estimate, mean
from metrics.probe import heads, retrieval
from metrics.probe.aggregate import averages, gap_closed, gaps
from metrics.probe.checks import against_scikit_learn, shuffled
from metrics.probe.clusters import v_measures
from metrics.probe.ctc import CTCConfig, one_minus_wer, train_ctc, word_errors
from metrics.probe.few_shot import draw, few_shot
from metrics.probe.frames import (
    f1,
    mean_average_precision,
    outcomes,
    segment_f1,
    segment_means,
    segment_targets,
    weighted_average_precision,
)
from metrics.probe.heads import HeadConfig, choose_heads, choose_layer, train_heads
from metrics.probe.labels import accuracy, classes_of, correct, targets
from metrics.probe.neighbours import choose_neighbourhood, knn, votes
from metrics.probe.retrieval import Pairs, ProjectionConfig
from metrics.probe.xares_compat import pad_batches, pad_whisper, xares_knn

CLASSES = 5
DIM = 32


def clips(count, seed, noise=1.8, offset=0.0):
    """Gaussian features `(count, DIM)` around one centre a class, and the labels; all classes are equally many."""
    centres = np.random.default_rng(99).standard_normal((CLASSES, DIM))
    rng = np.random.default_rng(seed)
    numbers = rng.permutation(np.arange(count) % CLASSES)
    features = centres[numbers] + noise * rng.standard_normal((count, DIM)) + offset
    return features.astype(np.float32), [f"class {number}" for number in numbers]


def parts(counts=(400, 150, 1000), **kwargs):
    """Train, validation and test features with their 0/1 targets."""
    found = [clips(count, seed, **kwargs) for seed, count in enumerate(counts)]
    classes = classes_of(found[0][1])
    return [(features, targets(labels, classes)) for features, labels in found]


@pytest.mark.parametrize("centred", [False, True])
def test_knn_equals_scikit_learn(centred):
    (bank, labels), (queries, _) = clips(300, 0, offset=2.0), clips(200, 1, offset=2.0)
    shift = bank.mean(0) if centred else 0

    def vote(distances):
        return np.exp((1 - distances) / 0.07)

    theirs = KNeighborsClassifier(10, weights=vote, metric="cosine").fit(bank - shift, labels)
    assert knn(bank, labels, queries, centred=centred) == theirs.predict(queries - shift).tolist()
    truth = targets(labels, classes_of(labels))
    ours = votes(bank, truth, queries, centred=centred)
    np.testing.assert_allclose(ours, theirs.predict_proba(queries - shift), atol=1e-4)


def test_knn_of_a_bank_smaller_than_k_and_of_nothing():
    assert knn(np.eye(2), ["a", "b"], np.array([[0.9, 0.1], [0.1, 0.9]])) == ["a", "b"]
    assert np.isfinite(votes(np.eye(2), np.eye(2), np.zeros((1, 2)))).all()


def test_neighbourhood_is_chosen_where_the_labels_are():
    (noise, _), (noisy_checks, _) = clips(200, 5, noise=100), clips(80, 6, noise=100)
    (bank, labels), (checks, wanted) = clips(200, 0, noise=1.0, offset=20.0), clips(80, 1, noise=1.0, offset=20.0)
    classes = classes_of(labels)
    stacked = np.stack([noise, bank, noise], 1), targets(labels, classes)
    chosen = choose_neighbourhood(
        stacked, (np.stack([noisy_checks, checks, noisy_checks], 1), targets(wanted, classes))
    )
    assert chosen.layer == 1
    assert chosen.scores[chosen.centred][1] == max(max(row) for row in chosen.scores)
    same = choose_neighbourhood(
        (np.stack([bank] * 3, 1), stacked[1]), (np.stack([checks] * 3, 1), targets(wanted, classes))
    )
    assert same.layer == 2, "on a tie the last layer"


@pytest.mark.parametrize("noise", [1.5, 2.2])
def test_head_is_as_good_as_scikit_learn(noise):
    train, validation, test = parts((1200, 300, 3000), noise=noise)
    theirs = LogisticRegression(max_iter=2000).fit(train[0], train[1].argmax(1)).predict_proba(test[0])
    trained = train_heads(train, validation, HeadConfig()).outputs(test[0])
    ours = np.mean([accuracy(test[1], outputs) for outputs in trained])
    assert 0.8 < ours < 0.97, "neither hopeless nor trivial"
    assert ours == pytest.approx(accuracy(test[1], theirs), abs=0.005)


def test_directions_that_do_not_vary_cost_nothing():
    train, validation, test = parts()
    silent = [np.pad(features, ((0, 0), (0, 480))) for features, _ in (train, validation)]
    loud = np.pad(test[0], ((0, 0), (0, 480)))
    loud[:, DIM:] = 3 * np.random.default_rng(0).standard_normal((len(loud), 480))
    found = []
    for zeroed in (True, False):
        config = HeadConfig(standardise=False, zeroed=zeroed)
        trained = train_heads((silent[0], train[1]), (silent[1], validation[1]), config, seeds=(0,))
        found.append(accuracy(test[1], trained.outputs(loud)[0]))
    assert found[0] > found[1]


def test_a_hidden_layer_is_chosen_where_it_is_needed():
    rng = np.random.default_rng(0)
    features = rng.standard_normal((900, 8)).astype(np.float32)
    truth = np.eye(2, dtype=np.float32)[(features[:, 0] * features[:, 1] > 0).astype(int)]
    train, validation = (features[:600], truth[:600]), (features[600:], truth[600:])
    trained = choose_heads(train, validation, seeds=(0, 1))
    assert trained.config.hidden
    assert min(trained.validation) > 0.75
    assert max(train_heads(train, validation, seeds=(0, 1)).validation) < 0.6, "no line parts the quadrants"


def test_mixed_layers_find_the_one_that_tells():
    train, validation, test = parts(noise=1.5)
    rng = np.random.default_rng(0)

    def layered(features):
        noise = [rng.standard_normal(features.shape) for _ in range(3)]
        return np.stack([*noise[:2], features, noise[2]], 1).astype(np.float32)

    stacked = [(layered(features), truth) for features, truth in (train, validation, test)]
    mixed = train_heads(*stacked[:2], HeadConfig(mixed=True))
    assert (mixed.stack.shares.argmax(1) == 2).all()
    found = accuracy(test[1], mixed.outputs(stacked[2][0])[0])
    last = train_heads(*((features[:, -1], truth) for features, truth in stacked[:2]))
    assert found > 0.6 > 0.4 > accuracy(test[1], last.outputs(stacked[2][0][:, -1])[0])


def test_heads_repeat_and_ignore_their_neighbours():
    train, validation, test = parts()
    config = HeadConfig(epochs=3, least_steps=0, hidden=8)
    one, again = (train_heads(train, validation, config, seeds=(0, 1, 2)).outputs(test[0]) for _ in range(2))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one[0] - one[1]).max() > 1e-3, "another seed is another head"
    torch.manual_seed(5)
    alone = train_heads(train, validation, config, seeds=(1,)).outputs(test[0])
    np.testing.assert_allclose(alone[0], one[1], atol=1e-3)


def test_heads_keep_their_best_epoch():
    train, validation, _ = parts(noise=3.0)
    seen = []

    def score(truth, outputs):
        seen.append(accuracy(truth, outputs))
        return seen[-1]

    trained = train_heads(train, validation, HeadConfig(hidden=64, epochs=25, least_steps=0), score, seeds=(0,))
    assert trained.validation == [max(seen)]
    assert seen[trained.epochs[0] - 1] == max(seen)
    assert accuracy(validation[1], trained.outputs(validation[0])[0]) == max(seen)


def test_cosine_goes_down_to_a_tenth():
    assert [heads.cosine(share) for share in (0, 0.5, 1)] == pytest.approx([1, 0.55, 0.1])


def test_multilabel_heads():
    rng = np.random.default_rng(0)
    truth = (rng.random((500, 6)) < 0.2).astype(np.float32)
    features = (truth @ rng.standard_normal((6, DIM)) + 0.5 * rng.standard_normal((500, DIM))).astype(np.float32)
    train, validation, test = (
        (features[part], truth[part]) for part in (slice(300), slice(300, 400), slice(400, None))
    )
    trained = choose_heads(train, validation, heads.MULTILABEL[:2], mean_average_precision, seeds=(0, 1))
    assert min(mean_average_precision(test[1], outputs) for outputs in trained.outputs(test[0])) > 0.9
    careful, eager = (
        train_heads(train, validation, HeadConfig(multilabel=True, positive_weight=weight, epochs=2), seeds=(0,))
        for weight in (1.0, 20.0)
    )
    assert (eager.outputs(test[0]) > 0).sum() > (careful.outputs(test[0]) > 0).sum()


def test_layer_is_chosen_where_the_labels_are():
    (train, truth), (validation, wanted), _ = parts(noise=1.0)
    rng = np.random.default_rng(0)
    hidden = [np.stack([rng.standard_normal(one.shape), one], 1) for one in (train, validation)]
    layer, scores = choose_layer((hidden[0], truth), (hidden[1], wanted))
    assert layer == 1
    assert scores[0] < 0.4 < 0.9 < scores[1]


def test_checks_agree_with_scikit_learn_and_see_that_shuffled_labels_tell_nothing():
    found = parts(noise=1.8)
    agreed = against_scikit_learn(*found)
    assert agreed["knn_predictions_equal"] == 1.0
    assert agreed["mlp"] == pytest.approx(agreed["logistic_regression"], abs=0.02)
    told = shuffled(*found, groups=list(range(len(found[2][1]))), name="made")
    assert told["knn_within"] and told["mlp_within"]
    assert told["mlp_expected"] == pytest.approx(1 / CLASSES, abs=0.02)


@pytest.mark.parametrize("probe", ["knn", "mlp"])
def test_shuffled_labels_are_at_chance(probe):
    rng = np.random.default_rng(0)
    train, validation, test = ((features, rng.permutation(truth)) for features, truth in parts())
    if probe == "knn":
        outputs = votes(*train, test[0])[None]
    else:
        outputs = train_heads(train, validation, HeadConfig(epochs=5, least_steps=0)).outputs(test[0])
    right = np.stack([correct(test[1], one) for one in outputs])
    low, high = estimate(lambda weights: mean(weights, right), range(len(test[1])), probe).interval
    assert low < 1 / CLASSES < high


def test_few_shot_uses_eight_clips_a_class():
    (train, labels), (queries, wanted) = clips(300, 0, noise=1.0), clips(100, 1, noise=1.0)
    chosen = draw(np.array(labels), 8, seed=3)
    assert len(set(chosen)) == 8 * CLASSES
    assert {list(np.array(labels)[chosen]).count(label) for label in labels} == {8}
    predicted = few_shot((train, labels), queries)
    assert predicted == few_shot((train, labels), queries)
    assert len(predicted) == 5
    assert min(np.mean(np.array(one) == wanted) for one in predicted) > 0.8


def test_clusters():
    features, labels = clips(200, 0, noise=0.1)
    assert min(v_measures(features, labels)) > 0.95
    assert max(v_measures(features, labels[1:] + labels[:1])) < 0.2
    far = features + 50
    assert np.mean(v_measures(far, labels, centred=True)) >= np.mean(v_measures(far, labels))


def test_pairs_of_a_key():
    a, b, keys = retrieval.pair(["x", "y", "x", "x", "z"], ["a", "b", "b", "a", "a"])
    assert (a.tolist(), b.tolist(), keys) == ([0, 3], [2, 2], ["x", "x"])


def test_recall_counts_both_directions_and_every_row_of_the_key():
    a = np.array([[1, 0], [0.9, 0.1], [0, 1]])
    b = np.array([[1, 0.2], [0.1, 1], [1, 1]])
    assert retrieval.hits(Pairs(a, b, ["x", "y", "z"])).tolist() == [0.5, 0, 0]
    assert retrieval.hits(Pairs(a, b, ["x", "z", "z"])).tolist() == [0.5, 0.5, 1]


def sides(count, seed, mix):
    """Two sides that share `DIM / 4` hidden features under other noise, side `b` far from `a`."""
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal((count, DIM // 4))
    a, b = (np.concatenate([shared, 2 * rng.standard_normal((count, DIM - DIM // 4))], 1) for _ in range(2))
    return Pairs(
        (a @ mix).astype(np.float32), (b @ mix + 5).astype(np.float32), [str(number) for number in range(count)]
    )


def test_learned_projections_find_what_sides_share():
    mix = np.linalg.qr(np.random.default_rng(7).standard_normal((DIM, DIM)))[0]
    train, validation, test = (sides(count, seed, mix) for seed, count in enumerate((400, 60, 60)))
    raw, centred = retrieval.recall(test), retrieval.recall(retrieval.centre(test, train))
    standard = [retrieval.standardise(one, train) for one in (train, validation, test)]
    learned, again = (
        retrieval.learn_projections(*standard[:2], ProjectionConfig(dim=16, shared=True), seed=1) for _ in range(2)
    )
    assert retrieval.recall(learned(standard[2])) > 2 * centred
    assert raw <= centred
    assert learned.validation == retrieval.recall(learned(standard[1]))
    assert torch.equal(learned.a.weight, again.a.weight)
    assert learned.a is learned.b


def test_captions_by_bags_of_words():
    train = ["A dog barks.", "a bell, then a dog"]
    vocabulary = retrieval.words(train)
    assert vocabulary == ["a", "barks", "bell", "dog", "then"]
    np.testing.assert_allclose(
        retrieval.bags(["A dog and a cat!", "cat"], vocabulary), [[2 / 3, 0, 0, 1 / 3, 0], [0] * 5], atol=1e-6
    )
    rng = np.random.default_rng(0)
    things = [f"thing{number}" for number in range(12)]
    sounds = rng.standard_normal((12, DIM))

    def scene(count):
        chosen = np.array([rng.permutation(12)[:2] for _ in range(count)])
        texts = [f"{things[one]} then {things[other]}" for one, other in chosen]
        audio = sounds[chosen].sum(1) + 0.2 * rng.standard_normal((count, DIM))
        return Pairs(audio.astype(np.float32), retrieval.bags(texts, [*things, "then"]), texts)

    train, validation, test = scene(300), scene(40), scene(40)
    learned = retrieval.learn_projections(train, validation, ProjectionConfig(dim=32))
    assert retrieval.recall(learned(test)) > 0.6


def test_zero_training_takes_the_side_off():
    mix = np.eye(DIM)
    train, validation = sides(100, 0, mix), sides(50, 1, mix)
    layered = [
        Pairs(np.stack([-(one.a**2), one.a], 1), np.stack([one.b, one.b], 1), one.keys) for one in (train, validation)
    ]
    chosen = retrieval.choose_zero_training(*layered)
    assert (chosen.layer, chosen.centred) == (1, True)


def test_segments():
    events = [{"label": "bell", "start": 0.2, "end": 1.0}, {"label": "dog", "start": 1.6, "end": 1.7}]
    truth = segment_targets([*events, {"label": "cat", "start": 0, "end": 2}], 2.2, 0.5, ["bell", "dog"])
    assert truth.T.tolist() == [[1, 1, 0, 0, 0], [0, 0, 0, 1, 0]], "an end on a boundary is not in the next segment"
    frames = np.arange(110, dtype=np.float32)[:, None]
    means = segment_means(frames, 0.02, 2.2, 0.5)
    np.testing.assert_allclose(means[:, 0], [12, 37, 62, 87, 104.5])
    coarse = segment_means(np.array([[1.0], [2.0]]), 0.16, 0.32, 0.1)
    np.testing.assert_allclose(coarse[:, 0], [1, 1, 2, 2])


def test_scores_of_several_answers_equal_scikit_learn():
    rng = np.random.default_rng(0)
    truth = (rng.random((60, 4)) < 0.3).astype(np.float32)
    outputs = np.round(truth + rng.standard_normal((60, 4)), 1)
    assert len(np.unique(outputs[:, 0])) < 60, "some are equal"
    assert mean_average_precision(truth, outputs) == pytest.approx(average_precision_score(truth, outputs))
    for average in ("macro", "micro"):
        assert segment_f1(truth, outputs - 0.5, average) == pytest.approx(
            f1_score(truth, outputs > 0.5, average=average)
        )
    names = [f"clip {number // 6}" for number in range(60)]
    counts = outcomes(truth, outputs - 0.5, names)
    chosen = np.arange(60)[np.repeat([3, 0, 3], 6) * 6 + np.tile(range(6), 3)]
    weights = np.zeros((1, 10))
    weights[0, [3, 0]] = 2, 1
    assert f1(weights, counts)[0] == pytest.approx(segment_f1(truth[chosen], outputs[chosen] - 0.5))
    assert weighted_average_precision(np.repeat(weights, 6, 1), truth, outputs)[0] == pytest.approx(
        mean_average_precision(truth[chosen], outputs[chosen])
    )
    assert f1(weights, np.stack([counts, np.zeros_like(counts)]))[0] == pytest.approx(f1(weights, counts)[0] / 2)


def speech(texts, seed):
    """Frames in which each character is a direction in noise, four frames long, after two frames of nothing."""
    letters = "abcdef g"
    codes = np.random.default_rng(42).standard_normal((len(letters), 16))
    rng = np.random.default_rng(seed)
    found = []
    for text in texts:
        spoken = np.concatenate(
            [np.r_[np.zeros((2, 16)), np.repeat(codes[[letters.index(one)]], 4, 0)] for one in text]
        )
        found.append((spoken + 0.2 * rng.standard_normal(spoken.shape)).astype(np.float16))
    return found


def test_ctc_reads_what_is_in_the_frames():
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(list("abcdef g"), size=8)).strip() + "a" for _ in range(48)]
    frames = speech(texts, 0)
    head = train_ctc(frames[:40], texts[:40], CTCConfig(steps=200, learning_rate=1e-2), seed=1)
    said = head.transcribe(frames[40:])
    assert jiwer.cer(texts[40:], said) < 0.1
    again = train_ctc(frames[:40], texts[:40], CTCConfig(steps=200, learning_rate=1e-2), seed=1)
    assert again.transcribe(frames[40:]) == said
    assert head.collapse([0, 1, 1, 0, 1, 2, 2]) == "".join(head.characters[one] for one in (0, 0, 1)).strip()


def test_word_errors():
    references, said = ["The cat sat.", "two words", "..."], ["the cat", "all of these are wrong", ""]
    errors, words = word_errors(references, said)
    assert (errors.tolist(), words.tolist()) == ([1, 5, 0], [3, 2, 0])
    both = one_minus_wer(np.array([[1, 1, 1], [1, 0, 5]]), errors, words)
    assert both.tolist() == pytest.approx([0, 1 - jiwer.wer("the cat sat", "the cat")]), "not below 0"
    seeds = one_minus_wer(np.ones((1, 3)), np.array([[0, 0, 0], [1, 1, 0]]), words)
    assert seeds[0] == pytest.approx((1 + 0.6) / 2)


def test_interval_is_wider_when_items_come_in_groups():
    rng = np.random.default_rng(0)
    values = np.repeat(rng.random(30) < 0.6, 10).astype(float)

    def statistic(weights):
        return mean(weights, values)

    alone = estimate(statistic, range(300), "task")
    grouped = estimate(statistic, [number // 10 for number in range(300)], "task")
    deviation = values.std() / np.sqrt(300)
    assert alone.value == grouped.value == pytest.approx(values.mean())
    np.testing.assert_allclose(alone.interval, values.mean() + 1.96 * deviation * np.array([-1, 1]), atol=0.01)
    assert np.ptp(grouped.interval) == pytest.approx(np.sqrt(10) * np.ptp(alone.interval), rel=0.15)
    assert (estimate(statistic, range(300), "task").draws == alone.draws).all()
    assert (estimate(statistic, range(300), "other").draws != alone.draws).any()


def test_paired_comparison_sees_more_than_two_intervals():
    rng = np.random.default_rng(0)
    base = (rng.random(400) < 0.5).astype(float)
    better = np.maximum(base, rng.random(400) < 0.08)
    one, other = (estimate(lambda weights, v=v: mean(weights, v), range(400), "task") for v in (base, better))
    difference, p = compare(one, other)
    assert one.interval[1] > other.interval[0], "apart they overlap"
    assert difference.interval[0] > 0
    assert p < 0.01
    assert difference.value == pytest.approx(better.mean() - base.mean())
    assert compare(one, one)[1] == 1


def test_averages_and_closed_gaps():
    tasks = {
        "a": SimpleNamespace(domain="speech", unseen=False),
        "b": SimpleNamespace(domain="speech", unseen=True),
        "c": SimpleNamespace(domain="music", unseen=True),
    }
    weights = {"a": 300, "b": 100, "c": 100}
    base = {name: Estimate(value, np.array([value, 0.5])) for name, value in zip("abc", (0.5, 0.8, 0.2))}
    ours = {name: Estimate(value, np.array([value, 1.0])) for name, value in zip("abc", (0.6, 0.8, 0.4))}
    before, after = averages(base, weights, tasks), averages(ours, weights, tasks)
    assert {name: one.value for name, one in before.items()} == pytest.approx(
        {"all": 0.5, "speech": 0.575, "music": 0.2, "seen": 0.5, "unseen": 0.5, "unweighted": 0.5}
    )
    closed = gaps(before, after)
    assert list(closed) == ["all", "unseen", "speech"]
    assert closed["all"].value == pytest.approx((0.6 - 0.5) / 0.5)
    assert closed["all"].draws.tolist() == pytest.approx([0.2, 1])
    assert closed["speech"].value == pytest.approx((0.65 - 0.575) / 0.425)
    assert np.isnan(gap_closed(1.0, 0.9))


def test_xares_normalises_the_other_axis():
    (bank, labels), (queries, wanted) = clips(300, 0, noise=1.0), clips(200, 1, noise=1.0)

    def theirs(train, test, count=10):
        from torch.nn.functional import normalize, one_hot, softmax

        classes = sorted(set(labels))
        numbers = torch.tensor([classes.index(label) for label in labels])
        bank_, test = normalize(torch.tensor(train).T, dim=1, p=2), normalize(torch.tensor(test), dim=1, p=2)
        near, places = (test @ bank_).topk(count)
        scores = one_hot(numbers[places], len(classes)) * softmax(near / 0.07, 1)[..., None]
        return [classes[number] for number in scores.sum(1).argmax(1)]

    assert xares_knn(bank, labels, queries) == theirs(bank, queries)
    loud = bank * np.random.default_rng(0).lognormal(0, 2, (300, 1)).astype(np.float32)
    mistaken, meant = (np.mean(np.array(probe(loud, labels, queries)) == wanted) for probe in (xares_knn, knn))
    assert mistaken < meant - 0.1, "a loud clip is near to all"


def test_xares_padding():
    lengths = [len(one) for one in pad_batches([np.ones(size) for size in (3, 7, 5, 2)], batch=2)]
    assert lengths == [7, 7, 5, 5]
    padded = pad_whisper(np.ones(16_000 * 25))
    assert len(padded) == 16_000 * 90
    assert padded[16_000 * 60 :].sum() == 16_000 * 5


@pytest.mark.parametrize("probe", ["knn", "mlp"])
def test_evaluate_loads_the_probe(probe, evaluate_cache):
    metric = evaluate.load("metrics/probe", cache_dir=evaluate_cache)
    train, validation, (features, labels) = clips(300, 0), clips(100, 1), clips(100, 2)
    found = metric.compute(
        predictions=features, references=labels, train=train, validation=validation, probe=probe, seeds=(0,)
    )
    assert found["accuracy"] > 0.6
    low, high = found["interval"]
    assert low < found["accuracy"] < high
    with pytest.raises(ValueError, match=r'probe is "svm", but must be "knn" or "mlp"'):
        metric.compute(predictions=features, references=labels, train=train, validation=validation, probe="svm")
