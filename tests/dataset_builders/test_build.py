import io
import json

import numpy as np
import pyarrow.parquet as parquet
import pytest
import soundfile

from dataset_builders.open_audio.build import BuildError
from dataset_builders.open_audio.clips import SAMPLE_RATE
from dataset_builders.open_audio.packages import PackageStore

from .conftest import clip, tone


def rows(folder, split):
    return [row for file in folder.glob(f"{split}-*.parquet") for row in parquet.read_table(file).to_pylist()]


def test_rows_are_flac_at_16_khz_and_no_group_is_in_two_splits(build, tmp_path):
    manifest = build()
    groups = {}
    for split in ("train", "validation", "test"):
        held = rows(tmp_path / "out/drum_class", split)
        assert len(held) == manifest["splits"][split]["clips"] == 6
        groups[split] = {row["group"] for row in held}
        for row in held:
            samples, rate = soundfile.read(io.BytesIO(row["audio"]["bytes"]))
            assert (rate, samples.ndim) == (SAMPLE_RATE, 1)
            assert row["duration"] == pytest.approx(len(samples) / rate)
            assert row["answer"] == row["label"]
    assert not groups["train"] & groups["test"] | groups["train"] & groups["validation"]


def test_shared_group_is_refused(build, corpus):
    corpus += [clip(0, group="kit"), clip(1, group="kit", parts=(tone(999),))]
    corpus[0] = clip(0, parts=(tone(77),))
    with pytest.raises(BuildError, match="group 'kit' is in both train and validation"):
        build()


def test_what_is_left_out_is_counted(build, corpus):
    corpus += [
        clip(0, parts=(b"not a sound file",)),
        clip(0, parts=(np.zeros(SAMPLE_RATE),)),
        clip(0, parts=(tone(300, 0.1),)),
        clip(0, parts=(tone(300, 31),)),
        clip(0),
    ]
    assert build()["dropped"] == {
        "undecodable": 1,
        "silent": 1,
        "shorter than 0.2 s": 1,
        "longer than 30 s": 1,
        "duplicate": 1,
    }


def test_long_clips_are_cut_and_say_where(build, corpus, tmp_path):
    corpus.append(clip(0, name="long", parts=(tone(50.3, 5.0),), piece=2.0, max_pieces=2))
    build()
    held = rows(tmp_path / "out/drum_class", "train")
    pieces = sorted((r["start"], r["end"]) for r in held if r["audio"]["path"].startswith("long"))
    assert pieces == [(0.0, 2.0), (2.0, 4.0)]


def test_file_of_other_rate_and_channels_is_resampled(build, corpus, tmp_path):
    path = tmp_path / "stereo.wav"
    soundfile.write(path, np.tile(tone(440, 1.0)[:, None], 2), 44_100)
    corpus[0] = clip(0, name="stereo", parts=(path,))
    build()
    (row,) = (r for r in rows(tmp_path / "out/drum_class", "train") if "stereo" in r["audio"]["path"])
    assert row["duration"] == pytest.approx(SAMPLE_RATE / 44_100, abs=1e-3)


def test_broken_off_build_is_not_taken_for_whole(build, corpus, tmp_path):
    corpus.append(clip(0, answer="no such label", parts=(tone(60),)))
    with pytest.raises(ValueError, match="no such label"):
        build()
    assert not (tmp_path / "out/drum_class").exists()
    corpus.pop()
    assert build()["splits"]["train"]["clips"] == 6


def test_whole_build_is_left_as_it_is(build, corpus, tmp_path):
    first = build()
    corpus.clear()
    assert build() == first == json.loads((tmp_path / "out/drum_class/manifest.json").read_text())


def test_empty_split_and_unknown_config_are_named(build, corpus, tmp_path):
    from dataset_builders.open_audio.build import build as build_config

    corpus[:] = [c for c in corpus if c.split != "test"]
    with pytest.raises(BuildError, match="drum_class came out without any test clip"):
        build()
    with pytest.raises(BuildError, match=r"'nope' is not one of asr_en, .*audio_domain"):
        build_config("nope", PackageStore(tmp_path), tmp_path)
