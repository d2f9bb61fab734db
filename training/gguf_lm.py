"""Turns a GGUF language model into an ordinary `transformers` model and tokenizer.

GGUF stores quantised weights: what comes out is their dequantised values, real but a little below
the quality of the original checkpoint.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def load_gguf(path: str | Path) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    """The causal LM in float32 and its tokenizer; both can be saved and opened as any other.

    `transformers` takes a model read from GGUF for a quantised one and refuses to save it, although
    its weights are plain floats by then, so every trace of the quantiser is removed.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

    folder, name = Path(path).parent, Path(path).name
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32)
    model.hf_quantizer = None
    del model.config.quantization_config, model.config._model_name_or_path
    for leftover in ("is_local", "local_files_only"):
        tokenizer.init_kwargs.pop(leftover, None)
    model.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return model.eval(), tokenizer
