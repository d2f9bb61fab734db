"""Any recording as 16 kHz mono float32: files of every common kind, bytes and arrays.

A file is read, averaged to mono and resampled block by block, so an hour of 44.1 kHz stereo costs
little more memory than the hour of 16 kHz mono that is returned. Whatever cannot be heard to its end
raises one `AudioError`.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile as sf
import soxr

SAMPLING_RATE = 16_000
MIN_SAMPLES = 400  # one 25 ms analysis window
MIN_RATE, MAX_RATE = 1_000, 768_000
MAX_CHANNELS_OF_ARRAY = 8  # an axis no longer than this is taken for the channels

AUDIO_SUFFIXES = frozenset(
    {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".caf", ".w64"}  # libsndfile
    | {".m4a", ".aac", ".wma", ".mp4", ".m4v", ".mov", ".webm", ".mkv", ".mka", ".avi", ".3gp"}  # torchcodec
)

_BLOCK_VALUES = 1 << 20  # samples x channels decoded at a time
_CONTAINER_SECONDS = 120.0  # the same for torchcodec, which decodes from the start for each piece
_SLACK_SECONDS = 0.1  # how far a compressed file's header may be off
_UNKNOWN_FRAMES = 1 << 62  # libsndfile's way to say that a header gives no length
# First bytes of what FFmpeg is trusted with. Anything else (playlists name other files) is refused.
_CONTAINERS = re.compile(
    rb"....ftyp|\x1aE\xdf\xa3|0&\xb2u|RIFF....AVI |FLV\x01|#!AMR|\xff[\xf0\xf1\xf8\xf9]|fLaC|OggS",
    re.DOTALL,
)
_TOO_SHORT_CHUNK = re.compile(r"(?:data|SSND) : (\d+) \(should be (\d+)\)")
_STREAMED_CHUNK = 0x7FFFF000  # a size this large is a writer's "not known yet"


class AudioError(ValueError):
    """Audio that cannot be used. The message is one sentence that names the audio and the limit."""


class _Stream(NamedTuple):
    """An opened recording; `blocks` yields float32 of shape `(frames, channels)`."""

    rate: int
    blocks: Iterator[np.ndarray]
    frames: int | None = None  # what the header promises, None where it does not say
    slack: int = 0  # frames by which that may be off in a sound file


def load_audio(
    source: str | Path | bytes | np.ndarray, sampling_rate: int | None = None, max_seconds: float = math.inf
) -> np.ndarray:
    """Returns `source` as float32 of shape `(samples,)`, mono, at 16 kHz.

    Args:
        source: a path; the bytes of a file; or an array `(samples,)`, `(samples, channels)` or
            `(channels, samples)`, where integers are scaled to [-1, 1) and floats are kept.
        sampling_rate: rate of an array in Hz, required there. Files carry their own.
        max_seconds: longer audio is refused before more than this is held in memory.

    Channels are averaged. WAV, FLAC, OGG, Opus, MP3, AIFF and their kin need libsndfile alone; M4A,
    MP4, WebM and other containers need torchcodec and FFmpeg.

    Raises:
        AudioError: missing, empty, damaged or cut-short file; unknown format; fewer than 400
            samples (25 ms) or more than `max_seconds`; NaN, infinity, or samples so large that they become
            that when resampled; a rate outside 1 kHz to 768 kHz; an array whose channel axis is ambiguous or
            whose rate is not given.
    """
    name = _name(source)
    rate, blocks, promised, slack = _open(source, sampling_rate, name)
    too_long = AudioError(f"{name} is longer than {max_seconds:g} s, the limit.")
    if promised is not None and promised - slack > max_seconds * rate:
        raise too_long
    resampler = None
    if rate != SAMPLING_RATE:
        resampler = soxr.ResampleStream(rate, SAMPLING_RATE, 1, dtype="float32")
    audio = np.empty(60 * SAMPLING_RATE, np.float32)
    filled = frames = 0

    def append(piece: np.ndarray) -> None:
        nonlocal filled
        if not np.isfinite(piece).all():  # though what it is resampled from is
            raise AudioError(f"{name} holds samples too large to be resampled.")
        if filled + len(piece) > len(audio):
            audio.resize(max(2 * len(audio), filled + len(piece)), refcheck=False)
        audio[filled : filled + len(piece)] = piece
        filled += len(piece)

    for block in blocks:
        mono = block.mean(axis=1) if block.shape[1] > 1 else block[:, 0]
        if not np.isfinite(mono).all():
            first = (frames + int(np.argmin(np.isfinite(mono)))) / rate
            raise AudioError(f"{name} holds NaN or infinity, first at {first:.3f} s.")
        frames += len(mono)
        if frames > max_seconds * rate:
            raise too_long
        append(resampler.resample_chunk(mono) if resampler else mono)
    if resampler:
        append(resampler.resample_chunk(np.empty(0, np.float32), last=True))

    if promised is not None and frames < promised - slack:
        raise AudioError(
            f"{name} is cut short or damaged: its header promises {promised / rate:.2f} s, "
            f"{frames / rate:.2f} s can be read."
        )
    if filled < MIN_SAMPLES:
        raise AudioError(
            f"{name} holds {frames} {'sample' if frames == 1 else 'samples'} at {rate} Hz; at "
            f"least {1000 * MIN_SAMPLES // SAMPLING_RATE} ms are needed ({MIN_SAMPLES} samples "
            f"at {SAMPLING_RATE} Hz)."
        )
    audio.resize(filled, refcheck=False)
    return audio


def load_span(
    source: str | Path, start: float = 0.0, end: float | None = None, max_seconds: float = math.inf
) -> np.ndarray:
    """A file from `start` to `end` in seconds, or to its own end, 16 kHz mono `(samples,)`.

    Raises [`AudioError`] where the file cannot be read or is longer than `max_seconds`, or the span is not in it.
    """
    audio = load_audio(source, max_seconds=max_seconds)
    seconds = len(audio) / SAMPLING_RATE
    last = seconds if end is None else end
    first, stop = round(start * SAMPLING_RATE), round(last * SAMPLING_RATE)
    if not (first >= 0 and first + MIN_SAMPLES <= stop <= len(audio)):
        raise AudioError(
            f"{source} lasts {seconds:.2f} s, which does not hold the span from {start:g} to {last:g} s; "
            f"a span lasts at least {1000 * MIN_SAMPLES // SAMPLING_RATE} ms."
        )
    return audio[first:stop]


def file_version(path: Path) -> tuple[int, int]:
    """Size in bytes and time of the last change in ns; zeros for a file that is not there."""
    try:
        stat = path.stat()
    except OSError:
        return 0, 0
    return stat.st_size, stat.st_mtime_ns


def clock(seconds: float) -> str:
    """Seconds as `m:ss.s`, or `h:mm:ss.s` from an hour on."""
    tenths = round(10 * seconds)
    hours, minutes = tenths // 36_000, tenths // 600 % 60
    head = f"{hours}:{minutes:02}" if hours else str(minutes)
    return f"{head}:{tenths // 10 % 60:02}.{tenths % 10}"


def audio_files(folder: Path) -> list[Path]:
    """The files in a folder and below whose names end as audio's do, in order."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in AUDIO_SUFFIXES and path.is_file())


