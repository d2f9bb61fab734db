"""Log-mel against transformers' and an independent one, windows of any length, and what is refused."""

import numpy as np
import pytest
import torch
from transformers import AutoFeatureExtractor, WhisperFeatureExtractor

from modeling_uniwhisper import AudioError, UniWhisperFeatureExtractor
from modeling_uniwhisper.feature_extraction_uniwhisper import cut_windows

RATE = 16_000
LENGTHS = [400, 401, 799, 800, 16_000, 16_001, 7 * RATE + 123, 30 * RATE - 1, 30 * RATE]


@pytest.fixture(scope="module")
def extractor() -> UniWhisperFeatureExtractor:
    return UniWhisperFeatureExtractor()


@pytest.mark.parametrize("mels", [80, 128])
@pytest.mark.parametrize("samples", LENGTHS)
def test_equals_whisper(make_audio, samples, mels):
    """Padded to 30 s it is Whisper's input; not padded, the start of Whisper's input."""
    audio = make_audio(samples / RATE)
    expected = WhisperFeatureExtractor(feature_size=mels)(audio, sampling_rate=RATE, return_tensors="pt").input_features
    extractor = UniWhisperFeatureExtractor(feature_size=mels)
    padded = extractor(audio, sampling_rate=RATE, pad_to_window=True)
    assert padded.input_features.shape == (1, mels, 3000) and padded.input_features_mask.all()
    assert_close(padded.input_features, expected)
    cut = extractor(audio, sampling_rate=RATE).input_features
    assert cut.shape[-1] == 2 * -(-samples // 320)
    assert_close(cut, expected[..., : cut.shape[-1]])
    tail = extractor(audio, sampling_rate=RATE, tail_seconds=0.5).input_features
    assert tail.shape[-1] == min(2 * -(-(samples + RATE // 2) // 320), 3000)
    assert_close(tail, expected[..., : tail.shape[-1]])


def test_silence_equals_whisper(extractor):
    silence = np.zeros(RATE, np.float32)
    expected = WhisperFeatureExtractor()(silence, sampling_rate=RATE, return_tensors="pt").input_features
    assert_close(extractor(silence, sampling_rate=RATE).input_features, expected[..., :100])


def test_equals_an_independent_mel(extractor, make_audio):
    """From the definition, in float64: Slaney's mel scale and area norm, a periodic Hann window, dB range of 8."""
    audio = make_audio(2.0, seed=2)
    padded = np.concatenate([audio[1:201][::-1], audio, np.zeros(400)])  # reflected before, silence after
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    frames = np.stack([padded[start : start + 400] * hann for start in range(0, len(audio), 160)])
    power = np.abs(np.fft.rfft(frames)) ** 2

    edges = mel_to_hertz(np.linspace(0, hertz_to_mel(8000.0), 82))
    bins = np.arange(201) * RATE / 400
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    filters = np.maximum(0, np.minimum(rising, falling)) * (2 / (edges[2:] - edges[:-2]))[:, None]

    log_mel = np.log10(np.maximum(filters @ power.T, 1e-10))
    expected = (np.maximum(log_mel, log_mel.max() - 8) + 4) / 4
    assert_close(extractor(audio, sampling_rate=RATE).input_features[0], torch.from_numpy(expected).float())


def hertz_to_mel(hertz: float) -> float:
    return hertz * 3 / 200 if hertz < 1000 else 15 + 27 * np.log(hertz / 1000) / np.log(6.4)


def mel_to_hertz(mel: np.ndarray) -> np.ndarray:
    return np.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((mel - 15) / 27))


def test_batch_equals_singles(extractor, make_audio):
    audios = [make_audio(samples / RATE) for samples in (400, 31 * RATE, 5 * RATE + 7)]
    batch = extractor(audios, sampling_rate=RATE)
    assert batch.num_windows.tolist() == [1, 2, 1]
    assert batch.input_features.shape == (4, 80, 3000)
    row = 0
    for audio in audios:
        single = extractor(audio, sampling_rate=RATE)
        for features, mask in zip(single.input_features, single.input_features_mask):
            frames = int(mask.sum())
            assert torch.equal(batch.input_features[row, :, :frames], features[:, :frames])
            assert not batch.input_features[row, :, frames:].any()
            assert batch.input_features_mask[row].sum() == frames
            row += 1


@pytest.mark.parametrize("window_seconds", [0.05, 1.0, 2.51, 10.0, 29.999, 30.0])
@pytest.mark.parametrize("samples", [400, 30 * RATE, 30 * RATE + 1, 30 * RATE + 399, 30 * RATE + 400, 300 * RATE])
def test_windows_cover_the_audio_without_gap_or_overlap(extractor, samples, window_seconds):
    output = extractor(np.zeros(samples, np.float32), sampling_rate=RATE, window_seconds=window_seconds)
    starts = (output.window_starts.double() * RATE).round()
    ends = starts + 320 * output.window_frames
    assert starts[0] == 0 and len(starts) == output.num_windows.item()
    assert torch.equal(starts[1:], ends[:-1])
    assert 0 <= ends[-1] - samples < 320
    assert output.window_frames.max() <= -(-round(window_seconds * RATE) // 320)
    assert (output.input_features_mask.sum(-1) == 2 * output.window_frames).all()


@pytest.mark.parametrize("size", [640, 3200, 480_000])
def test_no_window_is_too_short_to_analyse(size):
    for total in range(400, 4 * size + 1000, 997):
        pieces = cut_windows(torch.zeros(total), size)
        assert [start for start, _ in pieces[1:]] == [stop for _, stop in pieces[:-1]]
        assert pieces[0][0] == 0 and pieces[-1][1] == total
        assert all(320 <= stop - start <= size for start, stop in pieces)


def test_save_and_load(extractor, make_audio, tmp_path):
    UniWhisperFeatureExtractor(window_seconds=5.0, tail_seconds=0.5).save_pretrained(tmp_path)
    loaded = AutoFeatureExtractor.from_pretrained(tmp_path)
    assert type(loaded) is UniWhisperFeatureExtractor
    audio = make_audio(6.0)
    expected = extractor(audio, sampling_rate=RATE, window_seconds=5.0, tail_seconds=0.5)
    for name, value in loaded(audio, sampling_rate=RATE).items():
        assert torch.equal(value, expected[name])


def test_kinds_of_waveform(extractor, make_audio):
    audio = make_audio(0.5)
    expected = extractor(audio, sampling_rate=RATE).input_features
    for same in (torch.from_numpy(audio), audio.astype(np.float64), [audio], (torch.from_numpy(audio),)):
        assert torch.equal(extractor(same, sampling_rate=RATE).input_features, expected)
    assert isinstance(extractor(audio, sampling_rate=RATE, return_tensors="np").input_features, np.ndarray)


SECOND = np.zeros(RATE, np.float32)


@pytest.mark.parametrize(
    ("audio", "settings", "message"),
    [
        (SECOND[:0], {}, r"the audio has 0 samples, but at least 400 \(25 ms\) are needed"),
        (SECOND[:1], {}, "the audio has 1 samples"),
        (SECOND[:399], {}, "the audio has 399 samples"),
        ([SECOND, SECOND[:10]], {}, "the audio has 10 samples"),
        (np.full(RATE, np.nan, np.float32), {}, "the audio holds NaN or infinite samples"),
        (np.full(RATE, np.inf, np.float32), {}, "the audio holds NaN or infinite samples"),
        (np.full(RATE, 1e300), {}, "the audio holds NaN or infinite samples"),
        (np.zeros((2, RATE), np.float32), {}, r"the audio has shape \(2, 16000\), but a mono waveform"),
        (np.zeros(RATE, np.int16), {}, "the audio is torch.int16, but floats"),
        ([], {}, "the list of audio is empty"),
        (SECOND, {"sampling_rate": 44_100}, "sampling_rate is 44100, but this model hears 16000 Hz"),
        (SECOND, {"sampling_rate": None}, "no sampling_rate was given, but this model hears 16000 Hz"),
        (SECOND, {"window_seconds": 31.0}, "window_seconds is 31.0, but a window lasts 0.025 to 30.0 s"),
        (SECOND, {"window_seconds": 0.0}, "window_seconds is 0.0"),
        (SECOND, {"tail_seconds": -1.0}, "tail_seconds is -1.0, but the limits are 0 and 30.0 s"),
    ],
)
def test_refused(extractor, audio, settings, message):
    with pytest.raises(AudioError, match=message):
        extractor(audio, **{"sampling_rate": RATE, **settings})


def assert_close(actual: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(actual, expected, atol=1e-4, rtol=0)
