"""Reading recordings: what every kind of file becomes, and what each bad one is told."""

import io
import subprocess
import sys

import numpy as np
import pytest
import soundfile as sf

from modeling_uniwhisper import audio_io
from modeling_uniwhisper.audio_io import SAMPLING_RATE, AudioError, audio_duration, load_audio


def tone(seconds=1.0, rate=SAMPLING_RATE, hertz=440.0, level=0.5):
    """A sine, float32 `(samples,)`."""
    return (level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def write(path, audio, rate=SAMPLING_RATE, **kwargs):
    sf.write(path, audio, rate, **kwargs)
    return path


def peak_hertz(audio):
    return np.argmax(np.abs(np.fft.rfft(audio))) * SAMPLING_RATE / len(audio)


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000, 96_000])
def test_every_rate_becomes_16_khz(tmp_path, rate):
    audio = load_audio(write(tmp_path / "a.wav", tone(2.0, rate), rate))
    assert audio.dtype == np.float32 and audio.shape == (32_000,)
    assert peak_hertz(audio) == pytest.approx(440, abs=1)
    middle = slice(1_000, -1_000)
    np.testing.assert_allclose(audio[middle], tone(2.0)[middle], atol=1e-3)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3", "aiff"])
def test_every_format_of_libsndfile(tmp_path, suffix):
    path = write(tmp_path / f"a.{suffix}", tone(1.0, 44_100), 44_100)
    assert audio_duration(path) == pytest.approx(1.0, abs=0.06)
    audio = load_audio(str(path))
    assert len(audio) == pytest.approx(16_000, abs=1_000)
    assert peak_hertz(audio) == pytest.approx(440, abs=2)
    np.testing.assert_array_equal(audio, load_audio(path.read_bytes()))


def test_opus(tmp_path):
    path = write(tmp_path / "a.opus", tone(1.0, 48_000), 48_000, format="OGG", subtype="OPUS")
    assert peak_hertz(load_audio(path)) == pytest.approx(440, abs=2)


@pytest.mark.parametrize("suffix", ["m4a", "mp4", "webm", "mkv", "aac"])
def test_containers_by_torchcodec(tmp_path, suffix, monkeypatch):
    pytest.importorskip("torchcodec")
    monkeypatch.setattr(audio_io, "_CONTAINER_SECONDS", 15.0)
    write(tmp_path / "a.wav", tone(40.0, 44_100), 44_100)
    try:
        command = ["ffmpeg", "-v", "error", "-i", "a.wav", f"a.{suffix}"]
        subprocess.run(command, cwd=tmp_path, check=True)
    except FileNotFoundError:
        pytest.skip("needs the ffmpeg command")
    audio = load_audio(tmp_path / f"a.{suffix}")
    assert len(audio) / SAMPLING_RATE == pytest.approx(40, abs=0.1)
    assert peak_hertz(audio[-16_000:]) == pytest.approx(440, abs=2)
    assert audio_duration(tmp_path / f"a.{suffix}") == pytest.approx(40, abs=0.1)


def test_a_container_without_torchcodec_names_ffmpeg(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchcodec.decoders", None)
    path = tmp_path / "a.m4a"
    path.write_bytes(b"\0\0\0\x1cftypM4A " + bytes(100))
    with pytest.raises(AudioError, match=r"a\.m4a .* FFmpeg and torchcodec"):
        load_audio(path)


def test_stereo_is_averaged(tmp_path):
    left, right = tone(level=0.6), tone(level=0.2)
    path = write(tmp_path / "a.wav", np.stack([left, right], 1), subtype="FLOAT")
    np.testing.assert_allclose(load_audio(path), tone(level=0.4), atol=1e-6)


def test_blocks_do_not_show(tmp_path, monkeypatch):
    path = write(tmp_path / "a.wav", np.stack([tone(3.0, 44_100)] * 2, 1), 44_100)
    whole = load_audio(path)
    monkeypatch.setattr(audio_io, "_BLOCK_VALUES", 5_000)
    np.testing.assert_allclose(load_audio(path), whole, atol=1e-6)


@pytest.mark.parametrize("shape", ["(samples,)", "(samples, channels)", "(channels, samples)"])
def test_arrays(shape):
    audio = tone()
    array = {"(samples,)": audio, "(samples, channels)": np.stack([audio] * 2, 1)}.get(shape, np.stack([audio] * 2))
    np.testing.assert_allclose(load_audio(array, 16_000), audio, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.uint8])
def test_integers_are_scaled(dtype):
    limits = np.iinfo(dtype)
    array = np.linspace(limits.min, limits.max, 1_000).astype(dtype)
    audio = load_audio(array, 16_000)
    assert audio[0] == -1.0 and audio[-1] == pytest.approx(1.0, abs=0.01) and audio[-1] <= 1.0


