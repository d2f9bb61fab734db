"""A metric of ours as `evaluate` opens it from the Hub: a script, and every module that it needs flat beside it."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

from huggingface_hub import SpaceCard

REPOSITORY = Path(__file__).resolve().parents[1]
IMPORT = re.compile(r"^from (\.|(?:dataset_builders|metrics)(?:\.\w+)*\.)(\w+)(?= import )", re.MULTILINE)
"""Of a module of ours; in the metrics all such imports begin a line."""
PAGE = """\
<!doctype html>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>body {{ font: 1rem/1.5 sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem }}</style>
{body}"""


def write_metric(script: Path, name: str, folder: Path) -> None:
    """Write `script` as `name.py` into `folder` with the modules it needs, and a page of the card that lies there.

    `evaluate` fetches what the script itself imports, and nothing further: so the script imports all.

    Raises:
        ValueError: two modules have one name.
    """
    from markdown_it import MarkdownIt

    modules = _closure(script)
    flat = {path: IMPORT.sub(r"from .\2", path.read_text("utf-8")) for path in modules}
    names = [name if path == script else path.stem for path in modules]
    if len(set(names)) < len(names):
        raise ValueError(f"two of the modules that {name} needs have one name: {', '.join(sorted(names))}")
    own = {found[2] for found in IMPORT.finditer(flat[script])}
    hidden = sorted({path.stem for path in modules} - own - {script.stem})
    carried = "".join(f"from .{module} import __doc__ as _\n" for module in hidden)
    flat[script] = IMPORT.sub(lambda first: carried + first[0], flat[script], count=1)
    for path, stem in zip(modules, names):
        (folder / f"{stem}.py").write_text(flat[path], "utf-8")
    card = SpaceCard.load(folder / "README.md")
    body = MarkdownIt("commonmark").enable("table").render(card.text)
    (folder / "index.html").write_text(PAGE.format(title=escape(card.data.title), body=body), "utf-8")


def _closure(script: Path) -> list[Path]:
    """`script`, and the modules of ours that it needs."""
    found = [script]
    for path in found:  # grows meanwhile
        for origin, module in (match.groups() for match in IMPORT.finditer(path.read_text("utf-8"))):
            place = path.parent if origin == "." else REPOSITORY.joinpath(*origin.rstrip(".").split("."))
            if (needed := place / f"{module}.py") not in found:
                found.append(needed)
    return found
