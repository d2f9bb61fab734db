"""One schema for every task and every source: that of open audio, and what only a benchmark tells."""

from __future__ import annotations

import datasets

from ..open_audio.builder import FEATURES as OPEN_AUDIO

FEATURES = datasets.Features(
    {
        "id": datasets.Value("string"),
        **OPEN_AUDIO,
        "audio": datasets.Audio(decode=False),
        "question": datasets.Value("string"),
        "letter": datasets.Value("string"),
        "left_out": datasets.Value("string"),
    }
)
"""`audio` keeps the rate of its source; `answer` is the label or option as text, or the transcript, `letter` its
letter among `choices` and `label` the class as the source names it; `start` and `end` are where in the audio the
evidence lies, in seconds, if that is known; `left_out` is why the item counts in no score, if it does not."""
