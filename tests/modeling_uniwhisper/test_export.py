"""torch.export: the graph of the encoder gives what the module gives, for other batches and lengths too."""

import pytest
import torch


@pytest.mark.parametrize("part", ["encoder", "model"])
@pytest.mark.parametrize("masked", [False, True])
@torch.no_grad()
def test_export(tiny_model, part, masked):
    module = tiny_model.model if part == "model" else tiny_model.model.encoder
    rows, half = torch.export.Dim("rows", max=64), torch.export.Dim("half", min=2, max=1500)
    shapes = {"input_features": {0: rows, 2: 2 * half}}
    if masked:
        shapes["input_features_mask"] = {0: rows, 1: 2 * half}
    program = torch.export.export(module, (), inputs(3, 60, masked), dynamic_shapes=shapes)
    for size in ((3, 60), (2, 100), (5, 3000)):
        kwargs = inputs(*size, masked)
        actual, expected = (call(**kwargs).last_hidden_state for call in (program.module(), module))
        torch.testing.assert_close(actual, expected, atol=1e-5, rtol=0)


def inputs(rows: int, frames: int, masked: bool) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(rows)
    kwargs = {"input_features": torch.randn(rows, 80, frames, generator=generator)}
    if masked:
        lengths = torch.randint(2, frames, (rows, 1), generator=generator)
        kwargs["input_features_mask"] = (torch.arange(frames) < lengths).long()
    return kwargs
