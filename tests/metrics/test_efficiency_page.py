"""How long a visitor waits, on a real page in a real browser."""

import json
import shutil

import pytest

from metrics.efficiency import page


@pytest.mark.skipif(shutil.which("chromium") is None, reason="there is no chromium (apt-get install chromium)")
def test_every_wait_is_timed(tiny_checkpoint, tmp_path, monkeypatch):
    monkeypatch.setenv("UNIWHISPER_MODEL", str(tiny_checkpoint))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    out = tmp_path / "page.json"
    page.main(out, repeats=1, chromium=shutil.which("chromium"))
    told = json.loads(out.read_text())
    for name, bar in page.BARS.items():
        assert 0 < told[name]["median"] < 60 and told[name]["met"] == (told[name]["median"] < bar)
