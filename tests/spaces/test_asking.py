"""Questions about visitors' recordings: what is kept, what streams, what is refused."""

import shutil

import asking
import gradio as gr
import pytest
import soundfile as sf
from ask_tab import ask_tab
from asking import WHAT_IS_SAID, Listener, QuestionError, Setting

from modeling_uniwhisper import AudioError
from modeling_uniwhisper.audio_io import SAMPLING_RATE, clock, load_audio
from modeling_uniwhisper.transcribing import TRANSCRIBER, Transcriber

QUESTION = "What do you hear?"


@pytest.fixture(scope="module")
def listener(tiny_checkpoint):
    return Listener(tiny_checkpoint)


@pytest.fixture
def record(tmp_path, make_audio):
    """`record(seconds, seed)`: the path of a recording."""

    def write(seconds, seed):
        path = tmp_path / f"{seed}.wav"
        sf.write(path, make_audio(seconds, seed), SAMPLING_RATE)
        return str(path)

    return write


def test_an_answer_streams_and_ends_with_its_reply(listener, record):
    *pieces, whole = listener.ask(record(3.0, 1), QUESTION)
    assert len(pieces) > 1 and all(piece.reply is None and piece.facts == "" for piece in pieces)
    assert pieces[-1].text.strip() == whole.text == whole.reply.text
    assert whole.seconds > 0 and whole.encoding_seconds > 0
    assert whole.facts.startswith("Took ") and "s of it encoding · heard all 3 s" in whole.facts


def test_a_second_question_does_not_encode_again(listener, record, monkeypatch):
    path = record(3.0, 2)
    list(listener.ask(path, QUESTION))
    monkeypatch.setattr(listener.model.model.encoder, "forward", None)
    *_, again = listener.ask(path, "Who?")
    assert again.encoding_seconds is None and "encoding re-used" in again.facts


def test_few_recordings_are_kept(listener, record, monkeypatch):
    monkeypatch.setattr(asking, "KEPT_RECORDINGS", 2)
    paths = [record(1.0, seed) for seed in (3, 4, 5)]
    for path in (*paths[:2], paths[0], paths[2]):
        listener.hear(path)
    assert [listener.hear(path)[1] is None for path in (paths[0], paths[2], paths[1])] == [True, True, False]
    monkeypatch.setattr(asking, "KEPT_SECONDS", 1.5)
    listener.hear(record(2.0, 6))
    assert [kept.duration for kept in listener._kept.values()] == [2.0]  # the newest, however long it is


def test_two_settings_compare(listener, record):
    path = record(8.0, 7)
    settings = [Setting(12.5, "rate"), Setting(3.125, "rate"), Setting(12.5, "windows")]
    *_, (first, second, third) = listener.compare(path, QUESTION, settings)
    assert [answer.reply.audio_tokens for answer in (first, second, third)] == [100, 25, 100]
    assert first.encoding_seconds > 0 and second.encoding_seconds is None
    *_, alone = listener.ask(path, QUESTION, Setting(3.125, "all"))
    assert second.text == alone.text and "3.12 tokens a second" in second.facts


def test_each_setting_reads_the_audio_anew(listener, record, monkeypatch):
    lengths = []
    forward = listener.model.language_model.forward
    monkeypatch.setattr(
        listener.model.language_model,
        "forward",
        lambda *args, **kwargs: lengths.append(kwargs["inputs_embeds"].shape[1]) or forward(*args, **kwargs),
    )
    path, setting = record(8.0, 8), Setting(12.5, "rate")
    list(listener.ask(path, QUESTION, setting))
    lengths.clear()
    list(listener.compare(path, QUESTION, [setting, setting]))
    assert sum(length >= 100 for length in lengths) == 2


def test_a_failure_while_answering_is_raised(listener, record, monkeypatch):
    path = record(1.0, 9)
    list(listener.ask(path, QUESTION))
    monkeypatch.setattr(listener.model.language_model.model.layers[1], "forward", None)
    with pytest.raises(TypeError):
        list(listener.ask(path, QUESTION))


def test_tokens_are_dropped_for_an_answer_alone(listener, record):
    path, whole = record(8.0, 11), Setting(12.5, "rate")
    *_, (first, half, again) = listener.compare(path, QUESTION, [whole, Setting(12.5, "rate", dropped=0.5), whole])
    assert (half.reply.audio_tokens, half.reply.kept_tokens) == (100, 50)
    assert first.text == again.text != half.text


def test_what_is_said_is_written_window_by_window(listener, record, tiny_checkpoint):
    path = record(23.0, 12)
    *pieces, whole = listener.transcribe(path)
    said = [segment for segment in Transcriber(tiny_checkpoint)(load_audio(path)) if segment.text]
    assert whole.text.splitlines() == [f"{clock(segment.start)}  {segment.text}" for segment in said]
    assert len(pieces) == len(said) > 1 and pieces[0].text == f"0:00.0  {said[0].text}\n" and pieces[0].facts == ""
    assert whole.facts.endswith("written by Whisper's own decoder, not by the one that answers")


def test_a_checkpoint_that_cannot_transcribe_does_not_suggest_it(tiny_checkpoint, tmp_path, recording):
    shutil.copytree(tiny_checkpoint, tmp_path / "mute", ignore=shutil.ignore_patterns(TRANSCRIBER))
    for checkpoint, suggests in ((tiny_checkpoint, True), (tmp_path / "mute", False)):
        with gr.Blocks() as page:
            ask_tab(Listener(checkpoint), [[recording]], ["a recording"])
        buttons = {block.value for block in page.blocks.values() if isinstance(block, gr.Button)}
        assert "Which animal is this?" in buttons and (WHAT_IS_SAID in buttons) == suggests


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ("", "Ask a question"),
        (" \n", "Ask a question"),
        ("x" * 301, "301 characters; at most 300"),
        ("<|audio|>?", "stands for the recording"),
    ],
)
def test_questions(listener, recording, question, message):
    with pytest.raises(QuestionError, match=message):
        next(listener.ask(recording, question))
    with pytest.raises(QuestionError, match=message):
        next(listener.compare(recording, question, [Setting()]))


def test_recordings(listener, recording, monkeypatch):
    for listens in (listener.hear, lambda path: next(listener.transcribe(path))):
        with pytest.raises(AudioError, match="Give a recording first"):
            listens(None)
    monkeypatch.setattr(asking, "MAX_SECONDS", 6.0)
    with pytest.raises(AudioError, match="The recording is longer than 6 s"):
        listener.hear(recording)
