"""Write an encoder as one ONNX file: `python -m training.onnx_encoder CHECKPOINT --out DIR`.

    encoder.onnx               float32; any number of windows, of any length up to 30 s
    preprocessor_config.json   the front end that makes its inputs

ONNX Runtime and NumPy then give what `UniWhisperModel.embed` gives for windows without a tail:

    session = onnxruntime.InferenceSession("encoder.onnx")
    feeds = {"input_features": features, "input_features_mask": mask}
    [hidden] = session.run(["embedding_hidden_state"], feeds)
    real = mask[:, ::2, None]
    embeddings = (hidden * real).sum(1) / real.sum(1)

`onnx.utils.extract_model` cuts the layers after the one that embeds, which ONNX Runtime would run all the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
import typer

from dataset_builders.errors import plain_errors
from modeling_uniwhisper import UniWhisperFeatureExtractor, UniWhisperModel

from .assemble import TRAINED

FILE = "encoder.onnx"
OPSET = 23  # the first with Attention: runtimes need not hold all scores, as with its parts
EXAMPLE = (2, 60)  # windows and mel frames of the trace


class EmbeddingEncoder(torch.nn.Module):
    """The encoder as a function of tensors: what the file holds."""

    def __init__(self, model: UniWhisperModel):
        super().__init__()
        self.encoder, self.layer = model.encoder, model.config.embedding_layer

    def forward(
        self, input_features: torch.Tensor, input_features_mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The last layer's output and that of `config.embedding_layer`, each `(windows, mel frames / 2, hidden size)`.

        Args:
            input_features: log-mel `(windows, mels, mel frames)`, float32, zero where masked.
            input_features_mask: 1 where the encoder may attend `(windows, mel frames)`, int64.
        """
        output = self.encoder(input_features, input_features_mask, output_hidden_states=True)
        return output.last_hidden_state, output.hidden_states[self.layer]


def export_encoder(checkpoint: str | Path, out: str | Path) -> Path:
    """Write the encoder of `checkpoint` and its front end to the folder `out`; returns the ONNX file.

    Windows have an even number of mel frames up to 3,000, as the front end makes them; a runtime fails at
    others, but for 3, which it takes.
    """
    out = Path(out)
    model = UniWhisperModel.from_pretrained(checkpoint, dtype=torch.float32)
    inputs = {
        "input_features": torch.zeros(EXAMPLE[0], model.encoder.config.num_mel_bins, EXAMPLE[1]),
        "input_features_mask": torch.ones(EXAMPLE, dtype=torch.long),
    }
    out.mkdir(parents=True, exist_ok=True)
    UniWhisperFeatureExtractor.from_pretrained(checkpoint).to_json_file(out / "preprocessor_config.json")
    torch.onnx.export(
        EmbeddingEncoder(model).eval(),
        kwargs=inputs,
        f=out / FILE,
        input_names=list(inputs),
        output_names=["last_hidden_state", "embedding_hidden_state"],
        opset_version=OPSET,
        dynamic_shapes={name: {0: "windows", tensor.ndim - 1: "mel_frames"} for name, tensor in inputs.items()},
        external_data=False,
        verbose=False,
    )
    return out / FILE


def main(
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    checkpoint: Annotated[Path, typer.Argument(exists=True, help="Folder of a model with its front end.")] = TRAINED,
) -> None:
    """Write the encoder of a checkpoint as one ONNX file."""
    print(f"written: {export_encoder(checkpoint, out)}")


if __name__ == "__main__":
    with plain_errors():
        typer.run(main)
