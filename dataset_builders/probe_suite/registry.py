"""The twenty tasks, and how their rows are read.

for task in TASKS.values():
    train, test = load_probe(task, "train"), load_probe(task, "test")
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import datasets

from ..open_audio.splits import SPLITS

DOMAINS = ("speech", "sound", "music")

METRICS = {
    "clip": "accuracy",
    "multilabel": "map",
    "frame": "segment_f1",
    "retrieval": "recall_at_1",
    "transcription": "one_minus_wer",
}
"""Kind of a task to its metric, from 0 to 1, higher being better."""

COMMON = ("audio", "duration", "group")
ANSWERS = {
    "clip": ("label",),
    "multilabel": ("labels",),
    "frame": ("events",),
    "retrieval": ("key", "side", "text"),
    "transcription": ("text",),
}
"""Kind of a task to the columns of its rows besides `COMMON`. Retrieval has either of the last two:
audio on side "a" against audio on side "b", or text against audio."""

LARGEST_WEIGHT = 2000


@dataclass(frozen=True)
class ProbeTask:
    """One measure of an encoder.

    Args:
        name: as tables show it.
        domain: one of `DOMAINS`.
        kind: one of `METRICS`.
        metric: what is measured.
        dataset: name for `datasets.load_dataset`.
        config: of that dataset.
        group: what no two splits share.
        why: which ability it tests that the others do not.
        unseen: whether no training mixture here asks for it.
        segment: seconds of the segments that events are scored in, for frame tasks.
        eval_weight: the weight that a benchmark sets by hand, instead of the size of its test split.

    Raises:
        ValueError: the kind is unknown, or the metric or the segment is not one for this kind.
    """

    name: str
    domain: str
    kind: str
    metric: str
    dataset: str
    config: str
    group: str
    why: str
    unseen: bool = False
    segment: float | None = None
    eval_weight: int | None = None

    def __post_init__(self):
        if self.domain not in DOMAINS:
            raise ValueError(f"{self.name}: domain {self.domain!r} is not one of {', '.join(DOMAINS)}")
        if self.kind not in METRICS:
            raise ValueError(f"{self.name}: kind {self.kind!r} is not one of {', '.join(METRICS)}")
        if not self.metric.startswith(METRICS[self.kind]):
            raise ValueError(f"{self.name}: {self.metric} does not measure kind {self.kind!r}")
        if (self.segment is not None) != (self.kind == "frame"):
            raise ValueError(f"{self.name}: segment is {self.segment}, and only frame tasks have one")

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits that can be loaded."""
        return SPLITS

    def load(self, split: str) -> datasets.Dataset:
        """Return the rows of `split`; `load_probe` says which columns they have."""
        rows = datasets.load_dataset(self.dataset, self.config, split=split)
        if self.dataset == "open_audio" and self.kind != "clip":
            rows = rows.rename_column("answer", "text")
        if self.kind == "retrieval" and "key" not in rows.column_names:
            rows = _unambiguous(rows)
        return rows


def _task(
    name: str,
    domain: str,
    kind: str,
    config: str,
    group: str,
    why: str,
    dataset: str = "open_audio",
    **more: Any,
) -> ProbeTask:
    return ProbeTask(name, domain, kind, METRICS[kind], dataset, config, group, why, **more)


