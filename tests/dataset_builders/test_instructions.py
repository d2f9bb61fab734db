import pytest

from dataset_builders.instructions import OPEN_ENDED, OPTIONS, YES_OR_NO, UnknownTaskError, cast, row_rng
from dataset_builders.open_audio.configs import CONFIGS

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
@pytest.mark.parametrize("seed", range(40))
def test_answer_is_among_the_options_and_in_the_prompt(labels, seed):
    instruction, answer, choices = cast("sound_event", labels[2], labels, row_rng("t", "r", seed))
    if choices == ["yes", "no"]:
        named = [label for label in labels if instruction.endswith(f": {label}?")]
        assert answer == ("yes" if named == [labels[2]] else "no")
        assert len(named) == 1
        return
    assert answer == labels[2]
    if choices is None:
        assert "Choose" not in instruction
    else:
        assert answer in choices
        assert len(set(choices)) == len(choices) == min(len(labels), OPTIONS)
        assert instruction.endswith(f"Choose: {', '.join(choices)}.")


def test_training_asks_in_every_form_and_yes_is_half_of_the_answers():
    asked = [cast("sound_event", MANY[2], MANY, row_rng("t", str(row))) for row in range(2000)]
    forms = {"open": 0, "options": 0, "yes": 0, "no": 0}
    for _, answer, choices in asked:
        forms["open" if choices is None else "options" if answer == MANY[2] else answer] += 1
    assert forms["open"] == pytest.approx(2000 * OPEN_ENDED, rel=0.15)
    assert forms["yes"] + forms["no"] == pytest.approx(2000 * YES_OR_NO, rel=0.25)
    assert forms["yes"] == pytest.approx(forms["no"], rel=0.35)


def test_too_long_a_text_is_refused():
    with pytest.raises(ValueError, match=r"answer of asr_en has 10001 characters, at most 10000"):
        cast("asr_en", "a" * 10_001, (), row_rng("t", "r"))


def test_other_scripts_are_kept():
    assert cast("asr_multi", "Тёплый день, 你好.", (), row_rng("t", "r"), True)[1] == "Тёплый день, 你好."


@pytest.mark.parametrize("task", CONFIGS)
def test_every_task_is_asked_in_several_ways_within_bounds(task):
    labels = CONFIGS[task].labels
    asked = {cast(task, labels[0] if labels else "text", labels, row_rng(task, str(row)))[0] for row in range(200)}
    assert len(asked) >= (20 if len(labels) > 2 else 3)
    assert len(set(labels)) == len(labels)


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
