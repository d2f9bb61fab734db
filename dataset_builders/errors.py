"""How a command ends that cannot go on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

OURS = {"dataset_builders", "metrics", "modeling_uniwhisper", "training"}


@contextmanager
def plain_errors() -> Iterator[None]:
    """End with the sentence of an error of ours, which says all, instead of where it came from."""
    try:
        yield
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in OURS:
            raise
        Console(stderr=True, highlight=False).print(str(error), style="red", markup=False, soft_wrap=True)
        sys.exit(1)
