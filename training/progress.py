"""A progress bar on the terminal for one long step, and warnings beside it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

console = Console(stderr=True, soft_wrap=True, highlight=False)


@contextmanager
def step(description: str, size: int | None = None) -> Iterator[Callable[[int], None]]:
    """Shows `description` while the block runs; yields a function to call with the bytes done.

    Without a `size` in bytes the bar only shows that something is happening.
    """
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

    columns = [TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()]
    if size is not None:
        columns.insert(2, DownloadColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(description, total=size)
        yield lambda done: progress.update(task, completed=done)
        progress.update(task, total=size or 1, completed=size or 1)


def warn(message: str) -> None:
    """Prints one yellow line."""
    console.print(f"Warning: {message}", style="yellow", markup=False)
