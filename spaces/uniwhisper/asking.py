"""Questions about visitors' recordings: each is encoded once, answers stream, and every answer says what it took."""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import numpy as np
import torch
from transformers import TextIteratorStreamer

from modeling_uniwhisper import AudioError, UniWhisperForConditionalGeneration, UniWhisperProcessor, load_audio
from modeling_uniwhisper.audio_io import clock
from modeling_uniwhisper.listening import Progress, Recording, Reply, listen
from modeling_uniwhisper.token_pruning import Query
from modeling_uniwhisper.window_reader import WindowReader

MAX_SECONDS = 3600.0  # of decoded audio
MAX_QUESTION = 300  # characters
MAX_NEW_TOKENS = 128
KEPT_RECORDINGS = 4
KEPT_SECONDS = 3600.0  # of all that are kept; an hour's encoding takes 370 MB in float32
WHAT_IS_SAID = "What is said?"  # which the transcriber answers


class QuestionError(ValueError):
    """A question that cannot be asked. The message is one sentence for the visitor."""


@dataclass(frozen=True)
class Setting:
    """How much is listened to.

    Args:
        audio_token_rate: audio tokens a second, the checkpoint's own if not given.
        how: a way of `Recording.ask`.
        dropped: share of the audio tokens that the question attends to least, which most layers do not read.
    """

    audio_token_rate: float | None = None
    how: str = "auto"
    dropped: float = 0.0


@dataclass(frozen=True)
class Answer:
    """An answer so far, and once it is whole what it rests on.

    Args:
        text: what is said until now.
        seconds: since the recording was encoded.
        encoding_seconds: to decode and encode it; `None` where that was done before.
        reply: `None` until the answer is whole.
    """

    text: str
    seconds: float
    encoding_seconds: float | None
    reply: Reply | None = None

    @property
    def facts(self) -> str:
        """What it took and how it listened, in words; empty until the answer is whole."""
        if self.reply is None:
            return ""
        before = self.encoding_seconds or 0.0
        encoding = "encoding re-used" if self.encoding_seconds is None else f"{before:.1f} s of it encoding"
        took = f"Took {before + self.seconds:.1f} s, {encoding}"
        return f"{took} · {self.reply.heard} · {self.reply.audio_tokens:,} audio tokens"


class Transcript(NamedTuple):
    """What is said, a line a window, as far as it is written; `facts` is empty until it is whole."""

    text: str
    facts: str = ""


class Listener:
    """A checkpoint that answers, and the last recordings that it encoded.

    Attributes:
        reader: the same model as a search index has it, with a `transcriber` if the checkpoint has one.
    """

    def __init__(self, checkpoint: Path):
        device = "cuda" if torch.cuda.is_available() else "cpu"
        model = UniWhisperForConditionalGeneration.from_pretrained(checkpoint, dtype=torch.float32)
        self.model = model.to(device).eval()
        self.processor = UniWhisperProcessor.from_pretrained(checkpoint)
        self.reader = WindowReader(checkpoint, model=self.model, processor=self.processor)
        self._kept: OrderedDict[bytes, Recording] = OrderedDict()

    def hear(self, path: str | None, progress: Progress = iter) -> tuple[Recording, float | None]:
        """A visitor's recording, and the seconds that encoding it took, `None` where that was done before.

        Raises `AudioError`, without the path, for one that is missing, longer than `MAX_SECONDS` or not audio.
        """
        if not path:
            raise AudioError("Give a recording first.")
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
        started, seconds = perf_counter(), None
        recording = self._kept.pop(digest, None)
        if recording is None:
            recording = listen(self.model, self.processor, _load(path), progress)
            seconds = perf_counter() - started
        recording.progress = progress
        self._kept[digest] = recording
        while len(self._kept) > KEPT_RECORDINGS or (len(self._kept) > 1 and self._kept_seconds() > KEPT_SECONDS):
            self._kept.popitem(last=False)
        return recording, seconds

    def ask(
        self, path: str | None, question: str, setting: Setting = Setting(), progress: Progress = iter
    ) -> Iterator[Answer]:
        """Answer a question about a recording, piece by piece; the last piece is the whole answer with its reply.

        Raises `AudioError` as `hear` does, `QuestionError` for an empty or too long question.
        """
        self._check(question)
        recording, seconds = self.hear(path, progress)
        yield from _stream(recording, seconds, question, setting)

    def transcribe(self, path: str | None, progress: Progress = iter) -> Iterator[Transcript]:
        """Write down what is said, window by window; raises `AudioError` as `hear` does."""
        if not path:
            raise AudioError("Give a recording first.")
        if self.reader.transcriber is None:
            raise QuestionError("This checkpoint does not write down speech.")
        started, text = perf_counter(), ""
        for segment in self.reader.transcriber(_load(path), progress):
            if segment.text:
                text += f"{clock(segment.start)}  {segment.text}\n"
                yield Transcript(text)
        took = f"Took {perf_counter() - started:.1f} s"
        yield Transcript(text or "(nothing)", f"{took} · written by Whisper's own decoder, not by the one that answers")

    def compare(
        self, path: str | None, question: str, settings: Sequence[Setting], progress: Progress = iter
    ) -> Iterator[list[Answer]]:
        """Answer at each setting in turn; yields the answers so far, one a setting, and raises as `ask` does.

        Each starts with no audio token read, so that their times compare.
        """
        self._check(question)
        recording, seconds = self.hear(path, progress)
        done: list[Answer] = []
        for setting in settings:
            recording.forget()
            for answer in _stream(recording, seconds, question, setting):
                yield [*done, answer]
            done.append(answer)
            seconds = None

    def _check(self, question: str) -> None:
        if not question.strip():
            raise QuestionError("Ask a question.")
        if len(question) > MAX_QUESTION:
            raise QuestionError(f"The question has {len(question)} characters; at most {MAX_QUESTION} are read.")
        if self.processor.audio_token in question:
            raise QuestionError(f"The question holds {self.processor.audio_token}, which stands for the recording.")

    def _kept_seconds(self) -> float:
        return sum(recording.duration for recording in self._kept.values())


def _load(path: str) -> np.ndarray:
    """A visitor's recording; raises `AudioError` without its path."""
    try:
        return load_audio(path, max_seconds=MAX_SECONDS)
    except AudioError as error:
        raise AudioError(str(error).replace(path, "The recording")) from None


def _stream(recording: Recording, encoding_seconds: float | None, question: str, setting: Setting) -> Iterator[Answer]:
    streamer = TextIteratorStreamer(recording.processor.tokenizer, skip_prompt=True, skip_special_tokens=True)
    layers = recording.model.config.text_config.num_hidden_layers
    prune = Query(ratio=setting.dropped, layer=min(Query.layer, layers - 1))
    started = perf_counter()
    with ThreadPoolExecutor(1) as pool:
        reply = pool.submit(  # in this context, so that the recording's progress is shown to its visitor
            copy_context().run,
            recording.ask,
            question.strip(),
            setting.how,
            MAX_NEW_TOKENS,
            setting.audio_token_rate,
            streamer,
            prune,
        )
        reply.add_done_callback(lambda _: streamer.end())  # also where it fails
        text = ""
        for piece in streamer:
            text += piece
            yield Answer(text, perf_counter() - started, encoding_seconds)
    yield Answer(reply.result().text, perf_counter() - started, encoding_seconds, reply.result())
