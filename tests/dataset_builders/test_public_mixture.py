import random
import re

import datasets
import huggingface_hub
import pytest
from datasets import ClassLabel, List, Value
from typer.testing import CliRunner

from dataset_builders import public_mixture
from dataset_builders.instructions import PHRASINGS
from dataset_builders.open_audio.builder import FEATURES
from dataset_builders.public_mixture import DOMAINS, PublicDataset, app, cast_row, load_mixture, try_rows

AUDIO = {"bytes": b"fLaC", "path": None}
RULED_OUT = ("esc50", "urbansound", "gtzan", "ravdess", "crema", "vocalsound", "voxceleb", "clotho", "fsd50k")
"""Parts of names of datasets that X-ARES tests on whole, or that share recordings with its test sets."""


def dataset(**changes) -> PublicDataset:
    values = {
        "id": "someone/tones",
        "split": "train",
        "task": "asr",
        "domain": "speech",
        "columns": {"audio": "audio", "answer": "text"},
        "hours": 2,
        "license": "CC0-1.0",
        "unchecked": ["hours"],
    }
    return PublicDataset(**(values | changes))


def labelled(task: str = "instrument_family", **changes) -> PublicDataset:
    return dataset(task=task, columns={"audio": "audio", "answer": "label"}, **changes)


def casts(public: PublicDataset, row: dict, feature=None, draws: int = 30) -> list[dict]:
    return [cast_row(public, {"audio": AUDIO} | row, random.Random(draw), feature) for draw in range(draws)]


@pytest.fixture(scope="module")
def mixture() -> list[PublicDataset]:
    return load_mixture()


def test_table_reaches_the_scale_of_the_paper(mixture):
    assert len({public.id for public in mixture}) >= 25
    assert {public.domain for public in mixture} == set(DOMAINS)
    assert 38_000 <= sum(public.hours for public in mixture) < 40_000
    assert {public.task for public in mixture} <= set(PHRASINGS)


def test_pages_are_https_and_no_test_split_is_used(mixture):
    for public in mixture:
        assert all(page.startswith("https://") and " " not in page for page in public.checked), public
        assert "test" not in public.split
        assert not [name for name in RULED_OUT if name in public.id.lower()]
        if public.leaves_out:
            assert public.leaves_out.keys() == {"column", "rows"}, public


def test_audioset_clips_are_never_used_without_dropping_those_of_desed(mixture):
    taken_from_audioset = [public for public in mixture if re.search("AudioSet|AudioCaps|vggsound|avqa", public.id)]
    assert len(taken_from_audioset) >= 4
    assert all("DESED" in public.leaves_out["rows"] for public in taken_from_audioset)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"domain": "smell"}, "someone/tones/train: domain 'smell'"),
        ({"task": "perfume"}, "task 'perfume' has no phrasing"),
        ({"hours": 0}, "0 hours"),
        ({"columns": {"audio": "audio"}}, r"columns lack \['answer'\]"),
        ({"columns": {"audio": "audio", "answer": "text", "colour": "c"}}, r"hold \['colour'\]"),
        ({"full_hours": 1}, "takes 2 hours of a split that holds 1"),
        ({"unchecked": []}, "neither where it was checked"),
    ],
)
def test_wrong_entry_is_named(changes, said):
    with pytest.raises(ValueError, match=said):
        dataset(**changes)


def test_entry_listed_twice_and_unknown_key_are_named(tmp_path):
    entry = "{id: a/b, split: train, task: asr, domain: speech, columns: {audio: audio, answer: text}, hours: 1, "
    entry += "license: MIT, unchecked: [hours]%s}"
    path = tmp_path / "mixture.yaml"
    path.write_text(f"datasets: [{entry % ''}, {entry % ''}]")
    with pytest.raises(ValueError, match="a/b/train is listed twice"):
        load_mixture(path)
    path.write_text(f"datasets: [{entry % ', colour: red'}]")
    with pytest.raises(ValueError, match=r"entry 1, a/b: .*'colour'"):
        load_mixture(path)


def test_row_has_our_schema_and_the_columns_that_are_named():
    columns = {"audio": "wav", "answer": "said", "group": "reader", "start": "from"}
    row = {"wav": AUDIO, "said": " Hello. ", "reader": 17, "from": 1.5}
    cast = cast_row(dataset(columns=columns, language="English"), row, random.Random(0))
    assert cast.keys() == set(FEATURES) - {"duration"}
    assert cast["audio"] is AUDIO
    assert cast["answer"] == "Hello."
    assert (cast["group"], cast["start"], cast["end"], cast["language"]) == ("17", 1.5, None, "English")
    assert cast["label"] is None and cast["choices"] is None


