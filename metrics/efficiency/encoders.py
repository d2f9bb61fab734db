"""The encoder in other runtimes and precisions: `python -m metrics.efficiency.encoders`.

Windows of real audio go through the same weights in

- PyTorch: float32, bfloat16 (as shipped), both compiled, dynamic int8;
- ONNX Runtime, on the file of `training.onnx_encoder`: float32, dynamic int8;
- OpenVINO, on the same file: float32, bfloat16.

Log-mel features are made before the clock starts. Arms take turns, after a warm-up; times and their ratio
to those of PyTorch's bfloat16 are medians over rounds. What an arm's speed costs stands beside it: the largest
difference of its last layer from that of float32, and the least cosine of its embedding with that of float32.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import typer
from rich.progress import track

from dataset_builders.audiomarathon.builder import MINI
from dataset_builders.errors import plain_errors
from metrics.machine import environment
from metrics.reports import write_report
from modeling_uniwhisper import UniWhisperFeatureExtractor, UniWhisperModel, load_audio
from modeling_uniwhisper.audio_io import SAMPLING_RATE
from modeling_uniwhisper.checkpoints import encoder_sha256
from training.assemble import TRAINED
from training.onnx_encoder import EmbeddingEncoder, export_encoder

from .timing import spread, take_turns

SIZES = ((30, 1), (30, 8), (10, 1))  # seconds of a window, windows at once
REPEATS = 9
PACKAGES = ("torch", "transformers", "onnxruntime", "onnxscript", "openvino", "numpy")
EXACT, SHIPPED = "torch_float32", "torch_bfloat16"

# From `input_features` and `input_features_mask` to the last layer's output and that of the layer that embeds.
Arm = Callable[..., Sequence[torch.Tensor | np.ndarray]]


def main(
    checkpoint: Path = typer.Argument(TRAINED, exists=True, help="Folder of a model with its front end."),
    out: Path | None = typer.Option(None, help="Where the JSON goes; printed if not given."),
    repeats: int = typer.Option(REPEATS, help="Timed rounds after the warm-up."),
) -> None:
    """Time of every arm, beside what it changes."""
    report: dict[str, Any] = {
        "command": f"python -m metrics.efficiency.encoders --repeats {repeats}",
        **environment(PACKAGES),
    }
    report |= {"checkpoint": checkpoint.name, "encoder_sha256": encoder_sha256(checkpoint), "sizes": []}
    with tempfile.TemporaryDirectory() as scratch:
        arms = make_arms(checkpoint, Path(scratch))
        for seconds, batch in track(SIZES, "encoding"):
            result = measure(arms, real_windows(checkpoint, seconds, batch), repeats)
            report["sizes"].append({"window_seconds": seconds, "batch": batch, "repeats": repeats, "arms": result})
    write_report(report, out)


def make_arms(checkpoint: Path, scratch: Path) -> dict[str, Arm]:
    """The encoder of `checkpoint` in every runtime and precision; files go to `scratch`."""
    from onnxruntime.quantization import quantize_dynamic

    file, int8 = export_encoder(checkpoint, scratch), scratch / "int8.onnx"
    quantize_dynamic(file, int8, op_types_to_quantize=["MatMul"])  # as PyTorch's: not the convolutions
    float32, bfloat16 = (
        EmbeddingEncoder(UniWhisperModel.from_pretrained(checkpoint, dtype=dtype)).eval()
        for dtype in (torch.float32, torch.bfloat16)
    )
    compiled = partial(torch.compile, fullgraph=True, dynamic=False)
    return {
        EXACT: float32,
        SHIPPED: bfloat16,
        "torch_compile_float32": compiled(float32),
        "torch_compile_bfloat16": compiled(bfloat16),
        "torch_int8": torch.ao.quantization.quantize_dynamic(float32, {torch.nn.Linear}),
        "onnxruntime_float32": in_onnxruntime(file),
        "onnxruntime_int8": in_onnxruntime(int8),
        "openvino_float32": in_openvino(file, "f32"),
        "openvino_bfloat16": in_openvino(file, "bf16"),
    }


def in_onnxruntime(file: Path) -> Arm:
    """The ONNX file with as many threads as PyTorch has."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    return lambda **inputs: session.run(None, {name: tensor.numpy() for name, tensor in inputs.items()})


def in_openvino(file: Path, precision: str) -> Arm:
    """The ONNX file with as many threads as PyTorch has; `precision` is the one it is to compute in."""
    import openvino

    config = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": torch.get_num_threads()}
    compiled = openvino.Core().compile_model(file, "CPU", config)
    return lambda **inputs: list(compiled({name: tensor.numpy() for name, tensor in inputs.items()}).values())


def real_windows(checkpoint: Path, seconds: int, batch: int) -> dict[str, torch.Tensor]:
    """The first `seconds` of `batch` recordings of the shipped mini, as the encoder takes them."""
    files = sorted(MINI.glob("audio/*.opus"))[:batch]
    audio = [load_audio(file)[: seconds * SAMPLING_RATE] for file in files]
    extract = UniWhisperFeatureExtractor.from_pretrained(checkpoint)
    features = extract(audio, sampling_rate=SAMPLING_RATE)
    return {name: features[name] for name in extract.model_input_names}


def measure(arms: dict[str, Arm], inputs: dict[str, torch.Tensor], repeats: int) -> dict[str, dict[str, object]]:
    """Time, ratio to the shipped arm's, difference and cosine of every arm on `inputs`, windows without padding."""
    fed = {name: partial(arm, **inputs) for name, arm in arms.items()}
    with torch.inference_mode():
        outputs = {name: [torch.as_tensor(output).float() for output in arm()] for name, arm in fed.items()}
    seconds = take_turns(fed, repeats)
    last, embedding = outputs[EXACT]
    return {
        name: {
            "seconds": spread(seconds[name]),
            f"over_{SHIPPED}": spread(seconds[name] / seconds[SHIPPED]),
            "largest_difference": float((outputs[name][0] - last).abs().max()),
            "least_cosine": float(torch.cosine_similarity(outputs[name][1].mean(1), embedding.mean(1)).min()),
        }
        for name in arms
    }


if __name__ == "__main__":
    with plain_errors():
        typer.run(main)
