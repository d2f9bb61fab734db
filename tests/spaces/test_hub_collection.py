"""A data set as a collection: a local one, as `load_dataset` reads those of the Hub too."""

import hub_collection
import pytest
import soundfile as sf
from datasets import Audio, Dataset
from finder import open_collection
from hub_collection import fetched

from modeling_uniwhisper.audio_io import SAMPLING_RATE, load_audio
from modeling_uniwhisper.search_index import SearchIndexError
from modeling_uniwhisper.window_reader import WindowReader

NAMES = ("red_train", "bird", "storm")


@pytest.fixture
def dataset(tmp_path, make_audio, monkeypatch):
    """Its name; Parquet with the bytes of three recordings."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    paths = [str(tmp_path / f"{name}.flac") for name in NAMES]
    for seed, path in enumerate(paths):
        sf.write(path, make_audio(3.0, seed), SAMPLING_RATE)
    rows = Dataset.from_dict({"label": [1, 2, 3], "sound": paths}).cast_column("sound", Audio())
    (tmp_path / "data").mkdir()
    rows.to_parquet(tmp_path / "data" / "test-00000.parquet")
    return f"hf:{tmp_path / 'data'}"


def test_a_data_set_is_found_in_by_its_names(dataset, tiny_checkpoint):
    index = open_collection(dataset, WindowReader(tiny_checkpoint, words=False))
    assert {hit.title for hit in index.sample(9)} == {"red train", "bird", "storm"}


def test_recordings_are_fetched_once_and_as_they_are(dataset, tmp_path, monkeypatch):
    folder = fetched(f"{dataset}:default:test")
    files = sorted(folder.glob("*.flac"))
    assert [load_audio(file).tolist() for file in files] == [
        load_audio(tmp_path / f"{name}.flac").tolist() for name in NAMES
    ]
    monkeypatch.setattr(hub_collection, "_fetch", None)
    assert fetched(f"{dataset}:default:test") == folder


def test_of_a_larger_one_the_first_are_taken_and_it_is_logged(dataset, monkeypatch):
    said = []
    monkeypatch.setattr(hub_collection.logger, "warning", lambda text, *values: said.append(text % values))
    monkeypatch.setattr(hub_collection, "MAX_RECORDINGS", 2)
    assert len(list(fetched(dataset).glob("*.flac"))) == 2
    assert said == [f"{dataset}: licence not stated", f"{dataset} is larger: its first 2 recordings are taken"]


def test_what_cannot_be_a_collection_is_told(dataset, tmp_path):
    Dataset.from_dict({"text": ["a"]}).to_parquet(tmp_path / "text" / "train.parquet")
    for name, message in [
        (f"hf:{tmp_path / 'text'}", "has no column of audio"),
        (f"{dataset}:default:nowhere", "cannot be read: .*nowhere"),
        (f"{dataset}:other", "cannot be read: .*other"),
        (f"{dataset}:a:b:c", r"is not hf:ORG/NAME\[:CONFIG\[:SPLIT\]\]"),
        ("hf:someone/sounds", "^the data set hf:someone/sounds cannot be read: "),  # the tests are offline
    ]:
        with pytest.raises(SearchIndexError, match=message) as error:
            fetched(name)
        assert "\n" not in str(error.value)
        with pytest.raises(SearchIndexError, match=message):  # nothing half made is kept
            fetched(name)
