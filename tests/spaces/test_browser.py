"""The page in a real browser: Debian's Chromium, headless, driven by Playwright."""

import re
from pathlib import Path

import pytest
from app import EXAMPLES
from playwright.sync_api import Page, expect

LIVE = "[aria-live=polite]"
CONTRAST = (Path(__file__).parent / "contrast.js").read_text()
PHONE = {"width": 390, "height": 844}
SLOW = 60_000  # ms for what the model does


@pytest.fixture
def open_page(browser, url):
    """`open_page(**context)`: the page, ready; errors of its scripts fail the test."""
    errors, contexts = [], []

    def open_(**context) -> Page:
        contexts.append(browser.new_context(**context))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: errors.append(error))
        page.goto(url)
        expect(page.get_by_label("Question")).to_be_visible(timeout=SLOW)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert not errors


def upload(page: Page, name: str = "lion.flac") -> None:
    page.locator("#recording input[type=file]").set_input_files(EXAMPLES / name)
    expect(page.locator("#recording #waveform")).to_be_visible(timeout=SLOW)


def show_all(page: Page) -> None:
    """A recording with its strip, and two settings."""
    upload(page)
    page.get_by_role("button", name="Show what is where").click()
    expect(page.locator(".strip")).to_be_visible(timeout=SLOW)
    page.get_by_role("button", name="How much to listen").click()


def test_upload_ask_and_ask_again(open_page):
    page = open_page()
    upload(page)
    page.get_by_label("Question").fill("What is this?")
    page.keyboard.press("Enter")
    facts = page.locator("#facts")
    expect(facts).to_contain_text(re.compile(r"s of it encoding|re-used"), timeout=SLOW)
    answer = page.get_by_label("Answer", exact=True)
    expect(answer).not_to_have_value("")
    expect(page.locator(f"#aloud {LIVE}")).to_contain_text("heard all")  # the answer as well, which is any text
    page.get_by_role("button", name="What makes this sound?").click()
    expect(facts).to_contain_text("encoding re-used", timeout=SLOW)
    expect(page.get_by_label("Question")).to_have_value("What makes this sound?")


def test_the_strip_is_as_wide_as_the_recording_is_long(open_page):
    page = open_page()
    upload(page, "level_crossing.flac")
    page.get_by_role("button", name="Show what is where").click()
    expect(page.locator(f"#strip {LIVE} .strip")).to_be_visible(timeout=SLOW)
    waveform, blocks = (page.locator(name).bounding_box() for name in ("#recording #waveform", ".strip .blocks"))
    assert abs(waveform["x"] - blocks["x"]) < 3 and abs(waveform["width"] - blocks["width"]) < 6
    summary = page.locator(".strip summary")
    summary.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".strip li").first).to_be_visible()
    expect(page.locator(".strip li").first).to_contain_text(re.compile(r"0:00.0 to .*\d+%"))


def test_another_recording_clears_what_was_said(open_page):
    page = open_page()
    upload(page)
    page.get_by_role("button", name="Show what is where").click()
    expect(page.locator(".strip")).to_be_visible(timeout=SLOW)
    page.get_by_role("button", name=re.compile("Level crossing|crossing", re.IGNORECASE)).first.click()
    expect(page.locator(".strip")).to_have_count(0, timeout=SLOW)


def test_two_settings_side_by_side(open_page):
    page = open_page()
    upload(page)
    page.get_by_role("button", name="How much to listen").click()
    page.get_by_role("button", name="Listen twice").click()
    figures = page.locator(".figures")
    for side in (0, 1):
        expect(figures.nth(side)).to_contain_text(re.compile(r"\d+ audio tokens · \d"), timeout=SLOW)


def test_a_found_moment_is_asked_about(open_page):
    page = open_page()
    page.get_by_role("tab", name="Find").click()
    page.get_by_label("By words").fill("rain")
    page.keyboard.press("Enter")
    first = page.locator(f"#found {LIVE} .play").first
    first.wait_for(timeout=SLOW)
    first.press("Enter")
    expect(page.locator("#moment #waveform")).to_be_visible(timeout=SLOW)
    page.locator("#found .ask").first.click(timeout=SLOW)
    expect(page.get_by_role("tab", name="Ask")).to_have_attribute("aria-selected", "true", timeout=SLOW)
    expect(page.locator("#recording #waveform")).to_be_visible(timeout=SLOW)
    page.get_by_role("button", name="What makes this sound?").click()
    expect(page.locator("#facts")).to_contain_text("heard all", timeout=SLOW)


