"""The UniWhisper Space: ask about a recording, or find the moments that sound like an example.

    python spaces/uniwhisper/app.py [--port 7860]

Opens the checkpoint that `UNIWHISPER_MODEL` names, else `uniwhisper-base` in the cache.
"""

import argparse
import functools
import hashlib
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path

import gradio as gr
import numpy as np
from transformers import pipeline

from modeling_uniwhisper import AudioError, load_audio
from modeling_uniwhisper.audio_io import SAMPLING_RATE
from modeling_uniwhisper.checkpoints import CheckpointError, find_checkpoint
from modeling_uniwhisper.search import MOMENT_SECONDS, Embedder, clock, rank_moments

MAX_FILE_SIZE = "50mb"
MAX_SECONDS = 600.0  # of decoded audio
MAX_QUESTION = 300  # characters
MAX_NEW_TOKENS = 128
MAX_QUEUE = 16  # visitors waiting
CONCURRENCY = 1  # answered at the same time
MOMENTS = 10  # found
MOMENTS_PER_CLIP = 3  # of these, so that the longest example clip does not fill the table

EXAMPLES = Path(__file__).parent / "examples"
QUESTIONS = (
    "What do you hear?",
    "Transcribe the speech.",
    "What language is spoken?",
    "What makes this sound?",
    "Speech, sound or music?",
)
COLUMNS = ["", "recording", "from", "to", "similarity"]
YOUR_RECORDING = "Your recording"

FONT = [gr.themes.Font(name) for name in ("Inter", "ui-sans-serif", "system-ui", "sans-serif")]
THEME = gr.themes.Soft(primary_hue="teal", secondary_hue="cyan", neutral_hue="slate", radius_size="lg", font=FONT)
CSS = """
.gradio-container { max-width: 1080px !important; margin: 0 auto !important; }
#header { padding: 1.6rem 0 .4rem; }
#header h1 { font-size: 2.3rem; font-weight: 700; letter-spacing: -.02em; margin: 0; }
#header h1 span { color: var(--primary-500); }
#header p { font-size: 1.06rem; margin: .35rem 0 0; max-width: 46rem; color: var(--body-text-color-subdued); }
#answer textarea { font-size: 1.15rem; line-height: 1.6; }
#notes { color: var(--body-text-color-subdued); font-size: .88rem; }
"""
HEADER = """
<h1>Uni<span>Whisper</span></h1>
<p>One Whisper encoder for speech, sound and music, joined to a small language model.
Ask a question about a recording, or find the moments that sound like an example.</p>
"""
NOTES = f"""
Recordings: WAV, FLAC, OGG, Opus, MP3, M4A, MP4 or WebM of at most {MAX_SECONDS:g} s and {MAX_FILE_SIZE.upper()}.
The example clips are cut from free software; `examples/LICENSES.md` names the author and licence of each.
"""
LAUNCH = {"theme": THEME, "css": CSS, "max_file_size": MAX_FILE_SIZE, "footer_links": ["api", "gradio", "settings"]}

logger = logging.getLogger(__name__)


class Listener:
    """A checkpoint that answers and searches, and the example clips that it knows."""

    def __init__(self, checkpoint: Path):
        self.pipe = pipeline("audio-question-answering", model=str(checkpoint))
        self.embedder = Embedder(checkpoint)
        self.clips = json.loads((EXAMPLES / "metadata.json").read_text())
        self.collection = {clip["title"]: EXAMPLES / clip["file"] for clip in self.clips}
        self.moments = {title: self.embedder.moments(path) for title, path in self.collection.items()}
        config = self.pipe.model.config
        places = config.text_config.max_position_embeddings - MAX_QUESTION - MAX_NEW_TOKENS
        self.max_seconds = min(MAX_SECONDS, places / self.pipe.processor.audio_token_rate)

    def load(self, path: str | None) -> np.ndarray:
        """A visitor's recording as 16 kHz mono `(samples,)`; refused in a sentence without its path."""
        if not path:
            raise AudioError("Give a recording first.")
        try:
            return load_audio(path, max_seconds=self.max_seconds)
        except AudioError as error:
            raise AudioError(str(error).replace(path, "The recording")) from error

    def answer(self, path: str | None, question: str) -> str:
        """The answer to a question about a recording."""
        question = question.strip()
        if not question:
            raise AudioError("Ask a question.")
        if len(question) > MAX_QUESTION:
            raise AudioError(f"The question has {len(question)} characters; at most {MAX_QUESTION} are read.")
        return self.pipe(self.load(path), question=question, max_new_tokens=MAX_NEW_TOKENS)["answer"]

    def find(self, example: str | None, other: str | None) -> tuple[list[list], list[tuple[str, float, float]]]:
        """Table rows of the nearest moments, and the file, start and end of each.

        An example that is one of the clips is left out of what is searched.
        """
        query = self.embedder(self.load(example)).recording
        known = _digest(example)
        paths = {title: str(path) for title, path in self.collection.items() if _digest(path) != known}
        recordings = {title: self.moments[title] for title in paths}
        if other:
            paths[YOUR_RECORDING] = other
            recordings[YOUR_RECORDING] = self.embedder(self.load(other), MOMENT_SECONDS)
        left = dict.fromkeys(self.collection, MOMENTS_PER_CLIP) | {YOUR_RECORDING: MOMENTS}
        moments = []
        for moment in rank_moments(query, recordings):
            left[moment.path] -= 1
            if left[moment.path] >= 0:
                moments.append(moment)
        moments = moments[:MOMENTS]
        rows = [
            [rank, moment.path, clock(moment.start), clock(moment.end), f"{moment.score:.3f}"]
            for rank, moment in enumerate(moments, 1)
        ]
        return rows, [(paths[moment.path], moment.start, moment.end) for moment in moments]

    def cut(self, moment: tuple[str, float, float]) -> tuple[int, np.ndarray]:
        """The sound of a found moment, as Gradio plays it."""
        path, start, end = moment
        audio = self.load(path)[round(start * SAMPLING_RATE) : round(end * SAMPLING_RATE)]
        return SAMPLING_RATE, (audio.clip(-1, 1) * 32767).astype(np.int16)


