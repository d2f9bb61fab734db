"""Reads Whisper weights from CTranslate2's `model.bin` and gives them Hugging Face names.

The format (binary version 6) is plain structs, little-endian: a header, then each variable as name,
shape, dtype code, byte count and bytes, then pairs of aliases. Nothing is unpickled. Source:
`python/ctranslate2/specs/model_spec.py` of OpenNMT/CTranslate2.
"""

import json
import struct
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

if TYPE_CHECKING:
    import torch
    from transformers import (
        GenerationConfig,
        WhisperConfig,
        WhisperForConditionalGeneration,
        WhisperProcessor,
    )

BINARY_VERSION = 6
DTYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
MULTILINGUAL_VOCABULARY = 51865
START_OF_TRANSCRIPT, END_OF_TEXT = 50258, 50257
LANGUAGE_COUNT = 99
TASKS = {"translate": 50358, "transcribe": 50359}
START_OF_PREVIOUS, NO_TIMESTAMPS = 50361, 50363

Variables = dict[str, np.ndarray]


class ModelBinError(ValueError):
    """A `model.bin` that is truncated, of another version, or not Whisper's."""


def read(path: str | Path) -> Variables:
    """Every variable of a `model.bin`, by CTranslate2's own name, in the dtype it was stored in.

    Raises:
        ModelBinError: another binary version, an unknown dtype, or fewer or more bytes than the
            header promises.
    """
    path = Path(path)
    variables: Variables = {}
    with path.open("rb") as file:
        try:
            (version,) = _unpack(file, "<I")
            if version != BINARY_VERSION:
                raise ModelBinError(f"binary version {version}, expected {BINARY_VERSION}")
            _string(file)  # the spec's name, "WhisperSpec"
            _revision, count = _unpack(file, "<II")
            for _ in range(count):
                name, array = _variable(file)
                variables[name] = array
            (aliases,) = _unpack(file, "<I")
            for _ in range(aliases):
                alias, name = _string(file), _string(file)
                variables[alias] = variables[name]
            if file.read(1):
                raise ModelBinError("bytes left over after the last alias")
        except ModelBinError as error:
            raise ModelBinError(f"{path}: {error}") from None
    return variables


def _take(file: BinaryIO, count: int) -> bytes:
    data = file.read(count)
    if len(data) != count:
        raise ModelBinError(f"truncated: {count} bytes wanted, {len(data)} left")
    return data


def _unpack(file: BinaryIO, layout: str) -> tuple[int, ...]:
    return struct.unpack(layout, _take(file, struct.calcsize(layout)))


def _string(file: BinaryIO) -> str:
    (length,) = _unpack(file, "<H")
    return _take(file, length).rstrip(b"\0").decode()


def _variable(file: BinaryIO) -> tuple[str, np.ndarray]:
    name = _string(file)
    (rank,) = _unpack(file, "<B")
    shape = _unpack(file, f"<{rank}I")
    code, size = _unpack(file, "<BI")
    if code not in DTYPES:
        raise ModelBinError(f"{name} has dtype code {code}, known are {sorted(DTYPES)}")
    dtype = np.dtype(DTYPES[code])
    if size != dtype.itemsize * int(np.prod(shape)):
        raise ModelBinError(f"{name} has {size} bytes, which is not {shape} of {dtype}")
    return name, np.frombuffer(_take(file, size), dtype).reshape(shape)


