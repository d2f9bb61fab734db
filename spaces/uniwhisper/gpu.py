"""ZeroGPU: a GPU for as long as a recording needs where Hugging Face's `spaces` is installed, nothing elsewhere.

A call runs in a process of its own there, so an encoding is re-used only where the same process is given again.
"""

from collections.abc import Callable

from asking import MAX_SECONDS, WHAT_IS_SAID

from modeling_uniwhisper import AudioError
from modeling_uniwhisper.audio_io import audio_duration

try:
    from spaces import GPU  # type: ignore[attr-defined]  # of the package, not of this checkout
except ImportError:  # a checkout's own folder `spaces` has no GPU
    GPU = None

SECONDS = 15.0  # for a question about a short recording
SECONDS_PER_AUDIO_SECOND = 1 / 60
WRITING_SECONDS_PER_AUDIO_SECOND = 1 / 20  # for a transcript


def gpu_seconds(recording: str | None, question: object = None, *_, **__) -> float:
    """Seconds to lend a GPU for, from the recording's length; a file that cannot be read needs no more than least."""
    try:
        duration = min(audio_duration(recording), MAX_SECONDS) if recording else 0.0
    except AudioError:
        duration = 0.0
    rate = WRITING_SECONDS_PER_AUDIO_SECOND if question == WHAT_IS_SAID else SECONDS_PER_AUDIO_SECOND
    return SECONDS + duration * rate


def on_gpu(function: Callable, seconds: float | Callable[..., float] = gpu_seconds) -> Callable:
    """Decorates a function that needs a GPU for `seconds`, or as long as they say of its arguments."""
    return function if GPU is None else GPU(duration=seconds)(function)
