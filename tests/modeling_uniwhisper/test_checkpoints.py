"""Where a checkpoint is looked for."""

import pytest

from modeling_uniwhisper.checkpoints import CheckpointError, find_checkpoint


def test_a_folder_is_found_by_argument_and_variable(tiny_checkpoint, tmp_path, monkeypatch):
    assert find_checkpoint(tiny_checkpoint) == tiny_checkpoint
    monkeypatch.setenv("UNIWHISPER_MODEL", str(tiny_checkpoint))
    assert find_checkpoint() == tiny_checkpoint
    with pytest.raises(CheckpointError, match="there is no UniWhisper checkpoint at"):
        find_checkpoint(tmp_path)


def test_an_id_that_the_hub_cannot_give_is_named(monkeypatch):
    monkeypatch.setenv("UNIWHISPER_MODEL", "nobody/nothing")
    with pytest.raises(CheckpointError, match="nobody/nothing is no folder here, and could not be fetched"):
        find_checkpoint()
