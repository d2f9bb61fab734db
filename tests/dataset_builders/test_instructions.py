import pytest

from dataset_builders.instructions import OPTIONS, UnknownTaskError, cast, row_rng

FEW = ("kick", "snare", "tom")
MANY = tuple(f"sound {number}" for number in range(20))


@pytest.mark.parametrize("labels", [FEW, MANY])
@pytest.mark.parametrize("canonical", [True, False])
def test_same_seed_and_row_ask_the_same(labels, canonical):
    first, again = (cast("sound_event", labels[1], labels, row_rng("t", "row"), canonical) for _ in "ab")
    assert first == again


def test_other_seeds_ask_otherwise():
    asked = {cast("drum_class", "kick", FEW, row_rng("t", "row", seed))[0] for seed in range(20)}
    assert len(asked) > 5


@pytest.mark.parametrize("labels", [FEW, MANY])
@pytest.mark.parametrize("seed", range(30))
def test_answer_is_among_the_options_and_in_the_prompt(labels, seed):
    instruction, answer, choices = cast("sound_event", labels[2], labels, row_rng("t", "r", seed))
    assert answer == labels[2]
    if choices is None:
        assert "Choose" not in instruction
    else:
        assert answer in choices
        assert len(set(choices)) == len(choices) == min(len(labels), OPTIONS)
        assert instruction.endswith(f"Choose: {', '.join(choices)}.")


def test_canonical_prompt_is_one_for_all_rows_and_lists_all_few_labels():
    asked = {cast("drum_class", "tom", FEW, row_rng("t", str(i)), True)[0] for i in range(20)}
    assert asked == {"Which drum is hit? Choose: kick, snare, tom."}


def test_canonical_options_do_not_give_the_answer_away():
    drawn = {tuple(cast("sound_event", MANY[0], MANY, row_rng("t", str(i)), True)[2]) for i in range(9)}
    assert len(drawn) > 1


def test_transcription_has_no_options():
    assert cast("asr_multi", "Ahoj.", (), row_rng("t", "r"), True) == (
        "Transcribe the speech.",
        "Ahoj.",
        None,
    )


def test_unknown_task_and_label_are_named():
    with pytest.raises(UnknownTaskError, match=r"'smell'.*drum_class"):
        cast("smell", "rose", (), row_rng("t", "r"))
    with pytest.raises(ValueError, match="'gong' of drum_class"):
        cast("drum_class", "gong", FEW, row_rng("t", "r"))
