import hashlib
import shutil
import subprocess

import pytest

from dataset_builders.open_audio import packages
from dataset_builders.open_audio.packages import PackageError, PackageStore
from dataset_builders.open_audio.pinned import PACKAGES, Package


@pytest.fixture
def pin(monkeypatch, tmp_path):
    """Write a `tones` .deb with the given bytes and pin it; returns the store that holds it."""

    def write(data: bytes) -> PackageStore:
        (tmp_path / "tones_1.0_all.deb").write_bytes(data)
        pinned = Package("1.0", hashlib.sha256(data).hexdigest(), "CC0")
        monkeypatch.setitem(packages.PACKAGES, "tones", pinned)
        return PackageStore(tmp_path)

    return write


def test_wrong_sha_names_file_and_version(pin, tmp_path):
    store = pin(b"as published")
    (tmp_path / "tones_1.0_all.deb").write_bytes(b"as tampered with")
    with pytest.raises(PackageError, match=r"tones_1.0_all.deb is not tones 1.0: its sha256"):
        store.folder("tones")


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg-deb")
def test_truncated_deb_is_named_and_leaves_nothing(pin, tmp_path):
    with pytest.raises(PackageError, match=r"could not unpack tones_1\.0_all\.deb"):
        pin(b"!<arch>\ndebian-binary").folder("tones")
    assert not list((tmp_path / "unpacked").iterdir())


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg-deb")
def test_whole_deb_is_unpacked_once(pin, tmp_path, tmp_path_factory):
    tree = tmp_path_factory.mktemp("tree")
    (tree / "DEBIAN").mkdir()
    (tree / "DEBIAN/control").write_text(
        "Package: tones\nVersion: 1.0\nArchitecture: all\nMaintainer: a <a@b.c>\nDescription: x\n"
    )
    (tree / "tone.wav").write_bytes(b"RIFF")
    built = tree.parent / "built.deb"
    subprocess.run(["dpkg-deb", "-b", str(tree), str(built)], check=True, capture_output=True)
    store = pin(built.read_bytes())
    assert (store.folder("tones") / "tone.wav").read_bytes() == b"RIFF"
    (tmp_path / "tones_1.0_all.deb").unlink()
    assert store.folder("tones").is_dir()


def test_missing_package_without_apt_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(packages.shutil, "which", lambda program: None)
    with pytest.raises(PackageError, match=r"klettres-data_.*apt-get is not installed"):
        PackageStore(tmp_path).folder("klettres-data")


def test_unknown_package_is_named(tmp_path):
    with pytest.raises(PackageError, match="'left-pad' is not one of"):
        PackageStore(tmp_path).folder("left-pad")


def test_every_pin_is_a_sha256():
    assert all(len(bytes.fromhex(package.sha256)) == 32 for package in PACKAGES.values())
