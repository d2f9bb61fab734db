"""The Find tab's logic and drawings, on a collection of two recordings and a tiny checkpoint."""

import json

import numpy as np
import pytest
import soundfile as sf
from asking import QuestionError
from finder import EXCERPT_SECONDS, Finder, Point, open_collection
from moments import draw_hits, draw_map

from modeling_uniwhisper import AudioError
from modeling_uniwhisper.audio_io import SAMPLING_RATE
from modeling_uniwhisper.search_index import Hit, SearchIndexError
from modeling_uniwhisper.window_reader import WindowReader


@pytest.fixture(scope="module")
def reader(tiny_checkpoint):
    return WindowReader(tiny_checkpoint)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, make_audio):
    folder = tmp_path_factory.mktemp("collection")
    sf.write(folder / "a.wav", make_audio(21.0, 1), SAMPLING_RATE)
    sf.write(folder / "b.flac", make_audio(48.0, 2), SAMPLING_RATE)
    (folder / "metadata.json").write_text(json.dumps([{"file": "b.flac", "title": "A <long> chirp"}]))
    return folder


@pytest.fixture(scope="module")
def finder(cache, folder, reader):
    return Finder(open_collection(folder, reader))


def span(audio, start, end):
    return audio[start * SAMPLING_RATE : end * SAMPLING_RATE]


def test_a_collection_is_a_folder_or_an_index(finder, folder, reader, tmp_path):
    assert {hit.title for hit in finder.index.sample(100)} == {"a", "A <long> chirp"}
    uri = finder.index.table.uri.rpartition("/")[0]
    assert open_collection(uri, reader).by_words("chirps") == finder.index.by_words("chirps")
    with pytest.raises(SearchIndexError, match="neither a search index nor a folder that holds audio files"):
        open_collection(tmp_path, reader)


def test_by_clip_and_by_span(finder, tmp_path, make_audio):
    clip = tmp_path / "clip.wav"
    sf.write(clip, np.concatenate([make_audio(3.0, 5), span(make_audio(48.0, 2), 10, 15)]), SAMPLING_RATE)
    hits = finder.by_clip(str(clip), 3, 8)
    assert (hits[0].title, hits[0].start, round(hits[0].score, 3)) == ("A <long> chirp", 10, 1)
    assert [hit.title for hit in hits].count("A <long> chirp") == 3
    assert finder.by_clip(str(clip))[0].score < 0.9999
    assert finder.by_clip(str(clip), 3, 0) == hits
    for arguments, message in [
        ((None,), "^Give a clip first"),
        ((str(clip), 5, 9), "^The clip lasts 8.00 s, which does not hold the span from 5 to 9 s"),
        ((str(clip), 5, 4), "^The clip lasts"),
        ((str(tmp_path / "absent.wav"),), "^The clip does not exist"),
    ]:
        with pytest.raises(AudioError, match=message):
            finder.by_clip(*arguments)


def test_by_words(finder):
    hits = finder.by_words("long chirps")
    assert hits[0].title == "A <long> chirp" and hits[0].why == "in its words: long, chirps"
    for words, message in [(" ", "Say in words"), ("x" * 301, "301 characters of words; at most 300")]:
        with pytest.raises(QuestionError, match=message):
            finder.by_words(words)


def test_more_like_a_hit(finder):
    hit = finder.by_words("chirp")[0]
    alike = finder.more_like(hit)
    assert alike and (hit.path, hit.start) not in {(other.path, other.start) for other in alike}
    assert [other.score for other in alike] == sorted((other.score for other in alike), reverse=True)


def test_a_hit_plays_from_its_moment(finder, folder, make_audio):
    for start, seconds in ((10.0, EXCERPT_SECONDS), (45.0, 3.0)):
        hit = Hit(str(folder / "b.flac"), "b", start, start + 5, 1.0, np.zeros(16))
        rate, played = finder.excerpt(hit)
        wanted = span(make_audio(48.0, 2), int(start), int(start + seconds))
        assert rate == SAMPLING_RATE and played.dtype == np.int16
        assert played / 32767 == pytest.approx(wanted, abs=1e-3)


def test_the_map_has_a_place_for_each_moment(finder):
    points = finder.map
    assert len(points) == len(finder.index) == 15
    places = np.array([point[:2] for point in points])
    assert places.min(0) == pytest.approx([0, 0]) and places.max(0) == pytest.approx([1, 1])
    assert finder.map is points


def test_drawings_escape_what_they_show_and_tell_no_path(finder):
    hit = Hit("/secret/a.wav", "<b>", 5.0, 10.0, 0.5, np.zeros(2), "music", '"<i>"', "in its words: <u>")
    html = draw_hits([hit]) + draw_map([Point(0.0, 1.0, hit)])
    assert "&lt;b&gt;" in html and "in its words: &lt;u&gt;" in html and "&quot;&lt;i&gt;&quot;" in html
    assert "<b>" not in html and "<u>" not in html and "secret" not in html
    assert html.count('data-event="play" data-number="0"') == 2 and 'class="music"' in html
    assert "0:05.0 – 0:10.0" in html and "No moment matches" in draw_hits([])
