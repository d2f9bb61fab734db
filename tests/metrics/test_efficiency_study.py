"""The study on tiny random models: what is named, timed, asked and drawn; no time here means anything."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from rich.console import Console
from typer.testing import CliRunner

from dataset_builders.audiomarathon.items import Item, write_items
from dataset_builders.audiomarathon.tasks import NEEDLE, find_task
from metrics.audiomarathon.models import ModelError
from metrics.audiomarathon.models.local import LocalModel
from metrics.audiomarathon.outputs import RunError
from metrics.audiomarathon.run import Settings, SettingsError, run
from metrics.efficiency import bars
from metrics.efficiency.__main__ import app
from metrics.efficiency.cost import SETTINGS, Cost, concurrency, measure, parts_of, reply_cost, summarise
from metrics.efficiency.figures import best
from metrics.efficiency.quality import encoded_once, folder_of, read_recipe
from metrics.efficiency.report import Point, ratios
from metrics.efficiency.timing import in_turns
from metrics.intervals import Estimate
from metrics.settings import Setting, SettingError, read_settings
from modeling_uniwhisper import UniWhisperForConditionalGeneration
from modeling_uniwhisper.audio_io import SAMPLING_RATE
from modeling_uniwhisper.cache_eviction import METHODS as EVICTION
from modeling_uniwhisper.cache_eviction import SnapKV
from modeling_uniwhisper.token_pruning import METHODS as PRUNING
from modeling_uniwhisper.token_pruning import FastV

from . import marathon_models

SD, SGR = find_task("SD"), find_task("SGR")
RECIPES = sorted((Path(bars.__file__).parent / "recipes").glob("*.yaml"))
PRUNE, EVICT = "prune=FastV:0.5@1", "evict=SnapKV:0.75"


@pytest.fixture(scope="module")
def model(tiny_checkpoint) -> LocalModel:
    return LocalModel(str(tiny_checkpoint), "cpu", "float32")


@pytest.fixture(scope="module")
def items(tmp_path_factory, make_audio) -> Path:
    """Two tasks that count, and a needle."""
    folder = tmp_path_factory.mktemp("items")
    for number in range(4):
        soundfile.write(folder / f"{number}.wav", make_audio(1.0, number), SAMPLING_RATE)
    for task in (SD, SGR, NEEDLE):
        choices = task.labels or ("a bell", "a dog")
        rest = {"duration": 1.0, "source": "made", "license": "CC0-1.0", "question": "Which is it?", "choices": choices}
        made = [Item(id=str(n), audio=f"{n}.wav", answer=choices[n % 2], group=str(n), **rest) for n in range(4)]
        write_items(folder, task, made)
    return folder


@pytest.mark.parametrize(
    "name, setting",
    [
        ("full", Setting()),
        ("rate=6.25", Setting(audio_token_rate=6.25)),
        ("prune=FastV:0.5", Setting(pruning=FastV(ratio=0.5))),
        ("rate=25+prune=FastV:0.75@1", Setting(25.0, FastV(ratio=0.75, layer=1))),
        ("evict=SnapKV:0.8@all", Setting(eviction=SnapKV(ratio=0.8, audio_only=False))),
        ("rate=12.5+prune=FastV:0.5+evict=SnapKV:0.8", Setting(12.5, FastV(ratio=0.5), SnapKV(ratio=0.8))),
    ],
)
def test_a_setting_has_a_name_both_ways(name, setting):
    assert Setting.parse(name) == setting
    assert str(setting) == name


@pytest.mark.parametrize(
    "name, told",
    [
        ("", "'' is none of full, rate=, prune=, evict="),
        ("prune=Fast:0.5", "no method 'Fast'; there are Random, Frame, FastV, DART, Query, Merge"),
        (
            "evict=FastV:0.5",
            "no method 'FastV'; there are Random, KNorm, StreamingLLM, TOVA, SnapKV, ExpectedAttention",
        ),
        ("prune=FastV", "'' is not the ratio of FastV"),
        ("prune=FastV:1.5", "ratio is 1.5"),
        ("prune=FastV:0.5@0", "layer is 0"),
        ("prune=FastV:0.5@last", "'last' is not the number of a layer"),
        ("evict=SnapKV:0.5@2", "'2' is no kind of entries"),
        ("rate=slow", "'slow' is not a rate"),
        ("rate=25+rate=12.5", "rate= is there twice"),
    ],
)
def test_a_name_that_is_no_setting(name, told):
    with pytest.raises(SettingError, match=told.replace("?", r"\?")):
        Setting.parse(name)


def test_braces_are_a_grid():
    names = [str(one) for one in read_settings("full,prune={Frame,DART}:{0.5,0.9}  rate=25")]
    grid = ["prune=Frame:0.5", "prune=Frame:0.9", "prune=DART:0.5", "prune=DART:0.9"]
    assert names == ["full", *grid, "rate=25"]
    with pytest.raises(SettingError, match="names no setting"):
        read_settings(" , ")


def test_every_method_is_timed_if_nothing_else_is_asked_for():
    timed = read_settings(SETTINGS)
    assert {type(one.pruning) for one in timed if one.pruning} == set(PRUNING.values())
    assert {type(one.eviction) for one in timed if one.eviction} == set(EVICTION.values())


def test_what_is_kept_and_how():
    both = Setting.parse("rate=12.5+prune=FastV:0.5+evict=SnapKV:0.8")
    assert both.kept == pytest.approx(1.25)
    assert both.method == "prune FastV + evict SnapKV"
    assert (Setting.parse("rate=25").method, Setting().kept) == ("rate", 1)


def test_arms_take_turns_after_a_warm_up():
    said = iter(range(6))
    assert in_turns({"a": lambda: next(said), "b": lambda: next(said)}, 2) == {"a": [2, 4], "b": [3, 5]}


@pytest.mark.parametrize(
    "name, kept, layers",
    # 4 s at 12.5 Hz are 50 tokens, beside the text's.
    [("full", 50, (50, 50)), (PRUNE, 25, (50, 25)), (EVICT, 12, (12, 12)), ("rate=25", 100, (100, 100))],
)
def test_the_parts_of_a_reply(model, make_audio, name, kept, layers):
    audio = make_audio(4.0)
    text = reply_cost(model, Setting(), audio, 2).tokens - 50
    cost = reply_cost(model, Setting.parse(name), audio, 3)
    assert list(cost.seconds) == ["mel", "encoder", "adapter", "prefill", "decode"]
    assert min(cost.seconds.values()) > 0
    assert cost.kept == text + kept
    entry = 2 * 2 * 8 * 4  # keys and values, heads, head size, bytes
    assert cost.cache_bytes == entry * sum(text + layer for layer in layers)
    assert not model.network._forward_hooks
    assert not parts_of(model.network)["encoder"]._forward_hooks


def test_a_stock_model_is_timed_too(tmp_path, tiny_processor, make_audio):
    folder = marathon_models.save("audio_flamingo_3", tmp_path, tiny_processor.tokenizer)
    stock = LocalModel(str(folder), "cpu", "float32")
    costs = [reply_cost(stock, Setting.parse(name), make_audio(2.0), 2) for name in ("full", PRUNE)]
    assert costs[0].seconds.keys() == {"mel", "encoder", "adapter", "prefill", "decode"}
    assert costs[1].kept < costs[0].kept == costs[0].tokens
    with pytest.raises(ModelError, match="an audio token rate is UniWhisper's"):
        stock.take(Setting.parse("rate=25"))


def test_what_does_not_fit_the_context_is_told(model, monkeypatch):
    monkeypatch.setattr(model, "limit", 80)
    chosen = read_settings("rate=25 rate=3.125 prune=FastV:0.5@7")
    costs, left_out = measure(model, chosen, 4.0, 2, 1)
    assert list(costs) == ["rate=3.125"]
    assert "but the model reads at most 80" in left_out["rate=25"]
    assert "layer is 7, but the decoder has layers 0 to 1" in left_out["prune=FastV:0.5@7"]
    [row] = summarise(costs, {"rate=3.125": None}, "rate=25", 4.0, None)
    assert "ratio" not in row and "concurrency" not in row


def test_ratios_are_by_round_and_concurrency_is_of_caches():
    rounds = {"full": (1.0, 2.0, 4.0), "less": (0.5, 1.0, 1.0)}
    costs = {
        name: [Cost({"prefill": one, "decode": one}, 9, 9, 10**9) for one in some] for name, some in rounds.items()
    }
    full, less = summarise(costs, {"full": 3.0, "less": 2.5}, "full", 10.0, memory_gb=5.6)
    assert (full["ratio"]["prefill"]["median"], less["ratio"]["prefill"]["median"]) == (1, 0.5)
    assert full["seconds"]["reply"]["median"] == 4 and full["real_time_factor"]["median"] == 0.4
    assert (full["concurrency"], less["concurrency"]) == (3, 4)
    assert concurrency(2.9, 3.0, 10**9) == 0


def invoke(*words: object):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_the_cost_command(tiny_checkpoint, tmp_path):
    out = tmp_path / "cost.json"
    names = f"full {PRUNE}"
    few = ["--seconds", "1,2", "--new-tokens", 2, "--repeats", 1, "--memory-gb", 8]
    done = invoke("cost", "--model", tiny_checkpoint, "--settings", names, "--device", "cpu", "--out", out, *few)
    assert done.exit_code == 0, done.output
    told = json.loads(out.read_text())
    assert [(row["audio_seconds"], row["setting"]) for row in told["rows"]] == [
        (length, name) for length in (1, 2) for name in names.split()
    ]
    assert all(0.05 < row["peak_gigabytes"] < 3 and row["concurrency"] > 1 for row in told["rows"])
    assert "--settings 'full prune=FastV:0.5@1'" in told["command"]
    wrong = invoke("cost", "--model", tiny_checkpoint, "--settings", "prune=Slow:0.5")
    assert (wrong.exit_code, "there is no method 'Slow'" in " ".join(wrong.output.split())) == (1, True)


def test_the_runner_takes_a_setting(tiny_checkpoint, items, tmp_path):
    base = Settings.resolve(model=str(tiny_checkpoint), split="test", data_dir=str(items), device="cpu")
    quiet = Console(quiet=True)
    scores = run(replace(base, setting=EVICT), [SD], tmp_path, quiet)
    assert scores["settings"]["setting"] == EVICT
    assert f"--setting {EVICT}" in scores["command"]
    with pytest.raises(SettingsError, match=f"--setting was {EVICT}, now it is None"):
        run(base, [SD], tmp_path, quiet)
    with pytest.raises(ModelError, match=r"cannot reply with .*layer is 7"):
        run(replace(base, setting="prune=FastV:0.5@7"), [SD], tmp_path / "other", quiet)
    before = json.loads((tmp_path / "run.json").read_text())
    del before["setting"]  # as runs were before there were settings
    (tmp_path / "run.json").write_text(json.dumps(before))
    with pytest.raises(SettingsError, match=f"--setting was None, now it is {EVICT}"):
        run(replace(base, setting=EVICT), [SD], tmp_path, quiet)


def test_what_was_encoded_is_not_encoded_again(model, make_audio):
    encoder, calls = parts_of(model.network)["encoder"], []
    hook = encoder.layers[0].register_forward_hook(lambda *_: calls.append(1))
    inputs = {seed: model.prepare([make_audio(1.0, seed)], ["What?"])["input_features"] for seed in (0, 1)}
    alone = {seed: encoder(inputs[seed]).last_hidden_state for seed in inputs}
    with encoded_once(encoder, limit=alone[0].nbytes):
        for seed in (0, 0, 1, 1):
            assert encoder(inputs[seed]).last_hidden_state.equal(alone[seed])
    assert len(calls) == 2 + 1 + 2  # there is room for the first
    encoder(inputs[0])
    assert len(calls) == 6
    hook.remove()


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_recipes(path):
    recipe = read_recipe(path)
    first, *others = recipe.grid
    assert first.pruning is first.eviction is None
    assert all(one.kept < first.kept for one in others)


@pytest.mark.parametrize(
    "text, told",
    [
        ("settings: [full, prune=Slow:0.5]", "no method 'Slow'"),
        ("settings: [full, full]", "full is there twice"),
        ("settings: [full, rate=25]", "some settings name a rate"),
        ("settings: full", "expected a list, got str"),
        ("{settings: [full], task: [SD]}", "unexpected keyword argument 'task'"),
        ("{settings: [full], tasks: [XY]}", "has no task 'XY'"),
        ("settings: [", "while parsing"),
    ],
)
def test_a_recipe_that_cannot_be(tmp_path, text, told):
    (tmp_path / "wrong.yaml").write_text(text)
    with pytest.raises(SettingError, match=f"wrong.yaml: .*{told}"):
        read_recipe(tmp_path / "wrong.yaml")


@pytest.fixture(scope="module")
def grid(tiny_checkpoint, items, tmp_path_factory) -> Path:
    """Runs of a small grid."""
    folder = tmp_path_factory.mktemp("grid")
    recipe = folder / "recipe.yaml"
    recipe.write_text(
        f"{{model: {tiny_checkpoint}, split: test, data_dir: {items}, device: cpu, tasks: [SD, SGR, needle], "
        f"settings: ['rate={{25,6.25}}', 'rate=25+{PRUNE}', 'rate=25+{EVICT}']}}"
    )
    done = invoke("quality", recipe, "--out", folder / "runs")
    assert done.exit_code == 0, done.output
    return folder / "runs"


def test_every_setting_is_a_run_as_the_runner_makes_it(grid, tiny_checkpoint, items, tmp_path):
    settings = [f"rate=25+{EVICT}", f"rate=25+{PRUNE}"]
    for name in settings:
        alone = Settings.resolve(
            model=str(tiny_checkpoint), split="test", data_dir=str(items), device="cpu", setting=name
        )
        run(alone, [SD], tmp_path / name, Console(quiet=True))
        said = [
            [json.loads(line)["reply"] for line in (folder / "speech_detection.jsonl").read_text().splitlines()]
            for folder in (tmp_path / name, folder_of(grid, Setting.parse(name)))
        ]
        assert said[0] == said[1]
    assert len([*grid.glob("*/scores.json")]) == 4


def test_the_report(grid, tmp_path):
    done = invoke("report", grid, "--out", tmp_path)
    assert done.exit_code == 0, done.output
    assert {path.name for path in tmp_path.iterdir()} == {"report.md", "report.json", "pareto.png", "pareto-dark.png"}
    text = (tmp_path / "report.md").read_text()
    assert f"| `rate=25+{EVICT}` | 0.250 |" in text
    told = json.loads((tmp_path / "report.json").read_text())
    assert [row["cost"] for row in told["settings"]] == [1, 0.25, 0.5, 0.25]
    assert list(told["settings"][0]["scores"]) == ["all tasks", "speaker", "needle"]


def test_the_report_against_seconds(grid, tmp_path):
    names = ["rate=25", "rate=6.25", f"rate=25+{PRUNE}", f"rate=25+{EVICT}"]
    rows = [
        {"setting": name, "audio_seconds": length, "seconds": {"prefill": {"median": length / (1 + place)}}}
        for place, name in enumerate(names)
        for length in (30, 60, 90)
    ]
    rows[-1] = {"setting": names[-1], "audio_seconds": 90, "left_out": "too long"}
    file = tmp_path / "cost.json"
    file.write_text(json.dumps({"rows": rows}))
    done = invoke("report", grid, "--out", tmp_path, "--cost", file)
    assert done.exit_code == 0, done.output
    told = json.loads((tmp_path / "report.json").read_text())
    assert told["cost"] == "seconds of prefill at 60 s"
    assert [row["cost"] for row in told["settings"]] == [60, 30, 20, 15]
    file.write_text(json.dumps({"rows": rows[:9]}))
    wrong = invoke("report", grid, "--out", tmp_path, "--cost", file)
    assert (wrong.exit_code, f"not timed at all: {names[-1]}" in " ".join(wrong.output.split())) == (1, True)


def point(name: str, cost: float, **scores: float) -> Point:
    scores = {group.replace("_", " "): Estimate(score, np.array([score])) for group, score in scores.items()}
    return Point(Setting.parse(name), cost, scores)


def test_the_front_is_what_nothing_beats():
    pairs = [(1.0, 0.8), (0.5, 0.6), (0.5, 0.7), (0.4, 0.7), (0.2, 0.1), (0.3, 0.05)]
    assert best([point("full", cost, all=score) for cost, score in pairs], "all") == [
        (0.2, 0.1),
        (0.4, 0.7),
        (1.0, 0.8),
    ]


def test_the_ratios_that_have_a_bar():
    full, evicted = (
        point("rate=25", 1, all_tasks=0.5, needle=0.8),
        point(f"rate=25+{EVICT}", 0.25, all_tasks=0.4, needle=0.6),
    )
    slow, half = (
        point("rate=6.25", 0.25, all_tasks=0.49, needle=0.2),
        point("rate=12.5", 0.5, all_tasks=0.5, needle=0.8),
    )
    told = ratios([full, evicted, slow, half])
    assert told["score_6hz"]["value"] == pytest.approx(0.98)
    assert told["needle_quarter"]["value"] == pytest.approx(0.75)
    assert told["needle_quarter"]["setting"] == f"rate=25+{EVICT}"
    assert told["needle_quarter"]["scores"]["rate=25"]["value"] == 0.8
    assert ratios([full, half]) == {}
    assert ratios([point("rate=25", 1, needle=0), evicted, slow]) == {}


@pytest.fixture
def deeper(tmp_path, tiny_config, tiny_processor) -> Path:
    """A checkpoint with a layer more, as pruning before layer 2 needs."""
    tiny_config.text_config.num_hidden_layers = 3
    folder = tmp_path / "deeper"
    UniWhisperForConditionalGeneration(tiny_config).save_pretrained(folder)
    tiny_processor.save_pretrained(folder)
    return folder


def test_the_bars(deeper, tmp_path):
    other, out = tmp_path / "other.json", tmp_path / "efficiency.json"
    other.write_text('{"ten_questions": 1.7, "hour_rss_gb": null, "score_6hz": {"value": 0.98, "over": "rate=25"}}')
    few = ["--seconds", 8, "--repeats", 2, "--device", "cpu", "--merge", other]
    done = invoke("bars", "--model", deeper, "--out", out, *few)
    assert done.exit_code == 0, done.output
    told = json.loads(out.read_text())
    assert [name for name in bars.BARS if name not in told] == ["needle_quarter", "hour_rss_gb"]
    assert told["ten_questions"] == {"file": "other.json", "value": 1.7, "bar": "<= 1.6", "met": False}
    assert told["score_6hz"].items() >= {"value": 0.98, "bar": ">= 0.97", "met": True, "over": "rate=25"}.items()
    assert told["prefill_half"]["seconds"].keys() == {"rate=25", "rate=25+prune=FastV:0.5"}
    assert told["decode_evicted_time"]["batch"] == 8
    assert 0.2 < told["decode_evicted_cache"]["value"] < 0.5  # a fifth of 200 audio tokens, and the text
    assert all(told[name]["value"] > 0 for name in ("prefill_half", "prefill_6hz", "decode_evicted_time"))
    again = invoke("bars", "--model", "nowhere", "--merge", out, "--out", tmp_path / "again.json")
    assert again.exit_code == 0, "what was measured is not measured again, so no model is opened"
    kept = json.loads((tmp_path / "again.json").read_text())
    assert all(kept[name] == {"file": out.name} | told[name] for name in bars.BARS if name in told)
    stale = {"ten_questions": {"value": 1.5, "bar": "<= 1", "met": False}}
    other.write_text(json.dumps(told | stale))
    invoke("bars", "--merge", other, "--out", out)
    assert json.loads(out.read_text())["ten_questions"].items() >= {"bar": "<= 1.6", "met": True}.items()
    other.write_text("{}")
    assert "has none of prefill_half" in " ".join(invoke("bars", "--merge", other).output.split())


@pytest.mark.parametrize("setting", [bars.FULL, bars.EVICTED], ids=str)
def test_rows_of_a_repeated_cache_decode_as_one(deeper, setting):
    model = LocalModel(str(deeper), "cpu", "float32")
    said = {}
    for rows in (1, 3):
        cache = bars.prefilled(model, setting, 4.0, rows)
        with setting.applied(model.network), torch.inference_mode():
            said[rows] = model.network(input_ids=torch.full((rows, 1), 7), past_key_values=cache).logits
    torch.testing.assert_close(said[3], said[1].expand(3, -1, -1))


def test_a_merged_file_is_read_before_anything_is_measured(tmp_path):
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(RunError, match=r"broken\.json: not JSON"):
        bars.merged(tmp_path / "broken.json")
