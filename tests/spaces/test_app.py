"""The Space's page on a tiny checkpoint, through a real local server; each of its limits."""

import importlib.util
import json
import sys
from pathlib import Path

import gradio as gr
import httpx
import numpy as np
import pytest
import soundfile as sf
from gradio.route_utils import delete_files_created_by_app
from gradio_client import Client, handle_file

from modeling_uniwhisper import AudioError
from modeling_uniwhisper.audio_io import SAMPLING_RATE, load_audio

SPACE = Path(__file__).parents[2] / "spaces" / "uniwhisper"


@pytest.fixture(scope="module")
def space():
    """The module `spaces/uniwhisper/app.py`."""
    spec = importlib.util.spec_from_file_location("uniwhisper_space", SPACE / "app.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A cache of our own for the module's index."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def listener(space, cache, tiny_checkpoint):
    return space.Listener(tiny_checkpoint)


@pytest.fixture(scope="module")
def app(space, cache, tiny_checkpoint):
    return space.build_app(tiny_checkpoint)


@pytest.fixture(scope="module")
def client(space, app):
    """A client of the page, served at a free local port with the Space's own settings but small files."""
    settings = space.LAUNCH | {"max_file_size": "1mb", "server_name": "127.0.0.1"}
    _, url, _ = app.launch(prevent_thread_lock=True, quiet=True, **settings)
    yield Client(url, verbose=False, httpx_kwargs={"timeout": 120})
    app.close()


@pytest.fixture
def recording(tmp_path, make_audio):
    path = tmp_path / "recording.wav"
    sf.write(path, make_audio(7.0, 3), SAMPLING_RATE)
    return str(path)


def test_ask(client, recording):
    assert isinstance(client.predict(handle_file(recording), "What do you hear?", api_name="/ask"), str)


def test_search_finds_an_example_in_a_recording(client, space, recording, tmp_path):
    audio, _ = sf.read(recording)
    example = tmp_path / "example.wav"
    sf.write(example, audio[: 5 * SAMPLING_RATE], SAMPLING_RATE)
    table, moment = client.predict(handle_file(str(example)), handle_file(recording), api_name="/search")
    assert table["headers"] == space.COLUMNS and len(table["data"]) == space.MOMENTS
    assert table["data"][0] == [1, "Your recording", "0:00.0", "0:05.0", "1.000"]
    played = moment["value"] if isinstance(moment, dict) else moment
    assert len(load_audio(played)) == 5 * SAMPLING_RATE


def test_an_example_clip_does_not_find_itself(client, space):
    clip = json.loads((SPACE / "examples" / "metadata.json").read_text())[4]
    table, _ = client.predict(handle_file(str(SPACE / "examples" / clip["file"])), None, api_name="/search")
    assert clip["title"] not in {row[1] for row in table["data"]}


def test_a_file_too_large_is_refused(client, tmp_path):
    path = tmp_path / "large.wav"
    sf.write(path, np.zeros(40 * SAMPLING_RATE), SAMPLING_RATE)
    with pytest.raises(Exception, match=r"413|large|size"):
        client.predict(handle_file(str(path)), "What do you hear?", api_name="/ask")


def test_a_bad_recording_is_told_without_its_path(client, tmp_path):
    path = tmp_path / "text.wav"
    path.write_text("not audio")
    with pytest.raises(Exception, match=r"^The recording is not audio in a known format") as error:
        client.predict(handle_file(str(path)), "What do you hear?", api_name="/ask")
    assert "/" not in str(error.value)


def test_other_failures_are_told_in_general_terms(space):
    def broken():
        raise RuntimeError("/home/secret")

    with pytest.raises(gr.Error) as error:
        space.guarded(broken)()
    assert "secret" not in str(error.value) and error.value.__cause__ is None


def test_the_example_clips_outlive_old_uploads(client, app):
    delete_files_created_by_app(app, age=None)
    clips = json.loads((SPACE / "examples" / "metadata.json").read_text())
    for api_name in ("/load_example", "/load_example_1"):
        shown = client.predict(4, api_name=api_name)
        played = load_audio(shown["value"] if isinstance(shown, dict) else shown)
        assert len(played) / SAMPLING_RATE == pytest.approx(clips[4]["seconds"], abs=0.1)


def test_files_outside_the_page_are_not_served(client):
    for path in (Path(__file__), SPACE / "app.py", SPACE / "examples" / "metadata.json"):
        assert httpx.get(f"{client.src.rstrip('/')}/gradio_api/file={path}").status_code in (403, 404)


@pytest.mark.parametrize(
    ("question", "message"),
    [("", "Ask a question"), (" \n", "Ask a question"), ("x" * 301, "301 characters; at most 300")],
)
def test_questions(listener, recording, question, message):
    with pytest.raises(AudioError, match=message):
        listener.answer(recording, question)


def test_recordings(listener, space, recording, tmp_path, monkeypatch):
    with pytest.raises(AudioError, match="Give a recording first"):
        listener.answer(None, "What do you hear?")
    assert listener.max_seconds == (2048 - space.MAX_QUESTION - space.MAX_NEW_TOKENS) / 12.5  # the tiny model's context
    monkeypatch.setattr(listener, "max_seconds", 6.0)
    with pytest.raises(AudioError, match="The recording is longer than 6 s"):
        listener.answer(recording, "What do you hear?")
    with pytest.raises(AudioError, match="The recording is longer than 6 s"):
        listener.find(str(SPACE / "examples" / "lion.flac"), recording)


def test_the_queue_is_bounded(app, space):
    assert app._queue.max_size == space.MAX_QUEUE
    assert app._queue.default_concurrency_limit == space.CONCURRENCY
    assert "allowed_paths" not in space.LAUNCH and space.LAUNCH["max_file_size"] == space.MAX_FILE_SIZE


def test_without_a_checkpoint_it_says_what_to_do(space, monkeypatch, tmp_path):
    monkeypatch.setenv("UNIWHISPER_MODEL", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["app.py"])
    with pytest.raises(SystemExit, match=r"python -m training\.assemble"):
        space.main()


def test_every_example_is_short_licensed_and_heard(space):
    clips = json.loads((SPACE / "examples" / "metadata.json").read_text())
    licences = (SPACE / "examples" / "LICENSES.md").read_text()
    assert {clip["domain"] for clip in clips} == {"speech", "sound", "music"}
    for clip in clips:
        audio = load_audio(SPACE / "examples" / clip["file"])
        assert len(audio) / SAMPLING_RATE == pytest.approx(clip["seconds"], abs=0.1)
        assert clip["license"] in licences and clip["author"] in licences and f"`{clip['file']}`" in licences
    shipped = {path.name for path in (SPACE / "examples").iterdir()} - {"LICENSES.md", "metadata.json"}
    assert shipped == {clip["file"] for clip in clips}
    assert sum(path.stat().st_size for path in (SPACE / "examples").iterdir()) < 4_000_000
