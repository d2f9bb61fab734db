"""Eviction: what leaves a cache, on which models, and that what follows is what hiding it would give."""

import pytest
import torch
from torch import nn

from modeling_uniwhisper.cache_eviction import (
    METHODS,
    TOVA,
    BoundedCache,
    ExpectedAttention,
    KNorm,
    Random,
    SnapKV,
    StreamingLLM,
    eviction,
)
from modeling_uniwhisper.thin_decoder import decoder_of, rotate
from modeling_uniwhisper.token_pruning import FastV, Merge, pruning

from ..metrics.marathon_models import KINDS
from .thinning import PROMPTS, answers, logits_by_masking, make_row, slow_attention, steps


@pytest.fixture
def batch(ask, make_audio):
    """Two rows of different lengths, so that one is padded."""
    return ask([make_audio(6), make_audio(3.3, 1)], PROMPTS)


@pytest.mark.parametrize("method", METHODS.values())
@pytest.mark.parametrize("audio_only", [True, False])
def test_a_padded_row_answers_as_if_alone(tiny_model, ask, make_audio, batch, method, audio_only):
    whole = torch.stack(steps(tiny_model, batch).logits)
    with eviction(tiny_model, method(ratio=0.7, audio_only=audio_only)):
        together = answers(tiny_model, batch)
        assert not torch.allclose(torch.stack(steps(tiny_model, batch).logits)[1], whole[1], atol=1e-3)
        for row, (seconds, question) in enumerate(zip((6, 3.3), PROMPTS)):
            alone = answers(tiny_model, ask([make_audio(seconds, row)], [question]))[0]
            assert torch.equal(alone, together[row, : len(alone)])
    assert torch.equal(torch.stack(steps(tiny_model, batch).logits), whole)


@pytest.mark.parametrize("method", METHODS.values())
def test_a_ratio_of_zero_changes_no_bit(tiny_model, batch, method):
    logits = torch.stack(steps(tiny_model, batch).logits)
    with eviction(tiny_model, method(ratio=0.0)):
        assert torch.equal(torch.stack(steps(tiny_model, batch).logits), logits)
    with eviction(tiny_model, method(budget=10_000)):
        torch.testing.assert_close(torch.stack(steps(tiny_model, batch).logits), logits)


def prefill_cache(model, inputs):
    return model(**inputs, use_cache=True, logits_to_keep=1).past_key_values


def evicted(whole, thin, valid: torch.Tensor, length: int) -> list[torch.Tensor]:
    """For each layer, what each head let go `(batch, heads, 1, length)`, found by comparing keys."""
    gone = []
    for full, left in zip(whole.layers, thin.layers):
        same = (full.keys[:, :, :, None] == left.keys[:, :, None]).all(-1) & valid[:, None, None]
        gone.append(nn.functional.pad(~same.any(-1), (0, length - full.keys.shape[2]))[:, :, None])
    return gone


def check_by_masking(model, inputs, method, groups: int):
    """Every step after prefill, against one forward in which new queries may not see what was evicted."""
    whole = prefill_cache(model, inputs)
    with eviction(model, method):
        thin = prefill_cache(model, inputs)
        out = steps(model, inputs)
    prompt, length = inputs["input_ids"].shape[1], out.sequences.shape[1]
    gone = evicted(whole, thin, thin.held[0].valid, length)
    new = (torch.arange(length) >= prompt)[:, None]
    expected = logits_by_masking(
        model, inputs, out.sequences, lambda layer: gone[layer].repeat_interleave(groups, dim=1) & new
    )
    torch.testing.assert_close(torch.stack(out.logits, dim=1), expected, atol=1e-4, rtol=1e-3)
    return gone


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("audio_only", [True, False])
@pytest.mark.parametrize("method", METHODS.values())
def test_it_computes_what_hiding_the_evicted_does(tiny_model, batch, method, audio_only, attention):
    tiny_model.set_attn_implementation({"text_config": attention})
    method = method(ratio=0.7, audio_only=audio_only)
    gone = check_by_masking(tiny_model, batch, method, groups=2)
    ids, real = batch["input_ids"], batch["attention_mask"].bool()
    audio = ids == tiny_model.config.audio_token_id
    at_stake = (audio if audio_only else real).sum(1)
    for layer in gone:
        left = layer[:, :, 0, : ids.shape[1]] & real[:, None]
        expected = [[number - method.count(number)] * 2 for number in at_stake.tolist()]
        assert left.sum(-1).tolist() == expected, "so many in every row and head"
        assert not audio_only or not (left & ~audio[:, None]).any(), "no word of the prompt"


