"""Placeholders in the prompt and audio tokens of the model: always equally many."""

from functools import partial

import numpy as np
import pytest
import soundfile
import torch

from modeling_uniwhisper import AudioError, UniWhisperFeatureExtractor, UniWhisperProcessor

RATE = 16_000


@pytest.mark.parametrize("audio_kwargs", [{}, {"window_seconds": 1.01}, {"window_seconds": 0.5}, {"tail_seconds": 0.7}])
@pytest.mark.parametrize("token_rate", [25.0, 12.5, 6.25, 3.125])
@torch.no_grad()
def test_placeholders_are_as_many_as_audio_tokens(tiny_model, tiny_processor, token_rate, audio_kwargs):
    rng = np.random.default_rng(int(token_rate))
    lengths = [400, 401, 640, 641, 5119, 5120, 5121, RATE, *rng.integers(400, 3 * RATE, 12)]
    audios = [rng.standard_normal(length).astype(np.float32) for length in lengths]
    batch = tiny_processor(
        text=["<|audio|>"] * len(audios),
        audio=audios,
        sampling_rate=RATE,
        audio_token_rate=token_rate,
        audio_kwargs=audio_kwargs,
    )
    windows = iter(zip(batch.input_features, batch.input_features_mask, batch.window_frames))
    for row, number in zip(batch.input_ids, batch.num_windows.tolist()):
        features, mask, frames = map(torch.stack, zip(*(next(windows) for _ in range(number))))
        tokens = tiny_model.get_audio_features(features, mask, frames, token_rate).pooler_output
        assert len(tokens) == (row == tiny_processor.audio_token_id).sum()


def test_token_counts_of_the_paper(tiny_processor):
    """At 25 Hz 90 to 300 s are 2,250 to 7,500 tokens."""
    for seconds, count in ((90, 2250), (300, 7500)):
        batch = tiny_processor(
            text="<|audio|>", audio=np.zeros(seconds * RATE, np.float32), sampling_rate=RATE, audio_token_rate=25.0
        )
        assert batch.input_ids.shape == (1, count)


