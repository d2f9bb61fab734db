"""The ONNX file gives what torch gives, for any batch and length, in ONNX Runtime and in OpenVINO."""

import numpy as np
import onnxruntime
import pytest
import torch
from onnxruntime.capi.onnxruntime_pybind11_state import Fail

from modeling_uniwhisper import UniWhisperFeatureExtractor, UniWhisperModel
from modeling_uniwhisper.audio_io import SAMPLING_RATE
from training.onnx_encoder import EmbeddingEncoder, export_encoder

LENGTHS = {"shortest": [0.025], "padded": [3, 0.3, 7], "full": [30], "full_padded": [30, 4]}


@pytest.fixture(scope="module", params=[1, 2])
def checkpoint(request, tiny_checkpoint, tmp_path_factory):
    """A tiny model that embeds with one of its layers."""
    folder = tmp_path_factory.mktemp("checkpoint")
    model = UniWhisperModel.from_pretrained(tiny_checkpoint)
    model.config.embedding_layer = request.param
    model.save_pretrained(folder)
    UniWhisperFeatureExtractor.from_pretrained(tiny_checkpoint).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def file(checkpoint, tmp_path_factory):
    return export_encoder(checkpoint, tmp_path_factory.mktemp("onnx"))


@pytest.fixture
def features(file, make_audio):
    """`features(seconds)`: what the saved front end makes of clips of these lengths."""
    extract = UniWhisperFeatureExtractor.from_pretrained(file.parent)
    return lambda lengths: extract(
        [make_audio(seconds, seed) for seed, seconds in enumerate(lengths)], sampling_rate=SAMPLING_RATE
    )


@pytest.fixture(params=["onnxruntime", "openvino"])
def run(request, file):
    """`run(feeds)`: the file's outputs in a runtime."""
    if request.param == "onnxruntime":
        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        return lambda feeds: session.run(None, feeds)
    openvino = pytest.importorskip("openvino")
    compiled = openvino.Core().compile_model(file, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda feeds: list(compiled(feeds).values())


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
def test_equals_torch(checkpoint, features, run, lengths):
    inputs = {name: features(lengths)[name] for name in ("input_features", "input_features_mask")}
    with torch.no_grad():
        expected = EmbeddingEncoder(UniWhisperModel.from_pretrained(checkpoint))(**inputs)
    for got, wanted in zip(run({name: tensor.numpy() for name, tensor in inputs.items()}), expected, strict=True):
        np.testing.assert_allclose(got, wanted, atol=1e-4, rtol=0)


def test_embeds_with_numpy(checkpoint, file, features):
    inputs = features(LENGTHS["padded"])
    wanted = UniWhisperModel.from_pretrained(checkpoint).embed(**inputs).embeddings
    feeds = {name: inputs[name].numpy() for name in ("input_features", "input_features_mask")}
    session = onnxruntime.InferenceSession(file)
    [hidden] = session.run(["embedding_hidden_state"], feeds)
    real = feeds["input_features_mask"][:, ::2, None]
    np.testing.assert_allclose((hidden * real).sum(1) / real.sum(1), wanted, atol=1e-4, rtol=0)


@pytest.mark.parametrize("mels", [61, 3002])
def test_refuses_what_the_encoder_does_not_take(file, mels):
    feeds = {"input_features": np.zeros((1, 80, mels), np.float32), "input_features_mask": np.ones((1, mels), np.int64)}
    with pytest.raises(Fail):
        onnxruntime.InferenceSession(file).run(None, feeds)
