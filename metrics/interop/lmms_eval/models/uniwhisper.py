"""UniWhisper, or any model that `metrics.audiomarathon` opens, as lmms-eval asks it about audio."""

from __future__ import annotations

import torch
from lmms_eval.api.instance import Instance
from lmms_eval.api.model import lmms
from lmms_eval.utils import Collator
from loguru import logger
from tqdm import tqdm

from metrics.audiomarathon.models.local import UNIWHISPER, LocalModel
from modeling_uniwhisper import load_audio

MAX_NEW_TOKENS = 256
"""Where a task sets no limit, as lmms-eval's own audio models have it."""


class UniWhisper(lmms):
    """Greedy replies about one recording of any length, asked in batches.

    Args:
        pretrained: folder or Hub id, or `uniwhisper`, the assembled checkpoint.
        device, dtype: as torch names them; by default the GPU and bfloat16 where there is one, else float32.
        batch_size: requests asked at once.
    """

    def __init__(
        self,
        pretrained: str = UNIWHISPER,
        device: str | None = None,
        dtype: str | None = None,
        batch_size: int | str = 1,
        max_batch_size: int | None = None,  # which lmms-eval always passes
    ):
        super().__init__()
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        dtype = dtype or ("float32" if device == "cpu" else "bfloat16")
        self.network, self.batch_size = LocalModel(pretrained, device, dtype), int(batch_size)

    def generate_until(self, requests: list[Instance]) -> list[str]:
        """A reply to each request, in order; one to a recording that is too long is empty, with a warning that says so.

        Raises:
            ValueError: a request is not to be answered greedily, or is not about exactly one recording.
        """
        arguments = [request.args for request in requests]
        collator = Collator(arguments, lambda one: one[3], group_fn=lambda one: one[1], grouping=True)
        replies: list[str] = []
        with tqdm(total=len(requests), desc="Model Responding") as bar:
            for batch in collator.get_batched(n=self.batch_size):
                replies += self.answer(batch)
                bar.update(len(batch))
        return collator.get_original(replies)

    def answer(self, batch: list[tuple]) -> list[str]:
        """Replies to requests that share their options."""
        prompts, options, _, ids, tasks, _ = zip(*batch)
        limit, stops = told(options[0])
        audios = [self.audio(*one[2:]) for one in batch]
        answers = self.network.reply(audios, prompts, limit)
        for task, number, answer in zip(tasks, ids, answers):
            if answer.error is not None:
                logger.warning(f"{task}, item {number}, is not answered: {answer.error}")
        return [until(answer.text, stops) for answer in answers]

    def audio(self, doc_to_audio, number: int, task: str, split: str):
        """The recording of a request, 16 kHz mono `(samples,)`."""
        recordings = doc_to_audio(self.task_dict[task][split][number])
        if len(recordings) != 1:
            raise ValueError(f"{task}, item {number}, has {len(recordings)} recordings, but one is needed")
        return load_audio(recordings[0]["array"], recordings[0]["sampling_rate"])

    def loglikelihood(self, requests: list[Instance]):
        raise NotImplementedError("UniWhisper generates here, and gives no likelihoods")

    def generate_until_multi_round(self, requests: list[Instance]):
        raise NotImplementedError("UniWhisper answers one question at a time")


def told(options: dict) -> tuple[int, list[str]]:
    """Most new tokens of a reply and the strings that end it, of a task's `generation_kwargs`."""
    if options.get("do_sample") or options.get("temperature") or (options.get("num_beams") or 1) > 1:
        raise ValueError(f"UniWhisper replies greedily here, but the task asks for {options}")
    stops = options.get("until") or []
    return options.get("max_new_tokens", MAX_NEW_TOKENS), [stops] if isinstance(stops, str) else stops


def until(text: str, stops: list[str]) -> str:
    """What stands before the first of `stops`."""
    for stop in filter(None, stops):
        text = text.partition(stop)[0]
    return text
