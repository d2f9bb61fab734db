"""Where what was measured goes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def write_report(report: dict[str, Any], out: Path | None) -> None:
    """Write `report` to the file `out` as JSON, or print it where there is none."""
    text = json.dumps(report, indent=1, ensure_ascii=False)
    if out is None:
        print(text)
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text + "\n", "utf-8")
    print(f"written: {out}")
