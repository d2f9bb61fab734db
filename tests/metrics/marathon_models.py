"""Tiny checkpoints of transformers' own audio language models: random weights, a processor that makes real features."""

from collections.abc import Callable
from pathlib import Path

import torch
from transformers import (
    AudioFlamingo3Config,
    AudioFlamingo3ForConditionalGeneration,
    AudioFlamingo3Processor,
    AutoProcessor,
    GenerationConfig,
    GlmAsrConfig,
    GlmAsrForConditionalGeneration,
    GlmAsrProcessor,
    MusicFlamingoConfig,
    MusicFlamingoForConditionalGeneration,
    MusicFlamingoProcessor,
    Phi4MultimodalConfig,
    Phi4MultimodalFeatureExtractor,
    Phi4MultimodalForCausalLM,
    Phi4MultimodalProcessor,
    PreTrainedModel,
    ProcessorMixin,
    Qwen2_5OmniConfig,
    Qwen2_5OmniForConditionalGeneration,
    Qwen2AudioConfig,
    Qwen2AudioForConditionalGeneration,
    Qwen2AudioProcessor,
    Qwen3OmniMoeConfig,
    Qwen3OmniMoeForConditionalGeneration,
    Qwen3OmniMoeProcessor,
    SiglipImageProcessor,
    TokenizersBackend,
    WhisperFeatureExtractor,
    set_seed,
)

from modeling_uniwhisper.processing_uniwhisper import AUDIO_TOKEN, CHAT_TEMPLATE

MELS = 80
TEXT = {
    "vocab_size": 264,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 2,
}
WHISPER = {
    "num_mel_bins": MELS,
    "d_model": 16,
    "encoder_layers": 2,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
}
VISION = {"depth": 1, "hidden_size": 16, "intermediate_size": 32, "num_heads": 2, "out_hidden_size": 32}
MROPE = {"rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0, "mrope_section": [1, 1, 2]}}
Checkpoint = tuple[PreTrainedModel, ProcessorMixin]


def qwen2_audio(tokenizer: TokenizersBackend, audio: int) -> Checkpoint:
    config = Qwen2AudioConfig(audio_config=WHISPER, text_config=TEXT, audio_token_index=audio)
    return Qwen2AudioForConditionalGeneration(config), whisper_processor(Qwen2AudioProcessor, tokenizer)


def qwen2_5_omni(tokenizer: TokenizersBackend, audio: int) -> Checkpoint:
    """Without the part that speaks; with Qwen2-Audio's processor, which does the same, as its own needs torchvision."""
    config = Qwen2_5OmniConfig(
        enable_audio_output=False,
        thinker_config={
            "audio_config": WHISPER | {"output_dim": 32},
            "vision_config": VISION,
            "text_config": TEXT | MROPE,
            "audio_token_index": audio,
            "vision_start_token_id": 260,
        },
    )
    processor = whisper_processor(Qwen2AudioProcessor, tokenizer, chunk_length=300)
    return Qwen2_5OmniForConditionalGeneration(config), processor


class Qwen3OmniHearing(Qwen2AudioProcessor):
    """Qwen3-Omni's processor without its image and video processors, which need torchvision."""

    audio_kwargs = Qwen3OmniMoeProcessor.audio_kwargs
    n_window = Qwen3OmniMoeProcessor.n_window
    _process_audio = Qwen3OmniMoeProcessor._process_audio


AutoProcessor.register(Qwen3OmniMoeConfig, Qwen3OmniHearing, exist_ok=True)


def qwen3_omni(tokenizer: TokenizersBackend, audio: int) -> Checkpoint:
    """Without the part that speaks."""
    experts = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}
    config = Qwen3OmniMoeConfig(
        enable_audio_output=False,
        thinker_config={
            "audio_config": WHISPER | {"output_dim": 32, "downsample_hidden_size": 8},
            "vision_config": VISION | {"deepstack_visual_indexes": [0]},
            "text_config": TEXT | MROPE | experts,
            "audio_token_id": audio,
            "vision_start_token_id": 260,
        },
    )
    return Qwen3OmniMoeForConditionalGeneration(config), whisper_processor(Qwen3OmniHearing, tokenizer)


