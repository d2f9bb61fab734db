"""The training loop: what a batch teaches, who learns when, what stops a run, and resuming."""

import io
import json
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import yaml
from datasets import Dataset
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict

from dataset_builders.instructions import cast
from metrics.efficiency import training as throughput
from modeling_uniwhisper import (
    UniWhisperFeatureExtractor,
    UniWhisperForConditionalGeneration,
    UniWhisperModel,
    UniWhisperProcessor,
)
from training import config, curve, train
from training.collator import Collator, recast
from training.config import Recipe, RecipeError, read_recipe
from training.interpolate import interpolate
from training.meter import Meter, TrainingStopped, losses_by_row
from training.mixture import Mixture, Parts, StreamedMixture, batch_by_seconds
from training.optimizer import clip_parts, parameter_groups
from training.sampling import is_transcription, shares
from training.whisper_decoder import WhisperAnswers, WhisperCollator, open_whisper

RATES = {12.5: 0.5, 3.125: 0.5}
DRUMS = ["kick", "snare", "tom"]
UNSEEN = {"chord", "footstep_surface", "mandarin_tone", "spoken_phrase", "track_artist"}


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
                "domain": "speech" if name.startswith("asr") else "music",
                "source": "made",
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


@pytest.mark.parametrize("path", sorted(Path("training/recipes").glob("*.yaml")), ids=lambda path: path.stem)
def test_recipes_that_ship_are_read(path):
    recipe = read_recipe(path)
    assert any(is_transcription(name) for name in recipe.mixture.tasks)
    assert not UNSEEN & set(recipe.mixture.tasks)
    train.training_arguments(replace(recipe, trainer=recipe.trainer | {"bf16": False, "report_to": "none"}))


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"mixture": {"tasks": {"a": 1}}, "typo": 1}, "typo is unknown; known: mixture"),
        ({"mixture": {"tasks": {"a": 1}, "typo": 1}}, "mixture.typo is unknown"),
        ({"mixture": {"tasks": {}}}, "weights above 0"),
        ({"mixture": {"tasks": {"a": 0}}}, "weights above 0"),
        ({"mixture": {"tasks": {"a": 1}, "floors": {"speech": 0.6, "sound": 0.6}}}, "more than 1"),
        ({"mixture": {"tasks": {"a": 1}, "max_seconds": 99, "batch_seconds": 60}}, "a whole batch"),
        ({"mixture": {"tasks": {"a": 1}}, "encoder": {"starts": 2}}, "encoder.starts is 2, but it is a share"),
        ({"mixture": {"tasks": {"a": 1}}, "encoder": {"learns": "some"}}, "one of full, lora, frozen"),
        ({"mixture": {"tasks": {"a": 1}}, "encoder": 3}, "encoder. is 3, but must be a mapping"),
        ({"mixture": {"tasks": {"a": 1}}, "augmentation": {"speed": 1.5}}, "augmentation.speed"),
        ({"mixture": {"tasks": {"a": 1}}, "pooled": 0.5}, "only for `decoder: whisper`"),
        ({"mixture": {"tasks": {"a": 1}, "dataset": "public_mixture"}}, "only read with `streaming: true`"),
        ({"trainer": {}}, "mixture"),
    ],
)
def test_recipe_errors(tmp_path, entries, message):
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(entries))
    with pytest.raises(RecipeError, match=message):
        read_recipe(path)


def test_trainer_entries_are_checked(tmp_path):
    recipe = Recipe(mixture=config.Mixture(tasks={"a": 1}), output=tmp_path)
    for entries, message in (
        ({"max_grad_norm": 1.0}, "max_grad_norm is not the recipe's"),
        ({"nonsense": 1}, "nonsense"),
    ):
        with pytest.raises(RecipeError, match=message):
            train.training_arguments(replace(recipe, trainer=entries))


