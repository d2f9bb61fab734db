"""The leaderboard: what it reads, what it refuses, and its tables in a real browser."""

import importlib.util
import json
import re
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect

LEADERBOARD = Path(__file__).parents[2] / "spaces" / "leaderboard"
sys.path.append(str(LEADERBOARD))  # after the other Space, which has an `app` too

from reading import ALL, MARATHON_TASKS, PAPER, STRICT, read_published, read_results  # noqa: E402
from table import average, draw  # noqa: E402

SLOW = 60_000  # ms for what the server does
PHONE = {"width": 390, "height": 844}
CONTRAST = (Path(__file__).parent / "contrast.js").read_text()


@pytest.fixture(scope="module")
def page():
    """Its module `app`, whose name another Space has too."""
    spec = importlib.util.spec_from_file_location("leaderboard", LEADERBOARD / "app.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def shipped(page):
    return read_results(*page.SHIPPED)


@pytest.fixture(scope="module")
def url(page):
    app = page.build_app(*page.SHIPPED)
    _, url, _ = app.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", **page.LAUNCH)
    yield url
    app.close()


def test_a_run_is_shown_as_its_file_tells(page, shipped):
    folder = page.SHIPPED[0] / "uniwhisper-base/results/audiomarathon/ours"
    told = json.loads((folder / "scores.json").read_text())
    [run] = [entry for entry in shipped.runs if entry.about.endswith("audiomarathon/ours")]
    assert run.model == "uniwhisper" and run.about.startswith("mini, 39 items · ")
    mean = average(run, list(MARATHON_TASKS), STRICT, ALL)
    assert mean.value == pytest.approx(100 * told["average"]["strict"]) and mean.note == "of 8 tasks"
    accuracy = told["tasks"]["speech_content_reasoning"]["strict"]
    score = run.scores[STRICT]["SCR"]
    assert score.value == 100 * accuracy["accuracy"]
    assert score.interval == tuple(100 * end for end in accuracy["accuracy_95"])
    low, high = run.scores[STRICT]["ASR"].interval
    assert 0 <= low <= run.scores[STRICT]["ASR"].value <= high
    assert {task for task, score in run.scores[PAPER].items() if not score.counts} == {"ER", "SAR"}


def test_published_rows_average_as_they_are_printed(page):
    rows = read_published(page.PUBLISHED)
    assert len(rows) == 17
    for row in rows:
        scores = row.scores[PAPER].values()
        printed = average(row, list(MARATHON_TASKS), PAPER, ALL)
        assert printed.value == pytest.approx(sum(score.value for score in scores) / len(scores), abs=0.06)
    assert printed.note == "of 9 tasks"  # the last is people, who did not transcribe


def test_a_probe_is_shown_as_its_file_tells(page, shipped):
    name = "uniwhisper-base/results/probe/uniwhisper.json"
    told = json.loads((page.SHIPPED[0] / name).read_text())
    [probe] = [entry for entry in shipped.probes if entry.about.endswith(name)]
    music = [task for task, found in told["tasks"].items() if found["domain"] == "sound"]
    html = draw([probe], shipped.probe_tasks, "mlp_chosen", "sound", "Probes")
    assert html.count("<td") == 1 + len(music)
    assert f'data-value="{100 * told["averages"]["mlp_chosen"]["sound"]["value"]:.4f}"' in html


def test_other_files_are_named_and_nothing_else_of_the_server(tmp_path):
    (tmp_path / "notes.json").write_text('{"a": 1}')
    (tmp_path / "cut.json").write_text('{"encoder":')
    (tmp_path / "probe.json").write_text('{"encoder": {"name": "a"}, "averages": {}, "tasks": {"b": {}}}')
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "scores.json").write_text('{"model": "<b>", "split": "mini", "settings": {}, "tasks": []}')
    (tmp_path / "run" / "run.json").write_text("{}")
    found = read_results(tmp_path)
    assert not found.runs and not found.probes
    cut, probe, run, other = found.problems
    assert re.fullmatch(r"cut.json is broken: Expecting value.*\.", cut)
    assert probe == "probe.json is broken: it lacks 'scores'."
    assert run.startswith("run/scores.json is broken: 'list' object")
    assert other == "Neither a run of AudioMarathon nor a probe: notes.json."
    assert str(tmp_path) not in "".join(found.problems)


def test_names_in_files_are_neither_html_nor_folders(tmp_path):
    report = {"model": "/home/someone/<script>", "split": "mini", "settings": {}}
    task = {"strict": {"accuracy": 0.5, "accuracy_95": [0.4, 0.6], "items": 3}, "paper": {"score": 40}}
    (tmp_path / "scores.json").write_text(json.dumps(report | {"tasks": {"emotion_recognition": task}}))
    html = draw(read_results(tmp_path).runs, MARATHON_TASKS, STRICT, ALL, "AudioMarathon")
    assert "&lt;script&gt;" in html and "<script>" not in html and "someone" not in html


def test_a_folder_that_is_none_is_told(page, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["app.py", "nowhere"])
    with pytest.raises(SystemExit, match=r"^nowhere is not a folder\.$"):
        page.main()


class TestInABrowser:
    def test_a_click_sorts(self, browser, url):
        page = browser.new_page()
        page.goto(url)
        page.get_by_label("As the paper").check()
        table = page.get_by_role("table", name="AudioMarathon")
        expect(table.get_by_role("rowheader")).to_have_count(19, timeout=SLOW)
        models = table.locator("tbody th")
        expect(models.first).to_contain_text("Human")
        head = table.get_by_role("columnheader", name="SCR")
        head.get_by_role("button").click()
        expect(head).to_have_attribute("aria-sort", "descending")
        expect(models.nth(1)).to_contain_text("Qwen2.5-Omni-7B")
        page.keyboard.press("Enter")  # the button still has the focus
        expect(head).to_have_attribute("aria-sort", "ascending")
        shown = [float(cell.get_attribute("data-value")) for cell in table.locator("tbody td:nth-child(4)").all()]
        assert len(shown) == 19 and shown == sorted(shown)
        table.get_by_role("button", name="ASR").click()
        expect(models.last).to_contain_text("Human")  # who has no score there
        page.close()

    def test_a_filter_leaves_its_tasks(self, browser, url):
        page = browser.new_page()
        page.goto(url)
        page.get_by_role("tab", name="Probes").click()
        page.get_by_label("Music").check()
        table = page.get_by_role("table", name="Probes")
        expect(table.get_by_role("columnheader", name="chord")).to_be_visible()
        expect(table.get_by_role("columnheader", name="animal")).to_have_count(0, timeout=SLOW)
        expect(table.get_by_text("yamnet")).to_have_count(0)
        page.close()

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_a_phone_scrolls_a_table_within_itself_and_every_text_can_be_read(self, browser, url, scheme):
        page = browser.new_page(viewport=PHONE, color_scheme=scheme)
        page.goto(url)
        for tab in page.get_by_role("tab").all():
            tab.click()
            page.wait_for_timeout(500)  # until colours have faded in
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
            assert page.locator(".scroll:visible").evaluate("it => it.scrollWidth > it.clientWidth")
            assert page.evaluate(CONTRAST) == []
        page.close()
