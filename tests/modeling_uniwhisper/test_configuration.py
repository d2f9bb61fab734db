import pytest
from transformers import AutoConfig, LlamaConfig, Qwen2Config, Qwen3Config

from modeling_uniwhisper import UniWhisperConfig, UniWhisperEncoderConfig


def test_round_trip(tiny_config, tmp_path):
    tiny_config.save_pretrained(tmp_path)
    loaded = AutoConfig.from_pretrained(tmp_path)
    assert type(loaded) is UniWhisperConfig
    assert {**loaded.to_dict(), "_name_or_path": ""} == tiny_config.to_dict()
    assert type(loaded.audio_config) is UniWhisperEncoderConfig
    assert type(loaded.text_config) is LlamaConfig
    assert loaded.audio_token_rates == [25.0, 12.5, 6.25, 3.125]


@pytest.mark.parametrize("text_config", [Qwen2Config(hidden_size=32), Qwen3Config(hidden_size=32)])
def test_any_text_config(text_config, tmp_path):
    UniWhisperConfig(text_config=text_config).save_pretrained(tmp_path)
    loaded = UniWhisperConfig.from_pretrained(tmp_path).text_config
    assert type(loaded) is type(text_config) and loaded.hidden_size == 32


def test_default_is_whisper_base_and_llama():
    config = UniWhisperConfig()
    assert (config.audio_config.hidden_size, config.audio_config.num_hidden_layers) == (512, 6)
    assert config.text_config.model_type == "llama"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"audio_token_rates": [25.0, 10.0]}, "audio_token_rates holds 10.0, but a rate must divide 25 evenly"),
        ({"audio_token_rates": [50.0]}, "audio_token_rates holds 50.0"),
        ({"audio_token_rates": [0.0]}, "audio_token_rates holds 0.0"),
        ({"audio_token_rates": [-25.0]}, "audio_token_rates holds -25.0"),
        ({"audio_token_rate": 5.0}, "audio_token_rate is 5.0 Hz, but this model offers 25.0, 12.5, 6.25, 3.125 Hz"),
        ({"embedding_layer": 7}, "embedding_layer is 7, but the encoder has layers 0 to 6"),
        ({"embedding_layer": -1}, "embedding_layer is -1"),
    ],
)
def test_wrong_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        UniWhisperConfig(**settings)
