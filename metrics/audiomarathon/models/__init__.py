"""Who is asked: each kind of model behind the same one method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

HOSTED = "openai:"
"""What the name of a model at an endpoint starts with."""


class ModelError(ValueError):
    """A model that cannot be opened, or that answers no more. The message is one sentence that names it."""


@dataclass(frozen=True)
class Reply:
    """What came back for one recording.

    Args:
        text: as the model said it; empty after an error.
        seconds: from waveform to text; of a batch that is answered at once, its time divided by its size.
        heard_seconds: of audio that reached the model, None if that cannot be known.
        new_tokens: that the text took, None if unknown.
        peak_memory_gb: most that the GPU held at a time for it, or on a CPU the process so far; None if unknown.
        error: why the model could not take the recording, if it could not.
    """

    text: str
    seconds: float
    heard_seconds: float | None = None
    new_tokens: int | None = None
    peak_memory_gb: float | None = None
    error: str | None = None


class AudioLanguageModel(Protocol):
    """Answers in words about recordings."""

    def reply(
        self, audios: Sequence[np.ndarray] | None, instructions: Sequence[str], max_new_tokens: int
    ) -> list[Reply]:
        """Return a greedy reply to each instruction, in their order.

        Args:
            audios: mono float32 at 16 kHz `(samples,)`, one an instruction; or None, to ask without any.
            max_new_tokens: that a reply may have.
        """
        ...
