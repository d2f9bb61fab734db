"""What is said, word for word: Whisper's own decoder, which was trained along with the encoder, reads its frames.

A checkpoint that can transcribe has a folder `transcriber`: a Whisper of transformers without encoder layers, and its
tokenizer. Recordings of any length are cut where they are quiet and written down one window after another.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from transformers import AutoTokenizer, GenerationMixin, WhisperForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutput

from .audio_io import SAMPLING_RATE
from .checkpoints import CheckpointError
from .feature_extraction_uniwhisper import UniWhisperFeatureExtractor
from .modeling_uniwhisper import UniWhisperEncoder, UniWhisperModel

TRANSCRIBER = "transcriber"
INSTRUCTION = "Transcribe the speech."
BEFORE, START, END = "<|startofprev|>", "<|startoftranscript|>", "<|endoftext|>"
LONGEST_SECONDS = 10.0  # of a window, as in training
TAIL_SECONDS = 4.0  # it is cut at the quietest place of its end
STEP_SECONDS = 0.1
TOKENS_PER_SECOND = 10  # of transcript, a generous bound


class Segment(NamedTuple):
    """What is said from `start` to `end`, in seconds."""

    start: float
    end: float
    text: str


class Transcriber:
    """The encoder of a checkpoint, and the decoder that writes down what it hears.

    Args:
        checkpoint: folder.
        dtype: arithmetic.
        encoder: that of the checkpoint, where it is loaded already.

    Raises [`CheckpointError`] for a checkpoint without a transcriber.
    """

    def __init__(self, checkpoint: str | Path, dtype: str = "float32", encoder: UniWhisperEncoder | None = None):
        folder = Path(checkpoint) / TRANSCRIBER
        if not folder.is_dir():
            raise CheckpointError(f"{checkpoint} cannot transcribe: it has no folder {TRANSCRIBER}")
        device = "cuda" if torch.cuda.is_available() else "cpu"
        if encoder is None:
            encoder = UniWhisperModel.from_pretrained(checkpoint, dtype=dtype).encoder
        self.encoder = encoder.to(device).eval()
        self.features = UniWhisperFeatureExtractor.from_pretrained(checkpoint)
        self.whisper = WhisperForConditionalGeneration.from_pretrained(folder, dtype=dtype).to(device).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        asked = self.tokenizer(f" {INSTRUCTION}", add_special_tokens=False).input_ids
        before, start = self.tokenizer.convert_tokens_to_ids([BEFORE, START])
        self.prompt = torch.tensor([[before, *asked, start]], device=device)

    def __call__(self, audio: np.ndarray, progress: Callable[[list], Iterable] = iter) -> Iterator[Segment]:
        """Segments of a mono 16 kHz waveform `(samples,)`, in order, each as soon as it is written."""
        for start, stop in progress(list(quiet_windows(audio))):
            yield Segment(start / SAMPLING_RATE, stop / SAMPLING_RATE, self.write(audio[start:stop]))

    @torch.inference_mode()
    def write(self, audio: np.ndarray) -> str:
        """What is said in one window, greedily."""
        features = self.features(audio, sampling_rate=SAMPLING_RATE).to(self.encoder.device)
        frames = self.encoder(features["input_features"], features["input_features_mask"]).last_hidden_state
        # The loop of all models: Whisper's own insists on 30 s of features.
        ids = GenerationMixin.generate(
            self.whisper,
            encoder_outputs=BaseModelOutput(last_hidden_state=frames),
            decoder_input_ids=self.prompt,
            max_new_tokens=TOKENS_PER_SECOND + round(TOKENS_PER_SECOND * len(audio) / SAMPLING_RATE),
            max_length=None,
            do_sample=False,
        )
        words = self.tokenizer.decode(ids[0, self.prompt.shape[1] :], skip_special_tokens=True)
        return " ".join(words.split())


def quiet_windows(audio: np.ndarray, longest_seconds: float = LONGEST_SECONDS) -> Iterator[tuple[int, int]]:
    """Sample ranges of at most `longest_seconds` that cover `audio` `(samples,)`, cut where it is quietest."""
    longest, tail, step = (round(s * SAMPLING_RATE) for s in (longest_seconds, TAIL_SECONDS, STEP_SECONDS))
    start = 0
    while len(audio) - start > longest:
        end = start + longest
        steps = audio[end - tail : end].reshape(-1, step)
        cut = end - tail + int((steps**2).sum(axis=1).argmin()) * step + step // 2
        yield start, cut
        start = cut
    yield start, len(audio)


__all__ = ["Segment", "Transcriber"]
