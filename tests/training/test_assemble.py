import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import typer
from peft import LoraConfig, get_peft_model
from typer.testing import CliRunner

from modeling_uniwhisper import (
    UniWhisperForConditionalGeneration,
    UniWhisperModel,
    UniWhisperProcessor,
)
from training import assemble as module
from training.assemble import MANIFEST, REPOSITORY, add_audio_token, assemble, load_text_model
from training.export import SHARD_BYTES, export
from training.files import WeightsError
from training.wheels import DownloadError, WheelBase

QUESTION = "What is heard?"


@pytest.fixture(scope="module")
def base(tmp_path_factory, tiny_whisper, tiny_text_model):
    """An untrained checkpoint of tiny bases."""
    out = tmp_path_factory.mktemp("assembled") / "base"
    return assemble(out, str(tiny_whisper), str(tiny_text_model), trained=None)


@pytest.fixture(scope="module")
def trained_model(base):
    """The base after a training that changed every part: encoder, adapter and a LoRA."""
    model = UniWhisperForConditionalGeneration.from_pretrained(base)
    lora = LoraConfig(task_type="CAUSAL_LM", r=4, target_modules="all-linear")
    model.language_model = get_peft_model(model.language_model, lora)
    torch.manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.startswith("model.") or "lora_" in name:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return model.eval()


@pytest.fixture(scope="module")
def trained(tmp_path_factory, trained_model, base):
    return export(trained_model, tmp_path_factory.mktemp("card") / "tiny", base)


def logits(model, processor, audio):
    conversation = [{"role": "user", "content": [{"type": "audio"}, {"type": "text", "text": QUESTION}]}]
    prompt = processor.apply_chat_template(conversation, add_generation_prompt=True, tokenize=False)
    inputs = processor(text=[prompt], audio=[audio], sampling_rate=16_000)
    with torch.inference_mode():
        return model(**inputs).logits


def test_an_assembled_checkpoint_is_an_ordinary_one(base, tiny_whisper, tiny_text_model, make_audio):
    model = UniWhisperForConditionalGeneration.from_pretrained(base)
    processor = UniWhisperProcessor.from_pretrained(base)
    assert model.dtype == torch.float32
    assert processor.audio_token_id == model.config.audio_token_id
    assert processor.audio_token_rates == model.config.audio_token_rates
    assert logits(model, processor, make_audio(1.3)).isfinite().all()
    embeddings = UniWhisperModel.from_pretrained(base).embed(**processor.feature_extractor(make_audio(1.3), 16_000))
    assert embeddings.embeddings.shape == (1, 16)

    _, state = module.load_encoder(tiny_whisper)
    for name, tensor in model.model.encoder.state_dict().items():
        assert torch.equal(tensor, state[name].half().float()), name
    text_model, _ = load_text_model(tiny_text_model)
    for name, tensor in text_model.state_dict().items():
        ours = model.language_model.state_dict()[name][: len(tensor)]
        assert torch.equal(ours, tensor.half().float()), name


def test_new_vocabulary_is_the_mean_and_padded(tiny_text_model):
    model, tokenizer = load_text_model(tiny_text_model)
    known = len(tokenizer)
    rows = model.get_input_embeddings().weight.detach().clone()
    assert add_audio_token(model, tokenizer, "<|audio|>") == known
    weight = model.get_input_embeddings().weight
    assert len(weight) == model.config.vocab_size == 320
    assert torch.equal(weight[:known], rows)
    torch.testing.assert_close(weight[known:], rows.mean(0).expand(320 - known, -1))
    assert model.get_output_embeddings().weight is weight
    assert tokenizer("<|audio|>").input_ids == [known]


def test_no_file_names_this_machine(base, trained):
    places = [str(Path.home()), str(base.parent), str(REPOSITORY), "/tmp"]
    for folder in (base, trained):
        for path in folder.rglob("*.json"):
            if path.name not in ("tokenizer.json", "model.safetensors.index.json"):
                assert not [place for place in places if place in path.read_text()], path


def test_bases_come_out_the_same_every_time(base, tmp_path, tiny_whisper, tiny_text_model):
    again = assemble(tmp_path / "again", str(tiny_whisper), str(tiny_text_model), trained=None)
    for name in ("model.safetensors", "model.encoder.safetensors", "config.json"):
        assert (again / name).read_bytes() == (base / name).read_bytes()


