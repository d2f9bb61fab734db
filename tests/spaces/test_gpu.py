"""How long a GPU is lent for."""

import gpu
import pytest
import soundfile as sf


def test_longer_recordings_get_more_time(tmp_path):
    seconds = []
    for duration in (1, 600):
        path = tmp_path / f"{duration}.flac"
        sf.write(path, [0.0] * 1000 * duration, 1000)
        seconds.append(gpu.gpu_seconds(str(path), "What do you hear?", progress=None))
    assert seconds[0] == pytest.approx(15, abs=0.1) and seconds[1] == pytest.approx(25, abs=0.1)
    assert gpu.gpu_seconds(str(path), "What is said?") == pytest.approx(45, abs=0.1)


def test_what_cannot_be_read_gets_least(tmp_path):
    bad = tmp_path / "bad.wav"
    bad.write_text("not audio")
    assert gpu.gpu_seconds(str(bad)) == gpu.gpu_seconds(None) == gpu.SECONDS


def test_the_decorator_is_told_how_long(monkeypatch):
    def ask(recording):
        return recording

    assert gpu.on_gpu(ask) is ask  # not on ZeroGPU
    monkeypatch.setattr(gpu, "GPU", lambda duration: lambda function: (duration, function))
    assert gpu.on_gpu(ask) == (gpu.gpu_seconds, ask)
    assert gpu.on_gpu(ask, seconds=5) == (5, ask)
