"""What holds for every row that is written, asked, split or batched."""

import json
from pathlib import Path

import numpy as np
import pytest
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st

from dataset_builders.audiomarathon.features import FEATURES
from dataset_builders.audiomarathon.items import Item, ItemsError, read_items, write_items
from dataset_builders.audiomarathon.tasks import LETTERS, TASKS
from dataset_builders.instructions import LISTED_IN_FULL, OPTIONS, PHRASINGS, cast, row_rng
from dataset_builders.loading import batch_like_sizes
from dataset_builders.open_audio.splits import SPLITS, assign

texts = st.text(min_size=1, max_size=12)
maybe = st.none() | texts
rates = st.floats(0.01, 4000)


@st.composite
def items(draw, task) -> Item:
    options = st.lists(texts, min_size=2, max_size=len(LETTERS), unique=True)
    choices = () if task.answer == "transcript" else tuple(draw(options))
    evidence = sorted(draw(st.tuples(rates, rates))) if draw(st.booleans()) else (None, None)
    named = {field: draw(texts) for field in ("id", "source", "license", "group")}
    more = {field: draw(maybe) for field in ("label", "language", "left_out")}
    return Item(
        audio="tone.wav",
        answer=draw(st.sampled_from(choices) if choices else texts),
        duration=draw(rates),
        question=draw(st.text(max_size=12)),
        choices=choices,
        start=evidence[0],
        end=evidence[1],
        **named,
        **more,
    )


tasks_and_items = st.sampled_from(sorted(TASKS.values(), key=lambda task: task.name)).flatmap(
    lambda task: st.tuples(st.just(task), st.lists(items(task), min_size=1, max_size=3, unique_by=lambda item: item.id))
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda value: st.lists(value, max_size=3)
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("items")
    (folder / "tone.wav").touch()
    return folder


@given(tasks_and_items)
def test_items_are_read_as_they_were_written(folder, tasks_and_items):
    task, items = tasks_and_items
    write_items(folder, task, items)
    assert read_items(folder, task) == sorted(items, key=lambda item: item.id)


@given(tasks_and_items)
def test_a_row_is_of_the_one_schema(tasks_and_items):
    task, items = tasks_and_items
    rows = [item.row(Path("folder"), task) for item in items]
    held = Dataset.from_list([{name: row.pop(name, None) for name in FEATURES} for row in rows], features=FEATURES)
    assert not any(rows), "no field is left over"
    for row, item in zip(held, items):
        assert (row["id"], row["answer"], row["task"], row["group"]) == (item.id, item.answer, task.name, item.group)
        assert row["audio"] == {"bytes": None, "path": "folder/tone.wav"}
        assert row["duration"] == np.float32(item.duration)
        if item.choices:
            assert row["choices"][LETTERS.index(row["letter"])] == row["answer"]
            assert row["instruction"].count("\n") >= len(item.choices) and row["label"]


@given(st.dictionaries(st.sampled_from([*Item.__dataclass_fields__, "speaker"]), json_values))
def test_any_line_is_read_or_refused(folder, changes):
    task = TASKS["speech_detection"]
    line = {"id": "1", "audio": "tone.wav", "answer": "real", "choices": ["real", "fake"], "duration": 100.0}
    line |= {"source": "made", "license": "CC0-1.0", "group": "1"}
    (folder / f"{task.name}.jsonl").write_text(json.dumps(line | changes), "utf-8")
    try:
        (item,) = read_items(folder, task)
    except ItemsError as error:
        assert str(folder) in str(error)
    else:
        assert item.answer in item.choices and item.duration > 0


@given(
    st.sampled_from(sorted(PHRASINGS)), st.lists(texts, min_size=2, max_size=30, unique=True), st.data(), st.booleans()
)
def test_an_asked_label_can_be_answered(task, labels, data, canonical):
    answer = data.draw(st.sampled_from(labels))
    question, said, choices = cast(task, answer, labels, row_rng(task, answer), canonical)
    assert question.strip()
    if choices is None or said == answer:
        assert said == answer and (choices is None or question.endswith(f"Choose: {', '.join(choices)}."))
    if choices is None:
        assert not canonical
    elif canonical or said == answer:
        assert said in choices and set(choices) <= set(labels) and len(set(choices)) == len(choices)
        assert len(choices) == (len(labels) if len(labels) <= LISTED_IN_FULL else OPTIONS)
    else:
        assert choices == ["yes", "no"] and said in choices


weights = st.dictionaries(st.text(max_size=4), st.floats(0.1, 100), min_size=1, max_size=40)


@given(weights, st.text(max_size=4))
def test_splits_cut_no_group_and_keep_their_room(weights, seed):
    chosen = assign(weights, seed)
    assert chosen.keys() == weights.keys()
    assert set(chosen.values()) == (set(SPLITS) if len(weights) > 2 else {"train"})
    for split, share in {"validation": 0.1, "test": 0.15}.items():
        held = [weights[group] for group in weights if chosen[group] == split]
        assert len(held) <= 1 or sum(held) <= share * sum(weights.values()) * 1.000001


@given(st.lists(st.floats(0.2, 30), max_size=200), st.integers(1, 20), st.none() | st.integers(0, 9))
def test_batches_hold_each_clip_once(sizes, batch_size, seed):
    rng = None if seed is None else np.random.default_rng(seed)
    batches = [batch.tolist() for batch in batch_like_sizes(np.array(sizes), batch_size, rng)]
    places = [place for batch in batches for place in batch]
    assert (places if seed is None else sorted(places)) == list(range(len(sizes)))
    assert all(len(batch) <= batch_size for batch in batches) and len(batches) == -(-len(sizes) // batch_size)
