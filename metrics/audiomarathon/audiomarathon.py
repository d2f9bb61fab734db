"""Scores of replies to one task of AudioMarathon, for `evaluate.load("metrics/audiomarathon", TASK)`."""

# `evaluate` copies this file with the modules that it imports here, so the ones that those need are named too.
from __future__ import annotations

import datasets
import evaluate

from dataset_builders.audiomarathon.tasks import TASKS, find_task

from .paper import score as score_as_authors
from .parsing import choices_of, parse
from .strict import score as score_strictly

DESCRIPTION = """\
Scores of replies to one task of AudioMarathon, as its authors take them ("paper", in percent) and with invalid
replies counted as wrong ("strict", from 0 to 1). The config is the task, in full or abbreviated.
"""

INPUTS = """\
Args:
    predictions: Replies, as the model said them.
    references: Answers: texts of right choices, or transcripts.
    choices: Texts of each item's options in the order of their letters; needed where they belong to the item.
    durations: Seconds of each recording.
    groups: Group of each item, for the interval; each is its own if not given.
    starts: Where in each recording the evidence begins, in seconds; None where unknown.
    ends: Where it ends.

Raises:
    ValueError: A list is of another length, an item has no choices, or a reference is none of them.

Returns:
    strict: What `metrics/audiomarathon/strict.py` gives.
    paper: What `metrics/audiomarathon/paper.py` gives; None for the needle, which the authors do not have.
"""


class AudioMarathon(evaluate.Metric):
    """Both scores of one task, side by side."""

    def _info(self) -> evaluate.MetricInfo:
        features = datasets.Features({"predictions": datasets.Value("string"), "references": datasets.Value("string")})
        return evaluate.MetricInfo(description=DESCRIPTION, citation="", inputs_description=INPUTS, features=features)

    def _compute(self, predictions, references, choices=None, durations=None, groups=None, starts=None, ends=None):
        task = find_task(self.config_name)
        columns = {"choices": choices, "durations": durations, "groups": groups, "starts": starts, "ends": ends}
        for name, column in columns.items():
            if column is not None and len(column) != len(predictions):
                raise ValueError(f"there are {len(predictions)} predictions, but the length of {name} is {len(column)}")
        offered = choices or [()] * len(predictions)
        if task.answer != "transcript":
            offered = [choices_of(task, one) for one in offered]
            for number, (answer, one) in enumerate(zip(references, offered)):
                if answer not in one:
                    raise ValueError(f"reference {number} is {answer!r}, but the choices are {list(one)}")
        parsed = [parse(task, reply, one) for reply, one in zip(predictions, offered)]
        return {
            "strict": score_strictly(task, parsed, references, offered, durations, groups, starts, ends),
            "paper": score_as_authors(task, predictions, references, offered) if task.name in TASKS else None,
        }
