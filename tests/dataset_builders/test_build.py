import io
import json
from collections import Counter

import numpy as np
import pyarrow.parquet as parquet
import pytest
import soundfile
from typer.testing import CliRunner

from dataset_builders.open_audio import __main__ as command
from dataset_builders.open_audio import build as building
from dataset_builders.open_audio import packages
from dataset_builders.open_audio.build import BuildError
from dataset_builders.open_audio.clips import SAMPLE_RATE
from dataset_builders.open_audio.configs import TaskConfig
from dataset_builders.open_audio.packages import PackageError, PackageStore
from dataset_builders.open_audio.pinned import Package

from .conftest import LABELS, clip, tone


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


def test_building_twice_gives_the_same_bytes(build, tmp_path):
    first = build()
    (tmp_path / "out").rename(tmp_path / "before")
    assert build()["files"] == first["files"]
    for path in (tmp_path / "before/drum_class").iterdir():
        assert path.read_bytes() == (tmp_path / "out/drum_class" / path.name).read_bytes()


def test_manifest_counts_what_is_on_disk(build, corpus, tmp_path):
    corpus += [clip(number, parts=(tone(3000 + 10 * number, 1.5),), name=f"more-{number}") for number in range(9)]
    manifest = build()
    for split, held in manifest["splits"].items():
        on_disk = rows(tmp_path / "out/drum_class", split)
        assert held["clips"] == len(on_disk)
        assert held["minutes"] == pytest.approx(sum(row["duration"] for row in on_disk) / 60, abs=0.01)
        for column, name in (("label", "labels"), ("license", "licenses"), ("source", "sources")):
            assert held[name] == dict(Counter(row[column] for row in on_disk))


def test_many_rows_become_several_shards(build, corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(building, "SHARD_BYTES", 5_000)
    build()
    shards = sorted((tmp_path / "out/drum_class").glob("train-*.parquet"))
    assert len(shards) > 1
    assert sum(parquet.read_metadata(shard).num_rows for shard in shards) == 6


def test_build_of_an_older_version_is_made_again(build, tmp_path):
    build()
    path = tmp_path / "out/drum_class/manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": "1.0.0", "splits": {}}))
    assert build()["splits"]["train"]["clips"] == 6


def test_missing_package_is_noted_until_it_can_be_had(monkeypatch, corpus, tmp_path):
    packages = {"tones": True}

    def folder(self, name):
        if packages[name]:
            raise PackageError("tones", "tones is gone")
        return tmp_path

    def clips(store):
        list(store.folders(["tones"]))
        return iter(corpus)

    monkeypatch.setattr(PackageStore, "folder", folder)
    monkeypatch.setitem(building.CONFIGS, "drum_class", TaskConfig(clips, "tones", LABELS))
    store = PackageStore(tmp_path)
    assert building.build("drum_class", store, tmp_path)["missing"] == {"tones": "tones is gone"}
    corpus.append(clip(0, parts=(tone(77),)))
    assert building.build("drum_class", store, tmp_path)["splits"]["train"]["clips"] == 6
    packages["tones"] = False
    again = building.build("drum_class", store, tmp_path)
    assert (again["missing"], again["splits"]["train"]["clips"]) == ({}, 7)


def test_command_builds_the_rest_and_names_what_failed(monkeypatch, corpus, tmp_path):
    def gone(store):
        raise PackageError("tones", "apt-get could not download tones 1.0")

    def full(store):
        raise OSError(28, "No space left on device", str(tmp_path))

    everything = {
        "drum_class": building.CONFIGS["drum_class"],
        "gone": TaskConfig(gone, ""),
        "full": TaskConfig(full, ""),
    }
    for module in (building, command):
        monkeypatch.setattr(module, "CONFIGS", everything)
    done = CliRunner().invoke(command.app, ["build", "--out", str(tmp_path), "--debs", str(tmp_path)])
    assert done.exit_code == 1
    assert "error: gone was not built: apt-get could not download tones 1.0" in done.output
    assert "error: full was not built: [Errno 28] No space left on device" in done.output
    assert (tmp_path / "drum_class/manifest.json").is_file()
    assert not (tmp_path / "full").exists()


def test_only_a_package_builds_what_can_be_made_of_it(monkeypatch, corpus, tmp_path):
    def whole(store):
        store.folder("tones-data")
        return iter(corpus)

    def partly(store):
        list(store.folders(["tones-data", "noise-data"]))
        return iter(corpus)

    def none(store):
        store.folder("noise-data")
        return iter(corpus)

    unpacked = {
        name: Package("1.0", f"{number}" * 64, "CC0") for number, name in enumerate(("tones-data", "noise-data"))
    }
    for name, package in unpacked.items():
        (tmp_path / "unpacked" / f"{name}-{package.sha256[:12]}").mkdir(parents=True)
    configs = {task.__name__: TaskConfig(task, "", LABELS) for task in (whole, partly, none)}
    monkeypatch.setattr(packages, "PACKAGES", unpacked)
    monkeypatch.setattr(command, "PACKAGES", unpacked)
    for module in (building, command):
        monkeypatch.setattr(module, "CONFIGS", configs)
    monkeypatch.setattr(building, "cast", lambda task, answer, *_: ("What is it?", answer, None))
    arguments = ["build", "--only", "tones", "--out", str(tmp_path / "out"), "--debs", str(tmp_path)]
    done = CliRunner().invoke(command.app, arguments)
    assert done.exit_code == 0, done.output
    assert "not made of tones-data alone: none" in done.output
    assert "partly is not whole, it lacks: noise-data" in done.output
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if path.name[0] != ".") == ["partly", "whole"]
    CliRunner().invoke(command.app, [*arguments[:1], *arguments[3:]])
    assert json.loads((tmp_path / "out/partly/manifest.json").read_text())["missing"] == {}
