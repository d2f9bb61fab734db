import time

import pytest

from training.bases import FolderBase, HubBase, from_record, parse
from training.files import WeightsError
from training.wheels import SMOLLM2, WHISPER_BASE, DownloadError


def test_a_source_is_a_folder_or_a_hub_id(tmp_path):
    assert parse(str(tmp_path)) == FolderBase(tmp_path)
    assert parse("openai/whisper-base") == HubBase("openai/whisper-base")
    for source in ("whisper-base", "./missing", "/missing/folder", "~/folder", "a/b/c"):
        with pytest.raises(WeightsError, match="neither a folder nor a Hub id"):
            parse(source)


@pytest.mark.parametrize("base", [WHISPER_BASE, SMOLLM2, HubBase("owner/name", "0123abcd")])
def test_a_record_leads_back_to_its_base(base):
    assert from_record(base.record()) == base


def test_a_record_of_other_bytes_is_refused(tmp_path):
    record = SMOLLM2.record()
    record["sha256"] = dict.fromkeys(record["sha256"], "0" * 64)
    for other in (record, FolderBase(tmp_path).record()):
        with pytest.raises(WeightsError, match="cannot be downloaded: name a folder or Hub id"):
            from_record(other)


def test_a_folders_record_changes_with_its_weights_only(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    before = FolderBase(tmp_path).record()
    (tmp_path / "README.md").write_text("a card")
    assert FolderBase(tmp_path).record() == before
    (tmp_path / "model.safetensors").write_bytes(b"others")
    assert FolderBase(tmp_path).record() != before


def test_without_the_hub_the_error_is_quick_and_names_the_model(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    start = time.perf_counter()
    with pytest.raises(DownloadError, match=r"^nobody/nothing-here is not on the Hub or the Hub cannot be reached"):
        HubBase("nobody/nothing-here").open(tmp_path)
    assert time.perf_counter() - start < 5
