"""The runner: real models that are tiny, a real server, real processes that are killed."""

import io
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import evaluate
import numpy as np
import pytest
import soundfile
from rich.console import Console
from transformers import T5Config, T5ForConditionalGeneration, TokenizersBackend
from typer.testing import CliRunner

from dataset_builders.audiomarathon.items import Item, write_items
from dataset_builders.audiomarathon.tasks import TASKS, find_task
from metrics.audiomarathon.__main__ import app
from metrics.audiomarathon.models import ModelError, endpoint
from metrics.audiomarathon.models.local import LocalModel
from metrics.audiomarathon.outputs import RunError
from metrics.audiomarathon.run import Hearing, Settings, SettingsError, run, warn
from metrics.audiomarathon.scoring import average_scores, summarise
from metrics.settings import Setting
from modeling_uniwhisper import AudioError, UniWhisperForConditionalGeneration
from modeling_uniwhisper.audio_io import SAMPLING_RATE

from . import marathon_models, marathon_server

SD, MC, SGR, ASR = (find_task(name) for name in ("SD", "MC", "SGR", "ASR"))
TIMED = ("seconds", "peak_memory_gb")


def write_folder(folder: Path, make_audio, seconds: dict[str, float], **more) -> Path:
    """Items of four tasks on the same sounds; `seconds` by id."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (name, length) in enumerate(seconds.items()):
        soundfile.write(folder / f"{name}.wav", make_audio(length, number % 7), SAMPLING_RATE)
    for task in (SD, MC, SGR, ASR):
        choices = task.labels[:4]
        items = [
            Item(
                id=name,
                audio=f"{name}.wav",
                answer=choices[number % len(choices)] if choices else "so it is said",
                choices=choices,
                duration=length,
                source="made",
                license="CC0-1.0",
                group=name,
                question="Which is it?",
                **more,
            )
            for number, (name, length) in enumerate(seconds.items())
        ]
        write_items(folder, task, items)
    return folder


@pytest.fixture(scope="module")
def items(tmp_path_factory, make_audio) -> Path:
    seconds = {f"{number:02}": 0.5 + number % 5 / 10 for number in range(12)}
    return write_folder(tmp_path_factory.mktemp("items"), make_audio, seconds)


@pytest.fixture
def settings(tiny_checkpoint, items) -> Settings:
    return Settings.resolve(
        model=str(tiny_checkpoint),
        split="test",
        data_dir=str(items),
        device="cpu",
        batch_size=2,
        setting="rate=3.125",
    )


@pytest.fixture
def console() -> Console:
    return Console(quiet=True)


def lines(out: Path, task=SD) -> list[dict]:
    return [json.loads(line) for line in (out / f"{task.name}.jsonl").read_text("utf-8").splitlines()]


def untimed(node):
    """Without what differs from one run to the next."""
    if isinstance(node, dict):
        return {name: untimed(value) for name, value in node.items() if name not in TIMED}
    return [untimed(item) for item in node] if isinstance(node, list) else node


@pytest.mark.parametrize("kind", [*marathon_models.KINDS, "uniwhisper"])
def test_a_model_says_the_same_alone_and_in_a_batch(kind, tmp_path, tiny_processor, tiny_checkpoint, make_audio):
    folder = tiny_checkpoint
    if kind != "uniwhisper":
        folder = marathon_models.save(kind, tmp_path, tiny_processor.tokenizer)
    model = LocalModel(str(folder), "cpu", "float32")
    # Beyond 5 s, padding changes what transformers' Phi-4 hears.
    length = 4.5 if kind == "phi_4" else 35.0
    audios, instructions = [make_audio(2.0, 0), make_audio(length, 1)], ["What is it?", "Which?"]
    together = model.reply(audios, instructions, 4)
    alone = [model.reply([audio], [text], 4)[0] for audio, text in zip(audios, instructions)]
    assert [reply.text for reply in together] == [reply.text for reply in alone]
    whole = 30 if kind == "qwen2_audio" else length
    for replies in (together, alone):
        assert [reply.heard_seconds for reply in replies] == pytest.approx([2, whole], abs=0.03)
        assert all(1 <= reply.new_tokens <= 4 and reply.seconds > 0 and reply.error is None for reply in replies)
    unheard = model.reply(None, instructions, 4)
    assert [reply.heard_seconds for reply in unheard] == [0, 0]
    assert [reply.text for reply in unheard] != [reply.text for reply in together]


def test_a_name_that_is_no_model_that_hears(tmp_path, tiny_config, tiny_processor):
    with pytest.raises(ModelError, match="nowhere is neither a folder here nor a Hub id"):
        LocalModel(str(tmp_path / "nowhere"), "cpu", "float32")
    (tmp_path / "config.json").write_text('{"model_type": "wav2vec2"}')
    with pytest.raises(ModelError, match="is a wav2vec2, which"):
        LocalModel(str(tmp_path), "cpu", "float32")
    folder = marathon_models.save("glm_asr", tmp_path, tiny_processor.tokenizer)
    with pytest.raises(ModelError, match="rate is UniWhisper's"):
        LocalModel(str(folder), "cpu", "float32", Setting(audio_token_rate=3.125))
    T5ForConditionalGeneration(T5Config(d_model=8, d_ff=8, num_layers=1)).save_pretrained(tmp_path / "t5")
    TokenizersBackend(tokenizer_object=tiny_processor.tokenizer.backend_tokenizer).save_pretrained(tmp_path / "t5")
    with pytest.raises(ModelError, match="t5 takes no audio"):
        LocalModel(str(tmp_path / "t5"), "cpu", "float32")
    tiny_config.save_pretrained(tmp_path / "empty")
    with pytest.raises(ModelError, match=r"empty cannot be opened as a model: .*model\.safetensors"):
        LocalModel(str(tmp_path / "empty"), "cpu", "float32")


def test_a_run_leaves_a_line_a_sample_and_scores(settings, tmp_path, console):
    report = run(settings, [SD, MC], tmp_path, console)
    assert json.loads((tmp_path / "scores.json").read_text()) == report
    for task in (SD, MC):
        samples = lines(tmp_path, task)
        assert len(samples) == 12
        assert [one["duration"] for one in samples] == sorted(one["duration"] for one in samples)
        assert all(one["heard_seconds"] == pytest.approx(one["duration"], abs=0.03) for one in samples)
    assert report["average"]["tasks"] == ["SD", "MC"]
    assert report["command"].startswith("python -m metrics.audiomarathon run --model")
    strict = report["tasks"]["speech_detection"]["strict"]
    assert (strict["majority"], strict["random"], strict["items"]) == (0.5, 0.5, 12)


def test_a_task_named_twice_is_asked_once(settings, tmp_path, console):
    report = run(settings, [SD, SD], tmp_path, console)
    assert (list(report["tasks"]), len(lines(tmp_path))) == ([SD.name], 12)


def test_a_limit_draws_the_same_samples_again(settings, tmp_path, console):
    few = replace(settings, limit=5)
    run(few, [SD], tmp_path / "a", console)
    run(few, [SD], tmp_path / "b", console)
    drawn = [one["id"] for one in lines(tmp_path / "a")]
    assert drawn == [one["id"] for one in lines(tmp_path / "b")]
    assert len(drawn) == 5
    assert len({one["answer"] for one in lines(tmp_path / "a")}) == 2


def run_quietly(settings: Settings, out: Path) -> None:
    run(settings, [SD, MC, SGR], out, Console(quiet=True))


def test_a_run_killed_three_times_ends_as_an_unbroken_one(settings, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    run_quietly(settings, whole)
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload([run_quietly.__module__])
    for kept in (2, 14, 26):  # within each of the three tasks
        process = processes.Process(target=run_quietly, args=(settings, broken))
        process.start()
        while process.is_alive() and sum(file.read_bytes().count(b"\n") for file in broken.glob("*.jsonl")) < kept:
            time.sleep(0.001)
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert process.exitcode == -signal.SIGKILL
        assert not (broken / "scores.json").exists()
    run_quietly(settings, broken)
    for file in ("scores.json", "run.json"):
        assert untimed(json.loads((broken / file).read_text())) == untimed(json.loads((whole / file).read_text()))
    for task in (SD, MC, SGR):
        assert untimed(lines(broken, task)) == untimed(lines(whole, task))


def test_a_torn_line_and_half_a_batch_are_asked_again(settings, tmp_path, console):
    report = run(settings, [SD], tmp_path, console)
    file = tmp_path / "speech_detection.jsonl"
    before = lines(tmp_path)
    written = file.read_bytes().split(b"\n")
    file.write_bytes(b"\n".join(written[:5]) + b"\n" + written[5][:20])
    assert untimed(run(settings, [SD], tmp_path, console)) == untimed(report)
    assert lines(tmp_path)[:4] == before[:4]
    assert untimed(lines(tmp_path)) == untimed(before)


def test_what_is_done_needs_no_model(settings, tmp_path, console, monkeypatch):
    report = run(settings, [SD], tmp_path, console)
    monkeypatch.setattr("metrics.audiomarathon.run.open_model", None)
    assert run(settings, [SD], tmp_path, console) == report


def test_other_settings_or_data_are_refused(settings, tmp_path, console):
    few = replace(settings, limit=4)
    with pytest.raises(ModelError, match="mistyped is neither a folder here"):
        run(replace(few, model=str(tmp_path / "mistyped")), [SD], tmp_path, console)
    run(few, [SD], tmp_path, console)
    with pytest.raises(SettingsError, match="--hear was audio, now it is silence; --batch-size was 2, now it is 3"):
        run(replace(few, batch_size=3, hear=Hearing.SILENCE), [SD], tmp_path, console)
    file = tmp_path / "speech_detection.jsonl"
    first, *others = file.read_text().splitlines(keepends=True)
    file.write_text(first + others[1])
    with pytest.raises(SettingsError, match=r"line 2: id was .* the data are others now"):
        run(few, [SD], tmp_path, console)
    file.write_text(first.replace('"answer": "', '"answer": "un'))
    with pytest.raises(SettingsError, match=r"line 1: answer was 'un(\w+)', now it is '\1': the data are others now"):
        run(few, [SD], tmp_path, console)
    file.write_text("{\n")
    with pytest.raises(RunError, match=r"speech_detection\.jsonl, line 1: not JSON"):
        run(few, [SD], tmp_path, console)
    with pytest.raises(SettingsError, match=r'Unknown split "full"\. Should be one of \[\'mini\', \'test\'\]'):
        run(replace(few, split="full"), [SD], tmp_path / "full", console)
    with pytest.raises(SettingsError, match="limit is 0"):
        replace(settings, limit=0)
    with pytest.raises(SettingsError, match="device is cuda:0, but here there is cpu"):
        Settings.resolve(model="uniwhisper", split="mini", device="cuda:0")
    with pytest.raises(SettingsError, match="dtype is int8, but it can be float32, bfloat16, float16"):
        replace(settings, dtype="int8")
    with pytest.raises(SettingsError, match=r"http://there is no endpoint for"):
        replace(settings, endpoint="http://there")


def test_silence_and_nothing_are_heard_as_such(settings, tmp_path, console, make_audio):
    folder = write_folder(tmp_path / "items", make_audio, {"a": 1.0, "b": 1.0})
    said = {}
    for hear in Hearing:
        run(replace(settings, data_dir=str(folder), hear=hear), [MC], tmp_path / hear, console)
        samples = lines(tmp_path / hear, MC)
        assert [one["heard_seconds"] for one in samples] == [0 if hear is Hearing.NOTHING else 1] * 2
        said[hear] = {one["reply"] for one in samples}
    assert len(said[Hearing.SILENCE]) == len(said[Hearing.NOTHING]) == 1
    assert not said[Hearing.AUDIO] & said[Hearing.SILENCE]
    assert not said[Hearing.AUDIO] & said[Hearing.NOTHING]


def test_unreadable_audio_stops_with_its_name_and_keeps_what_was_said(settings, tmp_path, console, make_audio):
    folder = write_folder(tmp_path / "items", make_audio, {"a": 0.5, "b": 0.6, "c": 0.7})
    (folder / "c.wav").write_bytes(b"RIFF but no more")
    with pytest.raises(AudioError, match=r"speech_detection, c: .*c\.wav is not audio"):
        run(replace(settings, data_dir=str(folder)), [SD], tmp_path / "out", console)
    assert [one["id"] for one in lines(tmp_path / "out")] == ["a", "b"]


def test_what_the_context_cannot_hold_is_recorded_and_wrong(
    settings, tmp_path, tiny_config, tiny_processor, make_audio
):
    tiny_config.text_config.max_position_embeddings = 400
    UniWhisperForConditionalGeneration(tiny_config).save_pretrained(tmp_path / "model")
    tiny_processor.save_pretrained(tmp_path / "model")
    folder = write_folder(tmp_path / "items", make_audio, {"long": 100.0, "short": 1.0})
    told = Console(file=io.StringIO(), width=300)
    changed = replace(settings, model=str(tmp_path / "model"), data_dir=str(folder))
    report = run(changed, [SD], tmp_path / "out", told)
    short, long = lines(tmp_path / "out")
    assert short["error"] is None
    assert short["reply"]
    assert "tokens, but the model reads at most 400" in long["error"]
    assert (long["reply"], long["parsed"], long["heard_seconds"]) == ("", None, 0)
    scores = report["tasks"]["speech_detection"]
    assert scores["errors"] == 1
    assert scores["strict"]["parse_rate"] <= 0.5
    assert "SD: 1 of 2 replies are missing and count as wrong, first long: the prompt takes" in told.file.getvalue()


def test_a_recording_that_is_cut_is_warned_of(settings, tmp_path, tiny_processor, make_audio):
    model = marathon_models.save("qwen2_audio", tmp_path / "model", tiny_processor.tokenizer)
    folder = write_folder(tmp_path / "items", make_audio, {"long": 40.0, "longer": 50.0, "short": 1.0})
    told = Console(file=io.StringIO(), width=300)
    changed = replace(settings, model=str(model), data_dir=str(folder), setting=None)
    report = run(changed, [SD], tmp_path / "out", told)
    assert "SD: of 2 of 3 recordings the model got only a part, on average 30.0 s of 45.0 s" in told.file.getvalue()
    scores = report["tasks"]["speech_detection"]
    assert (scores["heard_seconds"], scores["duration"]) == (pytest.approx(61 / 3), pytest.approx(91 / 3))


@pytest.fixture
def server(monkeypatch):
    """URL of a real endpoint, which is open to the key in the environment."""
    monkeypatch.setenv("OPENAI_API_KEY", "open sesame")
    monkeypatch.setattr(endpoint, "WAITS", (0.01, 0.02))
    with subprocess.Popen([sys.executable, marathon_server.__file__], stdout=subprocess.PIPE, text=True) as process:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        process.kill()


def test_an_endpoint_is_asked_until_it_answers(server, tmp_path, console, make_audio):
    folder = write_folder(tmp_path / "items", make_audio, {"a": 0.5, "b": 1.5, "c": 3.0})
    hosted = Settings.resolve(
        model="openai:ears", endpoint=server, split="test", data_dir=str(folder), batch_size=3, hear=Hearing.AUDIO
    )
    report = run(hosted, [SD], tmp_path / "heard", console)
    a, b, c = lines(tmp_path / "heard")
    assert (a["reply"], b["reply"]) == ("I heard 0.5 s. It is fake.", "I heard 1.5 s. It is fake.")
    assert (a["parsed"], a["new_tokens"], a["heard_seconds"]) == ("fake", 9, None)
    assert (c["reply"], c["parsed"], c["error"]) == ("", None, '413: {"error": "3.0 s are too long"}')
    assert report["tasks"]["speech_detection"]["strict"]["accuracy"] == pytest.approx(1 / 3)
    run(replace(hosted, hear=Hearing.NOTHING), [SD], tmp_path / "unheard", console)
    assert {one["reply"] for one in lines(tmp_path / "unheard")} == {"I heard nothing. It is fake."}


def test_an_endpoint_that_fails_for_good(server, monkeypatch):
    with pytest.raises(ModelError, match=r"fails: 404: .*no nose at /v1/chat/completions"):
        endpoint.EndpointModel("nose", server)
    with pytest.raises(ModelError, match=r"does not take audio for eyes: 400: .*no audio, please"):
        endpoint.EndpointModel("eyes", server)
    monkeypatch.setenv("OPENAI_API_KEY", "wrong")
    with pytest.raises(ModelError, match="fails: 401: "):
        endpoint.EndpointModel("ears", server)
    with pytest.raises(ModelError, match=r"http://127\.0\.0\.1:9/v1/chat/completions fails: .*refused"):
        endpoint.EndpointModel("ears", "http://127.0.0.1:9/v1")


def made_samples(task, count: int = 40) -> list[dict]:
    rng = np.random.default_rng(0)
    choices = list(task.labels[:4])
    samples = []
    for number in range(count):
        reply = str(rng.choice([*choices, "A", "B.", "no idea"])) if choices else "so it was said"
        samples.append(
            {
                "id": str(number),
                "reply": reply,
                "answer": str(rng.choice(choices)) if choices else "so it is said",
                "choices": choices or None,
                "group": f"group {number % 9}",
                "duration": 90.0 + 5 * number,
                "start": 10.0,
                "end": 20.0 + number,
                "left_out": None,
                "heard_seconds": 30.0,
                "seconds": number / 10,
                "new_tokens": 4,
                "peak_memory_gb": number / 100,
                "error": None,
            }
        )
    return samples


@pytest.mark.parametrize("task", [SD, MC, ASR], ids=lambda task: task.abbreviation)
def test_scores_are_those_of_the_metric(task, evaluate_cache):
    from metrics.audiomarathon.parsing import parse

    samples = made_samples(task)
    for one in samples:
        one["parsed"] = parse(task, one["reply"], one["choices"] or ())
    metric = evaluate.load("metrics/audiomarathon", task.abbreviation)
    columns = {name: [one[name] for one in samples] for name in samples[0]}
    expected = metric.compute(
        predictions=columns["reply"],
        references=columns["answer"],
        choices=columns["choices"] if task.labels else None,
        durations=columns["duration"],
        groups=columns["group"],
        starts=columns["start"],
        ends=columns["end"],
    )
    left_out = [one | {"left_out": "not drawn", "parsed": None, "seconds": 9.0} for one in samples[:10]]
    found = summarise(task, samples + left_out)
    assert {name: found[name] for name in ("strict", "paper")} == expected
    assert "made" not in found
    assert found["peak_memory_gb"] == 0.39
    assert found["seconds"]["p95"] == 9
    assert summarise(task, left_out)["made"] is True


def test_a_transcript_that_fills_its_tokens_is_warned_of():
    told = Console(file=io.StringIO(), width=300)
    whole = made_samples(ASR, 2)
    warn(ASR, whole, Hearing.NOTHING, told)
    assert not told.file.getvalue()
    warn(ASR, [*whole, whole[0] | {"new_tokens": 1100}], Hearing.NOTHING, told)
    assert "ASR: 1 of 3 transcripts have all 1100 tokens that a reply may have" in told.file.getvalue()


def test_the_average_is_over_what_is_not_made():
    def scores(paper, **strict):
        return {"strict": strict, "paper": {"score": paper, "dropped": 0.0}}

    tasks = {
        "speech_detection": scores(50.0, accuracy=0.5),
        "speech_recognition": scores(-20.0, wer=1.2),
        "emotion_recognition": scores(90.0, accuracy=0.9) | {"made": True},
    }
    assert average_scores(tasks) == {"tasks": ["SD", "ASR"], "strict": 0.25, "paper": 15.0}
    assert average_scores({"emotion_recognition": tasks["emotion_recognition"]})["strict"] is None


def test_mock_run_goes_through_everything(tiny_checkpoint):
    done = CliRunner().invoke(app, ["mock-run", "--model", str(tiny_checkpoint), "--setting", "rate=3.125"])
    assert done.exit_code == 0, done.output
    assert all(f"{task}: " in done.output for task in TASKS)
    assert "10 tasks answered, scored and reported" in done.output


def test_the_command_line(items, tiny_checkpoint, tmp_path):
    base = ["run", "--model", str(tiny_checkpoint), "--split", "test", "--data-dir", str(items)]
    done = CliRunner().invoke(app, [*base, "--tasks", "SD,mc", "--limit", "2", "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "average of 2" in done.output
    wrong = CliRunner().invoke(app, [*base, "--tasks", "XYZ", "--out", str(tmp_path)])
    assert (wrong.exit_code, "no task 'XYZ'" in wrong.output) == (2, True)
    other = CliRunner().invoke(app, [*base, "--tasks", "SD", "--limit", "3", "--out", str(tmp_path)])
    assert (other.exit_code, "--limit was 2, now it is 3" in " ".join(other.output.split())) == (1, True)


def test_the_needle_goes_through_run_and_report(tiny_checkpoint, tmp_path):
    out, to = tmp_path / "out", tmp_path / "report"
    asked = ["--tasks", "needle", "--limit", "2", "--setting", "rate=3.125", "--out", str(out)]
    done = CliRunner().invoke(app, ["run", "--model", str(tiny_checkpoint), *asked])
    assert done.exit_code == 0, done.output
    samples = lines(out, find_task("needle"))
    assert all(one["heard_seconds"] == pytest.approx(one["duration"], abs=0.03) for one in samples)
    told = json.loads((out / "scores.json").read_text())
    needle = told["tasks"]["needle"]
    assert (needle["paper"], needle["strict"]["items"], told["average"]["tasks"]) == (None, 2, [])
    assert sum(part["items"] for part in needle["strict"]["by_evidence"].values()) == 2
    done = CliRunner().invoke(app, ["report", str(out), "--to", str(to)])
    assert done.exit_code == 0, done.output
    assert "| NEEDLE | needle | 2 |" in (to / "report.md").read_text()
    assert (to / "by_evidence.png").is_file()
