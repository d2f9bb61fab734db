"""UniWhisper, or any audio language model of transformers whose processor has a chat template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
import transformers
from transformers import (
    MODEL_FOR_MULTIMODAL_LM_MAPPING,
    MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING,
    AutoConfig,
    AutoProcessor,
    BatchFeature,
    PreTrainedConfig,
    PreTrainedModel,
)

from metrics.machine import peak_memory
from metrics.settings import Setting
from modeling_uniwhisper import UniWhisperProcessor
from modeling_uniwhisper.audio_io import SAMPLING_RATE
from modeling_uniwhisper.checkpoints import HUB_ID, find_checkpoint
from modeling_uniwhisper.feature_extraction_uniwhisper import HOP_LENGTH

from . import ModelError, Reply

UNIWHISPER = "uniwhisper"
"""As a model's name: the assembled checkpoint."""
MAPPINGS = (MODEL_FOR_MULTIMODAL_LM_MAPPING, MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING)
THINKERS = {
    "qwen2_5_omni": "Qwen2_5OmniThinkerForConditionalGeneration",
    "qwen3_omni_moe": "Qwen3OmniMoeThinkerForConditionalGeneration",
}
"""Model types that also speak, to the class of the part that answers in text."""
PADDED = {"text_kwargs": {"padding": True}, "return_tensors": "pt"}
"""Of the text alone: how audio is padded, each feature extractor knows."""
MASKS = ("feature_attention_mask", "input_features_mask", "audio_attention_mask")