def whisper_config(variables: Variables) -> "WhisperConfig":
    """The `WhisperConfig` that the shapes and head counts imply; multilingual Whisper only."""
    from transformers import WhisperConfig

    vocab_size, width = variables["decoder/embeddings/weight"].shape
    if vocab_size != MULTILINGUAL_VOCABULARY:
        raise ModelBinError(f"a vocabulary of {vocab_size}, expected {MULTILINGUAL_VOCABULARY} (multilingual)")
    return WhisperConfig(
        vocab_size=vocab_size,
        d_model=width,
        num_mel_bins=variables["encoder/conv1/weight"].shape[1],
        encoder_layers=_layer_count(variables, "encoder"),
        decoder_layers=_layer_count(variables, "decoder"),
        encoder_attention_heads=int(variables["encoder/num_heads"]),
        decoder_attention_heads=int(variables["decoder/num_heads"]),
        encoder_ffn_dim=len(variables["encoder/layer_0/ffn/linear_0/bias"]),
        decoder_ffn_dim=len(variables["decoder/layer_0/ffn/linear_0/bias"]),
        max_source_positions=len(variables["encoder/position_encodings/encodings"]),
        max_target_positions=len(variables["decoder/position_encodings/encodings"]),
        decoder_start_token_id=START_OF_TRANSCRIPT,
        bos_token_id=END_OF_TEXT,
        eos_token_id=END_OF_TEXT,
        pad_token_id=END_OF_TEXT,
    )


def _layer_count(variables: Variables, side: str) -> int:
    prefix = f"{side}/layer_"
    names = (name for name in variables if name.startswith(prefix))
    return len({name.removeprefix(prefix).split("/")[0] for name in names} - {"norm"})


def encoder_state_dict(variables: Variables) -> "dict[str, torch.Tensor]":
    """The encoder's float32 tensors, named as in `transformers`' `WhisperEncoder`."""
    state = {
        **_linear(variables, "encoder/conv1", "conv1"),
        **_linear(variables, "encoder/conv2", "conv2"),
        **_side(variables, "encoder"),
    }
    for layer in range(_layer_count(variables, "encoder")):
        state |= _layer(variables, f"encoder/layer_{layer}", f"layers.{layer}")
    return state


def decoder_state_dict(variables: Variables) -> "dict[str, torch.Tensor]":
    """The decoder's float32 tensors, named as in `transformers`' `WhisperDecoder`."""
    state = {
        "embed_tokens.weight": _tensor(variables, "decoder/embeddings/weight"),
        **_side(variables, "decoder"),
    }
    for layer in range(_layer_count(variables, "decoder")):
        source, target = f"decoder/layer_{layer}", f"layers.{layer}"
        state |= _layer(variables, source, target)
        state |= _linear(variables, f"{source}/attention/linear_0", f"{target}.encoder_attn.q_proj")
        state |= _fused(variables, f"{source}/attention/linear_1", f"{target}.encoder_attn", ("k", "v"))
        state |= _linear(variables, f"{source}/attention/linear_2", f"{target}.encoder_attn.out_proj")
        state |= _norm(variables, f"{source}/attention/layer_norm", f"{target}.encoder_attn_layer_norm")
    return state


def _side(variables: Variables, side: str) -> "dict[str, torch.Tensor]":
    positions = _tensor(variables, f"{side}/position_encodings/encodings")
    return {
        "embed_positions.weight": positions,
        **_norm(variables, f"{side}/layer_norm", "layer_norm"),
    }


def _layer(variables: Variables, source: str, target: str) -> "dict[str, torch.Tensor]":
    attention = f"{source}/self_attention"
    return {
        **_fused(variables, f"{attention}/linear_0", f"{target}.self_attn", ("q", "k", "v")),
        **_linear(variables, f"{attention}/linear_1", f"{target}.self_attn.out_proj"),
        **_norm(variables, f"{attention}/layer_norm", f"{target}.self_attn_layer_norm"),
        **_linear(variables, f"{source}/ffn/linear_0", f"{target}.fc1"),
        **_linear(variables, f"{source}/ffn/linear_1", f"{target}.fc2"),
        **_norm(variables, f"{source}/ffn/layer_norm", f"{target}.final_layer_norm"),
    }


