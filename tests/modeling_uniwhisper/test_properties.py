"""What holds for recordings of any length, cut in any way: windows, masks, placeholders and spans."""

import io

import numpy as np
import pytest
import soundfile as sf
import torch
from hypothesis import given
from hypothesis import strategies as st

from modeling_uniwhisper import AudioError, UniWhisperFeatureExtractor
from modeling_uniwhisper.audio_io import MAX_RATE, MIN_RATE, MIN_SAMPLES, SAMPLING_RATE, clock, load_audio, load_span
from modeling_uniwhisper.configuration_uniwhisper import frames_per_audio_token, num_audio_tokens
from modeling_uniwhisper.feature_extraction_uniwhisper import SAMPLES_PER_FRAME, window_samples

RATES = [25.0, 12.5, 6.25, 3.125]
NOISE = np.random.default_rng(0).normal(0, 0.1, 2 * SAMPLING_RATE).astype(np.float32)
EXTRACTOR = UniWhisperFeatureExtractor()

lengths = st.integers(MIN_SAMPLES, len(NOISE))
rows = st.lists(st.tuples(st.lists(lengths, max_size=2), st.text(min_size=1, max_size=8)), min_size=1, max_size=3)
"""For each row of a batch, the samples of its audios and the text before each of them and after the last."""


def frames_of(samples: int) -> int:
    return -(-samples // SAMPLES_PER_FRAME)


@given(
    st.lists(lengths, min_size=1, max_size=4), st.floats(0.025, 2.5), st.floats(0, 1).map(lambda tail: round(tail, 3))
)
def test_windows_and_masks(audios, window_seconds, tail_seconds):
    batch = EXTRACTOR(
        [NOISE[:samples] for samples in audios],
        sampling_rate=SAMPLING_RATE,
        window_seconds=window_seconds,
        tail_seconds=tail_seconds,
    )
    features, mask, frames = batch.input_features, batch.input_features_mask, batch.window_frames
    assert len(features) == len(mask) == len(frames) == len(batch.window_starts) == batch.num_windows.sum()
    assert frames.max() <= frames_of(window_samples(window_seconds))
    assert (mask.diff(dim=1) <= 0).all() and features.shape[-1] == mask.shape[1] == mask.sum(1).max()
    assert not features.masked_select(mask[:, None] == 0).any()
    tail = mask.sum(1) / 2 - frames
    assert (tail >= int(tail_seconds * SAMPLING_RATE) // SAMPLES_PER_FRAME).all()
    assert (tail <= frames_of(round(tail_seconds * SAMPLING_RATE))).all()
    numbers = batch.num_windows.tolist()
    for samples, windows, starts in zip(audios, frames.split(numbers), batch.window_starts.split(numbers)):
        assert windows.sum() == frames_of(samples)
        assert starts.tolist() == pytest.approx([0, *(windows.cumsum(0)[:-1] / 50).tolist()], abs=1e-5)


@given(rows, st.sampled_from(RATES), st.sampled_from(["left", "right"]), st.floats(0.2, 1.0))
def test_placeholders_and_padding(tiny_processor, rows, rate, side, window_seconds):
    audios = [NOISE[:samples] for row, _ in rows for samples in row]
    batch = tiny_processor(
        text=[(text + "<|audio|>") * len(row) + text for row, text in rows],
        audio=audios or None,
        sampling_rate=SAMPLING_RATE,
        audio_token_rate=rate,
        padding_side=side,
        audio_kwargs={"window_seconds": window_seconds},
    )
    stride = frames_per_audio_token(rate, RATES)
    mask = batch.attention_mask
    later = mask.diff(dim=1) * (1 if side == "left" else -1)
    assert (later >= 0).all() and mask.sum(1).max() == mask.shape[1]
    windows = iter(batch.window_frames.split(batch.num_windows.tolist()) if audios else ())
    for ids, attended, (row, text) in zip(batch.input_ids, mask, rows):
        ids = ids[attended == 1]
        audio = ids == tiny_processor.audio_token_id
        assert audio.sum() == sum(int(num_audio_tokens(next(windows), stride).sum()) for _ in row)
        assert tiny_processor.tokenizer.decode(ids[~audio]) == text * (len(row) + 1)


@given(rows.filter(lambda rows: any(audios for audios, _ in rows)), st.integers(1, 80))
def test_a_budget_is_kept_by_the_highest_rate_that_keeps_it(tiny_processor, rows, budget):
    def most(**how) -> int:
        inputs = tiny_processor(
            text=["<|audio|>" * len(row) + text for row, text in rows],
            audio=[NOISE[:samples] for row, _ in rows for samples in row],
            sampling_rate=SAMPLING_RATE,
            **how,
        )
        return int((inputs.input_ids == tiny_processor.audio_token_id).sum(1).max())

    fitting = [rate for rate in RATES if most(audio_token_rate=rate) <= budget]
    if fitting:
        assert most(audio_token_budget=budget) == most(audio_token_rate=max(fitting))
    else:
        with pytest.raises(ValueError, match=f"audio_token_budget is {budget}"):
            most(audio_token_budget=budget)


@given(st.lists(st.integers(1, 1500), min_size=1), st.sampled_from([2, 4, 8, 16]))
def test_audio_tokens_are_counted_alike_in_every_type(frames, stride):
    counts = [num_audio_tokens(number, stride) for number in frames]
    assert all(stride * (count - 1) < number <= stride * count for count, number in zip(counts, frames))
    assert num_audio_tokens(np.array(frames), stride).tolist() == counts
    assert num_audio_tokens(torch.tensor(frames), stride).tolist() == counts


@given(st.integers(0, 20_000), st.integers(MIN_RATE, MAX_RATE), st.integers(1, 8))
def test_any_rate_and_number_of_channels(samples, rate, channels):
    file = io.BytesIO()
    sf.write(file, np.tile(NOISE[:samples, None], channels), rate, format="WAV", subtype="FLOAT")
    expected = samples * SAMPLING_RATE / rate
    if expected < MIN_SAMPLES - 1:
        with pytest.raises(AudioError, match="at least 25 ms"):
            load_audio(file.getvalue())
    elif expected >= MIN_SAMPLES + 1:
        audio = load_audio(file.getvalue())
        assert audio.dtype == np.float32 and abs(len(audio) - expected) <= 1 and np.isfinite(audio).all()


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    path = tmp_path_factory.mktemp("recording") / "noise.wav"
    sf.write(path, NOISE, SAMPLING_RATE, subtype="FLOAT")
    return path


@given(st.floats(-0.5, 2.5), st.none() | st.floats(-0.5, 2.5))
def test_a_span_is_that_part_or_is_refused(recording, start, end):
    first, stop = (round(SAMPLING_RATE * seconds) for seconds in (start, 2.0 if end is None else end))
    if first >= 0 and first + MIN_SAMPLES <= stop <= len(NOISE):
        np.testing.assert_array_equal(load_span(recording, start, end), NOISE[first:stop])
    else:
        with pytest.raises(AudioError, match="does not hold the span"):
            load_span(recording, start, end)


@given(st.floats(0, 400_000))
def test_a_clock_tells_the_seconds(seconds):
    *hours, minutes, rest = clock(seconds).split(":")
    assert float(rest) < 60 and len(rest) == 4
    assert not hours or (len(minutes) == 2 and int(minutes) < 60)
    assert 3600 * int("".join(hours) or 0) + 60 * int(minutes) + float(rest) == pytest.approx(seconds, abs=0.0501)
