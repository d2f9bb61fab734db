"""The model's arithmetic on tiny random weights: padding, batching, rates, windows, decoders, gradients."""

import pytest
import torch
from transformers import LlamaConfig, Qwen2Config, Qwen3Config

from modeling_uniwhisper import UniWhisperConfig, UniWhisperForConditionalGeneration

SECONDS = [0.4, 2.31, 1.0]
QUESTIONS = ["What is heard?", "Is there speech?", "Why"]


@pytest.fixture
def audios(make_audio):
    return [make_audio(seconds, seed) for seed, seconds in enumerate(SECONDS)]


@torch.no_grad()
def test_batch_equals_singles(tiny_model, ask, audios):
    batch = ask(audios, QUESTIONS)
    encoded = tiny_model.model(batch.input_features, batch.input_features_mask).last_hidden_state
    embedded = tiny_model.model.embed(**features(batch))
    logits = tiny_model(**batch).logits
    for row, (audio, question) in enumerate(zip(audios, QUESTIONS)):
        single = ask([audio], [question])
        frames = int(single.window_frames)
        hidden = tiny_model.model(single.input_features, single.input_features_mask).last_hidden_state
        assert_close(encoded[row, :frames], hidden[0])
        assert_close(embedded.embeddings[row], tiny_model.model.embed(**features(single)).embeddings[0])
        assert_close(logits[row, -single.input_ids.shape[1] :], tiny_model(**single).logits[0])


@torch.no_grad()
def test_left_and_right_padding_agree(tiny_model, ask, audios):
    left, right = ask(audios, QUESTIONS), ask(audios, QUESTIONS, padding_side="right")
    assert left.attention_mask[2, 0] == 0 and right.attention_mask[2, -1] == 0
    left_logits, right_logits = tiny_model(**left).logits, tiny_model(**right).logits
    assert_close(left_logits[left.attention_mask.bool()], right_logits[right.attention_mask.bool()])


@torch.no_grad()
def test_masked_frames_do_not_matter(tiny_model, ask, audios):
    batch = ask(audios, QUESTIONS)
    expected = tiny_model.model.get_audio_features(**audio_part(batch)).pooler_output
    longer = torch.nn.functional.pad(batch.input_features, (0, 100))
    mask = torch.nn.functional.pad(batch.input_features_mask, (0, 100))
    actual = tiny_model.model.get_audio_features(longer, mask, batch.window_frames).pooler_output
    assert_close(actual, expected)
    without_lengths = tiny_model.model.get_audio_features(batch.input_features, batch.input_features_mask)
    assert_close(without_lengths.pooler_output, expected)


@torch.no_grad()
def test_eager_equals_sdpa(tiny_model, ask, audios):
    batch = ask(audios, QUESTIONS)
    assert tiny_model.config.audio_config._attn_implementation == "sdpa"
    sdpa = tiny_model(**batch).logits
    tiny_model.set_attn_implementation("eager")
    assert tiny_model.model.encoder.config._attn_implementation == "eager"
    assert_close(tiny_model(**batch).logits[batch.attention_mask.bool()], sdpa[batch.attention_mask.bool()])


@torch.no_grad()
def test_bfloat16(tiny_model, ask, audios):
    batch = ask(audios, QUESTIONS)
    expected = tiny_model(**batch).logits
    logits = tiny_model.to(torch.bfloat16)(**batch).logits
    assert logits.dtype == torch.bfloat16
    real = batch.attention_mask.bool()
    assert torch.nn.functional.cosine_similarity(logits[real].float(), expected[real], dim=-1).min() > 0.98
    assert tiny_model.generate(**batch, max_new_tokens=3).shape[1] == batch.input_ids.shape[1] + 3


@torch.no_grad()
def test_bfloat16_attention_on_cpu(tiny_model, ask, audios):
    """The faster attention of inference leaves padding out, as the mask does, and is as precise as SDPA."""
    batch = ask(audios, QUESTIONS)
    encoder, inputs = tiny_model.model.encoder, (batch.input_features, batch.input_features_mask)
    real = batch.input_features_mask[:, ::2].bool()
    expected = encoder(*inputs).last_hidden_state[real]
    fast = encoder.to(torch.bfloat16)(*inputs).last_hidden_state[real]
    with torch.enable_grad():
        slow = encoder(*inputs).last_hidden_state[real]
    assert not torch.equal(fast, slow)
    assert (fast - expected).std() < 1.2 * (slow - expected).std() < 0.05


