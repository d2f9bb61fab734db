"""Configuration of UniWhisper: a Whisper encoder, an elastic adapter and a causal language model."""

from collections.abc import Sequence
from typing import Any

from huggingface_hub.dataclasses import strict
from transformers import AutoConfig, PreTrainedConfig
from transformers.configuration_utils import SubConfigSpec

ENCODER_FRAME_RATE = 50  # encoder frames a second: a 10 ms mel hop, halved by Whisper's second convolution


@strict
class UniWhisperEncoderConfig(PreTrainedConfig):
    """Shape of the Whisper encoder; the defaults are Whisper-base's.

    `max_source_positions` is the longest window in encoder frames: 1500 frames of 20 ms are 30 s.
    """

    model_type = "uniwhisper_encoder"
    base_config_key = "audio_config"

    num_mel_bins: int = 80
    hidden_size: int = 512
    intermediate_size: int = 2048
    num_hidden_layers: int = 6
    num_attention_heads: int = 8
    max_source_positions: int = 1500
    activation_function: str = "gelu"
    dropout: float | int = 0.0
    attention_dropout: float | int = 0.0
    initializer_range: float = 0.02


@strict
class UniWhisperConfig(PreTrainedConfig):
    """Configuration of [`UniWhisperModel`] and [`UniWhisperForConditionalGeneration`].

    Args:
        audio_config: the encoder's shape, [`UniWhisperEncoderConfig`].
        text_config: any causal language model's config; SmolLM2's family (Llama) by default.
        audio_token_id: id of the placeholder that one audio token replaces.
        audio_token_rates: audio tokens a second that the adapter can give, each a divisor of 50 / 2.
        audio_token_rate: the rate used when a call names none.
        adapter_hidden_size: width of the adapter's hidden layer.
        embedding_layer: encoder layer that `embed` reads by default: 0 is the input to the first
            layer, `num_hidden_layers` the normalised output of the last.
    """

    model_type = "uniwhisper"
    sub_configs_defaults = {
        "audio_config": SubConfigSpec(config_class=UniWhisperEncoderConfig),
        "text_config": SubConfigSpec(config_class=AutoConfig, model_type="llama"),
    }

    audio_config: Any = None  # as given: a dict, a config or nothing; from then on a config
    text_config: Any = None
    audio_token_id: int = 0
    audio_token_rates: list[float | int] | tuple[float | int, ...] = (25.0, 12.5, 6.25, 3.125)
    audio_token_rate: float | int = 12.5
    adapter_hidden_size: int = 1024
    embedding_layer: int = 6
    initializer_range: float = 0.02

    @property
    def hidden_size(self) -> int:
        """Width of the vectors that `embed` gives."""
        return self.audio_config.hidden_size

    def __post_init__(self, **kwargs):
        super().__post_init__(**kwargs)
        self.audio_token_rates = [float(rate) for rate in self.audio_token_rates]
        for rate in self.audio_token_rates:
            if rate <= 0 or ENCODER_FRAME_RATE % rate or ENCODER_FRAME_RATE / rate % 2:
                raise ValueError(f"audio_token_rates holds {rate}, but a rate must divide 25 evenly")
        frames_per_audio_token(self.audio_token_rate, self.audio_token_rates)
        if not 0 <= self.embedding_layer <= self.audio_config.num_hidden_layers:
            raise ValueError(
                f"embedding_layer is {self.embedding_layer}, but the encoder has layers 0 to "
                f"{self.audio_config.num_hidden_layers}"
            )


def frames_per_audio_token(rate: float, rates: Sequence[float]) -> int:
    """Encoder frames that one audio token at `rate` tokens a second stands for."""
    if rate not in rates:
        raise ValueError(f"audio_token_rate is {rate} Hz, but this model offers {', '.join(map(str, rates))} Hz")
    return round(ENCODER_FRAME_RATE / rate)


def num_audio_tokens(window_frames, frames_per_token: int):
    """Audio tokens of windows holding `window_frames` encoder frames (int, array or tensor alike).

    The one place where lengths turn into token counts: the processor writes that many placeholders
    and the adapter returns that many embeddings.
    """
    return -(-window_frames // frames_per_token)


__all__ = ["UniWhisperConfig", "UniWhisperEncoderConfig"]
