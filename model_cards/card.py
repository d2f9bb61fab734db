"""The model's card, from its template and the results beside it.

    python -m model_cards.card

writes `uniwhisper-base/README.md` anew. On the Hub the same template tells of the whole model instead of that folder.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard, ModelCardData

from dataset_builders.audiomarathon.tasks import find_task
from metrics.audiomarathon.published import published
from metrics.probe.report import lines, markdown, summary

FOLDER = Path(__file__).parent / "uniwhisper-base"
RESULTS = FOLDER / "results"
QUESTIONS = {
    "language_id": "language, 8 listed †",
    "speaker_id": "character of a game",
    "speaker_gender": "woman or man",
    "spoken_letter": "letter, 8 of 26 listed",
    "spoken_topic": "topic of a word",
    "sound_event": "sound, 8 listed †",
    "animal": "animal",
    "instrument_family": "instrument family †",
    "instrument": "instrument, 8 listed",
    "drum_class": "drum, 8 †",
    "pitch": "note, 8 listed",
    "audio_domain": "speech, sound or music †",
}
"""What is asked, by task of open audio; † where an earlier checkpoint heard some of the test clips."""


def write_card() -> Path:
    """Write the card of the folder in the repository, and return it."""
    path = FOLDER / "README.md"
    path.write_text(render_card(), "utf-8")
    return path


def render_card(hub_id: str | None = None) -> str:
    """Return the card's text: for the folder in the repository, or for the model as it lies on the Hub."""
    asked = _read(RESULTS / "open_audio.json")["tasks"]
    runs = {name: _read(RESULTS / f"audiomarathon/{name}/scores.json") for name in ("ours", "deaf")}
    probes = _probes()
    data = ModelCardData(
        license="apache-2.0",
        library_name="transformers",
        pipeline_tag="audio-text-to-text",
        base_model=["openai/whisper-base", "HuggingFaceTB/SmolLM2-135M-Instruct"],
        language=["en", "es", "fr", "ru", "cs", "nl", "ro", "ca"],
        tags=["audio", "speech", "sound", "music", "embeddings", "audio-question-answering"],
    )
    card = ModelCard.from_template(
        data,
        template_path=str(FOLDER / "README.md.jinja"),
        hub_id=hub_id,
        asked=asked,
        answers=markdown(_answers(asked)),
        readers=_read(RESULTS / "retention.json")["results"],
        speed=_read(RESULTS / "embedding.json"),
        probes={report["encoder"]["name"]: report["tasks"] for report in probes},
        averages=markdown(summary([one for one in probes if len(one["tasks"]) == len(probes[0]["tasks"])])),
        heads=markdown(lines(probes, {"mlp_chosen": "MLP"})),
        neighbours=markdown(lines(probes, {"knn_chosen": "kNN"})),
        gap=_read(RESULTS / "gap.json"),
        rates=_read(RESULTS / "rates.json")["rates"],
        share=_share,
        marathon=markdown(_marathon(runs)),
        items=sum(found["items"] for found in _counted(runs["ours"]).values()),
        seconds=sorted(found["seconds"]["median"] for found in runs["ours"]["tasks"].values()),
        best=max(published()[:-1], key=lambda row: row.average),
        human=published()[-1],
        sure=_sure,
    )
    return str(card).rstrip() + "\n"


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text("utf-8"))


def _probes() -> list[dict[str, Any]]:
    """Reports of encoders, those of the most tasks first."""
    found = [_read(path) for path in sorted((RESULTS / "probe").glob("*.json"))]
    return sorted((report for report in found if "averages" in report), key=lambda report: -len(report["tasks"]))


def _sure(found: dict[str, Any], name: str) -> str:
    """A score with its 95 % interval."""
    low, high = found[f"{name}_95"]
    return f"{found[name]:.2f} ({low:.2f}-{high:.2f})"


def _share(found: dict[str, Any]) -> str:
    """A share in per cent, with its 95 % interval."""
    low, high = found["interval_95"]
    return f"{100 * found['value']:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def _answers(asked: dict[str, Any]) -> list[list[str]]:
    rows = [["test task", "clips", "accuracy", "95 %", "majority", "chance", "log-mel", "Whisper-base", "in form"]]
    for task, question in QUESTIONS.items():
        found = asked[task]
        low, high = found["accuracy_95"]
        guesses = [f"{found[name]:.2f}" for name in ("majority", "chance", "log-mel", "whisper-base")]
        scores = [f"**{found['accuracy']:.2f}**", f"{low:.2f}-{high:.2f}", *guesses, f"{found['parse_rate']:.0%}"]
        rows.append([question, str(found["clips"]), *scores])
    return rows


def _counted(run: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Strict scores of the tasks that are in the average, by abbreviation."""
    found = {find_task(name).abbreviation: scores["strict"] for name, scores in run["tasks"].items()}
    return {name: found[name] for name in run["average"]["tasks"]}


def _marathon(runs: dict[str, dict[str, Any]]) -> list[list[str]]:
    rows = [["mini", *_counted(runs["ours"]), "average"]]
    for title, name in (("heard", "ours"), ("nothing heard", "deaf")):
        found = _counted(runs[name]).values()
        scores = [one["accuracy"] if "accuracy" in one else max(0, 1 - one["wer"]) for one in found]
        rows.append([title, *(f"{score:.2f}" for score in [*scores, runs[name]["average"]["strict"]])])
    majorities = [one.get("majority") for one in _counted(runs["ours"]).values()]
    return [*rows, ["majority", *("" if one is None else f"{one:.2f}" for one in majorities), ""]]


if __name__ == "__main__":
    print(f"written: {write_card()}")
