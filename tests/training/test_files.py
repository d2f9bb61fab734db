import pytest

from training.files import cache_home, sha256, staged


def test_a_staged_folder_replaces_the_old_one_whole(tmp_path):
    target = tmp_path / "target"
    for text in ("old", "new"):
        with staged(target) as folder:
            (folder / text).write_text(text)
            assert folder != target
    assert [path.name for path in target.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


def test_an_error_leaves_everything_as_it_was(tmp_path):
    target = tmp_path / "target"
    with staged(target) as folder:
        (folder / "file").write_text("old")
    with pytest.raises(KeyboardInterrupt), staged(target) as folder:
        (folder / "file").write_text("half")
        raise KeyboardInterrupt
    assert (target / "file").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


def test_what_a_killed_process_left_is_not_used(tmp_path):
    leftover = tmp_path / ".target.partial"
    leftover.mkdir()
    (leftover / "half").write_text("half")
    with staged(tmp_path / "target") as folder:
        assert not list(folder.iterdir())


def test_sha256_of_known_bytes(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256(tmp_path / "abc") == expected


def test_the_cache_moves_with_xdg(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_home() == tmp_path / "uniwhisper"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_home() == tmp_path / ".cache" / "uniwhisper"
