"""A search index on a tiny checkpoint: what it holds, how it goes on, what it finds, and its ANN side."""

import itertools
import socket
from time import perf_counter

import numpy as np
import pyarrow as pa
import pytest
import soundfile as sf

from modeling_uniwhisper.audio_io import SAMPLING_RATE
from modeling_uniwhisper.search_index import Hit, SearchIndex, SearchIndexError, _fused, title_of
from modeling_uniwhisper.window_reader import DOMAIN_QUESTION, FileRows, WindowReader

pytest.importorskip("lancedb")


@pytest.fixture(scope="module")
def reader(tiny_checkpoint):
    return WindowReader(tiny_checkpoint)


@pytest.fixture(scope="module")
def made(tmp_path_factory, reader, make_audio):
    """A folder of two recordings, one with a quote in its name, and its index; not to be written to."""
    folder = tmp_path_factory.mktemp("made")
    sf.write(folder / "red_trains.wav", make_audio(12.0, 1), SAMPLING_RATE)
    sf.write(folder / "bird's-call.flac", make_audio(31.0, 2), SAMPLING_RATE)
    index = SearchIndex.create(folder / "index", reader)
    index.update(titles(folder))
    return folder, index


def titles(folder):
    return {str(path): title_of(path) for path in sorted(folder.iterdir()) if path.is_file()}


def vectors(rows, column):
    return np.array(rows[column].to_pylist())


def test_a_row_a_window(made, reader):
    folder, index = made
    rows = index.table.to_arrow()
    assert [(row["title"], row["start"], row["end"]) for row in rows.select(["title", "start", "end"]).to_pylist()] == [
        *[("bird's call", 5.0 * n, min(5.0 * n + 5, 31.0)) for n in range(7)],
        *[("red trains", 5.0 * n, min(5.0 * n + 5, 12.0)) for n in range(3)],
    ]
    assert np.linalg.norm(vectors(rows, "embedding"), axis=1) == pytest.approx(1, abs=1e-5)
    assert set(rows["path"].to_pylist()) == set(titles(folder))
    for row in rows.select(["domain", "description", "text", "title"]).to_pylist():
        assert row["description"].startswith(" ".join(row["domain"].split()).rstrip("."))
        assert row["text"] == f"{row['title']}. {row['description']}"
    said = rows["description"].to_pylist()
    assert vectors(rows, "text_embedding") == pytest.approx(reader.embed_words(said), abs=1e-4)


def test_windows_are_described_as_each_is_alone(reader, make_audio):
    audio = make_audio(12.0, 1)
    [(alone, _)] = reader.describe(audio[5 * SAMPLING_RATE : 10 * SAMPLING_RATE])
    assert reader.describe(audio)[1][0] == alone
    assert DOMAIN_QUESTION in reader.made_by["descriptions"]["questions"]


def test_only_what_is_new_or_changed_is_read_and_what_is_gone_is_dropped(tmp_path, reader, make_audio):
    for name in "abc":
        sf.write(tmp_path / f"{name}.wav", make_audio(6.0, ord(name)), SAMPLING_RATE)
    files = titles(tmp_path)
    index = SearchIndex.create(tmp_path / "index", reader)
    assert (index.update(files).added, len(index)) == (3, 6)
    version = index.table.version
    assert index.update(files).unchanged == 3 and index.table.version == version

    sf.write(tmp_path / "a.wav", make_audio(11.0, 9), SAMPLING_RATE)
    (tmp_path / "b.wav").unlink()
    (tmp_path / "bad.wav").write_text("text")
    reopened = SearchIndex.open(tmp_path / "index", reader)
    updated = reopened.update(titles(tmp_path))
    assert (updated.added, updated.unchanged, updated.dropped) == (1, 1, 1)
    assert list(updated.failed) == [str(tmp_path / "bad.wav")]
    assert "not audio in a known format" in updated.failed[str(tmp_path / "bad.wav")]
    assert sorted(hit.title for hit in reopened.sample(9)) == ["a"] * 3 + ["c"] * 2