@pytest.mark.parametrize(
    ("array", "rate", "message"),
    [
        (tone(), None, "needs its sampling_rate"),
        (np.zeros((4, 4), np.float32), 16_000, r"\(4, 4\) does not say which axis .* at most 8"),
        (np.zeros((90, 90), np.float32), 16_000, "does not say which axis"),
        (np.zeros((2, 2, 900), np.float32), 16_000, "one or two dimensions"),
        (np.zeros(900, np.int64), 16_000, "is int64; float, int8"),
        (np.zeros(900, np.complex64), 16_000, "is complex64"),
        (tone(), 999, "999 Hz; 1000 to 768000 Hz"),
        (tone(), 768_001, "768001 Hz; 1000 to 768000 Hz"),
        (np.zeros(0, np.float32), 16_000, r"0 samples at 16000 Hz; at least 25 ms .*400 samples"),
        (np.zeros(1, np.float32), 16_000, r"1 sample at 16000 Hz; at least 25 ms .*400 samples"),
        (np.zeros(399, np.float32), 16_000, "399 samples"),
        (np.where(np.arange(900) == 450, np.nan, 0), 16_000, "NaN or infinity, first at 0.028 s"),
        (np.full(900, 1e300), 16_000, "NaN or infinity"),
        (np.repeat(np.float32([3.4e38, -3.4e38]), 450), 44_100, "too large to be resampled"),
    ],
)
def test_bad_arrays(array, rate, message):
    with pytest.raises(AudioError, match=message):
        load_audio(array, rate)


def test_a_window_is_enough():
    assert load_audio(np.zeros(400, np.float32), 16_000).shape == (400,)


def test_paths_that_are_no_audio(tmp_path):
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("This is no audio. " * 99)
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXTINF:9,\na.wav\n")
    (tmp_path / "noise.raw").write_bytes(bytes(4_000))
    (tmp_path / "fake.mp4").write_bytes(b"\0\0\0\x1cftypisom" + bytes(4_000))
    write(tmp_path / "none.wav", np.zeros((0, 1)))
    for name, message in {
        "absent.wav": "does not exist",
        ".": "is a folder",
        "empty.wav": r"is empty \(0 bytes\)",
        "text.wav": "not audio in a known format",
        "list.m3u8": "not audio in a known format",
        "noise.raw": "not audio in a known format",
        "fake.mp4": "no audio that can be read|FFmpeg",
        "none.wav": "0 samples",
        300 * "a": "cannot be opened: File name too long",
    }.items():
        with pytest.raises(AudioError, match=message) as error:
            load_audio(tmp_path / name)
        assert str(tmp_path / name) in str(error.value) and str(error.value).count("\n") == 0


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3", "aiff"])
def test_a_file_cut_short_is_refused(tmp_path, suffix):
    noise = np.random.default_rng(0).normal(0, 0.1, (5 * 44_100, 2))
    whole = write(tmp_path / f"a.{suffix}", noise, 44_100).read_bytes()
    with pytest.raises(AudioError, match="cut short"):
        load_audio(whole[: len(whole) // 2])


def test_a_damaged_file_is_refused(tmp_path):
    rng = np.random.default_rng(0)
    whole = bytearray(write(tmp_path / "a.flac", rng.normal(0, 0.1, 160_000)).read_bytes())
    whole[len(whole) // 2 : len(whole) // 2 + 3_000] = rng.bytes(3_000)
    with pytest.raises(AudioError, match="cut short or damaged"):
        load_audio(bytes(whole))


def test_a_streamed_wav_is_read(tmp_path):
    data = bytearray(write(tmp_path / "a.wav", tone()).read_bytes())
    data[4:8] = data[40:44] = b"\xff" * 4  # what a pipe's writer leaves
    assert load_audio(bytes(data)).shape == (16_000,)


def test_the_longest_allowed(tmp_path):
    path = write(tmp_path / "a.flac", tone(3.0))
    assert len(load_audio(path, max_seconds=3.0)) == 48_000
    for source in (path, tone(3.0)):
        with pytest.raises(AudioError, match=r"longer than 2\.5 s, the limit"):
            load_audio(source, SAMPLING_RATE, max_seconds=2.5)


def test_other_types_are_a_programming_error():
    with pytest.raises(TypeError, match="not list"):
        load_audio([0.0] * 900, 16_000)


def test_duration_of_bytes():
    file = io.BytesIO()
    sf.write(file, tone(2.5), 16_000, format="FLAC")
    assert audio_duration(file.getvalue()) == 2.5
