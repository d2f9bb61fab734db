"""Recordings of any length: heard once, asked often, and the reply says how."""

import numpy as np
import pytest
import torch
from transformers import TextIteratorStreamer

from modeling_uniwhisper import AudioError, UniWhisperFeatureExtractor, UniWhisperProcessor, listening
from modeling_uniwhisper.audio_io import SAMPLING_RATE
from modeling_uniwhisper.listening import Reply, joined, listen, prefill
from modeling_uniwhisper.token_pruning import Query, pruning

TOKENS = 8
CONTEXT = 256
WINDOW = 2.0  # seconds


@pytest.fixture
def processor(tiny_processor):
    return UniWhisperProcessor(UniWhisperFeatureExtractor(window_seconds=WINDOW), tiny_processor.tokenizer)


@pytest.fixture
def model(tiny_model):
    """With so short a context that 20 s at 12.5 Hz are too much."""
    tiny_model.config.text_config.max_position_embeddings = CONTEXT
    return tiny_model


@pytest.fixture
def hear(model, processor, make_audio):
    """`hear(seconds)`: a recording, without a progress bar."""
    return lambda seconds: listen(model, processor, make_audio(seconds), progress=iter)


@pytest.fixture
def plain(model, processor, make_audio):
    """`plain(seconds, question)`: the answer by the chat template and `generate`."""

    def answer(seconds, question, rate=None):
        content = [{"type": "audio", "audio": make_audio(seconds)}, {"type": "text", "text": question}]
        inputs = processor.apply_chat_template(
            [{"role": "user", "content": content}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            processor_kwargs={"audio_token_rate": rate},
        )
        generated = model.generate(**inputs, max_new_tokens=TOKENS, do_sample=False)
        return processor.decode(generated[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True).strip()

    return answer


@pytest.mark.parametrize(("seconds", "rate"), [(0.6, None), (2.0, 25.0), (16.01, None), (35.5, 3.125)])
def test_answers_are_those_of_generate(hear, plain, seconds, rate):
    recording = hear(seconds)
    for question in ("What is heard?", "Who?", "What is heard?"):
        assert recording.ask(question, "all", TOKENS, rate).text == plain(seconds, question, rate)


def test_a_second_question_neither_encodes_nor_reads_the_audio_again(hear, model, monkeypatch):
    monkeypatch.setattr(listening, "PREFILL_CHUNK", 100)
    recording = hear(16.0)
    lengths = []
    forward = model.language_model.forward
    monkeypatch.setattr(model.model.encoder, "forward", None)
    monkeypatch.setattr(
        model.language_model,
        "forward",
        lambda *args, **kwargs: lengths.append(kwargs["inputs_embeds"].shape[1]) or forward(*args, **kwargs),
    )
    recording.ask("What?", max_new_tokens=2)
    assert max(lengths) == 100 and sum(lengths) > 200
    lengths.clear()
    recording.ask("Who?", max_new_tokens=2)
    assert sum(lengths) < 50


@pytest.mark.parametrize("chunk", [1, 7, 64])
def test_reading_in_chunks_changes_no_logit(tiny_model, ask, make_audio, monkeypatch, chunk):
    monkeypatch.setattr(listening, "PREFILL_CHUNK", chunk)
    batch = ask([make_audio(5.0)], ["What is heard?"])
    with torch.no_grad():
        whole = tiny_model(**batch).logits
        tokens = tiny_model.get_audio_features(batch["input_features"], batch["input_features_mask"]).pooler_output
        is_audio = batch["input_ids"] == tiny_model.config.audio_token_id
        embeds = tiny_model.get_input_embeddings()(batch["input_ids"]).masked_scatter(is_audio[..., None], tokens)
        prefix = int(is_audio[0].nonzero()[-1]) + 1
        cache = prefill(tiny_model, embeds[:, :prefix])
        rest = tiny_model(inputs_embeds=embeds[:, prefix:], past_key_values=cache).logits
    assert cache.get_seq_length() == batch["input_ids"].shape[1]
    torch.testing.assert_close(rest, whole[:, prefix:], rtol=0, atol=1e-5)


def test_few_caches_are_kept_and_they_do_not_grow(hear):
    recording = hear(5.0)
    lengths = {}
    for rate in (25.0, 12.5, 6.25, 12.5, 3.125):
        lengths[rate] = recording.ask("?", "all", TOKENS, rate).audio_tokens + len("xuser\n")  # a token each
    assert [cache.get_seq_length() for cache in recording._prefixes.values()] == [lengths[12.5], lengths[3.125]]


def test_a_question_that_fails_leaves_no_half_read_cache(hear, plain, model, monkeypatch):
    recording = hear(5.0)
    recording.ask("?", max_new_tokens=TOKENS)
    with monkeypatch.context() as patched, pytest.raises(TypeError):
        patched.setattr(model.language_model.model.layers[1], "forward", None)
        recording.ask("Why?", max_new_tokens=TOKENS)
    assert recording.ask("Why?", max_new_tokens=TOKENS).text == plain(5.0, "Why?")


def test_a_reply_says_how_it_listened(hear):
    reply = hear(5.0).ask("?", max_new_tokens=TOKENS)
    assert reply == Reply(reply.text, "all", 12.5, 25 + 25 + 13, 25 + 25 + 13, ((0.0, 5.0),), 5.0)
    assert reply.seconds_heard == 5 and reply.heard == "heard all 5 s at 12.5 tokens a second"


def test_too_much_for_the_context_is_answered_another_way(hear):
    recording = hear(20.0)
    assert recording.ask("?", max_new_tokens=TOKENS).how == listening.TOO_LONG
    with pytest.raises(ValueError, match=r"20 s at 12.5 tokens a second are 250 tokens, but .* room for 22\d"):
        recording.ask("?", "all", TOKENS)


def test_rate_hears_all_as_fast_as_fits(hear):
    recording = hear(20.0)
    reply = recording.ask("?", "rate", TOKENS)
    assert (reply.audio_token_rate, reply.audio_tokens, reply.spans) == (6.25, 130, ((0.0, 20.0),))
    assert reply.text == recording.ask("?", "all", TOKENS, audio_token_rate=6.25).text
    assert recording.ask("?", "rate", TOKENS, audio_token_rate=3.125).audio_token_rate == 3.125


def test_rate_goes_below_the_slowest_by_averaging(hear):
    recording = hear(81.0)
    reply = recording.ask("?", "rate", TOKENS)  # 3.125 Hz: 7 tokens a window, 41 windows
    assert (reply.audio_token_rate, reply.audio_tokens) == (3.125 / 2, 40 * 4 + 2)
    [slowest], [slower] = (recording.audio_tokens(torch.tensor([3]), span) for span in (16, 32))
    torch.testing.assert_close(slower[:3], slowest[:6].reshape(3, 2, -1).mean(1))
    torch.testing.assert_close(slower[3], slowest[6])
    with pytest.raises(ValueError, match="are 41 tokens, but the language model has room for 26"):
        recording.ask("?" * 150, "rate", max_new_tokens=60)


def test_windows_hears_what_tells_most(model, processor, make_audio, monkeypatch):
    """One window of ten is not silent: it is chosen, heard as if it were all, and the reply says where it is."""
    monkeypatch.setattr(listening, "CHOSEN_SECONDS", WINDOW)
    audio = np.zeros(20 * SAMPLING_RATE, np.float32)
    loud = slice(12 * SAMPLING_RATE, 14 * SAMPLING_RATE)
    audio[loud] = make_audio(2.0)
    reply = listen(model, processor, audio, progress=iter).ask("?", "windows", TOKENS)
    assert reply.spans == ((12.0, 14.0),)
    assert reply.heard == "chose 2 of 20 s and heard them at 12.5 tokens a second: 0:12.0 to 0:14.0"
    assert reply.text == listen(model, processor, audio[loud], progress=iter).ask("?", max_new_tokens=TOKENS).text


def test_windows_are_as_many_as_fit(hear):
    recording = hear(40.0)
    assert recording.ask("?", "windows", TOKENS).audio_tokens == 9 * 25
    assert recording.ask("?", "windows", TOKENS, audio_token_rate=25.0).seconds_heard == 8
    with pytest.raises(ValueError, match="2 s at 25 tokens a second are 50 tokens"):
        recording.ask("?" * 190, "windows", TOKENS, audio_token_rate=25.0)


def test_notes_are_of_every_window(hear, plain, model, processor, monkeypatch):
    monkeypatch.setattr(listening, "NOTE_TOKENS", TOKENS)
    prompts = []
    inputs = listening.Recording._inputs
    monkeypatch.setattr(
        listening.Recording,
        "_inputs",
        lambda self, prompt, *rest: prompts.append(prompt) or inputs(self, prompt, *rest),
    )
    reply = hear(5.0).ask("What?", "notes", TOKENS)
    assert (reply.how, reply.audio_tokens, reply.spans) == ("notes", 63, ((0.0, 5.0),))
    assert reply.heard.endswith("and read notes on each window")
    note = " ".join(plain(2.0, "What?").split())
    assert f"0:00.0 {note}\n0:02.0 " in prompts[-1] and "\n0:04.0 " in prompts[-1]
    second = processor(text=prompts[-1])
    generated = model.generate(**second, max_new_tokens=TOKENS, do_sample=False)[0, second["input_ids"].shape[1] :]
    assert reply.text == processor.decode(generated, skip_special_tokens=True).strip()


def test_notes_that_do_not_fit_are_refused(hear):
    with pytest.raises(ValueError, match="notes on 10 windows are more than"):
        hear(20.0).ask("?" * 95, "notes", TOKENS)


def test_pruned_answers_are_those_of_generate(hear, plain, model):
    recording, method = hear(5.0), Query(ratio=0.5, layer=1)
    whole = recording.ask("What?", "all", TOKENS).text
    with pruning(model, method):
        expected = plain(5.0, "What?")
    reply = recording.ask("What?", "all", TOKENS, prune=method)
    assert (reply.text, reply.audio_tokens, reply.kept_tokens) == (expected, 63, 31)
    assert reply.text != whole and reply.heard == "heard all 5 s at 12.5 tokens a second, of which 31 were kept"
    assert recording.ask("What?", "all", TOKENS).text == whole  # nothing pruned is kept
    assert recording.ask("What?", "all", TOKENS, prune=Query(ratio=0.0, layer=1)).kept_tokens == 63
    with pytest.raises(ValueError, match="notes are of windows heard one by one, of which nothing is pruned"):
        recording.ask("What?", "notes", TOKENS, prune=method)


@pytest.mark.parametrize("how", ["all", "windows", "notes"])
def test_an_answer_streams(hear, processor, monkeypatch, how):
    """Only the answer itself: neither the prompt nor what is asked of each window."""
    monkeypatch.setattr(listening, "NOTE_TOKENS", TOKENS)
    streamer = TextIteratorStreamer(processor.tokenizer, skip_prompt=True, skip_special_tokens=True)
    reply = hear(5.0).ask("What?", how, TOKENS, streamer=streamer)
    assert "".join(streamer).strip() == reply.text != ""


def test_what_is_forgotten_is_read_again(hear):
    recording = hear(5.0)
    reply = recording.ask("?", max_new_tokens=TOKENS)
    recording.forget()
    assert not recording._prefixes and recording.ask("?", max_new_tokens=TOKENS) == reply


def test_bad_questions(hear):
    recording = hear(1.0)
    for error, arguments in {
        "the question is empty": (" ",),
        "stands for audio": ("<|audio|>?",),
        "how is 'twice', but the ways to listen are auto, all, rate, windows, notes": ("?", "twice"),
        "audio_token_rate is 10 Hz, but this model offers 25.0": ("?", "all", 8, 10),
        "reads at most 256": ("?" * 300,),
        "its answer up to 3000": ("?", "all", 3000),
    }.items():
        with pytest.raises(ValueError, match=error):
            recording.ask(*arguments)


def test_bad_audio(model, processor, tmp_path):
    for audio, error in (
        (np.zeros(0, np.float32), "holds 0 samples"),
        (np.full(16000, np.nan, np.float32), "NaN"),
        (tmp_path / "absent.wav", "does not exist"),
    ):
        with pytest.raises(AudioError, match=error):
            listen(model, processor, audio)


def test_joined():
    assert joined([(0.0, 30.0), (30.0, 60.0), (90.0, 95.0)]) == ((0.0, 60.0), (90.0, 95.0))