def test_integer_is_answered_in_the_words_of_its_class():
    feature = ClassLabel(names=["string", "synth_lead", "x"])
    for cast in casts(labelled(names={"x": "unclear"}), {"label": 1}, feature):
        assert cast["label"] == "synth lead"
        if cast["choices"] and cast["choices"] != ["no", "yes"] and "yes" not in cast["choices"]:
            assert sorted(cast["choices"]) == ["string", "synth lead", "unclear"]
            assert cast["answer"] == "synth lead"


def test_class_that_is_unlabelled_is_refused():
    with pytest.raises(ValueError, match="-1"):
        casts(labelled(), {"label": -1}, ClassLabel(names=["string", "reed"]))


def test_codes_become_names():
    public = labelled("language_id", names={"de_de": "German", 0: "English"})
    assert {cast["answer"] for cast in casts(public, {"label": "de_de"})} == {"German"}
    assert {cast["answer"] for cast in casts(public, {"label": 0})} == {"English"}


@pytest.mark.parametrize(
    ("tags", "feature"),
    [
        (["hard_rock", "pop"], List(Value("string"))),
        ([1, 0], List(ClassLabel(names=["pop", "hard_rock"]))),
    ],
)
def test_several_tags_are_one_answer(tags, feature):
    for cast in casts(labelled("music_genre"), {"label": tags}, feature):
        assert (cast["answer"], cast["choices"]) == ("hard rock, pop", None)


@pytest.mark.parametrize("value", [None, [], "", "  "])
def test_row_without_an_answer_is_refused(value):
    with pytest.raises(ValueError, match="without an answer in column 'label'"):
        casts(labelled("music_genre"), {"label": value})


def test_lettered_question_becomes_words():
    columns = {"audio": "audio", "answer": "answer", "question": "question"}
    row = {"question": "What rings?\nChoices:\nA. a bell\nB. a phone", "answer": "B. a phone"}
    for cast in casts(dataset(task="audio_qa", columns=columns), row):
        assert cast["instruction"].endswith(" What rings? Choose: a bell, a phone.")
        assert (cast["answer"], cast["choices"]) == ("a phone", ["a bell", "a phone"])


def test_dry_run_adds_up_and_loads_nothing(mixture, monkeypatch):
    monkeypatch.setattr(datasets, "load_dataset", None)
    monkeypatch.setattr(public_mixture, "hub_problem", None)
    monkeypatch.setenv("COLUMNS", "1000")
    done = CliRunner().invoke(app, ["--dry-run"])
    assert done.exit_code == 0, done.output
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in done.output.splitlines() if "│" in line]
    hours = {(row[0], row[1]): int(row[3].replace(",", "")) for row in rows if len(row) == 6}
    assert hours["total", ""] == round(sum(public.hours for public in mixture))
    for domain in DOMAINS:
        assert hours[domain, ""] == round(sum(public.hours for public in mixture if public.domain == domain))
    gated = next(row for row in rows if row[0] == "gated")
    assert gated[4] == ", ".join(public.id for public in mixture if public.gated)


def test_wrong_table_is_one_sentence(tmp_path):
    path = tmp_path / "mixture.yaml"
    path.write_text("datasets: [{id: a/b}]")
    done = CliRunner().invoke(app, ["--mixture", str(path)])
    assert done.exit_code == 1
    assert "a/b" in done.output and "Traceback" not in done.output


class Stream(list):
    features = datasets.Features({"audio": Value("binary"), "text": Value("string")})


def test_streamed_rows_are_cast_and_missing_columns_are_named(monkeypatch):
    stream = Stream([{"audio": b"", "text": "one"}, {"audio": b"", "text": None}])
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: stream)
    assert try_rows(dataset(), 1) is None
    assert try_rows(dataset(), 2) == "cannot be cast: someone/tones/train: a row without an answer in column 'text'"
    columns = {"audio": "audio", "answer": "sentence"}
    assert try_rows(dataset(columns=columns), 1) == "lacks the columns sentence; it has audio, text"


def test_dataset_that_is_gone_is_one_sentence(monkeypatch):
    def fail(*_, **__):
        raise FileNotFoundError("no such dataset\nand much more")

    monkeypatch.setattr(datasets, "load_dataset", fail)
    assert try_rows(dataset(), 1) == "cannot be streamed, FileNotFoundError: no such dataset"


def test_hub_out_of_reach_is_one_sentence_a_dataset(monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    huggingface_hub.close_session()
    monkeypatch.setattr(public_mixture, "load_mixture", lambda _: [dataset(), dataset(config="other")])
    done = CliRunner().invoke(app, [])
    assert done.exit_code == 1
    *tried, failed = done.output.splitlines()
    assert failed == "2 of 2 failed"
    assert [line.split(":")[0] for line in tried] == ["someone/tones/train", "someone/tones/other/train"]
    assert all("the Hub cannot be reached" in line for line in tried)
