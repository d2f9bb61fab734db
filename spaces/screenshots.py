"""Pictures of the Space for the README.

    python -m spaces.screenshots [--out docs] [--chromium PATH]

Serves the page on the checkpoint that `UNIWHISPER_MODEL` names, else `uniwhisper-base` in the cache, uses it in a
headless Chromium as a visitor would, and writes screenshot.png and its kin.
"""

import argparse
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from modeling_uniwhisper.checkpoints import find_checkpoint

sys.path.insert(0, str(Path(__file__).parent / "uniwhisper"))
from app import LAUNCH, build_app

RECORDING, QUESTION = "A talk in a jungle shop", "What language is spoken?"
WORDS = "somebody speaks French"
PATIENCE = 300_000  # ms


def ask(page: Page) -> None:
    """Asks about an example recording and shows its structure."""
    page.get_by_role("button", name=RECORDING).first.click()
    page.locator("#recording #waveform").wait_for()
    page.get_by_role("button", name=QUESTION).click()
    page.locator("#facts", has_text="audio tokens").wait_for()
    page.get_by_role("button", name="Show what is where").click()
    page.locator(".strip").wait_for()


def find(page: Page) -> None:
    """Finds moments by words, and hears the first."""
    page.get_by_role("tab", name="Find").click()
    page.get_by_label("By words").fill(WORDS)
    page.keyboard.press("Enter")
    page.locator("#found .play").first.click()
    page.locator("#moment #waveform").wait_for()


def explore(page: Page) -> None:
    """Opens the map, and goes to a point of it by keyboard."""
    page.get_by_role("tab", name="Find").click()
    page.get_by_role("button", name="Map of the collection").click()
    page.get_by_role("option").first.wait_for()
    page.get_by_role("option").first.focus()
    page.keyboard.press("ArrowRight")


WIDE, TALL, PHONE = {"width": 1180, "height": 1180}, {"width": 1180, "height": 1760}, {"width": 390, "height": 844}
SIGHTS = {
    "screenshot": (ask, {"viewport": WIDE, "color_scheme": "light"}),
    "screenshot-dark": (ask, {"viewport": WIDE, "color_scheme": "dark"}),
    "screenshot-phone": (ask, {"viewport": PHONE, "color_scheme": "light", "device_scale_factor": 2}),
    "screenshot-find": (find, {"viewport": TALL, "color_scheme": "light"}),
    "screenshot-map": (explore, {"viewport": TALL, "color_scheme": "light"}),
}


def photograph(browser: Browser, url: str, use: Callable[[Page], None], context: dict, path: Path) -> None:
    """Use the page at `url` in a browser of that kind, and write the picture to `path`."""
    with browser.new_context(**context) as opened:
        opened.set_default_timeout(PATIENCE)
        page = opened.new_page()
        page.goto(url)
        use(page)
        page.wait_for_timeout(1000)  # until all has faded in
        page.evaluate("scrollTo(0, 0)")
        page.screenshot(path=path)


def main() -> None:
    """Writes every picture."""
    parser = argparse.ArgumentParser(description="Write the README's pictures of the Space.")
    parser.add_argument("--out", type=Path, default=Path("docs"), help="folder, docs by default")
    parser.add_argument("--chromium", default=shutil.which("chromium"), help="its executable, that of PATH by default")
    arguments = parser.parse_args()
    if arguments.chromium is None:
        sys.exit("There is no chromium on the PATH: install it, or name its executable by --chromium.")
    app = build_app(find_checkpoint())
    _, url, _ = app.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", **LAUNCH)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=arguments.chromium, args=["--no-sandbox"])
        for name, (use, context) in SIGHTS.items():
            path = arguments.out / f"{name}.png"
            photograph(browser, url, use, context, path)
            print(path)
        browser.close()
    app.close()


if __name__ == "__main__":
    main()
