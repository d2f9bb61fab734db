"""The Find tab: moments of a collection, by words, by a clip or a span of it, by each other, and on a map."""

from dataclasses import dataclass
from functools import partial

import gradio as gr
from asking import MAX_QUESTION
from finder import Finder
from gpu import SECONDS, on_gpu
from guard import guarded
from moments import CLICKABLE, MAP, draw_hits, draw_map

from modeling_uniwhisper.audio_io import clock
from modeling_uniwhisper.search_index import Hit

WORDS = ("a storm", "somebody speaks French", "a synthesizer", "a machine")
TOLD = ("title", "start", "end", "score", "why", "description")  # of a hit, to programs


@dataclass(frozen=True)
class Asked:
    """A moment that a visitor wants to ask about: its file on the server, title, and span in seconds."""

    path: str
    title: str
    start: float
    end: float
    number: int  # of this wish, so that the same moment can be asked about twice


def find_tab(finder: Finder, clips: list[list[str]], labels: list[str], **work) -> gr.State:
    """The tab's components and events.

    Args:
        clips: example clips, a path each.
        labels: their names.
        work: arguments of the events that run the model.

    Returns the state that holds the last [`Asked`], `None` at first; its `change` event tells of a new one.
    """

    @partial(on_gpu, seconds=SECONDS)
    def by_words(words: str):
        """Find the moments of the collection that words tell of.

        Args:
            words: What to look for, such as "a dog barks" or words that are spoken.

        Returns:
            A list as HTML, and the moments with title, start and end in seconds, score, and why they matched.
        """
        with guarded():
            return _found(finder.by_words(words))

    @on_gpu
    def by_clip(clip: str | None, start: float | None, end: float | None):
        """Find the moments of the collection that sound most like a clip, or like a span of it.

        Args:
            clip: The audio file.
            start: Where the span starts, in seconds; the start of the clip if not given.
            end: Where it ends; the end of the clip if 0 or not given.

        Returns:
            A list as HTML, and the moments with title, start and end in seconds, score, and why they matched.
        """
        with guarded():
            return _found(finder.by_clip(clip, start, end))

    def more(hits: list[Hit], event: gr.EventData):
        with guarded():
            return _found(finder.more_like(hits[event.number]))

    def play(hits: list[Hit], event: gr.EventData):
        with guarded():
            return _player(finder, hits[event.number])

    def play_point(event: gr.EventData):
        with guarded():
            hit = finder.map[event.number].hit
            return _player(finder, hit), *_found([hit, *finder.more_like(hit)])

    def wish(hits: list[Hit], before: Asked | None, event: gr.EventData):
        with guarded():
            hit = hits[event.number]
        return Asked(hit.path, hit.title, hit.start, hit.end, before.number + 1 if before else 0)

    with gr.Row(equal_height=False):
        with gr.Column(min_width=300):
            words = gr.Textbox(
                label="By words",
                placeholder="what it is, or what is said",
                max_length=MAX_QUESTION,
                submit_btn="Find",
                lines=1,
            )
            gr.Examples([[text] for text in WORDS], words, label="Such as")
        with gr.Column(min_width=300):
            clip = gr.Audio(type="filepath", sources=["upload", "microphone"], label="By a clip", buttons=[])
            with gr.Row():
                start = gr.Number(0, label="From, s", minimum=0, min_width=80)
                end = gr.Number(0, label="To, s (0: end)", minimum=0, min_width=80)
            find = gr.Button("Find moments like it", variant="primary")
    gr.Examples(clips, clip, example_labels=labels, label="Example clips", examples_per_page=20)
    player = gr.Audio(label="Moment", interactive=False, buttons=["download"], elem_id="moment")
    found = gr.HTML(elem_id="found", **CLICKABLE)
    told = gr.JSON(visible=False)
    hits, asked = gr.State([]), gr.State(None)
    with gr.Accordion("Map of the collection: moments that sound alike are near; choose one to hear it", open=False):
        points = gr.HTML(draw_map(finder.map), elem_id="map", **MAP)

    outputs = [hits, found, told]
    words.submit(by_words, words, outputs, api_name="find_by_words", show_progress_on=found, **work)
    find.click(by_clip, [clip, start, end], outputs, api_name="find_by_clip", show_progress_on=found, **work)
    found.play(play, hits, player, api_visibility="private")
    found.more(more, hits, outputs, api_visibility="private", show_progress_on=found)
    found.ask(wish, [hits, asked], asked, api_visibility="private")
    points.play(play_point, None, [player, *outputs], api_visibility="private")
    return asked


def _found(hits: list[Hit]) -> tuple[list[Hit], str, list[dict]]:
    return hits, draw_hits(hits), [{key: getattr(hit, key) for key in TOLD} for hit in hits]


def _player(finder: Finder, hit: Hit) -> gr.Audio:
    return gr.Audio(finder.excerpt(hit), label=f"{hit.title}, from {clock(hit.start)}", autoplay=True)