def audio_duration(source: str | Path | bytes) -> float:
    """Seconds of a recording, from its header; decoded to count only where the header is silent.

    Raises `AudioError` as `load_audio` does, as far as the header shows it.
    """
    rate, blocks, frames, _ = _open(source, None, _name(source))
    return (sum(map(len, blocks)) if frames is None else frames) / rate


def _name(source: str | Path | bytes | np.ndarray) -> str:
    if isinstance(source, (str, Path)):
        return str(source)
    return "The array" if isinstance(source, np.ndarray) else "The audio"


def _open(source: str | Path | bytes | np.ndarray, rate: int | None, name: str) -> _Stream:
    if isinstance(source, np.ndarray):
        if rate is None:
            raise AudioError(f"{name} needs its sampling_rate.")
        stream = _Stream(rate, _array_blocks(source, name))
    elif isinstance(source, bytes):
        stream = _open_file(io.BytesIO(source), name)
    elif isinstance(source, (str, Path)):
        path = Path(source)
        try:
            stream = _open_file(path.open("rb"), name)
        except IsADirectoryError:
            raise AudioError(f"{name} is a folder, not an audio file.") from None
        except FileNotFoundError:
            raise AudioError(f"{name} does not exist.") from None
        except OSError as error:
            raise AudioError(f"{name} cannot be opened: {error.strerror}.") from None
    else:
        raise TypeError(f"audio is a path, bytes or a numpy array, not {type(source).__name__}")
    if not MIN_RATE <= stream.rate <= MAX_RATE:
        raise AudioError(f"{name} has a sampling rate of {stream.rate} Hz; {MIN_RATE} to {MAX_RATE} Hz are read.")
    return stream


