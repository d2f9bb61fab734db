"""The README says of long audio what the kept JSON says."""

import json
from pathlib import Path

WAITS = ("page", "answer", "search")
RESULTS = Path("model_cards/uniwhisper-base/results")


def test_the_readme_says_what_was_measured():
    kept = json.loads((RESULTS / "efficiency.json").read_text())
    long = json.loads((RESULTS / "listening.json").read_text())
    readme = Path("metrics/README.md").read_text()
    for name, setting in (("prefill_half", "rate=25+prune=FastV:0.5"), ("prefill_6hz", "rate=6.25")):
        assert f"| {kept[name]['seconds'][setting]['median']:.1f} | {kept[name]['value']:.2f} |" in readme
    steps, cache = (kept[f"decode_evicted_{part}"] for part in ("time", "cache"))
    assert f"| {steps['value']:.2f}, and {cache['value']:.2f} of the memory |" in readme
    front, costs = Path("README.md").read_text(), json.loads((RESULTS / "cost.json").read_text())["rows"]
    rates = json.loads((RESULTS / "rates.json").read_text())["rates"]
    for row, of_rate in zip(costs, rates.values(), strict=True):
        seconds, (low, high) = row["seconds"], of_rate["over_first"]["interval_95"]
        cells = [f"{row['tokens']:,}", *(f"{seconds[part]['median']:.1f}" for part in ("prefill", "reply"))]
        cells += [str(row["concurrency"]), f"{of_rate['mean']['value']:.2f}", f"{of_rate['over_first']['value']:.2f}"]
        assert f"| {' | '.join(cells)}" in front
        assert low == high or f"({low:.2f}-{high:.2f})" in front
    assert f"take {kept['ten_questions']['value']:.2f} times as long as one" in readme
    [hour] = [file for file in long["long_files"] if file["minutes"] == 60]
    assert f"in {sum(hour['seconds'].values()):.0f} s within {kept['hour_rss_gb']['value']:.1f} GB" in readme


def test_the_table_of_ways_to_drop_is_what_was_measured():
    told = Path("metrics/README.md").read_text()
    for row in json.loads((RESULTS / "methods.json").read_text())["rows"]:
        seconds = [f"{row['seconds'][part]['median']:.1f}" for part in ("prefill", "decode", "reply")]
        cells = [f"`{row['setting'].removeprefix('rate=25+')}`", *seconds, str(row["concurrency"])]
        assert f"| {' | '.join(cells)} |" in told


def test_what_a_visitor_waits_is_what_was_measured():
    page, answer, search = (json.loads((RESULTS / "page.json").read_text())[key]["median"] for key in WAITS)
    told = Path("metrics/README.md").read_text()
    assert f"sees it after {page:.1f} s" in told
    assert f"not heard before after {answer:.1f} s, and hits after {search:.2f} s" in told


def test_the_training_page_says_how_fast_the_loop_is():
    found = json.loads((RESULTS / "training.json").read_text())
    ours, ratio = found["clips_per_second"]["ours"]["median"], found["speedup"]["median"]
    told = Path("training/README.md").read_text()
    assert f"hears {ours:.1f} clips a second" in told and f"{ratio:.1f} times as many" in told
    assert f"of six seconds it would be {found['six_second_clips_per_second']['median']:.1f}." in told