def test_exported_tensors_embed_alone(trained, trained_model, base, make_audio):
    model = UniWhisperModel.from_pretrained(trained)
    assert model.dtype == torch.float32
    features = UniWhisperProcessor.from_pretrained(base).feature_extractor(make_audio(1.0), 16_000)
    expected = trained_model.model.embed(**features).embeddings
    torch.testing.assert_close(model.embed(**features).embeddings, expected, atol=2e-2, rtol=1e-2)
    assert sorted(path.name for path in trained.iterdir()) == [
        "bases.json",
        "config.json",
        "lora",
        "model.safetensors",
        "preprocessor_config.json",
    ]
    assert sorted(path.name for path in (trained / "lora").iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]


def test_trained_tensors_and_bases_give_the_trained_model(
    trained, trained_model, tiny_text_model, tmp_path, make_audio
):
    out = assemble(tmp_path / "out", text_model=str(tiny_text_model), trained=trained)
    model = UniWhisperForConditionalGeneration.from_pretrained(out)
    processor = UniWhisperProcessor.from_pretrained(out)
    expected = logits(trained_model, processor, make_audio(2.0))
    found = logits(model, processor, make_audio(2.0))
    assert (found - expected).abs().max() < 0.02 * expected.abs().max()
    recorded, manifest = (json.loads(path.read_text()) for path in (trained / "bases.json", out / MANIFEST))
    assert manifest["bases"] == recorded


def test_shards_stay_small(tmp_path, trained_model, base, monkeypatch):
    monkeypatch.setattr("training.export.SHARD_BYTES", 30_000)
    monkeypatch.setattr("training.export._save_lora", lambda *args: None)
    folder = export(trained_model, tmp_path, base)
    shards = sorted(folder.glob("model-*-of-*.safetensors"))
    assert len(shards) > 1
    UniWhisperModel.from_pretrained(folder)
    monkeypatch.setattr("training.export.SHARD_BYTES", SHARD_BYTES)
    export(trained_model, folder, base)
    assert [path.name for path in folder.glob("model*")] == ["model.safetensors"]


def test_export_keeps_the_card(tmp_path, trained_model, base):
    (tmp_path / "README.md").write_text("the card")
    export(trained_model, tmp_path, base)
    assert (tmp_path / "README.md").read_text() == "the card"


def test_export_needs_a_base_that_was_assembled_and_not_trained(tmp_path, trained_model, trained, tiny_text_model):
    with pytest.raises(WeightsError, match=r"has no manifest\.json"):
        export(trained_model, tmp_path / "card", tmp_path)
    out = assemble(tmp_path / "out", text_model=str(tiny_text_model), trained=trained)
    with pytest.raises(WeightsError, match="has trained tensors in it"):
        export(trained_model, tmp_path / "card", out)


def test_export_refuses_a_lora_larger_than_a_shard(tmp_path, trained_model, base, monkeypatch):
    monkeypatch.setattr("training.export.SHARD_BYTES", 10_000)
    with pytest.raises(WeightsError, match="more than 10000: train a lower rank"):
        export(trained_model, tmp_path / "card", base)


def test_export_refuses_what_float16_does_not_hold(tmp_path, base):
    model = UniWhisperForConditionalGeneration.from_pretrained(base)
    with torch.no_grad():
        model.model.adapter.linear_in.bias[0] = 1e5
    with pytest.raises(WeightsError, match=r"adapter\.linear_in\.bias has values"):
        export(model, tmp_path / "card", base)
    assert not list((tmp_path / "card").iterdir())


def test_it_is_not_made_twice_and_without_torch(base, tiny_whisper, tiny_text_model):
    script = (
        "import sys, time; start = time.perf_counter()\n"
        "from pathlib import Path; from training.assemble import assemble\n"
        "assemble(Path(sys.argv[1]), sys.argv[2], sys.argv[3], trained=None)\n"
        "assert 'torch' not in sys.modules\n"
        "print(time.perf_counter() - start)"
    )
    manifest = (base / MANIFEST).stat().st_mtime_ns
    command = [sys.executable, "-c", script, str(base), str(tiny_whisper), str(tiny_text_model)]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert float(result.stdout) < 1
    assert result.stderr == f"{base} is up to date\n"
    assert (base / MANIFEST).stat().st_mtime_ns == manifest


