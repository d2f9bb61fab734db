"""What the YAML files of the tasks name: how an item is heard, and how replies are scored."""

from __future__ import annotations

from typing import Any

from dataset_builders.audiomarathon.tasks import find_task
from metrics.audiomarathon.models import Reply
from metrics.audiomarathon.run import Hearing, audio_of, sample
from metrics.audiomarathon.scoring import summarise
from modeling_uniwhisper.audio_io import SAMPLING_RATE


def doc_to_audio(doc: dict[str, Any]) -> list[dict[str, Any]]:
    """The item's recording, 16 kHz mono, in the form that lmms-eval's audio models take."""
    heard = audio_of([doc], Hearing.AUDIO) or ()
    return [{"array": array, "sampling_rate": SAMPLING_RATE} for array in heard]


def process_results(doc: dict[str, Any], results: list[str]) -> dict[str, dict[str, Any]]:
    """The item with its reply, for both scores; a choice with its `score` too, of which lmms-eval takes the error."""
    task = find_task(doc["task"])
    line = sample(task, doc, Reply(results[0], seconds=0.0))
    right = {} if task.answer == "transcript" else {"score": float(line["parsed"] == line["answer"])}
    return {"strict": line | right, "paper": line}


def strict(lines: list[dict[str, Any]]) -> float:
    """Share of right answers, an invalid one is wrong; for transcripts 1 - WER."""
    score = summarise(find_task(lines[0]["task"]), lines)["strict"]
    return score["accuracy"] if "accuracy" in score else 1 - score["wer"]


def paper(lines: list[dict[str, Any]]) -> float:
    """The authors' score, in percent."""
    return summarise(find_task(lines[0]["task"]), lines)["paper"]["score"]