def _digest(path: str | Path) -> bytes:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def guarded(function: Callable) -> Callable:
    """Tells a visitor what is wrong with the recording or the question, and nothing else."""

    @functools.wraps(function)
    def wrapper(*arguments, **keywords):
        try:
            return function(*arguments, **keywords)
        except AudioError as error:
            raise gr.Error(str(error), title="This cannot be used", print_exception=False) from None
        except Exception:
            logger.exception("%s failed", function.__name__)
            raise gr.Error("Something went wrong here. The recording was not used.", print_exception=False) from None

    return wrapper


def build_app(checkpoint: Path) -> gr.Blocks:
    """The page, with the model of `checkpoint` behind it."""
    listener = Listener(checkpoint)
    clips = [[str(EXAMPLES / clip["file"])] for clip in listener.clips]
    gr.set_static_paths([path for (path,) in clips])  # else they go to the cache, and are deleted with old uploads
    labels = [f"{clip['title']} · {clock(clip['seconds'])}" for clip in listener.clips]

    @guarded
    def ask(recording: str | None, question: str) -> str:
        return listener.answer(recording, question)

    @guarded
    def search(example: str | None, other: str | None):
        rows, moments = listener.find(example, other)
        return rows, moments, gr.Audio(listener.cut(moments[0]), label=_title(rows[0]))

    @guarded
    def play(moments: list, event: gr.SelectData):
        row = event.row_value  # by its rank, since a visitor may have sorted the table
        return gr.Audio(listener.cut(moments[int(row[0]) - 1]), label=_title(row), autoplay=True)

    with gr.Blocks(title="UniWhisper", analytics_enabled=False, delete_cache=(3600, 3600)) as app:
        gr.HTML(HEADER, elem_id="header")
        with gr.Tab("Ask"):
            with gr.Row():
                with gr.Column():
                    recording = gr.Audio(
                        type="filepath", sources=["upload", "microphone"], label="Recording", buttons=[]
                    )
                    question = gr.Textbox(
                        label="Question", value=QUESTIONS[0], max_length=MAX_QUESTION, submit_btn=True, lines=1
                    )
                    with gr.Row():
                        suggestions = [gr.Button(text, size="sm", min_width=150) for text in QUESTIONS]
                answer = gr.Textbox(label="Answer", elem_id="answer", lines=11, interactive=False, buttons=["copy"])
            gr.Examples(clips, recording, example_labels=labels, label="Example recordings", examples_per_page=20)
        with gr.Tab("Search by example"):
            with gr.Row():
                example = gr.Audio(
                    type="filepath", sources=["upload", "microphone"], label="What to look for", buttons=[]
                )
                other = gr.Audio(
                    type="filepath",
                    sources=["upload"],
                    label="Look here too (optional)",
                )
            gr.Examples(clips, example, example_labels=labels, label="Examples to look for", examples_per_page=20)
            button = gr.Button("Find moments", variant="primary")
            with gr.Row():
                with gr.Column(scale=3):
                    table = gr.Dataframe(
                        headers=COLUMNS,
                        datatype=["number", "str", "str", "str", "str"],
                        column_widths=["8%", "44%", "14%", "14%", "20%"],
                        label="Moments, nearest first: click one to hear it",
                        show_label=True,
                        type="array",
                        interactive=False,
                    )
                with gr.Column(scale=2):
                    moment = gr.Audio(label="Moment", interactive=False, buttons=["download"])
            found = gr.State([])
        gr.Markdown(NOTES, elem_id="notes")

        question.submit(ask, [recording, question], answer, api_name="ask")
        for suggestion in suggestions:
            suggestion.click(lambda text: text, suggestion, question, queue=False, api_visibility="private").then(
                ask, [recording, question], answer, api_visibility="private"
            )
        button.click(search, [example, other], [table, found, moment], api_name="search")
        table.select(play, found, moment, api_visibility="private")
    return app.queue(max_size=MAX_QUEUE, default_concurrency_limit=CONCURRENCY)


def _title(row: list) -> str:
    return f"{row[1]}, {row[2]} to {row[3]}"


def main() -> None:
    """Serves the page and prints its address."""
    parser = argparse.ArgumentParser(description="Ask about recordings and search them by example, in a browser.")
    parser.add_argument("--port", type=int, help="port to serve at, the first free one from 7860 by default")
    arguments = parser.parse_args()
    try:
        checkpoint = find_checkpoint()
    except CheckpointError as error:
        sys.exit(f"{error}.")
    build_app(checkpoint).launch(server_port=arguments.port, **LAUNCH)


if __name__ == "__main__":
    main()
