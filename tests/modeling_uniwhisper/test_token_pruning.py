"""Pruning: who stays, on which models, and that what comes out is what hiding the dropped tokens would give."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from transformers import VoxtralConfig, VoxtralForConditionalGeneration

from modeling_uniwhisper.thin_decoder import Held, _mask, decoder_of
from modeling_uniwhisper.token_pruning import DART, METHODS, FastV, Frame, Merge, Query, Random, pruning

from ..metrics.marathon_models import KINDS, TEXT, WHISPER
from .thinning import PROMPTS, answers, logits_by_masking, make_row, slow_attention, steps


@pytest.fixture
def batch(ask, make_audio):
    """Two rows of different lengths, so that one is padded."""
    return ask([make_audio(6), make_audio(3.3, 1)], PROMPTS)


@pytest.mark.parametrize("method", METHODS.values())
@pytest.mark.parametrize("layer", [0, 1])
def test_a_padded_row_answers_as_if_alone(tiny_model, ask, make_audio, batch, method, layer):
    if layer < method.reads:
        pytest.skip("it reads the layer before")
    unpruned = tiny_model(**batch).logits[:, -1]
    with pruning(tiny_model, method(ratio=0.6, layer=layer)):
        together = answers(tiny_model, batch)
        assert not torch.allclose(tiny_model(**batch).logits[:, -1], unpruned, atol=1e-3)
        for row, (seconds, question) in enumerate(zip((6, 3.3), PROMPTS)):
            alone = answers(tiny_model, ask([make_audio(seconds, row)], [question]))[0]
            assert torch.equal(alone, together[row, : len(alone)])
    assert torch.equal(tiny_model(**batch).logits[:, -1], unpruned)


@pytest.mark.parametrize("method", METHODS.values())
def test_a_ratio_of_zero_changes_no_bit(tiny_model, batch, method):
    logits = tiny_model(**batch).logits
    with pruning(tiny_model, method(ratio=0.0, layer=1)):
        assert torch.equal(tiny_model(**batch).logits, logits)
    with pruning(tiny_model, method(budget=10_000, layer=1)):
        torch.testing.assert_close(
            tiny_model(**batch).logits[batch["attention_mask"] == 1], logits[batch["attention_mask"] == 1]
        )


def hidden(inputs, held: Held, length: int) -> torch.Tensor:
    """Places `(batch, 1, 1, length)` of a prompt that the layers from `held.first` on do not hold."""
    kept = torch.zeros_like(inputs["input_ids"], dtype=torch.bool)
    row, column = held.valid.nonzero(as_tuple=True)
    kept[row, held.places[row, column]] = True
    return nn.functional.pad(~kept, (0, length - kept.shape[1]))[:, None, None]


def check_by_masking(model, inputs, method) -> Held:
    """Prefill and every step after it, against one forward whose upper layers may not see what is dropped."""
    with pruning(model, method):
        out = steps(model, inputs)
    held = out.past_key_values.held[-1]
    dropped = hidden(inputs, held, out.sequences.shape[1])
    nothing = torch.zeros_like(dropped)
    expected = logits_by_masking(
        model, inputs, out.sequences, lambda layer: dropped if layer >= method.layer else nothing
    )
    torch.testing.assert_close(torch.stack(out.logits, dim=1), expected, atol=1e-4, rtol=1e-3)
    return held


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("method", [method for method in METHODS.values() if method is not Merge])  # which adds up
def test_it_computes_what_hiding_the_dropped_tokens_does(tiny_model, batch, method, attention):
    tiny_model.set_attn_implementation({"text_config": attention})
    held = check_by_masking(tiny_model, batch, method(ratio=0.6, layer=1))
    audio = (batch["input_ids"] == tiny_model.config.audio_token_id).sum(1)
    text = batch["attention_mask"].sum(1) - audio
    kept = (held.valid & held.audio).sum(1)
    assert torch.equal((held.valid & ~held.audio).sum(1), text)
    assert all(abs(a - method(ratio=0.6, layer=1).count(b)) <= 4 for a, b in zip(kept.tolist(), audio.tolist()))
    places = held.places.masked_fill(~held.valid, -1)
    assert (places.diff() >= 0).all(), "in the order of the prompt"


@pytest.mark.parametrize("kind", ["qwen2_audio", "audio_flamingo_3", "glm_asr", "qwen3_omni"])
@pytest.mark.parametrize("method", [Frame(ratio=0.5, layer=1), FastV(ratio=0.7, layer=1), DART(ratio=0.7, layer=1)])
def test_stock_models(kind, method, tiny_processor, make_audio):
    tokenizer = tiny_processor.tokenizer
    model, processor = KINDS[kind](tokenizer, tokenizer.convert_tokens_to_ids("<|audio|>"))
    tokenizer.padding_side = "left"
    prompts = [f"<|im_start|>user\n<|audio|>\n{prompt}<|im_end|>\n<|im_start|>assistant\n" for prompt in PROMPTS]
    inputs = processor(
        text=prompts, audio=[make_audio(4), make_audio(2, 1)], text_kwargs={"padding": True}, return_tensors="pt"
    )
    check_by_masking(getattr(model, "thinker", model).eval(), dict(inputs), method)


def test_voxtral(make_audio):
    encoder = {"hidden_size": 16, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2} | WHISPER
    config = VoxtralConfig(audio_config=encoder, text_config=TEXT | {"model_type": "llama"}, audio_token_id=259)
    model = VoxtralForConditionalGeneration(config).eval()
    features = torch.randn(1, 80, 3000)
    tokens = len(model.get_audio_features(features).pooler_output)
    ids = torch.tensor([[1, *[259] * tokens, 10, 11, 12]])
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "input_features": features}
    check_by_masking(model, inputs, Query(ratio=0.8, layer=1))


@pytest.mark.parametrize("method", METHODS.values())
def test_a_budget_is_kept(tiny_model, batch, method):
    with pruning(tiny_model, method(budget=24, layer=1)):
        held = steps(tiny_model, batch).past_key_values.held[-1]
    assert ((held.valid & held.audio).sum(1) <= 24).all() and ((held.valid & held.audio).sum(1) > 18).all()


def test_generate_takes_a_budget(tiny_model, batch):
    with pruning(tiny_model, Frame(budget=24, layer=1)):
        expected = answers(tiny_model, batch)
    budgeted = tiny_model.generate(**batch, max_new_tokens=12, do_sample=False, audio_token_budget=24)
    assert torch.equal(budgeted[:, batch["input_ids"].shape[1] :], expected)


def test_at_least_one_is_kept_and_no_token_is_lost_to_rounding():
    assert [Frame(ratio=ratio).count(number) for ratio, number in [(0.9, 10), (0.8, 50), (0.9, 3), (0.6, 34)]] == [
        1,
        10,
        1,
        13,
    ]
    assert Merge(ratio=0.9).keep(make_row(tokens=9)).tokens.tolist() == [0, *range(3, 9)]


def test_beams_hold_what_their_row_holds(tiny_model, ask, make_audio, batch):
    with pruning(tiny_model, Random(ratio=0.6, layer=1)):
        held = steps(tiny_model, batch, num_beams=3).past_key_values.held[-1]
        assert torch.equal(held.places[0], held.places[2]) and len(held.places) == 6
        beams = tiny_model.generate(**batch, max_new_tokens=12, do_sample=False, num_beams=3)
        for row, (seconds, question) in enumerate(zip((6, 3.3), PROMPTS)):
            one = ask([make_audio(seconds, row)], [question])
            alone = tiny_model.generate(**one, max_new_tokens=12, do_sample=False, num_beams=3)[0]
            alone = alone[one["input_ids"].shape[1] :]
            assert torch.equal(alone, beams[row, batch["input_ids"].shape[1] :][: len(alone)])


def test_fastv_keeps_what_a_slow_reference_keeps():
    row = make_row()
    weights = slow_attention(row, len(row.audio) - 1)
    best = sorted((place for place in range(34)), key=lambda place: -weights[place])[: 34 * 4 // 10]
    kept = FastV(ratio=0.6).keep(row).tokens.tolist()
    assert kept == sorted(best) + list(range(34, 40))


def test_dart_keeps_what_a_slow_reference_keeps():
    row = make_row()
    states = row.norm(row.states)
    norms = [float(row.keys[:, place].abs().sum()) for place in range(40)]
    by_norm = sorted(range(40), key=lambda place: -norms[place])
    mine = [place for place in by_norm if place < 34][:4]
    theirs = [place for place in by_norm if place >= 34][:4]
    taken = list(mine)
    for pivot in mine + theirs:
        likeness = {
            place: float(nn.functional.cosine_similarity(states[pivot], states[place], dim=0))
            for place in range(34)
            if place not in taken
        }
        taken += sorted(likeness, key=likeness.get)[: int(34 * 0.5) // 8]
    kept = DART(ratio=0.5).keep(row).tokens.tolist()
    assert kept == sorted(taken) + list(range(34, 40))
    assert len(taken) == 4 + 8 * (17 // 8)


def test_a_question_keeps_whole_moments_and_the_rest_evenly():
    row = make_row(tokens=206)
    row.keys[:, 100:110] += 30 * row.keys.new_ones(8)
    row.rotation = (torch.ones(206, 8), torch.zeros(206, 8))
    row.attention.q_proj.weight.data.fill_(0).add_(torch.eye(32))
    row.inputs[200:] = 1
    kept = Query(ratio=0.8).keep(row).tokens
    assert set(range(100, 110)) <= set(kept.tolist())
    assert (kept[kept < 200].diff() <= 20).all(), "ten of the forty are spread"


def test_merging_means_neighbours_and_remembers_how_many():
    row = make_row()
    row.states[5:9], row.states[20:24] = row.states[5], row.states[20]
    kept = Merge(budget=28).keep(row)
    assert [place for place in range(34) if place not in kept.tokens.tolist()] == [6, 7, 8, 21, 22, 23]
    place = kept.tokens.tolist().index(20)
    assert kept.weight[place] == 4 and kept.weight.sum() == 40
    torch.testing.assert_close(kept.states[place], row.states[20])


def test_a_merged_token_draws_as_much_attention_as_those_it_stands_for():
    held = Held(1, 4, torch.ones(1, 2, dtype=torch.bool), None, None, torch.tensor([[3.0, 1.0]]))
    bias = _mask(held, torch.ones(1, 3, dtype=torch.bool), torch.zeros(1, 1, 8))[0, 0, 0]
    merged = (torch.tensor([0.3, -1.0, 0.8]) + bias).softmax(0)
    apart = torch.tensor([0.3, 0.3, 0.3, -1.0, 0.8]).softmax(0)
    torch.testing.assert_close(merged, torch.stack([apart[:3].sum(), apart[3], apart[4]]))


def test_nothing_is_left_behind_by_an_error(tiny_model, batch):
    before = answers(tiny_model, batch)
    with pytest.raises(ZeroDivisionError), pruning(tiny_model, FastV(layer=1)):
        answers(tiny_model, batch)
        raise ZeroDivisionError
    modules = [tiny_model, decoder_of(tiny_model), *(layer.self_attn for layer in decoder_of(tiny_model).layers)]
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in modules)
    assert "forward" not in vars(decoder_of(tiny_model))
    assert torch.equal(answers(tiny_model, batch), before)


def test_text_alone_is_left_alone(tiny_model, tiny_processor):
    inputs = tiny_processor(text="hello")
    logits = tiny_model(**inputs).logits
    with pruning(tiny_model, Frame(layer=0)):
        assert torch.equal(tiny_model(**inputs).logits, logits)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Frame(ratio=1.0), "ratio is 1.0, but the share to drop is from 0 to below 1"),
        (lambda: Frame(budget=0), "budget is 0, but at least 1"),
        (lambda: FastV(layer=0), "layer is 0, but FastV reads the layer before: at least 1"),
    ],
)
def test_what_a_method_cannot_be(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_layer_too_high_and_a_decoder_of_another_kind(tiny_model):
    with pytest.raises(ValueError, match="layer is 2, but the decoder has layers 0 to 1"), pruning(tiny_model, Frame()):
        pass
    other = SimpleNamespace(get_decoder=lambda: other)
    with pytest.raises(ValueError, match="is not built like Llama's decoder"):
        decoder_of(other)