@pytest.mark.parametrize("kind", ["qwen2_audio", "audio_flamingo_3", "glm_asr"])
@pytest.mark.parametrize("method", [KNorm(ratio=0.5), SnapKV(ratio=0.8, window=8), ExpectedAttention(ratio=0.5)])
def test_stock_models(kind, method, tiny_processor, make_audio):
    tokenizer = tiny_processor.tokenizer
    model, processor = KINDS[kind](tokenizer, tokenizer.convert_tokens_to_ids("<|audio|>"))
    tokenizer.padding_side = "left"
    prompts = [f"<|im_start|>user\n<|audio|>\n{prompt}<|im_end|>\n<|im_start|>assistant\n" for prompt in PROMPTS]
    audios = [make_audio(4), make_audio(2, 1)]
    inputs = processor(text=prompts, audio=audios, text_kwargs={"padding": True}, return_tensors="pt")
    check_by_masking(model.eval(), dict(inputs), method, groups=2)


def kept(method) -> list[list[int]]:
    return method.keep(make_row()).tolist()


def test_the_best_scored_stay():
    norms = make_row().keys.norm(dim=-1)

    def least(head: int, among: int, count: int) -> list[int]:
        return sorted(sorted(range(among), key=lambda place: norms[head, place])[:count])

    text = [*range(34, 40)]
    assert kept(KNorm(ratio=0.5)) == [least(head, 34, 17) + text for head in (0, 1)]
    assert kept(KNorm(budget=5)) == [least(head, 34, 5) + text for head in (0, 1)]
    assert kept(KNorm(ratio=0.5, audio_only=False)) == [least(head, 40, 20) for head in (0, 1)]
    assert kept(StreamingLLM(ratio=0.5, sinks=3)) == [[0, 1, 2, *range(20, 40)]] * 2
    assert kept(Random(ratio=0.5))[0] != kept(Random(ratio=0.5))[1]
    assert kept(Random(ratio=0.5)) == kept(Random(ratio=0.5)) != kept(Random(ratio=0.5, seed=1))


def test_tova_and_snapkv_against_slow_attention():
    row = make_row()
    last = slow_attention(row, 39)
    best = sorted(range(34), key=lambda place: -last[place])[:10]
    assert kept(TOVA(ratio=0.7)) == [[*sorted(best), *range(34, 40)]] * 2
    asked = [slow_attention(row, query, heads=(0, 1)) for query in range(32, 40)]
    mean = [sum(weights[place] if place < len(weights) else 0 for weights in asked) / 8 for place in range(32)]
    smooth = [sum(mean[max(0, place - 2) : place + 3]) / 5 for place in range(32)]
    best = sorted(range(32), key=lambda place: -smooth[place])[: int(40 * 0.5) - 8]
    assert kept(SnapKV(ratio=0.5, window=8, audio_only=False))[0] == [*sorted(best), *range(32, 40)]


