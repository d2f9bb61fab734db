"""What a plan counts, against models that were built."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dataset_builders.public_mixture import load_mixture
from training import plan, train
from training.config import Encoder, LanguageModel, Lora, Mixture, Recipe, RecipeError, read_recipe
from training.optimizer import parameter_groups

RECIPES = Path("training/recipes")


@pytest.mark.parametrize(("encoder", "text"), [("full", "lora"), ("lora", "frozen"), ("frozen", "full")])
def test_parts_are_those_of_a_real_run(tiny_checkpoint, encoder, text):
    recipe = Recipe(
        mixture=Mixture(tasks={"a": 1}),
        encoder=Encoder(learns=encoder),
        language_model=LanguageModel(learns=text, lora=Lora(r=2)),
    )
    model = train.prepare_model(recipe, tiny_checkpoint)
    learned = {"encoder": 0, "adapter": 0, "language_model": 0}
    for group in parameter_groups(model, recipe):
        learned[group["name"].split(".")[0]] += sum(parameter.numel() for parameter in group["params"])
    config = plan.UniWhisperConfig.from_pretrained(tiny_checkpoint)
    assert {name: part.learned for name, part in plan.count(recipe, config).items()} == learned


def test_a_run_that_stops_early_is_planned_as_short(tiny_checkpoint):
    config = plan.UniWhisperConfig.from_pretrained(tiny_checkpoint)
    whole, stopped = (
        plan.make_plan(Recipe(mixture=Mixture(tasks={"a": 1}), trainer=trainer), config, clip_seconds=5.0)
        for trainer in ({}, {"max_steps": 2})
    )
    assert stopped.steps == 2 < whole.steps
    assert stopped.operations / whole.operations == pytest.approx(stopped.audio_hours / whole.audio_hours)


def test_paper_scale_is_of_the_published_sizes_and_fits_its_devices():
    path = RECIPES / "large-paper.yaml"
    recipe = read_recipe(path)
    found = plan.make_plan(recipe, plan.read_config(path, recipe), clip_seconds=10.0)
    assert found.parameters["encoder"] == pytest.approx(637e6, rel=0.001)
    assert found.parameters["language_model"] == pytest.approx(1544e6, rel=0.001)
    table = load_mixture()
    assert found.audio_hours == pytest.approx(sum(entry.hours for entry in table), rel=0.001)
    assert set(recipe.mixture.tasks) == {entry.task for entry in table}
    assert set(recipe.mixture.excluded) == {entry.id for entry in table if entry.leaves_out}
    assert found.weight_bytes + found.activation_bytes < 70e9
    assert found.wall_hours == pytest.approx(found.device_hours / 8)


def test_more_that_learns_costs_more_and_checkpointing_trades_time_for_memory():
    config = plan.read_config(RECIPES / "base-gpu.yaml", read_recipe(RECIPES / "base-gpu.yaml"))

    def planned(**entries):
        return plan.make_plan(Recipe(mixture=Mixture(tasks={"a": 1}), **entries), config, 5.0)

    frozen, full = (planned(encoder=Encoder(learns=learns)) for learns in ("frozen", "full"))
    assert frozen.operations < full.operations and frozen.weight_bytes < full.weight_bytes
    saved = planned(trainer={"activation_checkpointing": True})
    assert saved.operations > full.operations and saved.activation_bytes < full.activation_bytes / 3


def test_command_prints_the_plan_and_names_what_is_missing(tmp_path):
    shown = CliRunner().invoke(plan_app(), [str(RECIPES / "large-paper.yaml"), "--devices", "16"])
    assert shown.exit_code == 0 and "637.0" in shown.output and "16 x 989" in shown.output
    lonely = tmp_path / "lonely.yaml"
    lonely.write_text(json.dumps({"mixture": {"tasks": {"a": 1}}, "base": "nowhere"}))
    with pytest.raises(RecipeError, match="nowhere is not there yet"):
        plan.read_config(lonely, read_recipe(lonely))


def plan_app():
    import typer

    app = typer.Typer()
    app.command()(plan.main)
    return app
