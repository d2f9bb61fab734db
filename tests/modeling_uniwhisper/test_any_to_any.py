"""transformers' own any-to-any pipeline, on a saved folder and a chat that holds audio and text."""

import pytest
import soundfile
from transformers import pipeline

RATE = 16_000


@pytest.fixture(scope="module")
def pipe(tiny_checkpoint):
    return pipeline("any-to-any", model=tiny_checkpoint)


@pytest.fixture
def chat(make_audio, tmp_path):
    soundfile.write(tmp_path / "clip.wav", make_audio(1.5), RATE)
    audio = {"type": "audio", "path": str(tmp_path / "clip.wav")}
    return [{"role": "user", "content": [audio, {"type": "text", "text": "What is heard?"}]}]


def test_chat(pipe, chat):
    [answer] = pipe(text=chat, max_new_tokens=5, return_full_text=False)
    batch = pipe.processor.apply_chat_template(chat, add_generation_prompt=True, tokenize=True, return_dict=True)
    generated = pipe.model.generate(**batch, max_new_tokens=5, do_sample=False)
    expected = pipe.processor.decode(generated[0, batch["input_ids"].shape[1] :], skip_special_tokens=True)
    assert answer["generated_text"] == expected
    assert answer["input_text"] == chat


def test_several_chats_and_a_token_rate(pipe, chat):
    coarse = {"audio_token_rate": 3.125}
    answers = pipe(text=[chat, chat], max_new_tokens=5, return_full_text=False, processor_kwargs=coarse)
    assert len(answers) == 2 and answers[0] == answers[1]


def test_prompt_with_a_path(pipe, chat):
    path = chat[0]["content"][0]["path"]
    arguments = {"max_new_tokens": 5, "processor_kwargs": {"sampling_rate": RATE}}
    [answer] = pipe(text="<|audio|>What is heard?", audio=path, **arguments)
    assert answer["generated_text"].startswith("<|audio|>What is heard?")
