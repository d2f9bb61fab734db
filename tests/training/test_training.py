"""The training loop: what a recipe may say, what a batch teaches, who learns when, and resuming."""

import io
import json
import random

import numpy as np
import pytest
import soundfile
import torch
import yaml
from datasets import Dataset

from dataset_builders.instructions import cast
from training import curve, train
from training.collator import Collator, augment, mask_spectrogram
from training.config import Recipe, read_recipe
from training.mixture import Mixture
from training.optimizer import clip_parts, parameter_groups

RATES = {12.5: 0.5, 3.125: 0.5}
DRUMS = ["kick", "snare", "tom"]


def flac(waveform: np.ndarray) -> dict:
    buffer = io.BytesIO()
    soundfile.write(buffer, waveform, 16_000, format="FLAC")
    return {"bytes": buffer.getvalue(), "path": None}


def task(name: str, labels: list[str], clips: int, waveform) -> Dataset:
    rows = []
    for clip in range(clips):
        label = labels[clip % len(labels)] if labels else None
        answer = label or f"Line {clip}."
        instruction, answer, choices = cast(name, answer, labels, random.Random(clip), canonical=True)
        seconds = 0.3 + 0.1 * (clip % 5)
        rows.append(
            {
                "audio": flac(waveform(seconds, seed=clip + 20 * bool(labels))),
                "task": name,
                "instruction": instruction,
                "answer": answer,
                "choices": choices,
                "label": label,
                "duration": seconds,
            }
        )
    return Dataset.from_list(rows)


@pytest.fixture(scope="module")
def tasks(make_audio) -> dict[str, Dataset]:
    return {"drum_class": task("drum_class", DRUMS, 12, make_audio), "asr_en": task("asr_en", [], 8, make_audio)}


def test_recipe_that_ships_is_read():
    recipe = read_recipe("training/recipes/starter.yaml")
    assert sum(recipe.mixture.values()) == pytest.approx(1)
    assert recipe.lora.r > 0


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"mixture": {"a": 1}, "trainer": {}, "typo": 1}, "typo"),
        ({"mixture": {}, "trainer": {}}, "shares above 0"),
        ({"mixture": {"a": 0}, "trainer": {}}, "shares above 0"),
        ({"mixture": {"a": 1}, "trainer": {}, "encoder_starts": 2}, "from 0 to 1"),
        ({"trainer": {}}, "mixture"),
    ],
)
def test_recipe_errors(tmp_path, entries, message):
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(entries))
    with pytest.raises(ValueError, match=message):
        read_recipe(path)


def test_mixture_is_drawn_by_share_and_repeats(tasks):
    shares = {"drum_class": 3.0, "asr_en": 1.0}
    first, again, other = (Mixture(tasks, shares, 400, 4, seed) for seed in (0, 0, 1))
    assert first.order == again.order != other.order
    names = [item["task"] for item in first]
    assert 0.65 < names.count("drum_class") / 400 < 0.85
    heard = {item["audio"]["bytes"] for item in first}
    assert len(heard) == 20, "every clip is heard"
    spread = [np.ptp([item["duration"] for item in list(first)[i : i + 4]]) for i in range(0, 400, 4)]
    assert np.mean(spread) < 0.1, "lengths in a batch are alike"


def test_only_the_answer_is_learned(tiny_processor, tasks):
    rows = [tasks["drum_class"][0], tasks["asr_en"][3]]
    batch = Collator(tiny_processor, RATES, train=False)(rows)
    for row, ids, labels in zip(rows, batch["input_ids"], batch["labels"]):
        learned = labels[labels != -100]
        assert tiny_processor.decode(learned) == row["answer"] + "<|im_end|>"
        assert torch.equal(ids[labels != -100], learned)
        prompt = tiny_processor.decode(ids[labels == -100])
        assert row["instruction"] in prompt


def test_training_batches_vary_and_repeat_by_seed(tiny_processor, tasks):
    row = {**tasks["drum_class"][0], "labels": DRUMS}
    collator = Collator(tiny_processor, RATES)
    batches = [collator([{**row, "seed": seed}]) for seed in (1, 1, *range(2, 10))]
    assert torch.equal(batches[0]["input_features"], batches[1]["input_features"])
    assert {batch["audio_token_rate"] for batch in batches} == set(RATES)
    assert len({tiny_processor.decode(batch["input_ids"][0]) for batch in batches}) > 3


def test_a_yes_or_no_question_is_asked_afresh_with_its_own_answer(tiny_processor, tasks):
    row = tasks["drum_class"][1] | {"labels": DRUMS, "instruction": "Is this drum a kick?", "answer": "no"}
    collator, answers = Collator(tiny_processor, RATES), set()
    for seed in range(60):
        batch = collator([row | {"seed": seed}])
        prompt = tiny_processor.decode(batch["input_ids"][0])
        learned = tiny_processor.decode(batch["labels"][0][batch["labels"][0] != -100]).removesuffix("<|im_end|>")
        answers.add(learned)
        if learned in ("yes", "no"):
            assert ("Is this drum a snare?" in prompt) == (learned == "yes")
        else:
            assert learned == row["label"] == "snare"
    assert answers == {"yes", "no", "snare"}


def test_augmentation_stays_in_range(make_audio):
    clip = make_audio(0.5)
    for seed in range(20):
        heard = augment(clip, np.random.default_rng(seed))
        assert heard.dtype == np.float32 and heard.shape == clip.shape
        assert np.abs(heard).max() < 1.5
        assert np.corrcoef(heard, clip)[0, 1] > 0.9


