"""What holds for every reply and every setting: an answer is one of the choices or none, a name reads back."""

import re

from hypothesis import given
from hypothesis import strategies as st

from dataset_builders.audiomarathon.tasks import LETTERS, TASKS
from metrics.audiomarathon import paper, strict
from metrics.audiomarathon.parsing import FORMS, parse
from metrics.settings import EVICTION, PRUNING, Setting, SettingError, read_settings

CHOOSING = [task for task in TASKS.values() if task.answer != "transcript"]
TEXTS = sorted({form for task in CHOOSING for label in task.labels for form in (label, *FORMS.get(label, ()))})
FILLERS = ["answer", "is", "not", "isn't", "or", "the", "I", "cannot tell", "but", "<think>", "</think>", *".,!\n"]
AROUND = ("  ", "()", " .", "[]", " )", "**")
NAMES = [f"{before}{letter}{after}" for letter in "ABCDEabcde" for before, after in AROUND]

tasks = st.sampled_from(CHOOSING)
options = st.lists(st.sampled_from(TEXTS), min_size=2, max_size=5, unique=True)
wordings = st.lists(st.sampled_from(TEXTS + FILLERS), max_size=12).map(" ".join)
replies = st.text() | st.lists(st.sampled_from(TEXTS + FILLERS + NAMES), max_size=12).map(" ".join)


def offered(task, options):
    return task.labels if task.answer == "labels" else options


@given(tasks, replies, options)
def test_an_answer_is_one_of_the_choices_or_none(task, reply, options):
    choices = offered(task, options)
    assert parse(task, reply, choices) in {*choices, None}
    assert paper.read(task, reply, choices) in {*range(len(choices)), None}


@given(tasks, replies, options, st.text(" \n\t", max_size=3))
def test_space_around_a_reply_and_thoughts_before_it_say_nothing(task, reply, options, space):
    answer = parse(task, reply, options)
    assert parse(task, space + reply + space, options) == answer
    if "<think" not in reply:
        assert parse(task, f"<think>{space}It is A, or a dog.</think>{reply}", options) == answer


@given(tasks, wordings, options.flatmap(lambda options: st.tuples(st.just(options), st.permutations(options))))
def test_words_mean_the_same_in_any_order_of_the_options(task, reply, orders):
    first, second = orders
    assert parse(task, reply, first) == parse(task, reply, second)


@given(tasks, options, st.data())
def test_a_letter_or_a_text_alone_is_the_answer(task, options, data):
    choices = offered(task, options)
    place = data.draw(st.integers(0, len(choices) - 1))
    letter, text = LETTERS[place], choices[place]
    for reply in (letter, letter.lower(), f"({letter})", f"{letter}.", f"**{letter})**", text, text.upper()):
        assert parse(task, reply, choices) == text, reply
    assert parse(task, f"<think>{letter}</think>", choices) is None


@given(st.text())
def test_a_transcript_is_what_was_said(reply):
    text = parse(TASKS["speech_recognition"], reply)
    assert text is None or (text == text.strip() != "" and text in reply)


seconds = st.floats(0, 3600)


@given(seconds, seconds, st.floats(0.1, 3600))
def test_evidence_lies_in_one_third(start, length, duration):
    start, end = min(start, duration), min(start + length, duration)
    third = strict.THIRDS.index(strict.evidence_third(min(start, end), end, duration))
    middle = (min(start, end) + end) / 2
    assert third / 3 * duration <= middle * 1.000001 and middle <= (third + 1) / 3 * duration * 1.000001
    assert strict.duration_bucket(duration) in {*strict.DURATIONS, "other"}


ratios = st.floats(0, 1, exclude_max=True)
prunings = st.sampled_from(sorted(PRUNING)).flatmap(
    lambda name: st.builds(PRUNING[name], ratio=ratios, layer=st.integers(PRUNING[name].reads, 99))
)
evictions = st.sampled_from(sorted(EVICTION)).flatmap(
    lambda name: st.builds(EVICTION[name], ratio=ratios, audio_only=st.booleans())
)
settings = st.builds(Setting, st.none() | st.floats(0.001, 25), st.none() | prunings, st.none() | evictions)


@given(st.lists(settings, min_size=1, max_size=3))
def test_a_setting_reads_back_from_its_name(settings):
    assert read_settings(", ".join(map(str, settings))) == settings


@given(st.text() | st.from_regex(r"(rate|prune|evict)=[A-Za-z:@.0-9+-]{0,20}", fullmatch=True))
def test_a_name_is_a_setting_or_refused(name):
    try:
        setting = Setting.parse(name)
    except SettingError as error:
        assert re.match(re.escape(name), str(error))
    else:
        assert Setting.parse(str(setting)) == setting