@pytest.mark.parametrize("rate", [25.0, 12.5, 6.25, 3.125])
@torch.no_grad()
def test_each_rate_answers(tiny_model, ask, audios, rate):
    batch = ask(audios, QUESTIONS, audio_token_rate=rate)
    assert tiny_model(**batch).logits.isfinite().all()
    tokens = tiny_model.get_audio_features(**audio_part(batch)).pooler_output
    assert len(tokens) == (batch.input_ids == tiny_model.config.audio_token_id).sum()
    assert len(tokens) == sum(-(-int(frames) // round(50 / rate)) for frames in batch.window_frames)


@torch.no_grad()
def test_a_slow_token_is_the_mean_of_its_span_before_projection(tiny_model, ask, make_audio):
    """With the place embeddings at zero, rates differ by how many hidden pairs a token averages."""
    adapter = tiny_model.model.adapter
    adapter.places.weight.zero_()
    adapter.norm = adapter.linear_out = torch.nn.Identity()
    batch = ask([make_audio(1.6)], ["?"])
    fast, slow = (
        tiny_model.get_audio_features(**{**audio_part(batch), "audio_token_rate": rate}).pooler_output
        for rate in (25.0, 3.125)
    )
    assert_close(slow, fast.reshape(5, 8, -1).mean(1))


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        ("more placeholders", "the prompt has 10 audio placeholders, but the audio gives 5 tokens"),
        ("fewer placeholders", "the prompt has 5 audio placeholders, but the audio gives 10 tokens"),
        (
            "another rate",
            "the prompt has 5 audio placeholders, but the audio gives 10 tokens: use the same audio_token",
        ),
        ("no placeholder", "the prompt has 0 audio placeholders, but the audio gives 5 tokens"),
        ("no audio", "the prompt has 5 audio placeholders, but the audio gives 0 tokens"),
        ("unknown rate", "audio_token_rate is 10.0 Hz, but this model offers"),
    ],
)
def test_mismatching_audio_tokens(tiny_model, tiny_processor, ask, make_audio, mistake, message):
    one = ask([make_audio(0.4)], ["?"])
    two = ask([make_audio(0.4), make_audio(0.4)], ["?", "?"])
    if mistake == "more placeholders":
        one["input_ids"], one["attention_mask"] = two.input_ids, two.attention_mask
    elif mistake == "fewer placeholders":
        one = {**one, **audio_part(two)}
    elif mistake == "another rate":
        one["audio_token_rate"] = 25.0
    elif mistake == "no placeholder":
        one |= tiny_processor(text="?")
    elif mistake == "no audio":
        one = {"input_ids": one.input_ids}
    elif mistake == "unknown rate":
        one["audio_token_rate"] = 10.0
    for call in (tiny_model, tiny_model.generate):
        with pytest.raises(ValueError, match=message):
            call(**one)


@pytest.mark.parametrize("family", [LlamaConfig, Qwen2Config, Qwen3Config])
@torch.no_grad()
def test_decoders(tiny_config, ask, audios, family):
    text = tiny_config.text_config
    shared = {
        k: v for k, v in text.to_dict().items() if k.startswith(("hidden_size", "inter", "num_", "vocab", "head"))
    }
    config = UniWhisperConfig(
        audio_config=tiny_config.audio_config,
        text_config=family(**shared, eos_token_id=2, pad_token_id=2),
        audio_token_id=tiny_config.audio_token_id,
        adapter_hidden_size=24,
        embedding_layer=2,
    )
    model = UniWhisperForConditionalGeneration(config).eval()
    batch = ask(audios, QUESTIONS)
    assert model(**batch).logits.shape == (*batch.input_ids.shape, 264)
    assert model.generate(**batch, max_new_tokens=2, min_new_tokens=2).shape[1] == batch.input_ids.shape[1] + 2


def test_text_without_audio(tiny_model, tiny_processor):
    batch = tiny_processor(text=["Hello", "Good morning"])
    expected = tiny_model.language_model(**batch).logits
    assert torch.equal(tiny_model(**batch).logits, expected)


def test_gradient_checkpointing_gives_equal_gradients(tiny_model, ask, audios):
    batch = ask(audios, QUESTIONS)
    tiny_model.train()
    plain = gradients(tiny_model, batch)
    tiny_model.gradient_checkpointing_enable()
    assert tiny_model.model.encoder.layers[0].gradient_checkpointing
    checkpointed = gradients(tiny_model, batch)
    assert plain.keys() == checkpointed.keys()
    for name, gradient in plain.items():
        torch.testing.assert_close(checkpointed[name], gradient, msg=name)


