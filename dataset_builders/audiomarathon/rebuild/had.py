"""Real and partly fake speech from HAD, the half-truth corpus (Mandarin).

    SOURCE/HAD_train/HAD_train_label.txt    lines "NAME START-END-T/START-END-F/... FLAG": F is fake, FLAG 0 if any is
    SOURCE/HAD_train/train/.../NAME.wav     at any depth: some copies have a folder "conbine" in between

Whole sentences of one class are joined in seeded order. The release cuts them into their genuine and fake parts first
and shuffles those, and fills its last item by repetition; neither is done here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..tasks import TASKS
from .drafts import Draft, Limits, SourceError, measure, pack, shuffled

FLAGS = {"1": "real", "0": "fake"}
QUESTION = "Is all of this speech real, or is any part of it synthesized?"


def authenticity(source: Path, limits: Limits) -> list[Iterator[Draft]]:
    """Return the joined sentences that are real, and those that are partly fake."""
    file, folder = source / "HAD_train/HAD_train_label.txt", source / "HAD_train/train"
    if not file.is_file():
        raise SourceError(f"{file} is missing")
    audio = {path.stem: path for path in sorted(folder.rglob("*.wav"))}
    found: dict[str, list[Path]] = {label: [] for label in FLAGS.values()}
    for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
        name, _, flag = line.strip().rpartition(" ")
        name = name.partition(" ")[0].removesuffix(".wav")
        if not name or flag not in FLAGS:
            raise SourceError(f"{file}, line {number}: should be NAME PARTS FLAG with the flag 0 or 1, but is {line!r}")
        if name not in audio:
            raise SourceError(f"{file}, line {number}: {name}.wav is missing from {folder}")
        found[FLAGS[flag]].append(audio[name])
    return [_of_class(label, sentences, limits) for label, sentences in found.items()]


def _of_class(label: str, sentences: list[Path], limits: Limits) -> Iterator[Draft]:
    for number, parts in enumerate(pack(map(measure, shuffled(sorted(sentences), label)), limits)):
        yield Draft(
            id=f"{label}-{number:04}",
            parts=parts,
            question=QUESTION,
            choices=TASKS["speech_detection"].labels,
            answer=label,
            group=f"{label}-{number:04}",
        )