def _fused(variables: Variables, source: str, target: str, parts: tuple[str, ...]) -> "dict[str, torch.Tensor]":
    """Splits a projection that CTranslate2 fused; Whisper's keys have no bias, so theirs is 0."""
    weights = _tensor(variables, f"{source}/weight").chunk(len(parts))
    biases = _tensor(variables, f"{source}/bias").chunk(len(parts))
    state = {}
    for part, weight, bias in zip(parts, weights, biases, strict=True):
        state[f"{target}.{part}_proj.weight"] = weight.clone()
        if part != "k":
            state[f"{target}.{part}_proj.bias"] = bias.clone()
        elif bias.any():
            raise ModelBinError(f"{source} has a bias on its keys, which Whisper has not")
    return state


def _linear(variables: Variables, source: str, target: str) -> "dict[str, torch.Tensor]":
    return {
        f"{target}.weight": _tensor(variables, f"{source}/weight"),
        f"{target}.bias": _tensor(variables, f"{source}/bias"),
    }


def _norm(variables: Variables, source: str, target: str) -> "dict[str, torch.Tensor]":
    return {
        f"{target}.weight": _tensor(variables, f"{source}/gamma"),
        f"{target}.bias": _tensor(variables, f"{source}/beta"),
    }


def _tensor(variables: Variables, name: str) -> "torch.Tensor":
    import torch

    if name not in variables:
        raise ModelBinError(f"{name} is missing: not a Whisper model")
    return torch.from_numpy(variables[name].astype(np.float32))


def load_whisper(folder: str | Path) -> "WhisperForConditionalGeneration":
    """The whole Whisper, encoder and decoder, in float32, ready for `generate`.

    `folder` is CTranslate2's: `model.bin`, and `config.json` with the tokens never to be said.
    """
    from transformers import WhisperForConditionalGeneration

    variables = read(Path(folder) / "model.bin")
    model = WhisperForConditionalGeneration(whisper_config(variables))
    model.model.encoder.load_state_dict(encoder_state_dict(variables))
    model.model.decoder.load_state_dict(decoder_state_dict(variables))
    model.tie_weights()
    model.generation_config = _generation_config(Path(folder) / "config.json")
    return model.eval()


def _generation_config(path: Path) -> "GenerationConfig":
    from transformers import GenerationConfig
    from transformers.models.whisper.tokenization_whisper import LANGUAGES

    settings = json.loads(path.read_text())
    languages = list(LANGUAGES)[:LANGUAGE_COUNT]
    return GenerationConfig(
        decoder_start_token_id=START_OF_TRANSCRIPT,
        bos_token_id=END_OF_TEXT,
        eos_token_id=END_OF_TEXT,
        pad_token_id=END_OF_TEXT,
        prev_sot_token_id=START_OF_PREVIOUS,
        no_timestamps_token_id=NO_TIMESTAMPS,
        is_multilingual=True,
        lang_to_id={f"<|{code}|>": id for code, id in zip(languages, settings["lang_ids"], strict=True)},
        task_to_id=TASKS,
        suppress_tokens=settings["suppress_ids"],
        begin_suppress_tokens=settings["suppress_ids_begin"],
        alignment_heads=settings["alignment_heads"],
        max_initial_timestamp_index=50,
        max_length=448,
        return_timestamps=False,
    )


def load_whisper_processor(folder: str | Path) -> "WhisperProcessor":
    """Whisper's tokenizer, read from `tokenizer.json` in `folder`, and its feature extractor."""
    from transformers import WhisperFeatureExtractor, WhisperProcessor, WhisperTokenizer

    tokenizer = WhisperTokenizer.from_pretrained(folder, pad_token="<|endoftext|>")
    return WhisperProcessor(WhisperFeatureExtractor(), tokenizer)


def write_vocabulary(folder: Path) -> None:
    """Write the `vocabulary.json` that CTranslate2's own reader wants, from `tokenizer.json` in `folder`."""
    from tokenizers import Tokenizer

    vocabulary = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab()
    (folder / "vocabulary.json").write_text(json.dumps(sorted(vocabulary, key=vocabulary.__getitem__)))