def test_expected_attention_is_the_mean_over_queries_drawn():
    """Its closed form, against queries drawn from the prompt's distribution and turned to the mean of what comes."""
    torch.manual_seed(0)
    row = make_row()
    row.inputs = row.inputs * 0.5
    angles = torch.arange(40, 44)[:, None] * torch.tensor([1.0, 0.3, 0.1, 0.01]).repeat(2)
    row.rotations = lambda number: (angles.cos()[:number], angles.sin()[:number])
    scores = ExpectedAttention(future=4, sinks=2).scores(row)
    queries = row.queries(torch.arange(2, 40))
    expected = torch.zeros(2, 38)
    for head, query in enumerate(queries):
        draws = torch.distributions.MultivariateNormal(
            query.mean(0), query.T.cov(correction=0) + 1e-6 * torch.eye(8)
        ).sample((200_000,))
        turned = rotate(draws, angles.cos().mean(0), angles.sin().mean(0))
        weights = (turned @ row.keys[head // 2, 2:].T * row.attention.scaling).exp().mean(0)
        expected[head // 2] += weights / weights.sum() / 2
    expected *= row.values[:, 2:].norm(dim=-1)
    torch.testing.assert_close(scores[:, 2:], expected, rtol=0.1, atol=0.01)
    assert scores[:, :2].isinf().all()


def test_beside_pruning(tiny_model, batch):
    both = [pruning(tiny_model, FastV(ratio=0.5, layer=1)), eviction(tiny_model, SnapKV(ratio=0.6, window=8))]
    with both[0], both[1]:
        cache = steps(tiny_model, batch).past_key_values
    lengths = [layer.keys.shape[2] for layer in cache.layers]
    with eviction(tiny_model, SnapKV(ratio=0.6, window=8)), pruning(tiny_model, FastV(ratio=0.5, layer=1)):
        other = steps(tiny_model, batch).past_key_values
    assert lengths[1] < lengths[0] and all(torch.equal(a.keys, b.keys) for a, b in zip(cache.layers, other.layers))
    merged = pytest.raises(ValueError, match="merged tokens cannot be evicted")
    with eviction(tiny_model, KNorm()), pruning(tiny_model, Merge(layer=1)), merged:
        answers(tiny_model, batch)


def test_nothing_is_left_behind_by_an_error(tiny_model, batch):
    before = answers(tiny_model, batch)
    with pytest.raises(ValueError, match="audio is pruned or evicted in the first"), eviction(tiny_model, KNorm()):
        cache = tiny_model(input_ids=torch.tensor([[5, 6]] * 2), use_cache=True).past_key_values
        tiny_model(**{**batch, "attention_mask": None}, past_key_values=cache)
    modules = [tiny_model, decoder_of(tiny_model), *(layer.self_attn for layer in decoder_of(tiny_model).layers)]
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in modules)
    assert torch.equal(answers(tiny_model, batch), before)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"ratio": -0.1}, "ratio is -0.1, but the share to drop"), ({"budget": 0}, "budget is 0, but at least 1")],
)
def test_what_a_method_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        KNorm(**options)


def stream(model, cache, tokens: torch.Tensor, chunk: int) -> torch.Tensor:
    """Logits of every token, read `chunk` at a time."""
    logits = []
    for start in range(0, tokens.shape[1], chunk):
        end = min(start + chunk, tokens.shape[1])
        out = model.language_model(
            input_ids=tokens[:, start:end], position_ids=torch.arange(start, end)[None], past_key_values=cache
        )
        logits.append(out.logits)
    return torch.cat(logits, dim=1)


def test_a_bounded_cache_is_exact_until_it_is_full_and_bounded_after(tiny_model):
    tokens = torch.randint(3, 259, (1, 400), generator=torch.Generator().manual_seed(0))
    whole = tiny_model.language_model(input_ids=tokens).logits
    cache = BoundedCache(tiny_model, budget=64, sinks=4)
    logits = stream(tiny_model, cache, tokens, 16)
    torch.testing.assert_close(logits[:, :64], whole[:, :64], atol=1e-4, rtol=1e-3)
    assert not torch.allclose(logits[:, 80:], whole[:, 80:], atol=1e-2)
    assert {layer.keys.shape[2] for layer in cache.layers} == {64} and cache.get_seq_length() == 400


def test_a_bounded_cache_hears_what_a_short_prompt_of_the_same_tokens_would(tiny_model):
    """In one layer what is held has seen nothing else, so it is exactly the sinks and the latest, side by side."""
    decoder_of(tiny_model).layers = decoder_of(tiny_model).layers[:1]
    tiny_model.config.text_config.num_hidden_layers = 1
    tokens = torch.randint(3, 259, (1, 400), generator=torch.Generator().manual_seed(0))
    last = stream(tiny_model, BoundedCache(tiny_model, budget=40, sinks=4), tokens, 4)[:, -1]
    short = torch.cat([tokens[:, :4], tokens[:, -36:]], dim=1)
    torch.testing.assert_close(last, tiny_model.language_model(input_ids=short).logits[:, -1], atol=1e-3, rtol=1e-3)


def test_what_a_bounded_cache_cannot_be(tiny_model):
    with pytest.raises(ValueError, match="sinks is 8, but it must be from 0 to below the budget of 8"):
        BoundedCache(tiny_model, budget=8, sinks=8)
    with pytest.raises(ValueError, match="30 tokens come at once, but a cache of 32 entries and 4 sinks takes 28"):
        stream(tiny_model, BoundedCache(tiny_model, budget=32), torch.full((1, 30), 5), 30)
