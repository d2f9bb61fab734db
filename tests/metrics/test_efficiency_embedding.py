"""The benchmark's functions at tiny sizes; nothing is timed for its speed here."""

import numpy as np
import torch
from transformers import WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from metrics.efficiency.embedding import full_windows, long_files, short_clips
from metrics.efficiency.timing import compare, spread
from modeling_uniwhisper import UniWhisperEncoder, UniWhisperEncoderConfig


def test_short_clips(tiny_model):
    theirs = WhisperEncoder(WhisperConfig(d_model=16, encoder_layers=1, encoder_attention_heads=2, encoder_ffn_dim=32))
    result = short_clips(tiny_model.model.encoder, theirs.eval(), seconds=0.5, clips=2, repeats=3)
    assert result["batch"] == 2 and result["dtype"]["uniwhisper"] == "torch.float32"
    assert result["speedup"]["median"] > 1


def test_full_windows_run_faster_whispers_encoder(whisper_base):
    tiny = UniWhisperEncoder(UniWhisperEncoderConfig(hidden_size=16, intermediate_size=16, num_attention_heads=2))
    result = full_windows(tiny.eval(), whisper_base, batch=1, repeats=1)
    assert result["items_per_second"]["faster_whisper"]["median"] > 0


def test_arms_take_turns_after_a_warm_up():
    calls = []
    result = compare({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, items=3, repeats=2)
    assert calls == ["a", "b"] * 3
    assert result["repeats"] == 2 and result["items_per_second"].keys() == {"a", "b"}
    assert not torch.is_inference_mode_enabled()


def test_spread():
    assert spread(np.arange(1, 6)) == {"median": 3.0, "quartiles": [2.0, 4.0]}


def test_long_files(tiny_checkpoint):
    [run] = long_files(tiny_checkpoint, minutes=(1 / 60,))["runs"]
    assert run["minutes"] == 1 / 60
    assert run["seconds"].keys() == {"load", "features", "embed"}
    assert 0.05 < run["peak_gigabytes"] < 2
