"""The UniWhisper Space: ask about a long recording, or find the moment in a collection.

    python spaces/uniwhisper/app.py [--collection COLLECTION] [--port 7860]

Opens the checkpoint that `UNIWHISPER_MODEL` names, else `uniwhisper-base` in the cache.
"""

import argparse
import json
import sys
from pathlib import Path

import gradio as gr
import numpy as np
from ask_tab import ask_tab
from asking import MAX_SECONDS, Listener
from find_tab import Asked, find_tab
from finder import Finder, open_collection
from guard import guarded

from modeling_uniwhisper.audio_io import SAMPLING_RATE, clock, load_span
from modeling_uniwhisper.checkpoints import CheckpointError, find_checkpoint
from modeling_uniwhisper.search_index import SearchIndexError

MAX_FILE_SIZE = "200mb"
MAX_QUEUE = 16  # visitors waiting
WORK = {"concurrency_id": "model", "concurrency_limit": 1}  # one at a time of all events that run the model

SPACE = Path(__file__).parent
EXAMPLES = SPACE / "examples"

FONT = [gr.themes.Font(name) for name in ("Inter", "ui-sans-serif", "system-ui", "sans-serif")]
THEME = gr.themes.Soft(primary_hue="teal", secondary_hue="cyan", neutral_hue="slate", radius_size="lg", font=FONT).set(
    background_fill_primary="*neutral_50",  # Soft's own, which `set` forgets; the others are for contrast
    body_text_color_subdued="*neutral_600",
    body_text_color_subdued_dark="*neutral_300",
    block_label_text_color="*primary_800",
    block_title_text_color="*primary_800",
    block_label_background_fill_dark="*primary_800",
    block_title_background_fill_dark="*primary_800",
    color_accent="*primary_700",
    checkbox_label_background_fill_selected="*primary_700",
    checkbox_label_background_fill_selected_dark="*primary_700",
    button_primary_background_fill="*primary_700",
    button_primary_background_fill_hover="*primary_800",
    button_primary_background_fill_dark="*primary_700",
    button_primary_background_fill_hover_dark="*primary_600",
)
HEADER = """
<h1>Uni<span>Whisper</span></h1>
<p>Ask a recording of up to an hour, or find the moment in a collection.
One Whisper encoder for speech, sound and music, and a small language model.</p>
"""
NOTES = f"""
Recordings: WAV, FLAC, OGG, Opus, MP3, M4A, MP4 or WebM of at most {MAX_SECONDS / 60:g} minutes and
{MAX_FILE_SIZE.upper()}, deleted after an hour. The example clips are cut from free software; `examples/LICENSES.md`
names the author and licence of each.
"""
COLLECTION_HELP = "what to find in: a folder, an index, or hf:ORG/NAME[:CONFIG[:SPLIT]]; the examples by default"
LAUNCH = {
    "theme": THEME,
    "css_paths": SPACE / "style.css",
    "max_file_size": MAX_FILE_SIZE,
    "footer_links": ["api", "gradio", "settings"],
}


def build_app(checkpoint: Path, collection: str | Path = EXAMPLES) -> gr.Blocks:
    """The page, with the model of `checkpoint` behind it.

    Args:
        checkpoint: folder.
        collection: where moments are found, as `open_collection` takes it.
    """
    examples = json.loads((EXAMPLES / "metadata.json").read_text())
    clips = [[str(EXAMPLES / clip["file"])] for clip in examples]
    gr.set_static_paths([path for (path,) in clips])  # else they go to the cache, and are deleted with old uploads
    labels = [f"{clip['title']} · {clock(clip['seconds'])}" for clip in examples]
    listener = Listener(checkpoint)
    finder = Finder(open_collection(collection, listener.reader))

    with gr.Blocks(title="UniWhisper", analytics_enabled=False, delete_cache=(3600, 3600)) as app:
        gr.HTML(HEADER, elem_id="header")
        with gr.Tabs() as tabs:
            with gr.Tab("Ask", id="ask"):
                recording = ask_tab(listener, clips, labels, **WORK)
            with gr.Tab("Find", id="find"):
                asked = find_tab(finder, clips, labels, **WORK)
        gr.Markdown(NOTES, elem_id="notes")
        asked.change(_ask_about, asked, [tabs, recording], api_visibility="private")
    return app.queue(max_size=MAX_QUEUE)


def _ask_about(asked: Asked) -> tuple[gr.Tabs, tuple[int, np.ndarray]]:
    """A found moment as the recording of the Ask tab."""
    with guarded():
        audio = load_span(asked.path, asked.start, asked.end)
        return gr.Tabs(selected="ask"), (SAMPLING_RATE, (audio.clip(-1, 1) * 32767).astype(np.int16))


def main() -> None:
    """Serves the page and prints its address."""
    parser = argparse.ArgumentParser(description="Ask about recordings, and find moments, in a browser.")
    parser.add_argument("--collection", default=EXAMPLES, help=COLLECTION_HELP)
    parser.add_argument("--port", type=int, help="port to serve at, the first free one from 7860 by default")
    arguments = parser.parse_args()
    try:
        app = build_app(find_checkpoint(), arguments.collection)
    except (CheckpointError, SearchIndexError) as error:
        sys.exit(f"{error}.")
    app.launch(server_port=arguments.port, **LAUNCH)


if __name__ == "__main__":
    main()