def audio_flamingo_3(tokenizer: TokenizersBackend, audio: int) -> Checkpoint:
    config = AudioFlamingo3Config(audio_config=FLAMINGO, text_config=QWEN2, audio_token_id=audio)
    return AudioFlamingo3ForConditionalGeneration(config), whisper_processor(AudioFlamingo3Processor, tokenizer)


def music_flamingo(tokenizer: TokenizersBackend, audio: int) -> Checkpoint:
    config = MusicFlamingoConfig(
        audio_config=FLAMINGO, text_config=QWEN2, audio_token_id=audio, audio_bos_token_id=260, audio_eos_token_id=261
    )
    return MusicFlamingoForConditionalGeneration(config), whisper_processor(MusicFlamingoProcessor, tokenizer)


def glm_asr(tokenizer: TokenizersBackend, audio: int) -> Checkpoint:
    encoder = {
        "num_mel_bins": MELS,
        "hidden_size": 16,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    config = GlmAsrConfig(audio_config=encoder, text_config=TEXT | {"model_type": "llama"}, audio_token_id=audio)
    return GlmAsrForConditionalGeneration(config), whisper_processor(GlmAsrProcessor, tokenizer)


def phi_4(tokenizer: TokenizersBackend, audio: int) -> Checkpoint:
    """With another model's image processor, which no audio comes to: its own needs torchvision."""
    hearing = {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_blocks": 2,
        "num_attention_heads": 2,
        "ext_pw_out_channel": 16,
        "depthwise_separable_out_channel": 16,
        "nemo_conv_channels": 16,
        "audio_token_id": audio,
    }
    seeing = {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_token_id": 260,
    }
    config = Phi4MultimodalConfig(**TEXT, audio_config=hearing, vision_config=seeing)
    tokenizer = TokenizersBackend(
        tokenizer_object=tokenizer.backend_tokenizer,
        **{name: tokenizer.eos_token for name in ("bos_token", "eos_token", "pad_token")},
        extra_special_tokens={"audio_token": AUDIO_TOKEN, "image_token": "<|image|>"},
    )
    processor = Phi4MultimodalProcessor(
        SiglipImageProcessor(), Phi4MultimodalFeatureExtractor(), tokenizer, chat_template=CHAT_TEMPLATE
    )
    return Phi4MultimodalForCausalLM(config), processor


def whisper_processor(kind: type[ProcessorMixin], tokenizer: TokenizersBackend, chunk_length: int = 30):
    extractor = WhisperFeatureExtractor(MELS, chunk_length=chunk_length)
    return kind(extractor, tokenizer, chat_template=CHAT_TEMPLATE, audio_token=AUDIO_TOKEN)


FLAMINGO = {
    "model_type": "audioflamingo3_encoder",
    "num_mel_bins": MELS,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}
QWEN2 = TEXT | {"model_type": "qwen2"}
KINDS: dict[str, Callable[[TokenizersBackend, int], Checkpoint]] = {
    kind.__name__: kind
    for kind in (qwen2_audio, qwen2_5_omni, qwen3_omni, audio_flamingo_3, music_flamingo, glm_asr, phi_4)
}


def save(kind: str, folder: Path, tokenizer: TokenizersBackend) -> Path:
    """Write a checkpoint of `kind` that speaks `tokenizer`'s tokens."""
    set_seed(0)
    model, processor = KINDS[kind](tokenizer, tokenizer.convert_tokens_to_ids(AUDIO_TOKEN))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(5)  # so that answers vary with what is heard
    model.generation_config = GenerationConfig(bos_token_id=1, eos_token_id=2, pad_token_id=2)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