def test_shares_follow_sizes_weights_floors_and_replay():
    clips = {"asr_en": 900, "drum_class": 100, "sound_event": 400}
    domains = {"asr_en": "speech", "drum_class": "music", "sound_event": "sound"}

    def of(**entries):
        return shares(
            config.Mixture(
                tasks={"asr_en": 1, "drum_class": 1, "sound_event": 1} | entries.pop("tasks", {}), **entries
            ),
            clips,
            domains,
        )

    assert of(temperature=1.0)["asr_en"] == pytest.approx(900 / 1400)
    assert of(temperature=0.5)["asr_en"] == pytest.approx(30 / 60)
    assert of(temperature=0.0, tasks={"drum_class": 2.0})["drum_class"] == pytest.approx(0.5)
    found = of(temperature=1.0, floors={"music": 0.3, "sound": 0.3}, replay=0.35)
    assert sum(found.values()) == pytest.approx(1)
    assert found["drum_class"] >= 0.2999 and found["sound_event"] >= 0.2999 and found["asr_en"] >= 0.3499
    with pytest.raises(RecipeError, match="floor of noise"):
        of(floors={"noise": 0.1})
    with pytest.raises(RecipeError, match="leave less than that"):
        of(floors={"music": 0.5, "sound": 0.3}, replay=0.4)


def mixture(tasks, seed=0, **entries) -> Mixture:
    entries = {"examples": 400, "batch_seconds": 2.0, "max_seconds": 1.0, "temperature": 0.0} | entries
    return Mixture(config.Mixture(tasks={"drum_class": 3.0, "asr_en": 1.0}, **entries), tasks, seed)


def test_mixture_is_drawn_by_share_and_repeats(tasks):
    first, again, other = (mixture(tasks, seed) for seed in (0, 0, 1))
    assert first.batches == again.batches != other.batches
    items = [first[index] for batch in first.batches for index in batch]
    assert len(items) == 400 == len({item["seed"] for item in items})
    assert 0.65 < [item["task"] for item in items].count("drum_class") / 400 < 0.85
    assert len({item["audio"]["bytes"] for item in items}) == 20, "every clip is heard"


def test_batches_hold_like_lengths_and_no_more_than_they_may():
    seconds = np.random.default_rng(0).uniform(0.5, 10, 1000)
    batches = batch_by_seconds(seconds, 60, np.random.default_rng(0))
    assert sorted(place for batch in batches for place in batch) == list(range(1000))
    padded = np.array([len(batch) * seconds[batch].max() for batch in batches])
    assert padded.max() <= 60 and padded.mean() > 50
    assert seconds.sum() / padded.sum() > 0.9, "little is padding"
    assert min(map(len, batches)) >= 3, "none is a mere leftover"


def test_parts_of_all_processes_make_up_every_batch(tasks):
    batches = mixture(tasks, batch_seconds=6.0).batches
    for world_size, pieces in ((1, 1), (2, 1), (2, 2)):
        parts = [list(Parts(batches, rank, world_size, pieces)) for rank in range(world_size)]
        assert {len(part) for part in parts} == {len(batches) * pieces}
        for number, batch in enumerate(batches):
            heard = [
                place for part in parts for piece in part[number * pieces : (number + 1) * pieces] for place in piece
            ]
            assert sorted(heard) == sorted(batch)
    with pytest.raises(RecipeError, match="too few for 64 processes"):
        Parts(batches, 0, 64)


def test_streams_are_heard_by_weight_alike_on_any_number_of_processes(tasks):
    recipe = config.Mixture(
        tasks={"drum_class": 3.0, "asr_en": 1.0}, streaming=True, examples=60, batch_seconds=4.0, max_seconds=0.65
    )
    asked = tasks["drum_class"].map(
        lambda row, number: {"choices": ["yes", "no"], "answer": "no"} if number % 2 else {}, with_indices=True
    )
    streams = {name: rows.to_iterable_dataset() for name, rows in (tasks | {"drum_class": asked}).items()}
    alone = list(StreamedMixture(recipe, streams, 0))
    assert sum(map(len, alone)) == 60 and max(row["duration"] for batch in alone for row in batch) <= 0.65
    for row in (row for batch in alone for row in batch):
        answer = recast(row)["answer"]
        assert answer in (row["label"] or row["answer"], "yes", "no") and (row["labels"] in ([], DRUMS))
    two = [list(StreamedMixture(recipe, streams, 0, rank, 2)) for rank in range(2)]
    for batch, *parts in zip(alone, *two):
        assert sorted(row["seed"] for row in batch) == sorted(row["seed"] for part in parts for row in part)


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
    batches = [collator([{**row, "seed": seed, "batch": seed}]) for seed in (1, 1, *range(2, 10))]
    assert torch.equal(batches[0]["input_features"], batches[1]["input_features"])
    assert {batch["audio_token_rate"] for batch in batches} == set(RATES)
    assert len({tiny_processor.decode(batch["input_ids"][0]) for batch in batches}) > 3


