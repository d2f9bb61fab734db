"""The Ask tab: a recording, its structure, questions about it, and how much to listen."""

from collections.abc import Iterator
from dataclasses import asdict
from functools import partial

import gradio as gr
from asking import MAX_QUESTION, WHAT_IS_SAID, Answer, Listener, Setting, Transcript
from gpu import on_gpu
from guard import guarded
from strip import draw
from structure import describe

SUGGESTIONS = {
    "Anything": ("What do you hear?", "What kind of audio is this?"),
    "Speech": ("What language is spoken?", "Who speaks, a woman or a man?", WHAT_IS_SAID),
    "Sound": ("What makes this sound?", "Which animal is this?"),
    "Music": ("Which instrument plays?", "Which instrument family plays?", "Which note is played?"),
}
WAYS = {"all of it": "rate", "the parts that tell most": "windows"}
DROPPED = {"none": 0.0, "half": 0.5, "nine in ten": 0.9}
ALOUD = """(...texts) => texts.at(-1)
  && texts.join('. ').replace(/[&<]/g, letter => ({'&': '&amp;', '<': '&lt;'})[letter])"""
LIVE = {"js_on_load": "element.ariaLive = 'polite'"}  # of `gr.HTML`: screen readers say what comes into it
WAVEFORM = gr.WaveformOptions(waveform_color="#94a3b8", waveform_progress_color="#0d9488")


