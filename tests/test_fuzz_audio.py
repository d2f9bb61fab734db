"""Some of the damaged files that `python -m tests.fuzz_audio` tries ten thousand of."""

from .fuzz_audio import MEGABYTES_LEAKED, fuzz

FILES = 400


def test_damaged_files_are_heard_or_refused(tmp_path):
    outcome = fuzz(range(FILES), tmp_path)
    assert not outcome.problems
    assert outcome.heard.total() > FILES / 20 and outcome.refused.total() > FILES / 4
    assert len(set(outcome.open_files[FILES // 4 :])) == 1
    assert outcome.leaked < MEGABYTES_LEAKED
