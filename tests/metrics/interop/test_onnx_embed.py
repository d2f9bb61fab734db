"""The plain script gives what torch gives, where torch cannot be imported."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from metrics.interop import onnx_embed
from modeling_uniwhisper import UniWhisperFeatureExtractor, UniWhisperModel, load_audio
from modeling_uniwhisper.audio_io import SAMPLING_RATE
from training.onnx_encoder import export_encoder

SECONDS = {"shortest": 0.025, "part of a frame": 1.2345, "full window": 30, "tail under 25 ms": 60.01}


@pytest.fixture(scope="module")
def onnx(tiny_checkpoint, tmp_path_factory):
    return export_encoder(tiny_checkpoint, tmp_path_factory.mktemp("onnx")).parent


@pytest.fixture(scope="module")
def embed_with_torch(tiny_checkpoint):
    model = UniWhisperModel.from_pretrained(tiny_checkpoint).eval()
    features = UniWhisperFeatureExtractor.from_pretrained(tiny_checkpoint)
    return lambda audio: model.embed(**features(audio, sampling_rate=SAMPLING_RATE)).embeddings[0].numpy()


@pytest.mark.parametrize("seconds", SECONDS.values(), ids=SECONDS)
def test_equals_torch(onnx, embed_with_torch, make_audio, seconds):
    audio = make_audio(seconds)
    np.testing.assert_allclose(onnx_embed.embed(onnx, audio), embed_with_torch(audio), atol=1e-4, rtol=0)


@pytest.mark.parametrize("mels", [80, 128])
@pytest.mark.parametrize("seconds", [0.025, 3.21, 29.99, 30])
def test_log_mel_is_the_front_ends(make_audio, mels, seconds):
    audio = make_audio(seconds)
    [wanted] = UniWhisperFeatureExtractor(feature_size=mels)(audio, sampling_rate=SAMPLING_RATE)["input_features"]
    got = onnx_embed.log_mel(audio, onnx_embed.mel_filters(mels))
    np.testing.assert_allclose(got, wanted, atol=1e-4, rtol=0)


def test_script_needs_no_torch(onnx, embed_with_torch, make_audio, tmp_path):
    audio = np.stack([make_audio(3.3), make_audio(3.3, seed=1)], axis=1)
    soundfile.write(tmp_path / "stereo.flac", audio, 44_100)
    script = Path(onnx_embed.__file__)
    without_torch = (
        "import runpy, sys\n"
        "for name in ('torch', 'transformers', 'modeling_uniwhisper'): sys.modules[name] = None\n"
        "runpy.run_path(sys.argv.pop(1), run_name='__main__')"
    )
    arguments = [script, onnx, tmp_path / "stereo.flac", "--out", tmp_path / "vector.npy"]
    subprocess.run([sys.executable, "-c", without_torch, *arguments], check=True)
    wanted = embed_with_torch(load_audio(tmp_path / "stereo.flac"))
    np.testing.assert_allclose(np.load(tmp_path / "vector.npy"), wanted, atol=1e-3, rtol=0)


def test_refuses_what_it_would_embed_wrongly(onnx, make_audio, tmp_path):
    with pytest.raises(ValueError, match="399 samples"):
        onnx_embed.embed(onnx, make_audio(1)[:399])
    shutil.copytree(onnx, tmp_path, dirs_exist_ok=True)
    front_end = tmp_path / "preprocessor_config.json"
    front_end.write_text(json.dumps(json.loads(front_end.read_text()) | {"pad_to_window": True}))
    with pytest.raises(ValueError, match="pads its windows"):
        onnx_embed.embed(tmp_path, make_audio(1))