def ask_tab(listener: Listener, clips: list[list[str]], labels: list[str], **work) -> gr.Audio:
    """The tab's components and events; returns the recording that is asked about.

    Args:
        clips: example recordings, a path each.
        labels: their names.
        work: arguments of the events that run the model.
    """
    rates = {f"{rate:g}": rate for rate in listener.model.config.audio_token_rates}
    can_transcribe = listener.reader.transcriber is not None

    @on_gpu
    def ask(recording: str | None, question: str, progress: gr.Progress = gr.Progress()):
        """Answer a question about a recording of speech, sound or music, of at most an hour.

        Args:
            recording: The audio file.
            question: In English, such as "What language is spoken?"; "What is said?" is answered by a transcript.

        Returns:
            The answer, and what it took and rests on.
        """
        with guarded():
            pieces: Iterator[Answer] | Iterator[Transcript]
            if can_transcribe and question.strip() == WHAT_IS_SAID:
                pieces = listener.transcribe(recording, _listening(progress))
            else:
                pieces = listener.ask(recording, question, progress=_listening(progress))
            for piece in pieces:
                yield piece.text, piece.facts

    @on_gpu
    def structure(recording: str | None, progress: gr.Progress = gr.Progress()):
        """Say what is where in a recording: speech, sound or music, which language, sound or instruments.

        Args:
            recording: The audio file.

        Returns:
            A picture as HTML, and its stretches with start and end in seconds, labels and confidences.
        """
        with guarded():
            heard, _ = listener.hear(recording, _listening(progress))
            stretches = describe(heard, partial(progress.tqdm, desc="Asking about each part", unit="parts"))
            return draw(stretches), [asdict(stretch) for stretch in stretches]

    @on_gpu
    def compare(
        recording: str | None,
        question: str,
        rate_a: float,
        way_a: str,
        dropped_a: float,
        rate_b: float,
        way_b: str,
        dropped_b: float,
        progress: gr.Progress = gr.Progress(),
    ):
        """Answer a question twice, listening in two ways.

        Args:
            recording: The audio file.
            question: In English.
            rate_a: Audio tokens a second that are read, at most.
            way_a: All of the recording, or the parts that tell most about the answer.
            dropped_a: Share of these tokens that is dropped, those that the question attends to least.
            rate_b: The same for the second answer.
            way_b: The same for the second answer.
            dropped_b: The same for the second answer.

        Returns:
            The two answers, each followed by what it took.
        """
        settings = [Setting(rate_a, WAYS[way_a], dropped_a), Setting(rate_b, WAYS[way_b], dropped_b)]
        with guarded():
            for answers in listener.compare(recording, question, settings, _listening(progress)):
                sides = [(answer.text, _figures(answer)) for answer in answers] + [("", "")]
                yield *sides[0], *sides[1]

    recording = gr.Audio(
        type="filepath",
        sources=["upload", "microphone"],
        label="Recording, of up to an hour",
        buttons=[],
        waveform_options=WAVEFORM,
        elem_id="recording",
        render=False,
    )
    gr.Examples(
        clips,
        recording,
        example_labels=labels,
        label="Example recordings",
        examples_per_page=20,
        elem_id="examples",
    )
    recording.render()
    with gr.Row(elem_id="show"):
        gr.HTML("Speech, sound or music, and when?")
        show = gr.Button("Show what is where", size="sm")
    strip = gr.HTML(elem_id="strip", **LIVE)
    stretches = gr.JSON(visible=False)
    with gr.Row(equal_height=False):
        with gr.Column(scale=3, min_width=320):
            question = gr.Textbox(
                SUGGESTIONS["Anything"][0],
                label="Question",
                max_length=MAX_QUESTION,
                submit_btn="Ask",
                lines=1,
                elem_id="question",
            )
            suggestions = []
            with gr.Column(elem_id="suggestions"):
                for task, questions in SUGGESTIONS.items():
                    with gr.Row():
                        gr.HTML(task)
                        suggestions += [
                            gr.Button(text, size="sm", min_width=60)
                            for text in questions
                            if can_transcribe or text != WHAT_IS_SAID
                        ]
        with gr.Column(scale=2, min_width=320):
            answer = gr.Textbox(label="Answer", elem_id="answer", lines=3, interactive=False)
            facts = gr.Markdown(elem_id="facts", container=False)
            aloud = gr.HTML(elem_id="aloud", **LIVE)  # a text box that changes is not read out
    with gr.Accordion("How much to listen: two settings side by side", open=False):
        gr.Markdown(
            "The same weights read 3 to 25 audio tokens a second. Of a recording too long for the rate, *all of it* is "
            "read at a lower one. The tokens that the question attends to least can be *dropped* after two layers. The "
            "question above is asked.",
            elem_classes="hint",
        )
        inputs, outputs = [recording, question], []
        with gr.Row():
            for side, rate in (("First", listener.model.config.audio_token_rate), ("Second", min(rates.values()))):
                with gr.Column(min_width=280):
                    inputs += [
                        gr.Radio(list(rates.items()), value=rate, label=f"{side}: audio tokens a second"),
                        gr.Radio(list(WAYS), value=next(iter(WAYS)), label=f"{side}: listen to"),
                        gr.Radio(list(DROPPED.items()), value=0.0, label=f"{side}: tokens dropped"),
                    ]
                    outputs += [
                        gr.Textbox(label=f"{side} answer", lines=2, interactive=False),
                        gr.Markdown(elem_classes="figures"),
                    ]
        listen_twice = gr.Button("Listen twice", variant="primary")

    asking = {"inputs": [recording, question], "outputs": [answer, facts], "show_progress_on": answer, **work}
    question.submit(ask, api_name="ask", **asking)
    for suggestion in suggestions:
        suggestion.click(lambda text: text, suggestion, question, queue=False, api_visibility="private").then(
            ask, api_visibility="private", **asking
        )
    show.click(structure, recording, [strip, stretches], api_name="structure", show_progress_on=strip, **work)
    # In the browser, so that it cannot come after what is asked next.
    said = [strip, stretches, answer, facts]
    recording.change(None, None, said, js="() => ['', null, '', '']", api_visibility="private")
    listen_twice.click(compare, inputs, outputs, api_name="compare", **work)
    for text, told in ((answer, facts), outputs[:2], outputs[2:]):
        told.change(None, [text, told], aloud, js=ALOUD, api_visibility="private")
    return recording


def _listening(progress: gr.Progress):
    return partial(progress.tqdm, desc="Listening", unit="parts")


def _figures(answer: Answer) -> str:
    """What an answer took, as a row of figures; empty until it is whole."""
    if answer.reply is None:
        return ""
    return f"**{answer.reply.audio_tokens:,}** audio tokens · **{answer.seconds:.1f}** s · {answer.reply.heard}"
