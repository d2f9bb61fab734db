"""Saved folders: equal after loading, the encoder alone, and opened elsewhere with the code they carry."""

import json
import os
import shutil
import subprocess
import sys
import textwrap

import pytest
import torch
from transformers import (
    AutoConfig,
    AutoFeatureExtractor,
    AutoModel,
    AutoModelForMultimodalLM,
    AutoModelForSeq2SeqLM,
    AutoProcessor,
)

from modeling_uniwhisper import (
    UniWhisperConfig,
    UniWhisperEncoder,
    UniWhisperFeatureExtractor,
    UniWhisperForConditionalGeneration,
    UniWhisperModel,
    UniWhisperProcessor,
)

WHOLE = "modeling_uniwhisper.UniWhisperForConditionalGeneration"


@pytest.fixture
def batch(ask, make_audio):
    return ask([make_audio(0.6), make_audio(2.3, seed=3)], ["What is heard?", "Why"])


@torch.no_grad()
def test_round_trip_is_bit_equal(tiny_model, batch, tmp_path):
    tiny_model.save_pretrained(tmp_path)
    loaded = UniWhisperForConditionalGeneration.from_pretrained(tmp_path)
    assert torch.equal(loaded(**batch).logits, tiny_model(**batch).logits)
    assert loaded.generation_config.eos_token_id == 2


@torch.no_grad()
def test_shards(tiny_model, batch, tmp_path):
    tiny_model.save_pretrained(tmp_path, max_shard_size="20KB")
    assert len(list(tmp_path.glob("model-*-of-*.safetensors"))) > 3
    loaded = UniWhisperForConditionalGeneration.from_pretrained(tmp_path)
    assert torch.equal(loaded(**batch).logits, tiny_model(**batch).logits)
    assert torch.equal(embedded(UniWhisperModel.from_pretrained(tmp_path), batch), embedded(tiny_model.model, batch))


def test_encoder_alone_opens_no_file_of_the_language_model(tiny_model, batch, tmp_path):
    tiny_model.save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"not to be opened")
    for auto in (UniWhisperModel, AutoModel):
        loaded, report = auto.from_pretrained(tmp_path, output_loading_info=True)
        assert type(loaded) is UniWhisperModel and not any(report.values())
        assert torch.equal(embedded(loaded, batch), embedded(tiny_model.model, batch))


def test_encoder_alone_saved_alone(tiny_model, batch, tmp_path):
    tiny_model.model.save_pretrained(tmp_path / "model")
    loaded = AutoModel.from_pretrained(tmp_path / "model")
    assert torch.equal(embedded(loaded, batch), embedded(tiny_model.model, batch))
    tiny_model.model.encoder.save_pretrained(tmp_path / "encoder")
    encoder = AutoModel.from_pretrained(tmp_path / "encoder")
    assert type(encoder) is UniWhisperEncoder
    assert torch.equal(encoder.conv1.weight, tiny_model.model.encoder.conv1.weight)


def test_a_given_state_dict_is_what_is_saved(tiny_model, tmp_path):
    """As the Trainer saves, when the weights of a wrapped or sharded model come from elsewhere."""
    state = {name: torch.zeros_like(tensor) for name, tensor in tiny_model.state_dict().items()}
    tiny_model.save_pretrained(tmp_path, state_dict=state)
    for loaded in (UniWhisperModel, UniWhisperForConditionalGeneration):
        assert not any(parameter.any() for parameter in loaded.from_pretrained(tmp_path).parameters())


def test_only_the_main_process_writes_weights(tiny_model, tmp_path):
    tiny_model.save_pretrained(tmp_path, is_main_process=False)
    assert not list(tmp_path.iterdir())


def test_load_in_bfloat16(tiny_checkpoint):
    model = UniWhisperForConditionalGeneration.from_pretrained(tiny_checkpoint, dtype=torch.bfloat16)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}


def test_folder_carries_its_code(tiny_checkpoint):
    names = ("audio_io", "configuration_uniwhisper", "feature_extraction_uniwhisper", "modeling_uniwhisper")
    for name in (*names, "processing_uniwhisper"):
        assert (tiny_checkpoint / f"{name}.py").exists()
    config = json.loads((tiny_checkpoint / "config.json").read_text())
    assert config["architectures"] == ["UniWhisperForConditionalGeneration"]
    assert config["auto_map"] == {
        "AutoConfig": "configuration_uniwhisper.UniWhisperConfig",
        "AutoModel": "modeling_uniwhisper.UniWhisperModel",
        "AutoModelForMultimodalLM": WHOLE,
        "AutoModelForSeq2SeqLM": WHOLE,
    }


