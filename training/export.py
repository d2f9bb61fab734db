"""Writes what training changed: encoder and adapter in float16 shards, the LoRA, and what they belong to.

The folder opens with `UniWhisperModel.from_pretrained(folder)` and embeds audio with nothing else;
`training.assemble` adds the language model. Layout:

    config.json                        the whole `UniWhisperConfig`
    preprocessor_config.json           the front end that training used
    model-0000X-of-0000Y.safetensors   encoder.* and adapter.*, and their index
    lora/                              the language model's LoRA in PEFT's own format
    transcriber/                       that of Whisper's decoder, if that answered
    bases.json                         the base models, with their sha256
"""

import copy
import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from training.assemble import MANIFEST
from training.files import WeightsError

if TYPE_CHECKING:
    import torch

    from modeling_uniwhisper import UniWhisperForConditionalGeneration
    from training.whisper_decoder import WhisperAnswers

SHARD_BYTES = 15_000_000
LORA_TENSORS = "adapter_model.safetensors"


def export(
    model: "UniWhisperForConditionalGeneration | WhisperAnswers",
    folder: str | Path,
    base: str | Path,
    lora: str = "lora",
) -> Path:
    """Exports a trained model whose `language_model` is wrapped by PEFT, or was left as it was.

    An export that is in `folder` already is replaced; other files in it, such as a card, stay.

    Args:
        model: the model as training left it.
        folder: where to write, such as `model_cards/uniwhisper-base`.
        base: the untrained checkpoint that training started from, made by `training.assemble`.
        lora: the folder in it where the LoRA goes: `TRANSCRIBER` where Whisper's decoder answered.

    Raises:
        WeightsError: `base` was not assembled, or had been trained before; a tensor does not fit
            float16; or the LoRA is larger than a shard may be.
    """
    from huggingface_hub import save_torch_state_dict
    from peft import PeftModel

    from modeling_uniwhisper import UniWhisperFeatureExtractor
    from modeling_uniwhisper.transcribing import TRANSCRIBER

    folder, bases = Path(folder), _bases(Path(base))
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".export-") as scratch:
        new = Path(scratch)
        save_torch_state_dict(_half(model.model.state_dict()), new, max_shard_size=SHARD_BYTES)
        config = copy.deepcopy(model.config)
        config.architectures, config.dtype = [type(model.model).__name__], "float32"
        _save_json(json.loads(config.to_json_string()), new / "config.json")
        features = UniWhisperFeatureExtractor.from_pretrained(base)
        _save_json(json.loads(features.to_json_string()), new / "preprocessor_config.json")
        _save_json(bases, new / "bases.json")
        if isinstance(model.language_model, PeftModel):
            name = bases["encoder" if lora == TRANSCRIBER else "text_model"]["name"]
            _save_lora(model.language_model, new / lora, name)
        _replace(folder, new, ("lora", TRANSCRIBER))
    return folder


def _bases(base: Path) -> dict:
    try:
        manifest = json.loads((base / MANIFEST).read_text())
    except FileNotFoundError:
        raise WeightsError(
            f"{base} has no {MANIFEST}, so nothing tells what the tensors were trained on: start "
            "from a checkpoint of training.assemble"
        ) from None
    if manifest["inputs"]["trained"]:
        raise WeightsError(
            f"{base} has trained tensors in it, whose LoRA this export would lose: start from "
            "training.assemble --trained none"
        )
    return manifest["bases"]


def _half(state: "dict[str, torch.Tensor]") -> "dict[str, torch.Tensor]":
    half = {name: tensor.detach().cpu().half() for name, tensor in state.items()}
    for name, tensor in half.items():
        if not tensor.isfinite().all():
            raise WeightsError(f"{name} has values that float16 does not hold (above 65504, or nan)")
    return half


def _save_json(entries: dict, path: Path) -> None:
    """Without `auto_map`: the model's code lies in this repository, not beside its tensors."""
    entries = {name: entry for name, entry in entries.items() if name != "auto_map"}
    path.write_text(json.dumps(entries, indent=2) + "\n")


def _save_lora(language_model: "torch.nn.Module", folder: Path, base_name: str) -> None:
    """PEFT's own files in `folder`, the tensors in float16."""
    from safetensors.torch import load_file, save_file

    language_model.save_pretrained(folder, safe_serialization=True, save_embedding_layers=False)
    tensors = folder / LORA_TENSORS
    save_file(_half(load_file(tensors)), tensors, metadata={"format": "pt"})
    if (size := tensors.stat().st_size) > SHARD_BYTES:
        raise WeightsError(f"{tensors.name} has {size} bytes, more than {SHARD_BYTES}: train a lower rank")
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text())
    config["base_model_name_or_path"] = base_name  # PEFT writes the folder on the training machine
    _save_json(config, path)
    (folder / "README.md").unlink()


def _replace(folder: Path, new: Path, subfolders: tuple[str, ...]) -> None:
    """Moves the files of `new` into `folder`, after removing those of an export before."""
    for path in [*folder.glob("model*.safetensors"), *folder.glob("model.safetensors.index.json")]:
        path.unlink()
    for old in subfolders:
        shutil.rmtree(folder / old, ignore_errors=True)
    for path in new.iterdir():
        path.rename(folder / path.name)
