"""The leaderboard: results files of AudioMarathon and of probes, sortable, beside the published rows.

    python spaces/leaderboard/app.py [FOLDER] [--port 7860]

Shows the results shipped in `model_cards/` where no folder is named.
"""

import argparse
import sys
from functools import partial
from html import escape
from pathlib import Path

import gradio as gr
from reading import ALL, MARATHON_TASKS, PAPER, STRICT, Entry, Task, read_published, read_results
from table import SORTABLE, draw

from dataset_builders.audiomarathon.tasks import TASKS

# A checkout, or a Space that has `metrics/audiomarathon/published.json` and `model_cards/*/results/` beside this file.
ROOT = next(folder for folder in Path(__file__).resolve().parents if (folder / "model_cards").is_dir())
PUBLISHED = ROOT / "metrics/audiomarathon/published.json"
SHIPPED = ROOT / "model_cards", "*/results/**/*.json"

FONT = [gr.themes.Font(name) for name in ("Inter", "ui-sans-serif", "system-ui", "sans-serif")]
THEME = gr.themes.Soft(primary_hue="teal", secondary_hue="cyan", neutral_hue="slate", font=FONT).set(
    background_fill_primary="*neutral_50",
    body_text_color_subdued="*neutral_600",
    body_text_color_subdued_dark="*neutral_300",
    block_title_text_color="*primary_800",
    block_title_background_fill_dark="*primary_800",
    color_accent="*primary_700",
    checkbox_label_background_fill_selected="*primary_700",
    checkbox_label_background_fill_selected_dark="*primary_700",
)
CSS = """
.gradio-container { width: 100% !important; max-width: 1280px !important; margin: 0 auto !important; }
.dark { --color-accent: var(--primary-400); }
"""
LAUNCH = {"theme": THEME, "css": CSS, "footer_links": ["gradio", "settings"]}

HEADER = """
# UniWhisper and AudioMarathon: results
Each table is sorted by a click on a column's head. Scores are in percent; below them are their 95 % intervals where
they are known. Under a model's name is what it was measured on: only equal ones compare.
"""
FULL_TEST = sum(task.items for task in TASKS.values())
MARATHON = f"""
**Strict**: accuracy, and 1 − WER for ASR; an answer that cannot be read is wrong. **As the paper**: F1 of the letters,
and 100 − WER for ASR; answers that cannot be read are mostly dropped, which flatters, and no interval is published. The
published rows are of the full test set of {FULL_TEST:,} items: the shipped split `mini`, of 39 items that count, is
**not comparable** with them. A task of made data is in italics and in no average.
"""
PROBES = """
Frozen encoders on test clips of open audio: by their nearest neighbours (kNN) or a trained probe (MLP), at the last
layer or at the one that validation chose. A star marks a task that no training mixture holds; under its name is what
the commonest answer scores. Averages are weighted by test clips.
"""
GROUPS = {"All": ALL, "Speech content": "content", "Audio classification": "classification", "Speaker": "speaker"}
DOMAINS = {"All": ALL, "Speech": "speech", "Sound": "sound", "Music": "music"}
WAYS = {"Strict": STRICT, "As the paper, with its rows": PAPER}
VIEWS = {
    "MLP, chosen layer": "mlp_chosen",
    "MLP, last layer": "mlp_last",
    "kNN, chosen layer": "knn_chosen",
    "kNN, last layer": "knn_last",
}


def build_app(folder: Path, pattern: str = "**/*.json") -> gr.Blocks:
    """The page, with the results of the files of `folder` that match."""
    results = read_results(folder, pattern)
    with gr.Blocks(title="UniWhisper: results", analytics_enabled=False) as app:
        gr.Markdown(HEADER)
        with gr.Tab("AudioMarathon"):
            runs = [*results.runs, *read_published(PUBLISHED)]
            _tab("AudioMarathon", runs, MARATHON_TASKS, WAYS, GROUPS, MARATHON)
        with gr.Tab("Probes"):
            _tab("Probes", results.probes, results.probe_tasks, VIEWS, DOMAINS, PROBES)
        gr.HTML("".join(f"<p>{escape(problem)}</p>" for problem in results.problems), elem_id="problems")
    return app


def _tab(caption: str, entries: list[Entry], tasks: dict[str, Task], ways: dict, parts: dict, told: str) -> None:
    """A board, how its scores are made, and what is shown of it."""
    with gr.Row():
        way = gr.Radio(list(ways.items()), value=next(iter(ways.values())), label="Scored")
        part = gr.Radio(list(parts.items()), value=ALL, label="Tasks")
    show = partial(draw, entries, tasks, caption=caption)
    board = gr.HTML(show(way.value, part.value), **SORTABLE)
    gr.Markdown(told)
    gr.on([way.change, part.change], show, [way, part], board, api_visibility="private")


def main() -> None:
    """Serves the page and prints its address."""
    parser = argparse.ArgumentParser(description="Show results of AudioMarathon and of probes in a browser.")
    parser.add_argument("folder", nargs="?", type=Path, help="of results, those shipped in model_cards by default")
    parser.add_argument("--port", type=int, help="port to serve at, the first free one from 7860 by default")
    arguments = parser.parse_args()
    if arguments.folder and not arguments.folder.is_dir():
        sys.exit(f"{arguments.folder} is not a folder.")
    app = build_app(arguments.folder) if arguments.folder else build_app(*SHIPPED)
    app.launch(server_port=arguments.port, **LAUNCH)


if __name__ == "__main__":
    main()
