"""Found moments as HTML: a list with buttons, and a map whose points are chosen by mouse or keyboard."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from finder import Point
from structure import DOMAINS

from modeling_uniwhisper.audio_io import clock
from modeling_uniwhisper.search_index import Hit

FOLDER = Path(__file__).parent
WIDTH, HEIGHT, MARGIN = 800, 400, 12  # of the map, in its own units
NOTHING = "<p>No moment matches.</p>"
HINT = "Arrow keys go to the nearest moment, Enter plays it."
ON_CLICK = """
element.ariaLive = 'polite';
const events = ['play', 'ask', 'more'];
element.addEventListener('click', ({target}) => {
  const {event, number} = target.closest('[data-event]')?.dataset ?? {};
  if (events.includes(event)) trigger(event, {number: Number(number)});
});
"""
CLICKABLE = {  # of `gr.HTML`
    "js_on_load": ON_CLICK,
    "css_template": (FOLDER / "moments.css").read_text(),
    "apply_default_css": False,
}
MAP = CLICKABLE | {"js_on_load": ON_CLICK + (FOLDER / "map_keys.js").read_text()}


def draw_hits(hits: Sequence[Hit]) -> str:
    """HTML of a list of hits, each with its reason and buttons that trigger `play`, `ask` and `more` by number."""
    return f"<ol>{''.join(_item(number, hit) for number, hit in enumerate(hits))}</ol>" if hits else NOTHING


def draw_map(points: Sequence[Point]) -> str:
    """HTML of a map whose points, coloured by what the model calls them, trigger `play` by number."""
    circles = "".join(
        f'<circle role="option" tabindex="{-1 if number else 0}" class="{_kind(point.hit)}" '
        f'cx="{MARGIN + point.x * (WIDTH - 2 * MARGIN):.1f}" '
        f'cy="{MARGIN + point.y * (HEIGHT - 2 * MARGIN):.1f}" r="6" data-event="play" data-number="{number}">'
        f"<title>{escape(_name(point.hit))}: {escape(point.hit.description)}</title></circle>"
        for number, point in enumerate(points)
    )
    kinds = dict.fromkeys(_kind(point.hit) for point in points)
    legend = "".join(f'<i class="{kind}"></i>{kind}' for kind in sorted(kinds))
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="listbox" aria-label="Map of {len(points)} moments">{circles}'
        f'<circle class="ring" r="10"/></svg><p>{legend}</p><p class="named" aria-live="off">{HINT}</p>'
    )


def _item(number: int, hit: Hit) -> str:
    def button(event: str, text: str, label: str) -> str:
        name = f"{label} {_name(hit)}"
        return (
            f'<button class="{event}" data-event="{event}" data-number="{number}" '
            f'aria-label="{escape(name)}">{text}</button>'
        )

    said = f"<p>{escape(hit.description)}</p>" if hit.description not in hit.why else ""
    return (
        f"<li>{button('play', '▶', 'Play')}"
        f"<h3>{escape(hit.title)}<time>{clock(hit.start)} – {clock(hit.end)}</time></h3>"
        f'<span class="score" title="from 0 to 1">{hit.score:.3f}</span>'
        f"<p>{escape(hit.why)}</p>{said}"
        f'<div class="actions">{button("ask", "Ask about this", "Ask about")}'
        f"{button('more', 'More like this', 'More like')}</div></li>"
    )


def _name(hit: Hit) -> str:
    return f"{hit.title}, {clock(hit.start)} to {clock(hit.end)}"


def _kind(hit: Hit) -> str:
    return DOMAINS.get(hit.domain, "unsure")