def test_an_interrupted_update_goes_on(tmp_path, reader, make_audio):
    for name in "ab":
        sf.write(tmp_path / f"{name}.wav", make_audio(6.0, ord(name)), SAMPLING_RATE)
    index = SearchIndex.create(tmp_path / "index", reader)

    def interrupted(todo):
        yield from itertools.islice(reader.read_all(todo), 1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        index.update(titles(tmp_path), interrupted)
    reopened = SearchIndex.create(tmp_path / "index", reader)
    assert len(reopened) == 2 and reopened.by_words("a")[0].title == "a"
    updated = reopened.update(titles(tmp_path))
    assert (updated.added, updated.unchanged) == (1, 1)


def test_an_index_of_another_reader_is_refused(made, tiny_checkpoint, tmp_path):
    folder, _ = made
    with pytest.raises(SearchIndexError, match="made with different dtype: make a new one"):
        SearchIndex.open(folder / "index", WindowReader(tiny_checkpoint, "bfloat16"))
    with pytest.raises(SearchIndexError, match="made with different descriptions"):
        SearchIndex.create(folder / "index", WindowReader(tiny_checkpoint, words=False))
    with pytest.raises(SearchIndexError, match="there is no index at"):
        SearchIndex.open(tmp_path, WindowReader(tiny_checkpoint))
    assert list(tmp_path.iterdir()) == []


def test_rows_that_are_there_twice_are_read_again(made, reader, tmp_path):
    """As two updates at the same moment leave them."""
    folder, alone = made
    index = SearchIndex.create(tmp_path / "index", reader)
    index.table.add(alone.table.to_arrow())
    trains = alone.table.search().where("title = 'red trains'").to_arrow()
    index.table.add(trains)
    updated = index.update(titles(folder))
    assert (updated.added, updated.unchanged, len(index)) == (1, 1, len(alone))
    assert index.update(titles(folder)).unchanged == 2


def test_by_audio(made, make_audio):
    folder, index = made
    bird = str(folder / "bird's-call.flac")
    cut = make_audio(31.0, 2)[10 * SAMPLING_RATE : 15 * SAMPLING_RATE]
    hits = index.by_audio(cut)
    assert (hits[0].path, hits[0].start, hits[0].why) == (bird, 10, "sounds alike: cosine 1.000")
    assert len(hits) == 10 and [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert [hit.title for hit in index.by_audio(cut, per_recording=1)] == ["bird's call", "red trains"]
    assert {hit.title for hit in index.by_audio(cut, leave_out=bird)} == {"red trains"}
    assert [hit.start for hit in index.by_vector(hits[3].embedding, 1)] == [hits[3].start]
    itself = [index.by_vector(hit.embedding, 1)[0].score for hit in index.sample(10)]
    assert max(itself) <= 1 and itself == pytest.approx([1] * 10, abs=1e-6)  # unit vectors, but for rounding


def test_by_words(made):
    _, index = made
    hits = index.by_words("a Train", top=4)
    assert [(hit.title, hit.why) for hit in hits[:3]] == [("red trains", "in its words: Train")] * 3
    assert hits[3].why == f"alike in meaning: {hits[3].description}"
    wanted = index.sample(10)[2]
    assert index.by_words(wanted.description, 1)[0].description == wanted.description


def test_words_need_an_index_with_words(tmp_path, tiny_checkpoint, make_audio):
    sf.write(tmp_path / "a.wav", make_audio(6.0), SAMPLING_RATE)
    index = SearchIndex.create(tmp_path / "index", WindowReader(tiny_checkpoint, words=False))
    index.update(titles(tmp_path))
    assert index.by_audio(make_audio(6.0))[0].description == ""
    with pytest.raises(SearchIndexError, match="made without words"):
        index.by_words("a")


def test_rankings_are_fused_by_reciprocal_ranks():
    def hit(name, score):
        return Hit(name, name, 0.0, 5.0, score, np.zeros(1))

    fused = _fused([hit("both", 9.0), hit("text", 9.0)], [hit("meaning", 0.9), hit("both", 0.8)])
    assert [(one.path, round(one.score, 4)) for one in fused] == [
        ("both", round((1 + 61 / 62) / 2, 4)),  # equals share a rank
        ("text", 0.5),
        ("meaning", 0.5),
    ]


def test_beyond_the_limit_an_ann_index_is_asked_and_its_recall_measured(tmp_path, reader):
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((20, 16))

    def rows_of(path):
        windows = 500
        embedding = centres[rng.integers(20, size=windows)] + 0.3 * rng.standard_normal((windows, 16))
        embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
        columns = {
            **dict.fromkeys(("path", "title", "domain", "description", "text"), [path] * windows),
            **dict.fromkeys(("size", "mtime_ns"), [0] * windows),
            "start": 5.0 * np.arange(windows),
            "end": 5.0 * np.arange(windows) + 5,
            "embedding": embedding.astype(np.float32).tolist(),
            "text_embedding": (3 + rng.standard_normal((windows, 32))).astype(np.float32).tolist(),
        }
        return FileRows(path, pa.table(columns, schema=reader.schema))

    index = SearchIndex.create(tmp_path / "index", reader, exact_rows=1000)
    index.update(dict.fromkeys("abcd", ""), lambda todo: map(rows_of, todo))
    assert {one.index_type for one in index.table.list_indices()} == {"FTS", "IvfHnswSq"}
    assert index.recall() >= 0.99 and index.recall("text_embedding") >= 0.99

    exact = SearchIndex.open(tmp_path / "index", reader)
    with pytest.raises(SearchIndexError, match="an index of up to 100000 rows is searched exactly"):
        exact.recall()
    wanted = exact.sample(7)[5]
    assert index.by_vector(wanted.embedding) == exact.by_vector(wanted.embedding)
    others = index.by_vector(wanted.embedding, leave_out=wanted.path)
    assert others == exact.by_vector(wanted.embedding, leave_out=wanted.path)
    assert len(others) == 10 and wanted.path not in {hit.path for hit in others}


def test_on_ray_two_workers_make_the_same_table(made, reader, tmp_path):
    pytest.importorskip("ray")
    from modeling_uniwhisper.ray_reading import reading_on_ray

    folder, alone = made
    (tmp_path / "bad.wav").write_text("text")
    index = SearchIndex.create(tmp_path / "index", reader)
    updated = index.update(titles(folder) | titles(tmp_path), reading_on_ray("local", reader, workers=2))
    assert updated.added == 2 and list(updated.failed) == [str(tmp_path / "bad.wav")]
    order = [("path", "ascending"), ("start", "ascending")]
    assert index.table.to_arrow().sort_by(order).equals(alone.table.to_arrow().sort_by(order))


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("127.0.0.1:{free}", "^no Ray cluster answers at 127.0.0.1:{free}: Connection refused$"),
        ("ray://nowhere.invalid:10001", "^no Ray cluster answers at ray://nowhere.invalid:10001: .+"),
        ("127.0.0.1", "^127.0.0.1 is no address of a Ray cluster: HOST:PORT"),
        ("127.0.0.1:99999", "^127.0.0.1:99999 is no address"),
    ],
)
def test_a_ray_cluster_that_is_not_there_is_told_soon(made, reader, tmp_path, address, sentence):
    pytest.importorskip("ray")
    from modeling_uniwhisper.ray_reading import CONNECT_SECONDS, reading_on_ray

    with socket.create_server(("127.0.0.1", 0)) as server:
        free = server.getsockname()[1]
    index = SearchIndex.create(tmp_path / "index", reader)
    started = perf_counter()
    with pytest.raises(SearchIndexError, match=sentence.format(free=free)):
        index.update(titles(made[0]), reading_on_ray(address.format(free=free), reader))
    assert perf_counter() - started < CONNECT_SECONDS + 5 and len(index) == 0


def test_two_updates_at_once_keep_one_copy(made, reader, tmp_path):
    folder, alone = made
    first, second = (SearchIndex.create(tmp_path / "index", reader) for _ in range(2))

    def meanwhile(todo):
        for file in reader.read_all(todo):
            second.update({file.path: todo[file.path]})
            yield file

    first.update(titles(folder), meanwhile)
    assert len(first) == len(alone)
