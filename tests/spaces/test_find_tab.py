"""The Find tab alone on a page: its endpoints, and in a real browser a hit that plays at its moment."""

import re
import shutil

import gradio as gr
import pytest
import soundfile as sf
from find_tab import find_tab
from finder import Finder, open_collection
from gradio_client import Client, handle_file
from playwright.sync_api import expect, sync_playwright

from modeling_uniwhisper.audio_io import SAMPLING_RATE
from modeling_uniwhisper.window_reader import WindowReader

CHROMIUM = shutil.which("chromium")
SLOW = 60_000  # ms for what the model does


@pytest.fixture(scope="module")
def clip(tmp_path_factory, make_audio):
    """10 s that are cut from one of the recordings."""
    path = tmp_path_factory.mktemp("clip") / "clip.wav"
    sf.write(path, make_audio(48.0, 2)[10 * SAMPLING_RATE : 20 * SAMPLING_RATE], SAMPLING_RATE)
    return str(path)


@pytest.fixture(scope="module")
def find_url(cache, tmp_path_factory, make_audio, tiny_checkpoint):
    folder = tmp_path_factory.mktemp("collection")
    sf.write(folder / "low_hum.wav", make_audio(21.0, 1), SAMPLING_RATE)
    sf.write(folder / "chirp.flac", make_audio(48.0, 2), SAMPLING_RATE)
    finder = Finder(open_collection(folder, WindowReader(tiny_checkpoint)))
    with gr.Blocks() as page:
        asked = find_tab(finder, [[str(folder / "low_hum.wav")]], ["A hum"])
        wanted = gr.Textbox(label="Asked about")
        asked.change(lambda moment: f"{moment.title} {moment.start} {moment.number}", asked, wanted)
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    yield url
    page.close()


@pytest.fixture(scope="module")
def find_client(find_url):
    return Client(find_url, verbose=False)


def test_endpoints(find_client, clip):
    html, moments = find_client.predict("hums", api_name="/find_by_words")
    assert moments[0]["title"] == "low hum" and moments[0]["why"] == "in its words: hums" and "low hum" in html
    assert set(moments[0]) == {"title", "start", "end", "score", "why", "description"}
    _, moments = find_client.predict(handle_file(clip), 5, 10, api_name="/find_by_clip")
    assert (moments[0]["title"], moments[0]["start"]) == ("chirp", 15)
    with pytest.raises(Exception, match=r"^The clip lasts 10\.00 s, which does not hold the span from 5 to 11 s"):
        find_client.predict(handle_file(clip), 5, 11, api_name="/find_by_clip")


@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium (apt-get install chromium)")
def test_in_a_browser(find_url, clip):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        errors = []
        page.on("pageerror", lambda error: errors.append(error))
        page.goto(find_url)
        page.get_by_label("By words").fill("hums")
        page.keyboard.press("Enter")
        first = page.locator("#found li").first
        expect(first).to_contain_text("in its words: hums", timeout=SLOW)
        first.get_by_role("button", name="Play low hum").click()
        expect(page.locator("#moment")).to_contain_text("low hum, from", timeout=SLOW)
        for number in range(2):
            first.get_by_role("button", name="Ask about low hum").click()
            expect(page.get_by_label("Asked about")).to_have_value(
                re.compile(rf"^low hum \d+\.0 {number}$"), timeout=SLOW
            )
        first.get_by_role("button", name="More like low hum").click()
        expect(first).to_contain_text("sounds alike: cosine", timeout=SLOW)

        page.locator("input[type=file]").first.set_input_files(clip)
        page.get_by_role("button", name="Find moments like it").click()
        expect(first).to_contain_text("chirp", timeout=SLOW)
        page.get_by_label("From, s").fill("5")
        page.get_by_label("To, s").fill("10")
        page.get_by_role("button", name="Find moments like it").click()
        expect(first).to_contain_text("0:15.0", timeout=SLOW)
        page.get_by_text("Map of the collection").click()
        page.locator("#map circle").first.click()
        expect(page.locator("#moment")).to_contain_text(", from", timeout=SLOW)
        browser.close()
    assert not errors
