"""Long audio, fast: what a reply costs, what can be dropped, and what that does to answers.

A setting says what is dropped: `rate=6.25`, `prune=FastV:0.5`, `evict=SnapKV:0.8`, or several joined by `+`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

import typer

from dataset_builders.errors import plain_errors

from . import bars, cost, quality, report

app = typer.Typer(add_completion=False, help=__doc__, pretty_exceptions_enable=False)


def telling(command: Callable[..., None]) -> Callable[..., None]:
    """`command`, which ends with the message of an expected error."""

    @wraps(command)
    def tell(*args, **kwargs) -> None:
        with plain_errors():
            command(*args, **kwargs)

    return tell


for module in (cost, quality, report, bars):
    app.command(module.__name__.rpartition(".")[2])(telling(module.main))

if __name__ == "__main__":
    app()
