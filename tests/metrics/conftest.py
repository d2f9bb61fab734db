"""Where `evaluate` puts its copies of our modules."""

import pytest


@pytest.fixture(scope="session")
def modules_folder(tmp_path_factory):
    return str(tmp_path_factory.mktemp("evaluate"))


@pytest.fixture
def evaluate_cache(modules_folder, monkeypatch):
    """A folder of this session alone; one for all tests, as the package of copies is imported but once."""
    monkeypatch.setattr("evaluate.config.HF_MODULES_CACHE", modules_folder)
    return modules_folder