TASKS: dict[str, ProbeTask] = {
    task.name: task
    for task in (
        _task(
            "language_id", "speech", "clip", "language_id", "dialogue, object or recording set",
            "the language, whoever speaks and whatever is said",
        ),
        _task(
            "speaker_id", "speech", "clip", "speaker_id", "dialogue",
            "the voice, which transcription throws away",
        ),
        _task(
            "synthetic_speech", "speech", "clip", "synthetic_speech", "dialogue or voice",
            "traces of how speech was made, under the same texts", unseen=True,
        ),
        _task(
            "spoken_letter", "speech", "clip", "spoken_letter", "speaker",
            "the shortest words there are, across languages and a telephone line",
        ),
        _task(
            "spoken_phrase", "speech", "clip", "spoken_phrase", "voice actor",
            "which words, said in the odd voices of a game", unseen=True,
        ),
        _task(
            "spoken_topic", "speech", "clip", "spoken_topic", "object",
            "what a word means: a class of things, in five languages",
        ),
        _task(
            "mandarin_tone", "speech", "clip", "mandarin_tone", "speaker and syllable",
            "the course of pitch within a syllable, with no word to lean on", unseen=True,
        ),
        _task(
            "spoken_word_retrieval", "speech", "retrieval", "spoken_word_retrieval", "object",
            "one meaning in two languages, without any label or text", dataset="probe_suite",
        ),
        _task(
            "asr_ctc", "speech", "transcription", "asr_en", "dialogue",
            "whether every sound of the words is still there, in order",
        ),
        _task(
            "sound_event", "sound", "clip", "sound_event", "package within a kind of sound",
            "what makes a sound, heard alone",
        ),
        _task(
            "animal", "sound", "clip", "animal", "package within a kind of sound",
            "finer classes of few examples",
        ),
        _task(
            "footstep_surface", "sound", "clip", "footstep_surface", "game",
            "texture: one action on eight materials", unseen=True,
        ),
        _task(
            "sound_mix", "sound", "multilabel", "sound_mix", "recordings mixed",
            "several sounds at once in one vector", dataset="probe_suite",
        ),
        _task(
            "sound_detection", "sound", "frame", "sound_mix", "recordings mixed",
            "when each sound begins and ends", dataset="probe_suite", segment=0.5,
        ),
        _task(
            "caption_retrieval", "sound", "retrieval", "sound_caption", "recordings mixed",
            "a sequence of sounds against a sentence about it",
        ),
        _task(
            "instrument", "music", "clip", "instrument", "SoundFont or recording set",
            "timbre, from rendered notes to recordings",
        ),
        _task(
            "drum_class", "music", "clip", "drum_class", "drum kit",
            "timbre without pitch, in a fraction of a second",
        ),
        _task(
            "chord", "music", "clip", "chord", "SoundFont and program",
            "harmony: intervals, whichever the root and the instrument", unseen=True,
        ),
        _task(
            "track_artist", "music", "clip", "track_artist", "track",
            "style, over ten seconds of finished music", unseen=True,
        ),
        _task(
            "notes", "music", "frame", "notes", "SoundFont and program",
            "pitch in time, with up to three voices", dataset="probe_suite", segment=0.1,
        ),
    )
}  # fmt: skip
"""Name to task. No two splits of one share a group or a recording, as their builds see to."""


def load_probe(task: ProbeTask, split: str) -> datasets.Dataset:
    """Return the rows of `split` with `COMMON` and those columns that `ANSWERS` has for the task's kind.

    `audio` is `{"bytes", "path"}`, a sound file that is not decoded; `events` are lists of
    `{"label", "start", "end"}` in seconds; rows with one `key` belong together.

    Raises:
        ValueError: the task has no such split, or its data are not on this machine.
    """
    if split not in task.splits:
        raise ValueError(f"{task.name} has no split {split!r}, only {', '.join(task.splits)}")
    rows = task.load(split)
    answers = [column for column in ANSWERS[task.kind] if column in rows.column_names]
    if "side" in answers:
        answers.remove("text")
    return rows.select_columns([*COMMON, *answers])


def load_splits(task: ProbeTask) -> dict[str, datasets.Dataset]:
    """Return the rows to train, validate and test on.

    Of a task with folds the last but one validates and the last tests; one without validation gives a tenth
    of its training clips for it.
    """
    if "test" not in task.splits:
        *train, validation, test = (load_probe(task, fold) for fold in task.splits)
        return {"train": datasets.concatenate_datasets(train), "validation": validation, "test": test}
    parts = {split: load_probe(task, split) for split in task.splits}
    if "validation" not in parts:
        drawn = parts["train"].train_test_split(0.1, seed=0)
        parts |= {"train": drawn["train"], "validation": drawn["test"]}
    return {split: parts[split] for split in SPLITS}


def weight(task: ProbeTask, n_test: int) -> int:
    """Return how much a task of `n_test` clips to test on counts in a weighted mean over tasks."""
    return task.eval_weight or min(n_test, LARGEST_WEIGHT)


def chance(task: ProbeTask, rows: datasets.Dataset) -> float | None:
    """Return what a guess scores on `rows`, or `None` where no simple guess is known.

    The guess is the commonest label (accuracy), any order (mAP) or any row of the other side (recall at 1).
    """
    if task.kind == "clip":
        return max(Counter(rows["label"]).values()) / len(rows)
    if task.kind == "multilabel":
        counts = Counter(label for labels in rows["labels"] for label in labels)
        return sum(counts.values()) / len(counts) / len(rows)
    if task.kind == "retrieval":
        return 1 / len(set(rows["key"]))
    return None


def _unambiguous(rows: datasets.Dataset) -> datasets.Dataset:
    """Return the rows whose `text` no other has, with it as their `key`."""
    counts = Counter(rows["text"])
    rows = rows.select([place for place, text in enumerate(rows["text"]) if counts[text] == 1])
    return rows.add_column("key", list(rows["text"]))