class LocalModel:
    """A checkpoint, opened here and warmed up.

    Args:
        name: folder or Hub id, or `uniwhisper`.
        device, dtype: as torch names them.
        setting: what is dropped of what is heard; nothing if not given.

    Raises:
        ModelError: the checkpoint cannot be opened, takes no audio or has no chat template; or as `take`.
    """

    def __init__(self, name: str, device: str, dtype: str, setting: Setting | None = None):
        source = find_checkpoint() if name == UNIWHISPER else name
        if not (Path(source).is_dir() or HUB_ID.fullmatch(name)):
            raise ModelError(f"{name} is neither a folder here nor a Hub id such as Qwen/Qwen2-Audio-7B-Instruct")
        try:
            config = AutoConfig.from_pretrained(source)
            network = model_class(name, config).from_pretrained(source, dtype=getattr(torch, dtype))
            self.processor = AutoProcessor.from_pretrained(source)
        except ModelError:
            raise
        except (ImportError, OSError, ValueError) as error:
            raise ModelError(f"{name} cannot be opened as a model: {str(error).strip().splitlines()[0]}") from None
        self.name, self.network = name, network.to(device).eval()
        hearing = (getattr(self.processor, part, None) for part in ("feature_extractor", "audio_processor"))
        self.extractor: Any = next(filter(None, hearing), None)
        if self.extractor is None:
            raise ModelError(f"{name} takes no audio: its processor has no feature extractor")
        self.ours = isinstance(self.processor, UniWhisperProcessor)
        # Some processors leave the template to their tokenizer.
        self.processor.chat_template = self.processor.chat_template or self.processor.tokenizer.chat_template
        if not self.processor.chat_template:
            raise ModelError(f"{name} has no chat template")
        self.processor.tokenizer.padding_side = "left"
        self.limit = getattr(self.network.config.get_text_config(), "max_position_embeddings", None) or np.inf
        self.take(setting or Setting())

    def take(self, setting: Setting) -> None:
        """Reply with `setting` from now on.

        Raises:
            ModelError: the model cannot.
        """
        if setting.audio_token_rate is not None and not self.ours:
            kind = self.network.config.model_type
            raise ModelError(f"an audio token rate is UniWhisper's to choose, but {self.name} is a {kind}")
        self.setting = setting
        try:
            # Outside of `reply`, so that what cannot work at all is not taken for one bad recording after another.
            self.reply_together([np.zeros(SAMPLING_RATE, np.float32)], ["Warm up."], 1)
        except ValueError as error:
            raise ModelError(f"{self.name} cannot reply with {setting}: {error}") from None

    def reply(
        self, audios: Sequence[np.ndarray] | None, instructions: Sequence[str], max_new_tokens: int
    ) -> list[Reply]:
        """As `AudioLanguageModel.reply`; a recording that is too much for the model gets no text but the error."""
        start = perf_counter()
        try:
            return self.reply_together(audios, instructions, max_new_tokens)
        except ValueError as error:
            if len(instructions) == 1:
                return [Reply("", perf_counter() - start, 0.0, 0, error=str(error))]
        return [
            self.reply(audios and audios[row : row + 1], [instruction], max_new_tokens)[0]
            for row, instruction in enumerate(instructions)
        ]

    def reply_together(
        self, audios: Sequence[np.ndarray] | None, instructions: Sequence[str], max_new_tokens: int
    ) -> list[Reply]:
        """As `reply`, but raises `ValueError` if one recording of the batch is too much."""
        start = perf_counter()
        inputs = self.prepare(audios, instructions)
        prepared = perf_counter() - start
        heard = self.heard(inputs, audios, instructions)
        cuda = self.network.device.type == "cuda"
        if cuda:
            torch.cuda.reset_peak_memory_stats(self.network.device)
        start = perf_counter() - prepared
        generated = self.generate(inputs, max_new_tokens=max_new_tokens)
        seconds = (perf_counter() - start) / len(instructions)
        texts = self.processor.batch_decode(generated, skip_special_tokens=True)
        peak = torch.cuda.max_memory_allocated(self.network.device) / 1e9 if cuda else peak_of_process()
        return [
            Reply(text.strip(), seconds, of_audio, self.count(tokens), peak)
            for text, of_audio, tokens in zip(texts, heard, generated)
        ]

    def generate(self, inputs: BatchFeature, **options) -> torch.Tensor:
        """New tokens `(batch, length)`, greedily; `options` are those of transformers' `generate`."""
        with torch.inference_mode(), self.setting.applied(self.network):
            generated = self.network.generate(
                **inputs.to(self.network.device, dtype=self.network.dtype), do_sample=False, num_beams=1, **options
            )
        return generated[:, inputs["input_ids"].shape[1] :].cpu()  # which waits for the device

    def prepare(self, audios: Sequence[np.ndarray] | None, instructions: Sequence[str]) -> BatchFeature:
        """Model inputs of a batch, padded on the left.

        Raises:
            ValueError: the prompt is longer than the model reads.
        """
        contents: list[list[dict[str, Any]]] = [[{"type": "text", "text": instruction}] for instruction in instructions]
        for content, audio in zip(contents, audios or ()):
            content.insert(0, {"type": "audio", "audio": audio})
        inputs = self.processor.apply_chat_template(
            [[{"role": "user", "content": content}] for content in contents],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            processor_kwargs={"audio_token_rate": self.setting.audio_token_rate} if self.ours else PADDED,
        )
        if (longest := int(inputs["attention_mask"].sum(-1).max())) >= self.limit:
            raise ValueError(f"the prompt takes {longest} tokens, but the model reads at most {self.limit}")
        return BatchFeature(dict(inputs))

    def heard(
        self, inputs: Mapping[str, torch.Tensor], audios: Sequence[np.ndarray] | None, instructions: Sequence[str]
    ) -> list[float | None]:
        """Seconds of each recording that are in `inputs`, by the feature frames that are no padding."""
        if audios is None:
            return [0.0] * len(instructions)
        hop = HOP_LENGTH if self.ours else getattr(self.extractor, "hop_length", None)
        if hop is None:
            return [None] * len(audios)
        mask = next((inputs[name] for name in MASKS if inputs.get(name) is not None), None)
        if len(audios) == 1:
            features = next(value for name, value in inputs.items() if name.endswith("input_features"))
            frames = [features.numel() // self.extractor.feature_size if mask is None else int(mask.sum())]
        elif mask is not None and len(mask) == len(audios):
            frames = mask.flatten(1).sum(1).tolist()
        else:  # A row is a window, and which are of which recording is not told.
            pairs = zip(audios, instructions)
            return [self.heard(self.prepare([a], [text]), [a], [text])[0] for a, text in pairs]
        # Silence may be put after a recording.
        return [min(count * hop, len(audio)) / SAMPLING_RATE for count, audio in zip(frames, audios)]

    def count(self, tokens: torch.Tensor) -> int:
        """Tokens of a reply `(length,)`, up to and with the one that ends it."""
        ends = self.network.generation_config.eos_token_id
        ended = torch.isin(tokens, torch.tensor([] if ends is None else ends)).nonzero()
        return int(ended[0]) + 1 if len(ended) else len(tokens)


def model_class(name: str, config: PreTrainedConfig) -> type[PreTrainedModel]:
    """The class that answers in text about audio.

    Raises:
        ModelError: transformers has none for this configuration.
    """
    if config.model_type in THINKERS:
        return getattr(transformers, THINKERS[config.model_type])
    for mapping in MAPPINGS:
        if type(config) in mapping:
            return mapping[type(config)]
    raise ModelError(f"{name} is a {config.model_type}, which transformers does not know to answer about audio")


def peak_of_process() -> float | None:
    """Most gigabytes that this process held at a time, where the system tells it."""
    return peak_memory() / 1e9 if Path("/proc/self/status").exists() else None
