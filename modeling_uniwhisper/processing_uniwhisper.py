"""Prompts with audio: how many placeholders an audio takes, and the chat template around them."""

import numpy as np
import torch
from transformers import BatchFeature, ProcessorMixin

from .audio_io import load_audio
from .configuration_uniwhisper import frames_per_audio_token, num_audio_tokens

AUDIO_TOKEN = "<|audio|>"
# ChatML, which SmolLM2 and Qwen speak; no system turn, so that prompts stay short.
CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{{ '<|im_start|>' + message.role + '\n' }}"
    "{%- if message.content is string -%}{{ message.content }}"
    "{%- else -%}{%- for item in message.content -%}"
    "{%- if item.type == 'audio' -%}{{ '" + AUDIO_TOKEN + "\n' }}"
    "{%- elif item.type == 'text' -%}{{ item.text }}{%- endif -%}"
    "{%- endfor -%}{%- endif -%}"
    "{{ '<|im_end|>\n' }}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\n' }}{%- endif -%}"
)


class UniWhisperProcessor(ProcessorMixin):
    """Feature extractor and tokenizer in one; see [`UniWhisperFeatureExtractor`].

    Args:
        audio_token: the placeholder in the text; one is written for each audio token.
        audio_token_rates: rates that the model offers, tokens a second.
        audio_token_rate: the rate used when a call names none.
    """

    def __init__(
        self,
        feature_extractor,
        tokenizer,
        chat_template: str | None = None,
        audio_token: str = AUDIO_TOKEN,
        audio_token_rates: list[float] | tuple[float, ...] = (25.0, 12.5, 6.25, 3.125),
        audio_token_rate: float = 12.5,
    ):
        self.audio_token = audio_token
        self.audio_token_id = tokenizer.convert_tokens_to_ids(audio_token)
        self.audio_token_rates = list(audio_token_rates)
        self.audio_token_rate = audio_token_rate
        super().__init__(feature_extractor, tokenizer, chat_template=chat_template or CHAT_TEMPLATE)

    def __call__(
        self,
        text: str | list[str] | None = None,
        audio: np.ndarray | list[np.ndarray] | None = None,
        sampling_rate: int | None = None,
        audio_token_rate: float | None = None,
        audio_token_budget: int | None = None,
        padding: bool | str = True,
        padding_side: str = "left",
        return_tensors: str | None = "pt",
        audio_kwargs: dict | None = None,
        images: None = None,
        videos: None = None,
        **text_kwargs,
    ) -> BatchFeature:
        """Model inputs for prompts `text` in which each `audio_token` stands for the next audio.

        Args:
            audio: mono 16 kHz waveforms `(samples,)`, in the order of their placeholders.
            audio_token_rate: tokens a second for this call.
            audio_token_budget: instead of a rate: the highest at which no row has more audio tokens than this.
            padding_side: left for generation, right for training.
            audio_kwargs: passed to the feature extractor.

        Returns `input_ids`, `attention_mask`, the feature extractor's tensors and `audio_token_rate`.
        Raises `ValueError` when the placeholders and the audios are not equally many, or no rate is within the budget.
        """
        if images is not None or videos is not None:
            raise ValueError("UniWhisper takes text and audio, not images or videos")
        if text is None and audio is None:
            raise ValueError("neither text nor audio is given")
        if text is None:
            return self._features(audio, sampling_rate, audio_kwargs)
        if audio_token_rate is not None and audio_token_budget is not None:
            raise ValueError("both an audio_token_rate and an audio_token_budget are given, but one sets the other")
        texts = [text] if isinstance(text, str) else list(text)
        audios = [] if audio is None else list(audio) if isinstance(audio, (list, tuple)) else [audio]
        places = sum(prompt.count(self.audio_token) for prompt in texts)
        if places != len(audios):
            raise ValueError(
                f"the text has {places} placeholders {self.audio_token}, but {len(audios)} audios are given"
            )
        data: dict = {}
        if audios:
            data = dict(self._features(audios, sampling_rate, audio_kwargs))
            windows = data["window_frames"].split(data["num_windows"].tolist())
            if audio_token_budget is None:
                rate = self.audio_token_rate if audio_token_rate is None else audio_token_rate
            else:
                rate = self._rate_within(audio_token_budget, windows, [text.count(self.audio_token) for text in texts])
            data["audio_token_rate"] = rate
            counts = iter(self._count(windows, rate))
            texts = [self._expand(prompt, counts) for prompt in texts]
        tokens = self.tokenizer(texts, padding=padding, padding_side=padding_side, return_tensors="pt", **text_kwargs)
        return BatchFeature({**tokens, **data})

    def _features(self, audio, sampling_rate: int | None, audio_kwargs: dict | None) -> BatchFeature:
        """The feature extractor's tensors; files are read, and `audio_kwargs` may name the rate, as elsewhere."""
        audio = self.feature_extractor.fetch_audio(audio)
        return self.feature_extractor(audio, **{"sampling_rate": sampling_rate, **(audio_kwargs or {})})

    def _count(self, windows: list[torch.Tensor], rate: float) -> list[int]:
        """Audio tokens of each audio, of whose `windows` the frames are given."""
        stride = frames_per_audio_token(rate, self.audio_token_rates)
        return [int(num_audio_tokens(frames, stride).sum()) for frames in windows]

    def _rate_within(self, budget: int, windows: list[torch.Tensor], audios_per_row: list[int]) -> float:
        """The highest rate at which the audios of each row take at most `budget` tokens."""
        for rate in sorted(self.audio_token_rates, reverse=True):
            counts = iter(self._count(windows, rate))
            most = max(sum(next(counts) for _ in range(audios)) for audios in audios_per_row)
            if most <= budget:
                return rate
        raise ValueError(f"audio_token_budget is {budget}, but at {rate} Hz, the slowest rate, a row has {most} tokens")

    def _expand(self, prompt: str, counts) -> str:
        first, *rest = prompt.split(self.audio_token)
        return first + "".join(self.audio_token * next(counts) + part for part in rest)

    def apply_chat_template(self, conversation, *args, **kwargs):
        """As usual; audio paths are read by our own reader, which knows what it cannot decode."""
        return super().apply_chat_template(_with_loaded_audio(conversation), *args, **kwargs)

    @property
    def model_input_names(self) -> list[str]:
        return [*super().model_input_names, "window_frames", "audio_token_rate"]


def _with_loaded_audio(node):
    """Copy of a conversation in which local audio paths are waveforms; URLs are left to transformers."""
    if isinstance(node, (list, tuple)):
        return [_with_loaded_audio(item) for item in node]
    if not isinstance(node, dict):
        return node
    if node.get("type") == "audio":
        key = next((key for key in ("audio", "path", "url") if key in node), None)
        source = node.get(key)
        if isinstance(source, torch.Tensor):
            source = source.numpy()
        if source is None or isinstance(source, np.ndarray):
            return {"type": "audio"} if source is None else {"type": "audio", "audio": source}
        if not str(source).startswith(("http://", "https://", "data:")):
            return {"type": "audio", "audio": load_audio(source)}
        return node
    return {key: _with_loaded_audio(value) for key, value in node.items()}


__all__ = ["UniWhisperProcessor"]
