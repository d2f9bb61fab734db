"""Questions about one recording of any length: it is encoded once, and what the language model read of it is kept.

Where a recording is more than the language model's context holds, there are three ways to answer all the same, and
a reply says which was taken:

- "rate": all of it at a lower token rate; below the slowest, neighbouring tokens are averaged.
- "windows": the windows that tell most about the answer, heard in full. Each is first heard alone at the slowest
  rate. What it tells is how far the answer's first token is then from the mean over all windows, by
  Kullback-Leibler divergence: its part of the mutual information between window and answer.
- "notes": the question is asked of each window, and then of the answers, as text.
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from transformers import BatchEncoding, DynamicCache
from transformers.generation.streamers import BaseStreamer
from transformers.utils import logging

from .audio_io import SAMPLING_RATE, clock, load_audio
from .configuration_uniwhisper import ENCODER_FRAME_RATE, frames_per_audio_token, num_audio_tokens
from .feature_extraction_uniwhisper import cut_windows, window_samples
from .modeling_uniwhisper import WINDOWS_PER_BATCH, UniWhisperForConditionalGeneration
from .processing_uniwhisper import UniWhisperProcessor
from .token_pruning import TokenPruning, pruning

WAYS = ("all", "rate", "windows", "notes")
TOO_LONG = "windows"  # what "auto" does where not all fits
CHOSEN_SECONDS = 300.0  # "windows" hears no more in full: as long as AudioMarathon's longest recordings
NOTE_TOKENS = 32  # longest note on a window
MAX_NEW_TOKENS = 64
PREFILL_CHUNK = 512  # tokens read at once, which bounds memory
KEPT_PREFIXES = 2  # key-value caches that a recording keeps

NOTES = "These are notes on a recording, part by part.\n\n{notes}\n\n{question}"
Progress = Callable[[Sequence], Iterable]
progress_bar: Progress = partial(logging.tqdm, desc="listening", leave=False)


@dataclass(frozen=True)
class Reply:
    """An answer, and what it rests on.

    Args:
        text: the answer.
        how: "all", "rate", "windows" or "notes".
        audio_token_rate: audio tokens a second that were read.
        audio_tokens: how many.
        kept_tokens: how many of them the last layers read.
        spans: what was heard at that rate, from and to in seconds, in order.
        duration: seconds of the recording.
    """

    text: str
    how: str
    audio_token_rate: float
    audio_tokens: int
    kept_tokens: int
    spans: tuple[tuple[float, float], ...]
    duration: float

    @property
    def seconds_heard(self) -> float:
        """Seconds in `spans`."""
        return sum(end - start for start, end in self.spans)

    @property
    def heard(self) -> str:
        """How it was listened to, in words."""
        rate = f"{self.audio_token_rate:.3g} tokens a second"
        if self.kept_tokens < self.audio_tokens:
            rate += f", of which {self.kept_tokens:,} were kept"
        if self.how == "windows":
            spans = ", ".join(f"{clock(start)} to {clock(end)}" for start, end in self.spans)
            return f"chose {self.seconds_heard:.0f} of {self.duration:.0f} s and heard them at {rate}: {spans}"
        notes = ", and read notes on each window" if self.how == "notes" else ""
        return f"heard all {self.duration:.0f} s at {rate}{notes}"


def listen(
    model: UniWhisperForConditionalGeneration,
    processor: UniWhisperProcessor,
    audio: str | Path | np.ndarray,
    progress: Progress = progress_bar,
    window_seconds: float | None = None,
) -> "Recording":
    """Encode a recording of any length.

    Args:
        audio: a path, or a mono 16 kHz waveform `(samples,)`.
        progress: wraps a sequence of batches, as tqdm does, now and when questions are answered.
        window_seconds: longest window, at most 30 s; the feature extractor's if not given.

    Raises `AudioError` for audio that cannot be read or is empty.
    """
    return Recording(model, processor, load_audio(audio, SAMPLING_RATE), progress, window_seconds)


class Recording:
    """What was heard of one recording; made by [`listen`].

    Attributes:
        frames: the encoder's output, in the model's dtype `(windows, frames, hidden size)`.
        window_frames: frames of each window that hold audio `(windows,)`.
        spans: start and end of each window in seconds.
        duration: seconds.
    """

    @torch.inference_mode()
    def __init__(
        self,
        model: UniWhisperForConditionalGeneration,
        processor: UniWhisperProcessor,
        audio: np.ndarray,
        progress: Progress,
        window_seconds: float | None = None,
    ):
        self.model, self.processor, self.progress = model, processor, progress
        extractor = processor.feature_extractor
        cuts = cut_windows(torch.from_numpy(audio), window_samples(window_seconds or extractor.window_seconds))
        self.spans = [(start / SAMPLING_RATE, stop / SAMPLING_RATE) for start, stop in cuts]
        self.duration = len(audio) / SAMPLING_RATE
        frames, window_frames = [], []
        for first in progress(range(0, len(cuts), WINDOWS_PER_BATCH)):
            windows = [audio[start:stop] for start, stop in cuts[first : first + WINDOWS_PER_BATCH]]
            features = extractor(windows, sampling_rate=SAMPLING_RATE, window_seconds=window_seconds).to(model.device)
            frames += model.model(features["input_features"], features["input_features_mask"]).last_hidden_state
            window_frames.append(features["window_frames"].cpu())
        self.frames = torch.nn.utils.rnn.pad_sequence(frames, batch_first=True)
        self.window_frames = torch.cat(window_frames)
        self._everything = torch.arange(len(cuts))
        self._prefixes: OrderedDict[tuple, DynamicCache] = OrderedDict()

    @torch.inference_mode()
    def ask(
        self,
        question: str,
        how: str = "auto",
        max_new_tokens: int = MAX_NEW_TOKENS,
        audio_token_rate: float | None = None,
        streamer: BaseStreamer | None = None,
        prune: TokenPruning | None = None,
    ) -> Reply:
        """Answer a question, greedily.

        Args:
            how: "all" hears everything at `audio_token_rate`; "rate", "windows" and "notes" are told above; "auto" is
                "all" where that fits the language model's context, else `TOO_LONG`.
            max_new_tokens: longest answer.
            audio_token_rate: tokens a second, one that the config lists; its own if not given. "rate" may lower it.
            streamer: is given the prompt's token ids and then the answer's, one by one, as `generate` does.
            prune: drops audio tokens while the question is read, so that nothing of them is kept for the next.

        Raises `ValueError` for an empty question, one with an audio placeholder, an unknown way or rate, for more than
        the context holds, and for notes, of whose windows nothing is pruned.
        """
        if not question.strip():
            raise ValueError("the question is empty")
        if self.processor.audio_token in question:
            raise ValueError(f"the question holds {self.processor.audio_token}, which stands for audio")
        if how not in ("auto", *WAYS):
            raise ValueError(f"how is {how!r}, but the ways to listen are auto, {', '.join(WAYS)}")
        config = self.model.config
        rate = config.audio_token_rate if audio_token_rate is None else audio_token_rate
        stride = frames_per_audio_token(rate, config.audio_token_rates)
        prompt = self._prompt([{"type": "audio"}, {"type": "text", "text": question}])
        room = self._room(prompt, max_new_tokens)
        if how == "auto":
            how = "all" if self._count(self._everything, stride) <= room else TOO_LONG

        windows = self._everything
        if how == "rate":
            stride = self._slower(stride, room)
        if how == "windows":
            windows = self._choose(prompt, stride, room)
        kept = tokens = self._count(windows, stride)
        if prune is not None and prune.keeps_all:
            prune = None
        if how == "notes":
            if prune is not None:
                raise ValueError("notes are of windows heard one by one, of which nothing is pruned")
            text = self._read_notes(prompt, question, stride, max_new_tokens, streamer)
        elif tokens > room:
            seconds = int(self.window_frames[windows].sum()) / ENCODER_FRAME_RATE
            raise ValueError(
                f"{seconds:.0f} s at {ENCODER_FRAME_RATE / stride:g} tokens a second are {tokens} tokens, but the "
                f"language model has room for {room}: take a lower audio_token_rate, or listen by {', '.join(WAYS[1:])}"
            )
        elif prune is None:
            text = self._read(prompt, windows, stride, max_new_tokens, streamer)
        else:
            text, kept = self._read_pruned(prompt, windows, stride, max_new_tokens, streamer, prune)
        return Reply(
            text=text,
            how=how,
            audio_token_rate=ENCODER_FRAME_RATE / stride,
            audio_tokens=tokens,
            kept_tokens=kept,
            spans=joined([self.spans[window] for window in windows]),
            duration=self.duration,
        )

    @torch.inference_mode()
    def ask_each(
        self,
        question: str,
        windows: Sequence[int],
        max_new_tokens: int = NOTE_TOKENS,
        audio_token_rate: float | None = None,
    ) -> list[str]:
        """The greedy answer about each of `windows`, heard alone at a rate of the config, its own if not given."""
        config = self.model.config
        rate = config.audio_token_rate if audio_token_rate is None else audio_token_rate
        prompt = self._prompt([{"type": "audio"}, {"type": "text", "text": question}])
        stride = frames_per_audio_token(rate, config.audio_token_rates)
        answers = self._ask_each(prompt, stride, max_new_tokens, torch.tensor(windows, dtype=torch.long))
        return [text for texts, _ in answers for text in texts]

    def forget(self) -> None:
        """Drop what the language model has read; what the encoder heard is kept."""
        self._prefixes.clear()

    def audio_tokens(self, windows: torch.Tensor, stride: int) -> list[torch.Tensor]:
        """Audio tokens `(tokens, text hidden size)` of each of `windows` `(windows,)`.

        `stride` is the encoder frames that a token stands for: that of a configured rate, or a multiple of the
        slowest's, whose tokens are then averaged.
        """
        *_, slowest = self._strides()
        tokens = [
            window
            for rows in windows.split(WINDOWS_PER_BATCH)
            for window in self.model.model.adapter(
                self.frames[rows], self.window_frames[rows].to(self.frames.device), min(stride, slowest)
            )
        ]
        if stride > slowest:
            tokens = [torch.stack([some.mean(0) for some in window.split(stride // slowest)]) for window in tokens]
        return tokens

    def _strides(self) -> list[int]:
        rates = self.model.config.audio_token_rates
        return sorted(frames_per_audio_token(rate, rates) for rate in rates)

    def _count(self, windows: torch.Tensor, stride: int) -> int:
        return int(num_audio_tokens(self.window_frames[windows], stride).sum())

    def _prompt(self, content: str | list[dict]) -> str:
        """A user's turn."""
        chat = [{"role": "user", "content": content}]
        return self.processor.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)

    def _inputs(self, prompt: str, audio_tokens: Sequence[int] = (1,)) -> BatchEncoding:
        """A row of `prompt` for each number of audio tokens, with as many placeholders."""
        token = self.processor.audio_token
        prompts = [prompt.replace(token, token * number) for number in audio_tokens]
        inputs = self.processor.tokenizer(prompts, padding=True, padding_side="left", return_tensors="pt")
        return inputs.to(self.model.device)

    def _room(self, prompt: str, max_new_tokens: int) -> int:
        """How many tokens fit into the context beside the prompt's text and its answer."""
        limit = self.model.config.text_config.max_position_embeddings
        text = self._inputs(prompt)["input_ids"].shape[1] - prompt.count(self.processor.audio_token)
        if (room := limit - text - max_new_tokens) < 1:
            raise ValueError(
                f"the question takes {text} tokens and its answer up to {max_new_tokens}, but the language model reads "
                f"at most {limit}, with the audio"
            )
        return room

    def _slower(self, stride: int, room: int) -> int:
        """Frames a token stands for at the highest rate at which everything fits into `room`."""
        *faster, slowest = self._strides()
        longest = int(self.window_frames.max())
        strides = [slower for slower in (*faster, *range(slowest, longest + slowest, slowest)) if slower >= stride]
        return next((slower for slower in strides if self._count(self._everything, slower) <= room), strides[-1])

    def _choose(self, prompt: str, stride: int, room: int) -> torch.Tensor:
        """The windows that tell most about the answer, as many as fit, in order."""
        *_, slowest = self._strides()
        answers = torch.cat([first.float().log_softmax(-1) for _, first in self._ask_each(prompt, slowest, 1)])
        mean = answers.logsumexp(0) - math.log(len(answers))
        tells = (answers.exp() * (answers - mean)).sum(-1).cpu()

        best = tells.argsort(descending=True, stable=True)
        seconds = self.window_frames[best].cumsum(0) / ENCODER_FRAME_RATE
        tokens = num_audio_tokens(self.window_frames[best], stride).cumsum(0)
        fit = int(((seconds <= CHOSEN_SECONDS) & (tokens <= room)).sum())
        return best[: max(fit, 1)].sort().values

    def _read_notes(
        self, prompt: str, question: str, stride: int, max_new_tokens: int, streamer: BaseStreamer | None
    ) -> str:
        """Ask each window, and then the notes; those are as long as the context allows."""
        times = [clock(start) for start, _ in self.spans]
        frame = self._prompt(NOTES.format(notes="\n".join(f"{time} " for time in times), question=question))
        longest = min(NOTE_TOKENS, self._room(frame, max_new_tokens) // len(times))
        if longest < 1:
            raise ValueError(f"notes on {len(times)} windows are more than the language model's context holds")
        notes = [text for texts, _ in self._ask_each(prompt, stride, longest) for text in texts]
        listed = "\n".join(f"{time} {' '.join(note.split())}" for time, note in zip(times, notes))
        inputs = self._inputs(self._prompt(NOTES.format(notes=listed, question=question)))
        [answer], _ = self._generate(inputs, max_new_tokens, streamer=streamer)
        return answer

    def _ask_each(
        self, prompt: str, stride: int, max_new_tokens: int, windows: torch.Tensor | None = None
    ) -> Iterator[tuple[list[str], torch.Tensor]]:
        """As `_generate`, for each of `windows`, or every window, alone, a batch at a time."""
        for batch in self.progress((self._everything if windows is None else windows).split(WINDOWS_PER_BATCH)):
            tokens = self.audio_tokens(batch, stride)
            inputs = self._inputs(prompt, [len(window) for window in tokens])
            yield self._generate(inputs, max_new_tokens, audio_embeds=torch.cat(tokens))

    def _read(
        self,
        prompt: str,
        windows: torch.Tensor,
        stride: int,
        max_new_tokens: int,
        streamer: BaseStreamer | None,
    ) -> str:
        """Answer about `windows`; what the model keeps of them is there for the next question."""
        inputs = self._inputs(prompt, [self._count(windows, stride)])
        audio = (inputs["input_ids"][0] == self.model.config.audio_token_id).nonzero()
        prefix = inputs["input_ids"][:, : int(audio[-1]) + 1]
        key = stride, *windows.tolist()
        cache = self._prefixes.pop(key, None)
        if cache is None:
            while len(self._prefixes) >= KEPT_PREFIXES:
                self._prefixes.popitem(last=False)
            embeds = self.model.get_input_embeddings()(prefix)
            embeds[:, audio[:, 0]] = torch.cat(self.audio_tokens(windows, stride)).to(embeds)
            cache = prefill(self.model, embeds, self.progress)
        [answer], _ = self._generate(inputs, max_new_tokens, past_key_values=cache, streamer=streamer)
        cache.crop(prefix.shape[1] - cache.get_seq_length())
        self._prefixes[key] = cache
        return answer

    def _read_pruned(
        self,
        prompt: str,
        windows: torch.Tensor,
        stride: int,
        max_new_tokens: int,
        streamer: BaseStreamer | None,
        prune: TokenPruning,
    ) -> tuple[str, int]:
        """Answer about `windows` with fewer audio tokens, and how many; the whole prompt is read at once."""
        tokens, cache = torch.cat(self.audio_tokens(windows, stride)), DynamicCache()
        inputs = self._inputs(prompt, [len(tokens)])
        with pruning(self.model, prune):
            [answer], _ = self._generate(
                inputs, max_new_tokens, audio_embeds=tokens, past_key_values=cache, streamer=streamer
            )
        return answer, int(cache.held[-1].audio.sum())

    def _generate(self, inputs: BatchEncoding, max_new_tokens: int, **kwargs) -> tuple[list[str], torch.Tensor]:
        """The greedy answer of each row, and the logits of its first token `(rows, vocabulary)`."""
        output = self.model.generate(
            **inputs,
            max_new_tokens=max_new_tokens,
            do_sample=False,
            num_beams=1,
            return_dict_in_generate=True,
            output_logits=True,
            **kwargs,
        )
        answers = output.sequences[:, inputs["input_ids"].shape[1] :]
        texts = self.processor.batch_decode(answers, skip_special_tokens=True)
        return [text.strip() for text in texts], output.logits[0]


def prefill(
    model: UniWhisperForConditionalGeneration, inputs_embeds: torch.Tensor, progress: Progress = iter
) -> DynamicCache:
    """What the language model keeps of the beginning of a prompt `(1, length, text hidden size)`, read in chunks."""
    cache = DynamicCache()
    for chunk in progress(inputs_embeds.split(PREFILL_CHUNK, dim=1)):
        model(inputs_embeds=chunk, past_key_values=cache, use_cache=True, logits_to_keep=1)
    return cache


def joined(spans: Iterable[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Spans in order, those that touch as one."""
    whole: list[tuple[float, float]] = []
    for start, end in spans:
        if whole and whole[-1][1] == start:
            start, _ = whole.pop()
        whole.append((start, end))
    return tuple(whole)


__all__ = ["Recording", "Reply", "listen"]
