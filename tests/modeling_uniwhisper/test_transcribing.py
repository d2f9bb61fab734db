"""Transcripts: windows cut at quiet places, in order, each what the decoder says of it alone."""

import itertools

import numpy as np
import pytest

from modeling_uniwhisper.audio_io import SAMPLING_RATE
from modeling_uniwhisper.checkpoints import CheckpointError
from modeling_uniwhisper.transcribing import LONGEST_SECONDS, Transcriber, quiet_windows


def test_windows_are_cut_where_it_is_quiet():
    audio = np.ones(35 * SAMPLING_RATE, np.float32)
    audio[8 * SAMPLING_RATE : 9 * SAMPLING_RATE] = 0
    windows = list(quiet_windows(audio))
    assert windows[0][0] == 0 and windows[-1][1] == len(audio)
    assert 8 <= windows[0][1] / SAMPLING_RATE <= 9
    assert all(a[1] == b[0] for a, b in itertools.pairwise(windows))
    assert all(0 < stop - start <= LONGEST_SECONDS * SAMPLING_RATE for start, stop in windows)


def test_each_segment_is_what_is_said_in_its_window(tiny_checkpoint, make_audio):
    transcriber, audio = Transcriber(tiny_checkpoint), make_audio(23, 1)
    segments = list(transcriber(audio))
    assert len(segments) > 2 and any(segment.text for segment in segments)
    for segment in segments:
        start, stop = (round(time * SAMPLING_RATE) for time in (segment.start, segment.end))
        assert segment.text == transcriber.write(audio[start:stop])


def test_a_checkpoint_without_a_transcriber_says_so(tmp_path):
    with pytest.raises(CheckpointError, match="cannot transcribe: it has no folder transcriber"):
        Transcriber(tmp_path)