def test_a_yes_or_no_question_is_asked_afresh_with_its_own_answer(tiny_processor, tasks):
    row = tasks["drum_class"][1] | {"labels": DRUMS, "instruction": "Is this drum a kick?", "answer": "no"}
    collator, answers = Collator(tiny_processor, RATES), set()
    for seed in range(60):
        batch = collator([row | {"seed": seed, "batch": seed}])
        prompt = tiny_processor.decode(batch["input_ids"][0])
        learned = tiny_processor.decode(batch["labels"][0][batch["labels"][0] != -100]).removesuffix("<|im_end|>")
        answers.add(learned)
        if learned in ("yes", "no"):
            assert ("Is this drum a snare?" in prompt) == (learned == "yes")
        else:
            assert learned == row["label"] == "snare"
    assert answers == {"yes", "no", "snare"}


def test_a_lettered_question_is_answered_by_the_letter_of_what_is_heard(tasks):
    rows = [{**tasks["drum_class"][0], "labels": DRUMS, "seed": seed} for seed in range(60)]
    asked = [recast(row, lettered=0.5) for row in rows]
    by_letter = [row for row in asked if len(row["answer"]) == 1]
    assert 15 < len(by_letter) < 45 and {row["answer"] for row in by_letter} == set("ABCDE"[: len(DRUMS)])
    for row in by_letter:
        _, listed, form = row["instruction"].split("\n\n")
        options = {line[0]: line[3:] for line in listed.split("\n")}
        assert options[row["answer"]] == "kick" and len(options) > 1 and f" {max(options)}." in form


def test_an_open_ended_question_names_no_options(tasks):
    rows = [{**tasks["drum_class"][0], "labels": DRUMS, "seed": seed} for seed in range(30)]
    assert all(recast(row, open_ended=1.0)["answer"] == "kick" for row in rows)
    assert not any("Choose" in recast(row, open_ended=1.0)["instruction"] for row in rows)
    assert any("Choose" in recast(row)["instruction"] for row in rows)
    asked = {"task": "audio_qa", "instruction": "Answer. What rings?", "answer": "a bell", "seed": 0, "labels": []}
    assert recast(asked) == asked


def test_a_taught_clip_is_asked_for_its_sounds(tiny_processor, tasks):
    heard = []

    def tagger(waveform):
        heard.append(waveform)
        return ["bell", "animal"]

    collator = Collator(tiny_processor, RATES, config.Augmentation(gain=1.0), tagger=tagger, taught=0.5)
    rows = [{**tasks["drum_class"][0], "labels": DRUMS, "seed": seed, "batch": 0} for seed in range(40)]
    rows.append({**tasks["asr_en"][0], "labels": [], "seed": 40, "batch": 0})
    batch = collator(rows)
    taught = [place for place, task in enumerate(batch["tasks"]) if task == "sound_tags"]
    assert 10 < len(taught) == len(heard) < 30 and 40 not in taught, "never speech"
    for place in taught:
        labels = batch["labels"][place]
        assert tiny_processor.decode(labels[labels != -100]) == "bell, animal<|im_end|>"
    assert not np.array_equal(heard[0], heard[1]), "as augmented"


