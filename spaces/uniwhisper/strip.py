"""The strip under a waveform: what each stretch of a recording is, drawn as HTML to the scale of its duration."""

from collections.abc import Sequence
from html import escape
from itertools import groupby

from structure import Stretch

from modeling_uniwhisper.audio_io import clock

UNSURE = 0.5  # a confidence below this is not drawn as an answer
NAMED = 0.1  # share of the width from which on a part is named
LEGEND = {"speech": "speech", "sound": "sound", "music": "music", "unsure": f"unsure: under {UNSURE:.0%}"}


def draw(stretches: Sequence[Stretch]) -> str:
    """HTML of the strip, its time axis and legend, and the same as a list for small screens and screen readers."""
    duration = stretches[-1].end
    blocks = "".join(
        f'<span class="{_kind(stretch)}" title="{escape(_sentence(stretch))}" '
        f'style="flex-grow:{stretch.end - stretch.start:.2f};--sure:{stretch.domain_confidence:.2f}"></span>'
        for stretch in stretches
    )
    names = "".join(_under(name, part, duration) for name, part in _parts(stretches))
    times = "".join(f"<span>{clock(duration * quarter / 4)}</span>" for quarter in range(5))
    legend = "".join(f'<span><i class="{kind}"></i>{text}</span>' for kind, text in LEGEND.items())
    rows = "".join(_row(name, part) for name, part in _parts(stretches))
    return f"""<figure class="strip">
<div class="blocks" aria-hidden="true">{blocks}</div>
<div class="names" aria-hidden="true">{names}</div>
<div class="times" aria-hidden="true">{times}</div>
<figcaption>{legend}<span>the fainter, the less sure</span></figcaption>
<details><summary>As a list, with how sure the model is</summary><ol>{rows}</ol></details>
</figure>"""


def _kind(stretch: Stretch) -> str:
    return stretch.domain if stretch.domain_confidence >= UNSURE else "unsure"


def _name(stretch: Stretch) -> str:
    """The label where the model is sure of it, else the domain, else "unsure"."""
    sure = _kind(stretch) != "unsure" and stretch.label_confidence >= UNSURE
    return stretch.label if sure else _kind(stretch)


def _sentence(stretch: Stretch) -> str:
    return (
        f"{clock(stretch.start)} to {clock(stretch.end)}: {stretch.domain} ({stretch.domain_confidence:.0%}), "
        f"{stretch.label} ({stretch.label_confidence:.0%})"
    )


def _parts(stretches: Sequence[Stretch]) -> list[tuple[str, list[Stretch]]]:
    """Neighbours of the same kind and name together."""
    return [(name, list(part)) for (_, name), part in groupby(stretches, lambda one: (_kind(one), _name(one)))]


def _under(name: str, part: Sequence[Stretch], duration: float) -> str:
    """The name under its part, if that is wide enough for it."""
    left, width = part[0].start / duration, (part[-1].end - part[0].start) / duration
    return f'<span style="left:{left:.2%};width:{width:.2%}">{escape(name)}</span>' if width >= NAMED else ""


def _row(name: str, part: Sequence[Stretch]) -> str:
    kind = _kind(part[0])
    confidences = [stretch.domain_confidence for stretch in part]
    said = f"{kind} {_range(confidences)}"
    if name != kind:
        said += f", {name} {_range([stretch.label_confidence for stretch in part])}"
    return f'<li><i class="{kind}"></i>{clock(part[0].start)} to {clock(part[-1].end)}: {escape(said)}</li>'


def _range(confidences: Sequence[float]) -> str:
    low, high = f"{min(confidences):.0%}", f"{max(confidences):.0%}"
    return low if low == high else f"{low} to {high}"