def test_every_weight_learns(tiny_model, ask, audios):
    """All parameters get a gradient, but for the places of rates that the batch does not use."""
    learned = gradients(tiny_model.train(), ask(audios, QUESTIONS))
    assert learned.keys() == dict(tiny_model.named_parameters()).keys()
    places = learned["model.adapter.places.weight"].abs().sum(-1) > 0
    assert places.nonzero().flatten().tolist() == [1, 2]  # 12.5 Hz: the second rate's two places


def test_labels_are_answered_only(tiny_model, ask, audios):
    """The loss is the mean over learned tokens, and in training logits are computed for them alone."""
    batch = ask(audios, QUESTIONS, padding_side="right")
    labels = torch.full_like(batch.input_ids, -100)
    labels[:, 40:44] = batch.input_ids[:, 40:44]
    with torch.no_grad():
        whole = tiny_model(**batch, labels=labels)
        expected = torch.nn.functional.cross_entropy(whole.logits[:, 39:43].flatten(0, 1), labels[:, 40:44].flatten())
        assert_close(whole.loss, expected)
        few = tiny_model.train()(**batch, labels=labels)
    assert_close(few.loss, expected)
    assert few.logits.numel() == 12 * 264


def test_resize_token_embeddings(tiny_model, ask, audios):
    tiny_model.resize_token_embeddings(300)
    assert tiny_model.config.text_config.vocab_size == 300
    batch = ask(audios, QUESTIONS)
    outputs = tiny_model(**batch, labels=batch.input_ids)
    assert outputs.logits.shape[-1] == 300 and outputs.loss.isfinite()


def test_overfits_one_batch_and_then_says_it(tiny_model, tiny_processor, ask, make_audio):
    audios, answers = [make_audio(1.0, seed) for seed in (0, 5)], ["dog", "cat"]
    prompts = ask(audios, ["?", "?"])
    tokens = tiny_processor.tokenizer([answer + "<|im_end|>" for answer in answers], return_tensors="pt").input_ids
    input_ids = torch.cat([prompts.input_ids, tokens], 1)
    labels = torch.cat([torch.full_like(prompts.input_ids, -100), tokens], 1)
    optimizer = torch.optim.AdamW(tiny_model.train().parameters(), lr=3e-3)
    for _ in range(100):
        loss = tiny_model(input_ids=input_ids, labels=labels, **audio_part(prompts)).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert loss < 0.05
    generated = tiny_model.eval().generate(**prompts, max_new_tokens=6)
    said = tiny_processor.batch_decode(generated[:, prompts.input_ids.shape[1] :], skip_special_tokens=True)
    assert said == answers


def test_encoder_limits(tiny_model):
    with pytest.raises(
        ValueError, match="a window has 3002 mel frames, but the encoder takes an even number up to 3000"
    ):
        tiny_model.model(torch.zeros(1, 80, 3002))
    with pytest.raises(ValueError, match="a window has 101 mel frames"):
        tiny_model.model(torch.zeros(1, 80, 101))


@pytest.mark.parametrize("normalise_after", [1, 2])
@torch.no_grad()
def test_hidden_states(tiny_model, ask, audios, normalise_after):
    """`num_layers` stops early and gives what `output_hidden_states` gives there."""
    batch = ask(audios, QUESTIONS)
    encoder = tiny_model.model.encoder
    states = encoder(batch.input_features, batch.input_features_mask, output_hidden_states=True).hidden_states
    early = encoder(batch.input_features, batch.input_features_mask, num_layers=normalise_after).last_hidden_state
    assert len(states) == 3 and torch.equal(early, states[normalise_after])


def features(batch) -> dict:
    names = ("input_features", "input_features_mask", "window_frames", "window_starts", "num_windows")
    return {name: batch[name] for name in names}


def audio_part(batch) -> dict:
    names = ("input_features", "input_features_mask", "window_frames", "audio_token_rate")
    return {name: batch[name] for name in names}


def gradients(model, batch) -> dict[str, torch.Tensor]:
    model.zero_grad()
    model(**batch, labels=batch.input_ids).loss.backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def assert_close(actual: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(actual, expected, atol=1e-4, rtol=0)