def _array_blocks(array: np.ndarray, name: str) -> Iterator[np.ndarray]:
    if array.ndim == 2:
        is_channels = [size <= MAX_CHANNELS_OF_ARRAY for size in array.shape]
        if is_channels[0] == is_channels[1]:
            raise AudioError(
                f"{name} of shape {array.shape} does not say which axis holds the channels: "
                f"exactly one must have at most {MAX_CHANNELS_OF_ARRAY}."
            )
        array = array.T if is_channels[0] else array
    elif array.ndim == 1:
        array = array[:, None]
    else:
        raise AudioError(f"{name} has shape {array.shape}; one or two dimensions are read.")
    if array.dtype.kind == "f":
        offset, scale = 0.0, 1.0
    elif array.dtype in (np.uint8, np.int8, np.int16, np.int32):
        scale = 2.0 ** (8 * array.dtype.itemsize - 1)
        offset = scale if array.dtype == np.uint8 else 0.0
    else:
        raise AudioError(f"{name} is {array.dtype}; float, int8, int16, int32 and uint8 are read.")
    step = max(1, _BLOCK_VALUES // max(1, array.shape[1]))
    for start in range(0, len(array), step):
        with np.errstate(over="ignore"):  # a float64 too large becomes inf, which is refused
            block = array[start : start + step]
            yield (block if scale == 1.0 else (block - offset) / scale).astype(np.float32)


def _open_file(file: io.BufferedReader | io.BytesIO, name: str) -> _Stream:
    """Opens an encoded file, which is closed when its blocks are used up or forgotten."""
    head = file.read(16)
    if not head:
        raise AudioError(f"{name} is empty (0 bytes).")
    file.seek(0)
    try:
        sound = sf.SoundFile(file)
    except (sf.LibsndfileError, TypeError):  # TypeError: a name that ends in .raw
        sound = None
    if sound is None or sound.frames >= _UNKNOWN_FRAMES:
        if not _CONTAINERS.match(head):
            raise AudioError(f"{name} is not audio in a known format, or its header is damaged.")
        file.seek(0)
        return _open_container(file, head, name)

    chunk = _TOO_SHORT_CHUNK.search(sound.extra_info)
    if chunk and int(chunk[2]) < int(chunk[1]) < _STREAMED_CHUNK:
        raise AudioError(f"{name} is cut short: its header promises {chunk[1]} bytes of audio, it has {chunk[2]}.")
    if "lacks an end-of-stream bit" in sound.extra_info:
        raise AudioError(f"{name} is cut short: its last Ogg page is missing.")
    blocks = _file_blocks(sound, file, name)
    if sound.format != "MP3":
        return _Stream(sound.samplerate, blocks, sound.frames)
    frames = sound.frames if _mp3_states_length(file) else None
    return _Stream(sound.samplerate, blocks, frames, int(_SLACK_SECONDS * sound.samplerate))


def _mp3_states_length(file: io.BufferedReader | io.BytesIO) -> bool:
    """Whether an MP3 carries a Xing/Info tag; else libsndfile's length is a guess by bit rate."""
    position = file.tell()
    file.seek(0)
    head = file.read(10)
    if head.startswith(b"ID3"):
        size = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0)))
        file.seek(10 + size)
    else:
        file.seek(0)
    frame = file.read(256)
    file.seek(position)
    return b"Xing" in frame or b"Info" in frame


def _file_blocks(sound: sf.SoundFile, file: io.BufferedReader | io.BytesIO, name: str) -> Iterator[np.ndarray]:
    step = max(1, _BLOCK_VALUES // sound.channels)
    frames = 0
    with file, sound:
        try:
            while len(block := sound.read(step, dtype="float32", always_2d=True)):
                frames += len(block)
                yield block
        except sf.LibsndfileError:
            raise AudioError(
                f"{name} is cut short or damaged: it cannot be read past {frames / sound.samplerate:.2f} s."
            ) from None


def _open_container(file: io.BufferedReader | io.BytesIO, head: bytes, name: str) -> _Stream:
    try:
        from torchcodec.decoders import AudioDecoder
    except (ImportError, RuntimeError, OSError):
        raise AudioError(
            f"{name} is in a container format that needs FFmpeg and torchcodec (pip install "
            "torchcodec); WAV, FLAC, OGG, Opus and MP3 do not."
        ) from None
    try:
        decoder = AudioDecoder(file)
    except (RuntimeError, ValueError):
        raise AudioError(f"{name} holds no audio that can be read, or is damaged.") from None
    rate = decoder.metadata.sample_rate
    # Only MP4's header gives the length of its audio itself; the others give a guess or the video's.
    seconds = decoder.metadata.duration_seconds_from_header if b"ftyp" in head else None
    frames = None if seconds is None else round(seconds * rate)

    def blocks() -> Iterator[np.ndarray]:
        start = 0.0
        while True:
            try:
                samples = decoder.get_samples_played_in_range(start, start + _CONTAINER_SECONDS)
            except RuntimeError:  # nothing is left
                return
            yield samples.data.T.numpy()
            if samples.data.shape[1] < 0.5 * _CONTAINER_SECONDS * rate:
                return
            start += _CONTAINER_SECONDS

    return _Stream(rate, blocks(), frames, int(_SLACK_SECONDS * rate))
