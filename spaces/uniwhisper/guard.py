"""What a visitor is told when something fails: what is wrong with the recording or the question, and nothing else."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import gradio as gr
from asking import QuestionError

from modeling_uniwhisper import AudioError

logger = logging.getLogger(__name__)


@contextmanager
def guarded() -> Iterator[None]:
    """Turns every error into a `gr.Error`; the traceback of an unexpected one goes to the log alone."""
    try:
        yield
    except (AudioError, QuestionError) as error:
        raise gr.Error(str(error), title="This cannot be used", print_exception=False) from None
    except Exception:
        logger.exception("an event failed")
        raise gr.Error("Something went wrong here. The recording was not used.", print_exception=False) from None
