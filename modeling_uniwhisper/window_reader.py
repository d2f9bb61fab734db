"""What a checkpoint makes of a recording, window by window: the rows of a search index.

A row holds the window's unit vector and, where words are wanted, what the model says of it and a vector of those words.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import torch

from .audio_io import SAMPLING_RATE, AudioError, file_version, load_audio
from .checkpoints import checkpoint_sha256, encoder_sha256
from .embedder import MOMENT_SECONDS, Embedder
from .listening import listen
from .modeling_uniwhisper import UniWhisperForConditionalGeneration
from .processing_uniwhisper import UniWhisperProcessor
from .transcribing import TRANSCRIBER, Transcriber

DOMAIN_QUESTION = "What kind of audio is this?"
FURTHER_QUESTIONS = {  # as validation asks them, whose answers are the best
    "speech": ("What language is spoken?",),  # and what is said, by the transcriber
    "environmental sound": ("What makes this sound?", "Describe the sounds."),
    "music": ("Which instrument family plays?", "Which instrument plays?"),
}
OTHER_QUESTIONS = FURTHER_QUESTIONS["environmental sound"]  # where the domain is called by another name
AUDIO_TOKEN_RATE = 6.25  # that of most of the model's training
ANSWER_TOKENS = 32  # longest: more words than are spoken in a window
TEXTS_PER_BATCH = 64


class FileRows(NamedTuple):
    """What became of one file: its rows, or the sentence why there are none."""

    path: str
    rows: pa.Table | None
    error: str | None = None


class WindowReader:
    """Reads recordings with one checkpoint.

    Args:
        checkpoint: folder.
        dtype: arithmetic of the model.
        words: whether windows are described, which takes the language model and most of the time.
        model: the whole model, where it is loaded already.
        processor: goes with it.

    Attributes:
        made_by: all that decides the rows; those of different readers do not go into one index.
        schema: of the rows.
    """

    def __init__(
        self,
        checkpoint: Path,
        dtype: str = "float32",
        words: bool = True,
        model: UniWhisperForConditionalGeneration | None = None,
        processor: UniWhisperProcessor | None = None,
    ):
        self.checkpoint, self.dtype, self.words = checkpoint, dtype, words
        self._given = None if model is None or processor is None else (model, processor)
        self.made_by = {
            "encoder": encoder_sha256(checkpoint),
            "dtype": dtype,
            "window_seconds": MOMENT_SECONDS,
            "descriptions": None,
        }
        if words:
            self.made_by["descriptions"] = {
                "checkpoint": checkpoint_sha256(checkpoint),
                "audio_token_rate": AUDIO_TOKEN_RATE,
                "questions": [DOMAIN_QUESTION, *sum(FURTHER_QUESTIONS.values(), ())],
            }
        config = json.loads((checkpoint / "config.json").read_text())
        fields = {
            "path": pa.string(),
            "size": pa.int64(),  # of the file when it was read: with mtime_ns it tells whether to read it again
            "mtime_ns": pa.int64(),
            "start": pa.float64(),  # seconds
            "end": pa.float64(),
            "title": pa.string(),
            "embedding": pa.list_(pa.float32(), config["audio_config"]["hidden_size"]),
        }
        if words:
            fields |= {
                "domain": pa.string(),
                "description": pa.string(),
                "text": pa.string(),  # title and description, for full-text search
                "text_embedding": pa.list_(pa.float32(), config["text_config"]["hidden_size"]),
            }
        self.schema = pa.schema(fields)

    @cached_property
    def embedder(self) -> Embedder:
        """The encoder alone."""
        return Embedder(self.checkpoint, self.dtype, self._given and self._given[0].model)

    @cached_property
    def whole(self) -> tuple[UniWhisperForConditionalGeneration, UniWhisperProcessor]:
        """The model with its language model, and its processor."""
        if self._given:
            return self._given
        model = UniWhisperForConditionalGeneration.from_pretrained(self.checkpoint, dtype=getattr(torch, self.dtype))
        device = "cuda" if torch.cuda.is_available() else "cpu"
        return model.to(device).eval(), UniWhisperProcessor.from_pretrained(self.checkpoint)

    @cached_property
    def transcriber(self) -> Transcriber | None:
        """Whisper's decoder on the same encoder, if the checkpoint has one."""
        if not (self.checkpoint / TRANSCRIBER).is_dir():
            return None
        return Transcriber(self.checkpoint, self.dtype, self.embedder.model.encoder)

    def embed(self, audio: np.ndarray) -> np.ndarray:
        """One unit vector `(dim,)` for 16 kHz mono `audio` `(samples,)` of any length."""
        return self.embedder(audio, MOMENT_SECONDS).recording

    @torch.inference_mode()
    def embed_words(self, texts: list[str]) -> np.ndarray:
        """The language model's last hidden states, averaged over each text's words `(texts, text hidden size)`.

        Words follow a token that starts the text: its own state is much larger than all others', and is left out.
        """
        model, processor = self.whole
        tokenizer = processor.tokenizer
        start = tokenizer.bos_token or tokenizer.eos_token
        vectors = []
        for first in range(0, len(texts), TEXTS_PER_BATCH):
            batch = [start + text for text in texts[first : first + TEXTS_PER_BATCH]]
            inputs = tokenizer(batch, padding=True, padding_side="right", return_tensors="pt").to(model.device)
            states = model.language_model.base_model(**inputs).last_hidden_state[:, 1:].float()
            words = inputs["attention_mask"][:, 1:, None]
            vectors.append(((states * words).sum(1) / words.sum(1).clamp(min=1)).cpu())
        return torch.cat(vectors).numpy()

    def describe(self, audio: np.ndarray) -> list[tuple[str, str]]:
        """Domain of each window, and what is said of it: greedy answers to the questions above, and speech as text."""
        recording = listen(*self.whole, audio, iter, MOMENT_SECONDS)

        def ask(question: str, windows: Sequence[int]) -> list[str]:
            return recording.ask_each(question, windows, ANSWER_TOKENS, AUDIO_TOKEN_RATE)

        domains = ask(DOMAIN_QUESTION, range(len(recording.spans)))
        said = [[domain] for domain in domains]
        for domain in sorted(set(domains)):
            windows = [window for window, name in enumerate(domains) if name == domain]
            for question in FURTHER_QUESTIONS.get(domain, OTHER_QUESTIONS):
                for window, answer in zip(windows, ask(question, windows)):
                    said[window].append(answer)
            if domain == "speech" and self.transcriber:
                for window in windows:
                    start, end = (round(time * SAMPLING_RATE) for time in recording.spans[window])
                    said[window].append(self.transcriber.write(audio[start:end]))
        return [(domain, _sentences(answers)) for domain, answers in zip(domains, said)]

    def read(self, path: str, title: str) -> pa.Table:
        """The rows of a file. Raises [`AudioError`] where it cannot be read."""
        size, mtime_ns = file_version(Path(path))  # before reading: a file that changes meanwhile is read again
        audio = load_audio(path)
        embedded = self.embedder(audio, MOMENT_SECONDS)
        count = len(embedded.starts)
        columns = {
            "path": [path] * count,
            "size": [size] * count,
            "mtime_ns": [mtime_ns] * count,
            "start": embedded.starts,
            "end": embedded.ends,
            "title": [title] * count,
            "embedding": _vectors(embedded.windows),
        }
        if self.words:
            domains, descriptions = zip(*self.describe(audio))
            columns |= {
                "domain": domains,
                "description": descriptions,
                "text": [f"{title}. {description}" for description in descriptions],
                "text_embedding": _vectors(self.embed_words(list(descriptions))),
            }
        return pa.table(columns, schema=self.schema)

    def read_all(self, titles: Mapping[str, str]) -> Iterator[FileRows]:
        """Reads files, given by path with their title, one after the other."""
        for path, title in titles.items():
            try:
                yield FileRows(path, self.read(path, title))
            except AudioError as error:
                yield FileRows(path, None, str(error))


def _sentences(answers: Iterable[str]) -> str:
    """All that differ, in order."""
    return ". ".join(filter(None, dict.fromkeys(" ".join(answer.split()).rstrip(".") for answer in answers)))


def _vectors(matrix: np.ndarray) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(matrix.astype(np.float32).ravel()), matrix.shape[1])
