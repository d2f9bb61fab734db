"""A folder of items: `TASK.jsonl`, a line an item, beside the sound files that the lines name.

The shipped mini lies so, and so does what is rebuilt from the sources or made longer. A line holds the fields of `Item`
that have a value; `audio` is a path within the folder, which several tasks may share.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from .tasks import LETTERS, MarathonTask
from .wording import instruct

TEXTS: dict[str, Any] = {"str": str, "str | None": str | None}
"""Which of the fields below are texts, by how their type is written."""


class ItemsError(ValueError):
    """A folder of items that cannot be read."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """One item, before it is asked.

    Args:
        id: unique in its task.
        audio: path of the sound file within the folder.
        answer: one of `choices`, or the transcript if there are none.
        duration: seconds.
        source, license: of the recordings, with what the licence wants named.
        group: what must not be split: a speaker, a track, a package.
        label: the class, apart from how the choices put it; the answer if not given.
        start, end: where the evidence lies, in seconds, if that is known.
        left_out: why it counts in no score, if it does not.
    """

    id: str
    audio: str
    answer: str
    duration: float
    source: str
    license: str
    group: str
    question: str = ""
    choices: tuple[str, ...] = ()
    label: str | None = None
    start: float | None = None
    end: float | None = None
    language: str | None = None
    left_out: str | None = None

    def __post_init__(self):
        for field in fields(self):
            value = getattr(self, field.name)
            kind = TEXTS.get(str(field.type), object)
            if not isinstance(value, kind):
                raise ItemsError(f"{self.id}: field {field.name!r} should be a text, but is {value!r}")
        texts = {choice for choice in self.choices if isinstance(choice, str)}
        if self.choices and not 2 <= len(texts) == len(self.choices) <= len(LETTERS):
            raise ItemsError(f"{self.id}: choices should be 2 to {len(LETTERS)} texts that differ: {self.choices}")
        if self.choices and self.answer not in self.choices:
            raise ItemsError(f"{self.id}: the answer {self.answer!r} is none of {list(self.choices)}")
        start, end = self.start, self.end
        if (start is None) != (end is None) or (start is not None and end is not None and not 0 <= start <= end):
            raise ItemsError(f"{self.id}: evidence should be 0 <= start <= end, in seconds, but is {start, end}")
        if not self.answer or not self.duration > 0:
            raise ItemsError(
                f"{self.id}: needs an answer and a duration above 0 s, has {self.answer!r}, {self.duration}"
            )

    def row(self, folder: Path, task: MarathonTask) -> dict[str, Any]:
        """The item as a row of `FEATURES`."""
        row = asdict(self) | {
            "audio": {"bytes": None, "path": str(folder / self.audio)},
            "task": task.name,
            "domain": task.domain,
            "instruction": instruct(task.name, self.question, self.choices),
            "question": self.question or None,
            "choices": list(self.choices) or None,
        }
        if self.choices:
            row |= {"letter": LETTERS[self.choices.index(self.answer)], "label": self.label or self.answer}
        return row


def write_items(folder: Path, task: MarathonTask, items: Iterable[Item]) -> None:
    """Write the lines of `task`, by id; the sound files are the caller's."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        json.dumps({name: value for name, value in asdict(item).items() if value not in (None, "", ())})
        for item in sorted(items, key=lambda item: item.id)
    ]
    (folder / f"{task.name}.jsonl").write_text("".join(f"{line}\n" for line in lines), "utf-8")


def holds_items(folder: Path, task: MarathonTask | None = None) -> bool:
    """Whether there are items in `folder`, of `task` if one is given."""
    return any(folder.glob(f"{task.name if task else '*'}.jsonl"))


def find_lines(folder: Path, task: MarathonTask) -> Path:
    """Return the file with the lines of `task`.

    Raises:
        ItemsError: there is none; the message says of what there is.
    """
    if not holds_items(folder, task):
        held = ", ".join(sorted(path.stem for path in folder.glob("*.jsonl"))) or "no task"
        raise ItemsError(f"{folder / f'{task.name}.jsonl'} is missing: the folder has items of {held}")
    return folder / f"{task.name}.jsonl"


def read_items(folder: Path, task: MarathonTask) -> list[Item]:
    """Return the items of `task` in the order of their lines.

    Raises:
        ItemsError: there is no such file, a line of it is wrong, or the sound file that it names is not there.
    """
    file = find_lines(folder, task)
    items = []
    for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
        try:
            values = json.loads(line)
            item = Item(**values | {"choices": tuple(values.get("choices", ()))})
        except (ValueError, TypeError, AttributeError) as error:
            known = ", ".join(field.name for field in fields(Item))
            raise ItemsError(f"{file}, line {number}: {error} (the fields are {known})") from None
        if bool(item.choices) == (task.answer == "transcript"):
            wrong = "has choices" if item.choices else "lacks choices"
            raise ItemsError(f"{file}, line {number}: {wrong}, which is not how {task.name} is answered")
        if not (folder / item.audio).is_file():
            raise ItemsError(f"{file}, line {number}: {folder / item.audio} is missing")
        items.append(item)
    return items