def test_changed_inputs_or_damaged_outputs_are_made_again(trained, tmp_path, tiny_text_model, capsys):
    folder = shutil.copytree(trained, tmp_path / "trained")
    out = tmp_path / "out"

    def remade() -> bool:
        assemble(out, text_model=str(tiny_text_model), trained=folder)
        return "Assembled" in capsys.readouterr().err

    assert remade() and not remade()
    (folder / "README.md").write_text("a card changes nothing")
    assert not remade()
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "audio_token_rate": 25.0}))
    assert remade() and not remade()
    os.truncate(out / "model.safetensors", 100)
    assert remade() and not remade()
    (out / "tokenizer.json").unlink()
    assert remade() and not remade()


def test_an_interruption_leaves_nothing(tmp_path, tiny_whisper, tiny_text_model, monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(UniWhisperProcessor, "save_pretrained", interrupted)
    with pytest.raises(KeyboardInterrupt):
        assemble(tmp_path / "out", str(tiny_whisper), str(tiny_text_model), trained=None)
    assert [path.name for path in tmp_path.iterdir()] == [".out.lock"]


def test_a_folder_with_other_things_is_not_replaced(tmp_path, tiny_whisper, tiny_text_model):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(WeightsError, match="holds something else than an assembled checkpoint"):
        assemble(tmp_path, str(tiny_whisper), str(tiny_text_model), trained=None)
    assert (tmp_path / "thesis.tex").exists()


def test_a_text_model_of_another_shape_is_refused(trained, tmp_path, tiny_whisper, assembled_tokenless):
    with pytest.raises(WeightsError, match="the language model has hidden_size 16"):
        assemble(tmp_path / "out", text_model=str(assembled_tokenless), trained=trained)


@pytest.fixture
def assembled_tokenless(tmp_path, tiny_text_model):
    """The tiny text model's tokenizer with a narrower model."""
    model, tokenizer = load_text_model(tiny_text_model)
    folder = tmp_path / "narrow"
    model.config.hidden_size, model.config.head_dim = 16, 8
    type(model)(model.config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_trained_tensors_bring_their_own_encoder(trained, tiny_whisper):
    with pytest.raises(WeightsError, match="--encoder goes with --trained none only"):
        assemble(encoder=str(tiny_whisper), trained=trained)


def test_a_folder_without_trained_tensors_is_named(tmp_path):
    with pytest.raises(WeightsError, match=r"config\.json is missing"):
        assemble(trained=tmp_path)


def test_an_encoder_that_is_no_whisper_is_refused(tmp_path, tiny_text_model):
    with pytest.raises(WeightsError, match="holds a llama, not a Whisper"):
        assemble(tmp_path / "out", str(tiny_text_model), str(tiny_text_model), trained=None)


@pytest.fixture
def no_wheels(monkeypatch):
    def unreachable(self, scratch):
        raise DownloadError(f"{self.name} could not be downloaded: connect to a package index")

    monkeypatch.setattr(WheelBase, "open", unreachable)
    return monkeypatch


def test_the_hub_stands_in_for_unreachable_wheels(tmp_path, no_wheels, tiny_whisper, tiny_text_model, capsys):
    folders = {"openai/whisper-base": tiny_whisper, "HuggingFaceTB/SmolLM2-135M-Instruct": tiny_text_model}
    no_wheels.setattr("training.bases.HubBase.open", lambda self, scratch: folders[self.name])
    out = assemble(tmp_path / "out", trained=None)
    message = capsys.readouterr().err
    for name in folders:
        assert f"so {name} replaces them" in message
    bases = json.loads((out / MANIFEST).read_text())["bases"]
    assert bases["encoder"]["name"] == "openai/whisper-base"


def test_without_any_network_the_command_says_one_sentence(tmp_path, no_wheels):
    no_wheels.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    app = typer.Typer()
    app.command()(module.main)
    result = CliRunner().invoke(app, ["--trained", "none", "--out", str(tmp_path / "out")])
    assert result.exit_code == 1
    assert "could not be downloaded: connect to a package index" in result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "out").exists()


def test_the_shipped_model_embeds_and_answers(assembled, make_audio):
    model = UniWhisperForConditionalGeneration.from_pretrained(assembled)
    processor = UniWhisperProcessor.from_pretrained(assembled)
    assert logits(model, processor, make_audio(3.0)).isfinite().all()