def test_a_run_starts_from_what_another_exported(tiny_checkpoint, tmp_path):
    other = UniWhisperForConditionalGeneration.from_pretrained(tiny_checkpoint)
    for parameter in other.model.parameters():
        torch.nn.init.normal_(parameter)
    other.model.save_pretrained(tmp_path)
    recipe = Recipe(mixture=config.Mixture(tasks={"a": 1}), start=tmp_path)
    model = train.prepare_model(recipe, tiny_checkpoint)
    for name, tensor in other.model.state_dict().items():
        assert torch.equal(model.model.state_dict()[name], tensor), name

    lora = get_peft_model(other.language_model, LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False))
    lora.save_pretrained(tmp_path / "lora")
    begun = train.prepare_model(recipe, tiny_checkpoint).language_model
    saved, learned = get_peft_model_state_dict(lora), get_peft_model_state_dict(begun)
    assert saved.keys() == learned.keys()
    assert all(torch.equal(saved[name], learned[name]) for name in saved)
    assert all(weight.requires_grad == ("lora_" in name) for name, weight in begun.named_parameters())


def test_losses_by_row_are_those_of_the_model(tiny_processor, tiny_model, tasks):
    rows = [tasks["drum_class"][0], tasks["asr_en"][3]]
    collator = Collator(tiny_processor, RATES, train=False)
    batch = collator(rows)
    told = {name: batch.pop(name) for name in train.TOLD}
    assert told["tasks"] == ["drum_class", "asr_en"] and told["clips"][0].startswith("drum_class: ")
    together = losses_by_row(tiny_model(**batch).logits, batch["labels"])
    for row, loss in zip(rows, together):
        alone = collator([row])
        for name in train.TOLD:
            alone.pop(name)
        assert loss == pytest.approx(tiny_model(**alone).loss.item(), rel=1e-3)


def test_meter_reports_and_stops():
    told = {
        "tasks": ["a", "b"],
        "domains": ["speech", "music"],
        "clips": ["a: 1.flac", "b: 2.flac"],
        "seconds": [1.0, 2.0],
    }
    meter = Meter(spike=10.0)
    for _ in range(30):
        meter.add([1.0, 3.0], 100, told)
    report = meter.report()
    assert report["loss/task/a"] == 1.0 and report["loss/domain/music"] == 3.0
    assert report["tokens_per_second"] > 0 and report["audio_hours_per_hour"] > 0
    assert "loss/task/a" not in meter.report()
    with pytest.raises(TrainingStopped, match=r"is no number, in a batch of a: 1.flac; b: 2.flac"):
        meter.add([float("nan"), 1.0], 100, told)
    with pytest.raises(TrainingStopped, match="is 60, usually 2"):
        meter.add([100.0, 20.0], 100, told)


