"""The README says of long audio what the kept JSON says."""

import json
from pathlib import Path

RESULTS = Path("model_cards/uniwhisper-base/results")


def test_the_readme_says_what_was_measured():
    kept = json.loads((RESULTS / "efficiency.json").read_text())
    long = json.loads((RESULTS / "listening.json").read_text())
    readme = Path("metrics/README.md").read_text()
    for name, setting in (("prefill_half", "rate=25+prune=FastV:0.5"), ("prefill_6hz", "rate=6.25")):
        assert f"| {kept[name]['seconds'][setting]['median']:.1f} | {kept[name]['value']:.2f} |" in readme
    steps, cache = (kept[f"decode_evicted_{part}"] for part in ("time", "cache"))
    assert f"| {steps['value']:.2f}, and {cache['value']:.2f} of the memory |" in readme
    assert f"take {kept['ten_questions']['value']:.2f} times as long as one" in readme
    [hour] = [file for file in long["long_files"] if file["minutes"] == 60]
    assert f"in {sum(hour['seconds'].values()):.0f} s within {kept['hour_rss_gb']['value']:.1f} GB" in readme