@pytest.mark.parametrize(
    ("auto", "expected"),
    [
        (AutoConfig, UniWhisperConfig),
        (AutoModel, UniWhisperModel),
        (AutoModelForMultimodalLM, UniWhisperForConditionalGeneration),
        (AutoModelForSeq2SeqLM, UniWhisperForConditionalGeneration),
        (AutoProcessor, UniWhisperProcessor),
        (AutoFeatureExtractor, UniWhisperFeatureExtractor),
    ],
)
def test_installed_package_is_used_without_asking(tiny_checkpoint, auto, expected, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked whether to trust remote code"))
    assert type(auto.from_pretrained(tiny_checkpoint)) is expected


ELSEWHERE = """
    import sys

    class Hidden:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] == "modeling_uniwhisper":
                raise ModuleNotFoundError(name)

    sys.meta_path.insert(0, Hidden())

    import torch
    from transformers import (
        AutoConfig, AutoFeatureExtractor, AutoModel, AutoModelForMultimodalLM, AutoModelForSeq2SeqLM, AutoProcessor
    )

    folder, inputs, outputs, saved_again = sys.argv[1:]
    audio = torch.load(inputs, weights_only=True).numpy()
    trusted = {"trust_remote_code": True}
    config = AutoConfig.from_pretrained(folder, **trusted)
    processor = AutoProcessor.from_pretrained(folder, **trusted)
    extractor = AutoFeatureExtractor.from_pretrained(folder, **trusted)
    encoder = AutoModel.from_pretrained(folder, **trusted)
    models = [auto.from_pretrained(folder, **trusted) for auto in (AutoModelForMultimodalLM, AutoModelForSeq2SeqLM)]
    for thing in (config, processor, extractor, encoder, *models):
        assert type(thing).__module__.startswith("transformers_modules."), type(thing)
    batch = processor(text="<|audio|>What is heard?", audio=audio, sampling_rate=16000)
    results = {
        "embeddings": encoder.embed(**extractor(audio, sampling_rate=16000)).embeddings,
        "logits": models[0](**batch).logits.detach(),
        "logits again": models[1](**batch).logits.detach(),
        "answer": models[0].generate(**batch, max_new_tokens=5, do_sample=False),
    }
    torch.save(results, outputs)
    models[0].save_pretrained(saved_again)
    processor.save_pretrained(saved_again)
"""


@torch.no_grad()
def test_trust_remote_code_in_a_fresh_process(tiny_checkpoint, tiny_processor, make_audio, tmp_path):
    """From another folder, with the package hidden, and once more from what that process saved."""
    folder = shutil.copytree(tiny_checkpoint, tmp_path / "moved here")
    audio = make_audio(1.3)
    torch.save(torch.from_numpy(audio), tmp_path / "audio.pt")
    model = UniWhisperForConditionalGeneration.from_pretrained(tiny_checkpoint)
    batch = tiny_processor(text="<|audio|>What is heard?", audio=audio, sampling_rate=16000)
    logits = model(**batch).logits
    expected = {
        "embeddings": embedded(model.model, batch),
        "logits": logits,
        "logits again": logits,
        "answer": model.generate(**batch, max_new_tokens=5, do_sample=False),
    }
    for source, target in ((folder, "once"), (tmp_path / "once", "twice")):
        run_elsewhere(ELSEWHERE, source, tmp_path / "audio.pt", tmp_path / "results.pt", tmp_path / target)
        results = torch.load(tmp_path / "results.pt", weights_only=True)
        for name, tensor in expected.items():
            torch.testing.assert_close(results[name], tensor, msg=name)  # other threads round otherwise
    config = json.loads((tmp_path / "twice" / "config.json").read_text())
    assert config["auto_map"]["AutoModel"] == "modeling_uniwhisper.UniWhisperModel"


def run_elsewhere(code: str, *arguments) -> None:
    """Run Python in a new process and a new folder, with nothing cached."""
    cwd = arguments[-1].parent
    environment = {**os.environ, "HF_MODULES_CACHE": str(cwd / "modules"), "OMP_NUM_THREADS": "1"}
    environment.pop("PYTHONPATH", None)
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    process = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr


def embedded(model: UniWhisperModel, batch) -> torch.Tensor:
    names = ("input_features", "input_features_mask", "window_frames", "window_starts", "num_windows")
    return model.embed(**{name: batch[name] for name in names}).embeddings


def test_a_checkpoint_without_the_language_model_is_refused(tiny_model, tmp_path):
    tiny_model.model.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"lacks \d+ tensors.*training.assemble"):
        UniWhisperForConditionalGeneration.from_pretrained(tmp_path)