def test_spectrogram_is_masked_lightly():
    features = torch.randn(40, 80, 100)
    masked = features.clone()
    mask_spectrogram(masked, torch.full((40,), 50), np.random.default_rng(0))
    changed = (masked != features).float().mean((1, 2))
    assert 0 < (changed > 0).float().mean() < 1 and changed.max() < 0.3


@pytest.fixture
def run(tiny_checkpoint, tasks, monkeypatch, tmp_path):
    """`run(steps_before_stop)`: trains eight steps from the tiny checkpoint, or less, and returns the trainer."""
    monkeypatch.setattr(train, "load_tasks", lambda recipe, split: tasks)
    trainers = []
    monkeypatch.setattr(train, "export", lambda model, folder, base: None)
    original = train.UniWhisperTrainer.__init__
    monkeypatch.setattr(
        train.UniWhisperTrainer, "__init__", lambda self, **kw: (trainers.append(self), original(self, **kw))[0]
    )

    def start(output: str, stop_after: int | None = None):
        entries = {
            "mixture": {"drum_class": 0.5, "asr_en": 0.5},
            "base": str(tiny_checkpoint),
            "output": str(tmp_path / output),
            "examples": 16,
            "encoder_starts": 0.5,
            "validation_clips": 2,
            "audio_token_rates": RATES,
            "lora": {"r": 2},
            "trainer": {
                "per_device_train_batch_size": 2,
                "num_train_epochs": 1,
                "save_strategy": "steps",
                "save_steps": 4,
                "logging_steps": 1,
                "disable_tqdm": True,
            },
        }
        path = tmp_path / "recipe.yaml"
        path.write_text(yaml.safe_dump(entries))
        if stop_after:
            step = train.EncoderStarts.on_step_begin

            def interrupted(self, args, state, control, **kwargs):
                if state.global_step == stop_after:
                    raise KeyboardInterrupt
                return step(self, args, state, control, **kwargs)

            with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
                patch.setattr(train.EncoderStarts, "on_step_begin", interrupted)
                train.main(path)
        else:
            train.main(path)
        return trainers[-1]

    return start


def test_encoder_joins_late_and_an_interrupted_run_ends_the_same(run, tiny_model):
    whole = run("whole")
    assert whole.state.global_step == 8
    trained = {name: tensor.float() for name, tensor in whole.model.state_dict().items()}
    before = tiny_model.state_dict()
    assert not torch.equal(trained["model.encoder.conv1.weight"], before["model.encoder.conv1.weight"])
    assert not torch.equal(trained["model.adapter.linear_in.weight"], before["model.adapter.linear_in.weight"])
    frozen = "language_model.base_model.model.model.embed_tokens.weight"
    assert torch.equal(trained[frozen], before["language_model.model.embed_tokens.weight"].bfloat16().float())

    run("halved", stop_after=5)
    resumed = run("halved")
    for name, tensor in resumed.model.state_dict().items():
        assert torch.equal(tensor.float(), trained[name]), name


def test_parts_have_their_rates_and_are_clipped_apart(tiny_checkpoint):
    recipe = Recipe(mixture={"a": 1}, trainer={}, encoder_lr=1e-4, encoder_layer_decay=0.5)
    model = train.prepare_model(recipe, tiny_checkpoint)
    groups = parameter_groups(model, recipe)
    rates = {group["name"]: group["lr"] for group in groups}
    assert rates["adapter"] == recipe.adapter_lr and rates["lora"] == recipe.lora_lr
    assert rates["encoder.1"] == 1e-4 and rates["encoder.0"] == 5e-5 and rates["encoder.bottom"] == 2.5e-5
    grouped = {id(p) for group in groups for p in group["params"]}
    learned = {id(p) for n, p in model.named_parameters() if "lora_" in n or n.startswith("model.")}
    assert grouped == learned

    optimizer = torch.optim.SGD(groups, lr=0.0)
    clip_parts(optimizer, max_norm=1.0)
    generator = random.Random(0)
    for group in groups:
        for parameter in group["params"]:
            scale = 100.0 if group["name"].startswith("encoder") else 1e-4
            parameter.grad = torch.full_like(parameter, scale * generator.uniform(0.5, 1))
    small = [p.grad.clone() for p in groups[0]["params"]]
    optimizer.step()
    encoder = [p.grad for group in groups if group["name"].startswith("encoder") for p in group["params"]]
    assert torch.stack([g.norm() for g in encoder]).norm() == pytest.approx(1.0, rel=1e-3)
    assert all(torch.equal(p.grad, g) for p, g in zip(groups[0]["params"], small)), "a small norm is left alone"


def test_curve_is_drawn_from_the_newest_state(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing was trained"):
        curve.read_losses(tmp_path)
    log = [{"step": 5, "loss": 2.0}, {"step": 8, "eval_asr_en_loss": 3.0}, {"step": 8, "eval_asr_en_runtime": 1.0}]
    (tmp_path / "trainer_state.json").write_text(json.dumps({"log_history": log}))
    assert curve.read_losses(tmp_path) == ([(5, 2.0)], {"asr_en": [(8, 3.0)]})
    curve.main(tmp_path, tmp_path / "loss.png")
    assert (tmp_path / "loss.png").stat().st_size > 5000