def test_chat_template(tiny_processor, make_audio, tmp_path):
    soundfile.write(tmp_path / "clip.wav", make_audio(0.4), RATE)
    question = {"type": "text", "text": "What is heard?"}
    expected = tiny_processor(
        text="<|im_start|>user\n<|audio|>\nWhat is heard?<|im_end|>\n<|im_start|>assistant\n",
        audio=soundfile.read(tmp_path / "clip.wav", dtype="float32")[0],
        sampling_rate=RATE,
    )
    for key, audio in (("path", str(tmp_path / "clip.wav")), ("audio", tmp_path / "clip.wav")):
        batch = tiny_processor.apply_chat_template(
            [{"role": "user", "content": [{"type": "audio", key: audio}, question]}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
        )
        assert batch.keys() == expected.keys() and batch["audio_token_rate"] == 12.5
        assert torch.equal(batch["input_ids"], expected["input_ids"])
        assert torch.equal(batch["input_features"], expected["input_features"])


def test_conversation_of_several_turns(tiny_processor):
    text = tiny_processor.apply_chat_template(
        [
            {"role": "user", "content": [{"type": "audio"}, {"type": "text", "text": "What?"}]},
            {"role": "assistant", "content": "A dog."},
            {"role": "user", "content": "Sure?"},
        ],
        add_generation_prompt=True,
        tokenize=False,
    )
    turns = ["user\n<|audio|>\nWhat?", "assistant\nA dog.", "user\nSure?"]
    assert text == "".join(f"<|im_start|>{turn}<|im_end|>\n" for turn in turns) + "<|im_start|>assistant\n"


def test_batched_conversations_with_a_rate(tiny_processor, make_audio):
    chats = [
        [{"role": "user", "content": [{"type": "audio", "audio": make_audio(seconds)}, {"type": "text", "text": "?"}]}]
        for seconds in (0.32, 3.2)
    ]
    batch = tiny_processor.apply_chat_template(
        chats, tokenize=True, return_dict=True, processor_kwargs={"audio_token_rate": 3.125}
    )
    assert (batch["input_ids"] == tiny_processor.audio_token_id).sum(-1).tolist() == [1, 10]
    assert batch["audio_token_rate"] == 3.125 and batch["attention_mask"][0, 0] == 0


def test_save_and_load(tiny_processor, tmp_path):
    processor = UniWhisperProcessor(
        UniWhisperFeatureExtractor(window_seconds=10.0),
        tiny_processor.tokenizer,
        audio_token_rates=[25.0, 5.0],
        audio_token_rate=5.0,
    )
    processor.save_pretrained(tmp_path)
    loaded = UniWhisperProcessor.from_pretrained(tmp_path)
    assert (loaded.audio_token_rates, loaded.audio_token_rate) == ([25.0, 5.0], 5.0)
    assert loaded.feature_extractor.window_seconds == 10.0
    assert loaded.chat_template == processor.chat_template and loaded.audio_token_id == 259


def test_audio_alone_and_text_alone(tiny_processor, make_audio):
    assert "input_ids" not in tiny_processor(audio=make_audio(1.0), sampling_rate=RATE)
    assert set(tiny_processor(text="Hello")) == {"input_ids", "attention_mask"}


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"text": "<|audio|>"}, ValueError, r"the text has 1 placeholders <\|audio\|>, but 0 audios are given"),
        ({"text": ["<|audio|>", "<|audio|>"], "audio": 1}, ValueError, "has 2 placeholders .*, but 1 audios"),
        ({"text": "<|audio|>", "audio": 2}, ValueError, "has 1 placeholders .*, but 2 audios"),
        ({"text": "none", "audio": 1}, ValueError, "has 0 placeholders .*, but 1 audios"),
        ({"text": "<|audio|>", "audio": 1, "audio_token_rate": 10.0}, ValueError, "audio_token_rate is 10.0 Hz"),
        ({"text": "<|audio|>", "audio": 1, "sampling_rate": 8000}, AudioError, "sampling_rate is 8000"),
        ({"text": "<|audio|>", "audio": 1, "sampling_rate": None}, AudioError, "no sampling_rate was given"),
        ({"text": "?", "images": [0]}, ValueError, "takes text and audio, not images or videos"),
        ({}, ValueError, "neither text nor audio"),
    ],
)
def test_refused(tiny_processor, make_audio, arguments, error, message):
    if "audio" in arguments:
        arguments = {**arguments, "audio": [make_audio(0.5)] * arguments["audio"]}
    with pytest.raises(error, match=message):
        tiny_processor(**{"sampling_rate": RATE, **arguments})


def test_a_budget_takes_the_highest_rate_within_it(tiny_processor, make_audio):
    """A row with two audios of 3.3 s and 1 s: 108, 55, 28 and 15 tokens at the four rates."""
    call = partial(
        tiny_processor,
        text=["<|audio|> and <|audio|>", "<|audio|>"],
        audio=[make_audio(3.3), make_audio(1), make_audio(2)],
        sampling_rate=RATE,
    )
    for budget, rate in [(1000, 25.0), (108, 25.0), (107, 12.5), (30, 6.25), (15, 3.125)]:
        inputs = call(audio_token_budget=budget)
        assert inputs["audio_token_rate"] == rate
        assert (inputs["input_ids"] == tiny_processor.audio_token_id).sum(1).max() <= budget
    with pytest.raises(ValueError, match=r"audio_token_budget is 14, but at 3\.125 Hz, the slowest rate, a row has 15"):
        call(audio_token_budget=14)
    with pytest.raises(ValueError, match="both an audio_token_rate and an audio_token_budget"):
        call(audio_token_budget=100, audio_token_rate=25.0)
