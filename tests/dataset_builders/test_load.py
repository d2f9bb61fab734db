import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def run(build, tmp_path):
    """Run code in a fresh process whose working directory is empty, without torchcodec."""
    build()
    empty = tmp_path / "empty"
    empty.mkdir()

    def run(code: str, package: Path = REPOSITORY) -> str:
        start = "import sys\nsys.modules['torchcodec'] = None\nimport datasets, dataset_builders\n"
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(tmp_path),
            "PYTHONPATH": str(package),
            "UNIWHISPER_DATA": str(tmp_path / "out"),
            "HF_DATASETS_CACHE": str(tmp_path / "cache"),
            "HF_HUB_OFFLINE": "1",
        }
        command = [sys.executable, "-c", start + textwrap.dedent(code)]
        done = subprocess.run(command, cwd=empty, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_load_dataset_finds_it_from_an_empty_folder(run):
    printed = run("""
        split = datasets.load_dataset("open_audio", "drum_class", split="test")
        stream = datasets.load_dataset("open_audio", "drum_class", split="test", streaming=True)
        assert [row["audio"] for row in stream] == [row["audio"] for row in split]
        print(len(split), split[0]["audio"]["bytes"][:4], split[0]["choices"])
        print("asr_en" in datasets.get_dataset_config_names("open_audio"))
    """)
    assert printed == "6 b'fLaC' ['bell', 'kick', 'snare']\nTrue\n"


def test_unknown_and_unbuilt_configs_are_named(run):
    printed = run("""
        for name in ("nope", "asr_en"):
            try:
                datasets.load_dataset("open_audio", name)
            except ValueError as error:
                print(error)
    """)
    unknown, unbuilt = printed.splitlines()
    assert "'nope' not found" in unknown
    assert "drum_class" in unknown
    assert unbuilt.startswith("open_audio/asr_en is not built in")
    assert unbuilt.endswith("python -m dataset_builders.open_audio build --only asr_en")


def test_a_package_that_moved_is_not_looked_for_where_it_was(run, tmp_path):
    code = """
        import os
        path = datasets.load_dataset("audiomarathon", "SGR", split="mini")[0]["audio"]["path"]
        print(os.path.exists(path), path)
    """
    before = tmp_path / "before"
    shutil.copytree(REPOSITORY / "dataset_builders", before / "dataset_builders")
    shutil.copytree(REPOSITORY / "modeling_uniwhisper", before / "modeling_uniwhisper")
    assert run(code, before).startswith(f"True {before}")
    shutil.rmtree(before)
    assert run(code).startswith(f"True {REPOSITORY}")
