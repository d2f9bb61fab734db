"""What the language model makes of a clip without a probe: which label is its likeliest answer?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import datasets
import numpy as np
import torch
import torch.nn.functional as F
from rich.progress import track

from dataset_builders.instructions import PHRASINGS
from modeling_uniwhisper import UniWhisperForConditionalGeneration, UniWhisperProcessor

from .embed import read_clip


class ZeroShot:
    """A UniWhisper checkpoint that is asked about each clip in the words of its training.

    Args:
        checkpoint: Folder.
        dtype: Of the weights.
    """

    def __init__(self, checkpoint: Path, dtype: str = "bfloat16"):
        self.model = UniWhisperForConditionalGeneration.from_pretrained(checkpoint, dtype=dtype).eval()
        self.processor = UniWhisperProcessor.from_pretrained(checkpoint)

    def outputs(self, rows: datasets.Dataset, config: str, classes: Sequence[str]) -> np.ndarray:
        """Log-likelihood of each label as the whole answer, `(clips, classes)`; no label is listed in the question.

        Raises:
            ValueError: nothing says how `config` is asked.
        """
        if config not in PHRASINGS:
            raise ValueError(f"no question is known for {config}")
        tokenizer = self.processor.tokenizer
        answers = [torch.tensor(tokenizer(label + tokenizer.eos_token).input_ids) for label in classes]
        question = PHRASINGS[config].questions[0]
        clips = track(range(len(rows)), f"Asking, {config}")
        return np.stack([self.likelihoods(read_clip(rows, row), question, answers) for row in clips])

    @torch.inference_mode()
    def likelihoods(self, audio: np.ndarray, question: str, answers: Sequence[torch.Tensor]) -> np.ndarray:
        """Log-likelihood of each answer, token ids `(length,)` with the end in them, to a question about `audio`.

        Audio and question are read once, and every answer from there.
        """
        content = [{"type": "audio", "audio": audio}, {"type": "text", "text": question}]
        inputs = self.processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=True, return_dict=True
        ).to(self.model.device, self.model.dtype)
        read = self.model(**inputs, use_cache=True, logits_to_keep=1)
        read.past_key_values.batch_repeat_interleave(len(answers))
        ids = torch.nn.utils.rnn.pad_sequence(answers, batch_first=True, padding_value=-100).to(self.model.device)
        # Padding comes last, so no token that counts sees it.
        said = self.model(input_ids=ids.clamp(min=0), past_key_values=read.past_key_values).logits
        logits = torch.cat([read.logits.expand(len(answers), -1, -1), said[:, :-1]], 1).float()
        losses = F.cross_entropy(logits.transpose(1, 2), ids, ignore_index=-100, reduction="none")
        return -losses.sum(1).cpu().numpy()
