"""The Space's modules, which import each other as they do on the Hub, and its page on a tiny checkpoint."""

import shutil
import sys
from pathlib import Path

import pytest
import soundfile as sf

from modeling_uniwhisper.audio_io import SAMPLING_RATE

SPACE = Path(__file__).parents[2] / "spaces" / "uniwhisper"
sys.path.insert(0, str(SPACE))


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """A cache of our own for what the page indexes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def app(cache, tiny_checkpoint):
    from app import build_app

    return build_app(tiny_checkpoint)


@pytest.fixture(scope="session")
def url(app):
    """Where the page is served, with the Space's own settings but small files."""
    from app import LAUNCH

    settings = LAUNCH | {"max_file_size": "1mb", "server_name": "127.0.0.1"}
    _, url, _ = app.launch(prevent_thread_lock=True, quiet=True, **settings)
    yield url
    app.close()


@pytest.fixture(scope="session")
def client(url):
    from gradio_client import Client

    return Client(url, verbose=False, httpx_kwargs={"timeout": 120})


@pytest.fixture
def recording(tmp_path, make_audio):
    """A file of 7 s."""
    path = tmp_path / "recording.wav"
    sf.write(path, make_audio(7.0, 3), SAMPLING_RATE)
    return str(path)


@pytest.fixture(scope="module")
def browser():
    """Debian's Chromium, headless, driven by Playwright."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium (apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()
