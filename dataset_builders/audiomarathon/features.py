"""One schema for every task and every source."""

from __future__ import annotations

import datasets

FEATURES = datasets.Features(
    {
        "id": datasets.Value("string"),
        "audio": datasets.Audio(decode=False),
        "task": datasets.Value("string"),
        "domain": datasets.Value("string"),
        "instruction": datasets.Value("string"),
        "question": datasets.Value("string"),
        "choices": datasets.List(datasets.Value("string")),
        "answer": datasets.Value("string"),
        "letter": datasets.Value("string"),
        "source": datasets.Value("string"),
        "license": datasets.Value("string"),
        "group": datasets.Value("string"),
        "start": datasets.Value("float32"),
        "end": datasets.Value("float32"),
        "duration": datasets.Value("float32"),
        "language": datasets.Value("string"),
        "left_out": datasets.Value("string"),
    }
)
"""`answer` is the label or option as text, or the transcript; `letter` its letter among `choices`; `start` and `end`
where in the audio the evidence lies, in seconds, if that is known; `left_out` why the authors' own runs leave the item
out, if they do. `audio` stays `{"bytes", "path"}` until it is cast."""