@pytest.fixture
def run(tiny_checkpoint, tasks, monkeypatch, tmp_path):
    """`run(output, stop_after)`: trains some steps from the tiny checkpoint, or less, and returns the trainer."""
    monkeypatch.setattr(train, "load_tasks", lambda recipe, split: tasks)
    trainers = []
    monkeypatch.setattr(train, "finish", lambda model, recipe: None)
    original = train.UniWhisperTrainer.__init__
    monkeypatch.setattr(
        train.UniWhisperTrainer, "__init__", lambda self, **kw: (trainers.append(self), original(self, **kw))[0]
    )

    def start(output: str, stop_after: int | None = None):
        entries = {
            "mixture": {
                "tasks": {"drum_class": 1, "asr_en": 1},
                "examples": 24,
                "batch_seconds": 1.4,
                "max_seconds": 1.0,
                "temperature": 0.0,
            },
            "base": str(tiny_checkpoint),
            "output": str(tmp_path / output),
            "encoder": {"starts": 0.5},
            "language_model": {"lora": {"r": 2}},
            "validation_clips": 2,
            "audio_token_rates": RATES,
            "trainer": {
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
    assert whole.state.global_step == len(whole.train_dataset.batches) > 6
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
    recipe = Recipe(mixture=config.Mixture(tasks={"a": 1}), encoder=config.Encoder(lr=1e-4, layer_decay=0.5))
    model = train.prepare_model(recipe, tiny_checkpoint)
    groups = parameter_groups(model, recipe)
    rates = {group["name"]: group["lr"] for group in groups}
    assert rates["adapter"] == recipe.adapter_lr and rates["language_model"] == recipe.language_model.lr
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


def learned(model, recipe) -> set[str]:
    """Names of the parameters that have a learning rate."""
    grouped = {id(p) for group in parameter_groups(model, recipe) for p in group["params"]}
    return {name for name, parameter in model.named_parameters() if id(parameter) in grouped}


def test_who_learns(tiny_checkpoint):
    def of(**entries):
        recipe = Recipe(mixture=config.Mixture(tasks={"a": 1}), **entries)
        return learned(train.prepare_model(recipe, tiny_checkpoint), recipe)

    adapter = {name for name in of(encoder=config.Encoder(learns="frozen")) if "lora_" not in name}
    assert adapter and all(name.startswith("model.adapter.") for name in adapter)
    top = of(encoder=config.Encoder(layers=1), language_model=config.LanguageModel(learns="frozen")) - adapter
    assert {name.split(".")[2] for name in top} == {"layers", "layer_norm"} and not any(".layers.0." in n for n in top)
    everything = of(language_model=config.LanguageModel(learns="full"))
    assert "language_model.lm_head.weight" in everything or "language_model.model.embed_tokens.weight" in everything
    low_rank = of(encoder=config.Encoder(learns="lora"), language_model=config.LanguageModel(learns="frozen")) - adapter
    assert low_rank and all("lora_" in name and name.startswith("model.encoder.layers.") for name in low_rank)


def test_low_rank_encoder_is_merged_into_its_weights(tiny_checkpoint, tmp_path, monkeypatch):
    recipe = Recipe(mixture=config.Mixture(tasks={"a": 1}), encoder=config.Encoder(learns="lora"), output=tmp_path)
    model = train.prepare_model(recipe, tiny_checkpoint)
    features, mask = torch.randn(1, 80, 100), torch.ones(1, 100)
    plain = model.model.encoder(features, mask).last_hidden_state
    for name, parameter in model.model.encoder.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    trained = model.model.encoder(features, mask).last_hidden_state
    exported = []
    monkeypatch.setattr(train, "export", lambda model, folder, base: exported.append(model.model))
    train.finish(model, recipe)
    assert not any("lora" in name for name in exported[0].state_dict())
    merged = exported[0].encoder(features, mask).last_hidden_state
    torch.testing.assert_close(merged, trained, atol=1e-4, rtol=1e-4)
    assert (merged - plain).abs().max() > 0.01


def test_whole_model_is_saved_when_all_of_it_learned(tiny_checkpoint, tmp_path):
    recipe = Recipe(
        mixture=config.Mixture(tasks={"a": 1}),
        language_model=config.LanguageModel(learns="full"),
        output=tmp_path,
        base=tiny_checkpoint,
    )
    train.finish(train.prepare_model(recipe, tiny_checkpoint), recipe)
    UniWhisperForConditionalGeneration.from_pretrained(tmp_path / "final")
    UniWhisperProcessor.from_pretrained(tmp_path / "final")


def test_curve_is_drawn_from_the_newest_state(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing was trained"):
        curve.read_losses(tmp_path)
    log = [{"step": 5, "loss": 2.0}, {"step": 8, "eval_asr_en_loss": 3.0}, {"step": 8, "eval_asr_en_runtime": 1.0}]
    (tmp_path / "trainer_state.json").write_text(json.dumps({"log_history": log}))
    assert curve.read_losses(tmp_path) == ([(5, 2.0)], {"asr_en": [(8, 3.0)]})
    curve.main(tmp_path, tmp_path / "loss.png")
    assert (tmp_path / "loss.png").stat().st_size > 5000


def test_whispers_decoder_learns_the_answer_only(assembled_base, tasks):
    whisper, tokenizer = open_whisper()
    recipe = Recipe(
        mixture=config.Mixture(tasks={"a": 1}), decoder="whisper", language_model=config.LanguageModel(learns="frozen")
    )
    model = train.prepare_model(recipe, assembled_base, whisper)
    rows = [tasks["drum_class"][0], tasks["asr_en"][3]]
    processor = UniWhisperProcessor.from_pretrained(assembled_base)
    batch = WhisperCollator(processor, RATES, train=False, tokenizer=tokenizer)(rows)
    for row, ids, labels in zip(rows, batch["input_ids"], batch["labels"]):
        assert tokenizer.decode(labels[labels != -100]) == f" {row['answer']}<|endoftext|>"
        assert tokenizer.decode(ids).startswith(f"<|startofprev|> {row['instruction']}<|startoftranscript|>")
    inputs = {name: value for name, value in batch.items() if name not in train.TOLD}
    for group in parameter_groups(model, recipe):
        for parameter in group["params"]:
            parameter.requires_grad_(True)
    optimizer = torch.optim.Adam(model.model.encoder.parameters(), lr=1e-4)
    losses = []
    for _ in range(3):
        loss = model(**inputs).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[2] < losses[0]
    assert all(parameter.grad is None for parameter in model.language_model.parameters())


def test_a_pooled_answer_depends_on_the_mean_of_the_real_frames_alone(assembled_base, tasks):
    whisper, tokenizer = open_whisper()
    model = WhisperAnswers(UniWhisperModel.from_pretrained(assembled_base), whisper).eval()
    processor = UniWhisperProcessor.from_pretrained(assembled_base)
    rows = [tasks["drum_class"][0], tasks["asr_en"][3]]

    def batch(pooled: float) -> dict:
        made = WhisperCollator(processor, RATES, train=False, tokenizer=tokenizer, pooled=pooled)(rows)
        return {name: value for name, value in made.items() if name not in train.TOLD}

    whole, pooled = batch(0.0), batch(1.0)
    assert whole["pooled"].tolist() == [False, False] and pooled["pooled"].tolist() == [True, False]
    seen = []
    model.language_model.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(kwargs["encoder_hidden_states"]), with_kwargs=True
    )
    with torch.inference_mode():
        losses = [model(**inputs).loss for inputs in (whole, pooled)]
    frames = int(pooled["window_frames"][0])
    assert losses[0] != losses[1] and torch.equal(seen[0][1], seen[1][1])
    torch.testing.assert_close(seen[1][0], seen[0][0, :frames].mean(0).expand_as(seen[1][0]))


def test_an_encoder_between_two_others(tiny_checkpoint, tmp_path):
    trained = UniWhisperModel.from_pretrained(tiny_checkpoint)
    before = {name: tensor.clone() for name, tensor in trained.state_dict().items()}
    for parameter in trained.parameters():
        torch.nn.init.normal_(parameter)
    after = trained.state_dict()
    trained.save_pretrained(tmp_path / "trained")
    UniWhisperFeatureExtractor().save_pretrained(tmp_path / "trained")
    (tmp_path / "trained/lora").mkdir()
    (tmp_path / "trained/lora/adapter_config.json").write_text("{}")
    interpolate(tmp_path / "trained", tiny_checkpoint, 0.25, tmp_path / "between")
    assert (tmp_path / "between/lora/adapter_config.json").read_text() == "{}"
    for name, tensor in UniWhisperModel.from_pretrained(tmp_path / "between").state_dict().items():
        wanted = 0.75 * before[name] + 0.25 * after[name] if name.startswith("encoder.") else after[name]
        torch.testing.assert_close(tensor, wanted)
    with pytest.raises(ValueError, match="share is 2"):
        interpolate(tmp_path / "trained", tiny_checkpoint, 2, tmp_path)


def test_our_loop_is_timed_beside_a_plain_one(tiny_checkpoint, tasks, monkeypatch, tmp_path):
    monkeypatch.setattr(train, "load_tasks", lambda recipe, split: tasks)
    heard = config.Mixture(tasks={"drum_class": 1, "asr_en": 1}, batch_seconds=6.0, max_seconds=1.0)
    recipe = Recipe(mixture=heard, base=tiny_checkpoint, language_model=config.LanguageModel(lora=config.Lora(r=2)))
    report = throughput.measure(train.make_trainer(throughput.shortened(recipe, 16, tmp_path)), repeats=2)
    assert report["clips"] == 16 and report["repeats"] == 2
    assert report["speedup"]["median"] > 1, "windows of half a second against windows of 30"
    assert report["clips_per_second"]["ours"]["median"] > report["clips_per_second"]["plain"]["median"]
