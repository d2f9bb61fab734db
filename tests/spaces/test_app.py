"""The Space's page on a tiny checkpoint, through a real local server; each of its limits."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import app as space
import gradio as gr
import httpx
import numpy as np
import pytest
import soundfile as sf
from asking import QuestionError
from gradio.route_utils import delete_files_created_by_app
from gradio_client import handle_file
from guard import guarded

from modeling_uniwhisper import AudioError
from modeling_uniwhisper.audio_io import SAMPLING_RATE, load_audio

SPACE = Path(space.__file__).parent


def test_ask(client, recording):
    job = client.submit(handle_file(recording), "What do you hear?", api_name="/ask")
    answer, facts = job.result()
    first, *rest = job.outputs()  # as it streamed
    assert rest and answer.startswith(first[0].strip()) and len(first[0]) < len(answer)
    assert re.fullmatch(r"Took .* s, .* · heard all 7 s at 12.5 tokens a second · 88 audio tokens", facts)


def test_a_second_question_says_that_the_encoding_is_re_used(client, recording):
    for question in ("What do you hear?", "Who speaks?"):
        _, facts = client.predict(handle_file(recording), question, api_name="/ask")
    assert "encoding re-used" in facts


def test_what_is_said_is_asked_of_the_transcriber(client, recording):
    text, facts = client.predict(handle_file(recording), "What is said?", api_name="/ask")
    assert text.startswith("0:00.0  ") and "Whisper's own decoder" in facts


def test_structure(client, recording):
    drawn, stretches = client.predict(handle_file(recording), api_name="/structure")
    assert "<figure" in drawn and [stretch["end"] for stretch in stretches] == [7.0]


def test_compare(client, recording):
    way = "all of it"
    _, first, _, second = client.predict(
        handle_file(recording), "What do you hear?", 12.5, way, 0.5, 3.125, way, 0.0, api_name="/compare"
    )
    assert "**88** audio tokens" in first and "of which 44 were kept" in first
    assert "**22** audio tokens" in second and "kept" not in second


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


def test_other_failures_are_told_in_general_terms():
    with pytest.raises(gr.Error) as error, guarded():
        raise RuntimeError("/home/secret")
    assert "secret" not in str(error.value) and error.value.__cause__ is None
    for known in (AudioError, QuestionError):
        with pytest.raises(gr.Error, match="a sentence"), guarded():
            raise known("a sentence")


def test_the_example_clips_outlive_old_uploads(client, url, app, recording):
    with open(recording, "rb") as file:
        [upload] = httpx.post(f"{url}gradio_api/upload", files={"files": file}).json()
    assert Path(upload).exists()
    delete_files_created_by_app(app, age=None)
    assert not Path(upload).exists()
    clips = json.loads((SPACE / "examples" / "metadata.json").read_text())
    shown = client.predict(4, api_name="/load_example")
    played = load_audio(shown["value"] if isinstance(shown, dict) else shown)
    assert len(played) / SAMPLING_RATE == pytest.approx(clips[4]["seconds"], abs=0.1)


def test_files_outside_the_page_are_not_served(url):
    for path in (Path(__file__), SPACE / "app.py", SPACE / "examples" / "metadata.json"):
        assert httpx.get(f"{url.rstrip('/')}/gradio_api/file={path}").status_code in (403, 404)


def test_the_queue_is_bounded_and_the_model_runs_once_at_a_time(app):
    assert app._queue.max_size == space.MAX_QUEUE
    limits = {name: group.concurrency_limit for name, group in app._queue.event_queue_per_concurrency_id.items()}
    assert limits["model"] == 1
    assert "allowed_paths" not in space.LAUNCH and space.LAUNCH["max_file_size"] == space.MAX_FILE_SIZE


def test_without_a_checkpoint_it_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("UNIWHISPER_MODEL", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["app.py"])
    with pytest.raises(SystemExit, match=r"python -m training\.assemble"):
        space.main()


@pytest.mark.parametrize(("language", "command"), [("python", [sys.executable, "-c"]), ("bash", ["bash", "-ec"])])
def test_the_examples_of_the_readme_run(url, language, command):
    """As they are written, but for the address."""
    if language == "bash" and not shutil.which("curl"):
        pytest.skip("there is no curl")
    [code] = re.findall(rf"```{language}\n(.*?)```", (SPACE / "README.md").read_text(), re.DOTALL)
    code = code.replace("http://127.0.0.1:7860", url.rstrip("/"))
    run = subprocess.run([*command, code], cwd=SPACE.parents[1], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    assert "audio tokens" in run.stdout


def test_every_example_is_short_licensed_and_heard():
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
