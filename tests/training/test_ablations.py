"""Variants of one recipe, trained from a tiny checkpoint."""

import json
from pathlib import Path

import pytest
import yaml

from training import ablations, train
from training.ablations import changed
from training.config import RecipeError, build_recipe

from .test_training import DRUMS, task


def test_variants_that_ship_are_recipes():
    entries = yaml.safe_load(Path("training/ablations.yaml").read_text())
    recipes = {name: build_recipe(changed(entries["recipe"], one or {})) for name, one in entries["variants"].items()}
    assert len({repr(recipe) for recipe in recipes.values()}) == len(recipes), "each differs"
    assert {recipe.mixture.examples for recipe in recipes.values()} == {1200}


def test_the_table_is_what_came_of_them():
    told = json.loads(Path("model_cards/uniwhisper-base/results/ablations.json").read_text())
    entries = yaml.safe_load(Path("training/ablations.yaml").read_text())
    assert told["recipe"] == json.loads(json.dumps(entries["recipe"]))
    changes = {name: one or {} for name, one in entries["variants"].items()}
    assert {name: run["changes"] for name, run in told["runs"].items()} == json.loads(json.dumps(changes))
    readme = Path("training/README.md").read_text()
    for name, run in told["runs"].items():
        scores = (run["loss_of_transcription"], run["loss_of_other_tasks"], run["knn"])
        assert f"{name} | " in readme or f"{name}: " in readme
        assert f"| {' | '.join(f'{score:.2f}' for score in scores)} | {run['minutes']:.1f} |" in readme


def test_changes_are_made_inside_mappings():
    entries = {"encoder": {"lr": 1, "layers": 2}, "seed": 0}
    assert changed(entries, {"encoder": {"lr": 3}, "start": "x"}) == {
        "encoder": {"lr": 3, "layers": 2},
        "seed": 0,
        "start": "x",
    }
    assert entries["encoder"]["lr"] == 1
    with pytest.raises(RecipeError, match="sets encoder to 3"):
        changed(entries, {"encoder": 3})


def test_each_variant_is_trained_once_and_reported(tiny_checkpoint, make_audio, tmp_path, monkeypatch):
    tasks = {"drum_class": task("drum_class", DRUMS, 12, make_audio), "asr_en": task("asr_en", [], 8, make_audio)}
    monkeypatch.setattr(train, "load_tasks", lambda recipe, split: tasks)
    monkeypatch.setattr(train, "finish", lambda model, recipe: None)
    recipe = {
        "mixture": {"tasks": {"drum_class": 1, "asr_en": 1}, "examples": 12, "batch_seconds": 2.4, "max_seconds": 1.0},
        "base": str(tiny_checkpoint),
        "output": str(tmp_path / "runs"),
        "language_model": {"lora": {"r": 2}},
        "validation_clips": 4,
        "trainer": {"eval_strategy": "epoch", "save_strategy": "no", "disable_tqdm": True, "report_to": "none"},
    }
    file, out = tmp_path / "ablations.yaml", tmp_path / "found.json"
    file.write_text(yaml.safe_dump({"recipe": recipe, "variants": {"as it is": None, "quick": {"adapter_lr": 0.1}}}))
    ablations.main(file, out)
    runs = json.loads(out.read_text())["runs"]
    assert runs["quick"]["changes"] == {"adapter_lr": 0.1}
    for one in runs.values():
        assert set(one["losses"]) == {"drum_class", "asr_en"}
        assert one["loss_of_transcription"] == one["losses"]["asr_en"]
    assert runs["quick"]["losses"] != runs["as it is"]["losses"]
    monkeypatch.setattr(train, "run", None)
    ablations.main(file, out)
    assert json.loads(out.read_text())["runs"] == runs, "nothing was trained again"
