"""Acoustic scenes from TAU Urban Acoustic Scenes 2020 Mobile, development dataset.

    SOURCE/meta.csv                 tabs between filename, scene_label, identifier, source_label
    SOURCE/audio/NAME.wav           10 s; filename is "audio/NAME.wav"

Segments of one scene, place (identifier) and device (source_label) are joined by name. The release joins those of all
devices, which recorded at once, so that the same moment is heard again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from ..tasks import SCENES
from .drafts import Draft, Limits, labelled, measure, pack, read_table, shuffled

LABELS = {scene.replace(", ", "_").replace(" ", "_"): scene for scene in SCENES}
QUESTION = "Where was this recorded?"

Place = tuple[str, str]


def scenes(source: Path, limits: Limits) -> list[Iterator[Draft]]:
    """Return the joined recordings of each scene."""
    found: dict[str, dict[Place, list[Path]]] = {scene: defaultdict(list) for scene in SCENES}
    columns = ("filename", "scene_label", "identifier", "source_label")
    for where, row in read_table(source / "meta.csv", columns):
        scene = labelled(where, row["scene_label"], LABELS)
        found[scene][row["identifier"], row["source_label"]].append(source / row["filename"])
    return [_of_scene(scene, places, limits) for scene, places in found.items()]


def _of_scene(scene: str, places: dict[Place, list[Path]], limits: Limits) -> Iterator[Draft]:
    wrong = tuple(other for other in SCENES if other != scene)
    for place, device in shuffled(sorted(places), scene):
        recordings = map(measure, sorted(places[place, device]))
        for number, parts in enumerate(pack(recordings, limits)):
            name = f"{scene.replace(', ', '_').replace(' ', '_')}-{place}-{device}-{number}"
            yield Draft(id=name, parts=parts, question=QUESTION, answer=scene, wrong=wrong, group=place)