def test_the_map_is_used_by_keyboard(open_page):
    page = open_page()
    page.get_by_role("tab", name="Find").click()
    page.get_by_role("button", name="Map of the collection").press("Enter")
    points = page.get_by_role("listbox", name=re.compile(r"Map of \d+ moments")).get_by_role("option")
    points.nth(1).evaluate("""it => {  // two moments of one place
        for (const name of ["cx", "cy"]) it.setAttribute(name, it.previousSibling.getAttribute(name));
    }""")
    focused, ring = page.locator("circle:focus"), page.locator(".ring")
    expect(ring).to_be_hidden()
    page.keyboard.press("Tab")
    expect(points.first).to_be_focused()

    sides = {"ArrowLeft": ("cx", -1), "ArrowRight": ("cx", 1), "ArrowUp": ("cy", -1), "ArrowDown": ("cy", 1)}
    reached, waiting = {"0"}, ["0"]
    while waiting:
        point = page.locator(f"circle[data-number='{waiting.pop()}']")
        for key, (axis, sign) in sides.items():
            point.focus()
            page.keyboard.press(key)
            assert sign * (float(focused.get_attribute(axis)) - float(point.get_attribute(axis))) >= 0
            there = focused.get_attribute("data-number")
            waiting += {there} - reached
            reached.add(there)
    assert len(reached) == points.count(), "every point"

    expect(ring).to_be_visible()
    assert [ring.get_attribute(name) for name in ("cx", "cy")] == [focused.get_attribute(name) for name in ("cx", "cy")]
    hover, last = focused.locator("title").text_content(), focused.get_attribute("data-number")
    expect(focused).to_have_accessible_name(hover)
    expect(page.locator(".named")).to_have_text(hover)
    page.keyboard.press("Tab")
    expect(focused).to_have_count(0)
    expect(ring).to_be_hidden()
    page.keyboard.press("Shift+Tab")
    expect(focused).to_have_attribute("data-number", last)

    for key, point in (("Enter", points.first), ("Space", points.last)):
        point.focus()
        page.keyboard.press(key)
        title, start = re.match(r"(.*), (\S+) to ", point.text_content()).groups()
        expect(page.locator("#moment")).to_contain_text(f"{title}, from {start}", timeout=SLOW)
        expect(point).to_be_focused()


def test_errors_are_shown(open_page, tmp_path):
    page = open_page()
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_text("Give a recording first.")).to_be_visible(timeout=SLOW)
    bad = tmp_path / "recording.wav"
    bad.write_text("not audio")
    page.locator("#recording input[type=file]").set_input_files(bad)
    page.get_by_role("button", name="Show what is where").click()
    expect(page.get_by_text("The recording is not audio in a known format")).to_be_visible(timeout=SLOW)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_scrolls_in_one_direction(open_page, scheme):
    page = open_page(viewport=PHONE, color_scheme=scheme)
    show_all(page)
    for tab in page.get_by_role("tab").all():
        tab.click()
        wide = page.evaluate(
            """() => [...document.querySelectorAll("main *")]
            .filter(element => element.checkVisibility() && !element.closest(".gallery"))
            .filter(element => element.getBoundingClientRect().right > innerWidth + 1)
            .map(element => element.outerHTML.slice(0, 200))"""
        )
        assert not wide and page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(open_page, scheme):
    page = open_page(color_scheme=scheme)
    show_all(page)
    for tab in page.get_by_role("tab").all():
        tab.click()
        page.wait_for_timeout(500)  # until colours have faded in
        assert page.evaluate(CONTRAST) == []


def test_everything_that_can_be_used_has_a_name(open_page):
    """As a screen reader would say it."""
    page = open_page()
    upload(page)
    page.get_by_role("button", name="How much to listen").click()
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, input, textarea, select, [role=tab]")]
        .filter(element => element.checkVisibility() && element.type !== "file")
        .filter(element => !(element.ariaLabel || element.title || element.innerText?.trim()
            || [...(element.labels ?? [])].some(label => label.innerText.trim())))
        .map(element => element.outerHTML)"""
    )
    assert nameless == []
