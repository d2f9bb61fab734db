"""How long a visitor of the Space waits: `python -m metrics.efficiency.page --out page.json`.

The page runs in a process of its own, on the checkpoint that is found and the shipped collection. Medians, of

- `page`: from going to it in a headless Chromium until a recording can be given;
- `answer`: from asking about three minutes of talk, not heard before, until the answer is whole;
- `search`: from words to hits.
"""

import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep

import httpx
import numpy as np
import soundfile
import typer
from gradio_client import Client, handle_file
from playwright.sync_api import sync_playwright

from dataset_builders.errors import plain_errors
from metrics.machine import environment
from metrics.reports import write_report
from modeling_uniwhisper import load_audio
from modeling_uniwhisper.audio_io import SAMPLING_RATE

from .timing import now, seconds_of, spread

SPACE = Path(__file__).parents[2] / "spaces/uniwhisper"
TALK, SECONDS = SPACE / "examples/shop_dialogue.ogg", 180
QUESTION, WORDS = "What language is spoken?", "somebody speaks French"
BARS = {"page": 2.0, "answer": 15.0, "search": 0.3}
PATIENCE = 600.0  # s, until the page is served: its collection may have to be indexed first


def main(
    out: Path | None = typer.Option(None, help="Where the JSON goes; printed if not given."),
    repeats: int = typer.Option(5, min=1, help="Timed rounds after one that warms up."),
    chromium: str | None = typer.Option(shutil.which("chromium"), help="Its executable; that of PATH by default."),
) -> None:
    """Time the page, an answer and a search."""
    if chromium is None:
        raise typer.BadParameter("there is no chromium on the PATH: install it, or name its executable")
    rounds = repeats + 1
    with tempfile.TemporaryDirectory() as scratch, served() as url, sync_playwright() as playwright:
        client, talks = Client(url, verbose=False), three_minutes(Path(scratch), rounds)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])

        def page() -> None:
            with browser.new_context() as visitor:
                opened = visitor.new_page()
                opened.goto(url)
                opened.locator("#recording").wait_for()

        def answer() -> None:
            client.predict(handle_file(next(talks)), QUESTION, api_name="/ask")

        def search() -> None:
            client.predict(WORDS, api_name="/find_by_words")

        waits: dict[str, Callable[[], None]] = {"page": page, "answer": answer, "search": search}
        taken = {name: np.array([seconds_of(wait) for _ in range(rounds)][1:]) for name, wait in waits.items()}
        browser.close()
    report = {"command": f"python -m metrics.efficiency.page --repeats {repeats}", **environment(("torch", "gradio"))}
    for name, seconds in taken.items():
        found = spread(seconds)
        report[name] = found | {"bar": f"< {BARS[name]:g}", "met": found["median"] < BARS[name]}
    write_report(report, out)


@contextmanager
def served() -> Iterator[str]:
    """URL of the page, once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url, started = f"http://127.0.0.1:{port}/", now()
    with subprocess.Popen([sys.executable, SPACE / "app.py", "--port", str(port)], stdout=subprocess.DEVNULL) as app:
        try:
            while not answers(url):
                if app.poll() is not None or now() - started > PATIENCE:
                    raise RuntimeError(f"the page was not served within {PATIENCE:g} s")
            yield url
        finally:
            app.terminate()


def answers(url: str) -> bool:
    """Whether a page is served there, asked at most every second."""
    try:
        return httpx.get(url, timeout=10).is_success
    except httpx.TransportError:
        sleep(1)
        return False


def three_minutes(folder: Path, files: int) -> Iterator[str]:
    """Paths of recordings of the talk, each with another beginning, so that none was heard before."""
    talk = np.resize(load_audio(TALK), SECONDS * SAMPLING_RATE)
    for number in range(files):
        path = folder / f"{number}.flac"
        soundfile.write(path, np.roll(talk, number * SAMPLING_RATE), SAMPLING_RATE)
        yield str(path)


if __name__ == "__main__":
    with plain_errors():
        typer.run(main)
