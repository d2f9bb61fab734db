"""Commands end with a sentence where what went wrong is known."""

import os
import subprocess
import sys

import pytest

from dataset_builders.errors import plain_errors
from training.files import WeightsError


def test_ours_become_a_sentence_and_others_stay(capsys):
    with pytest.raises(SystemExit) as ended, plain_errors():
        raise WeightsError("no [weights] here")
    assert ended.value.code == 1 and capsys.readouterr().err == "no [weights] here\n"
    with pytest.raises(KeyError), plain_errors():
        raise KeyError("a mistake of ours")


@pytest.mark.parametrize(
    "command",
    ["metrics.probe --encoder log-mel --tasks animal", "training.train training/recipes/starter.yaml"],
)
def test_data_that_is_not_built(tmp_path, command):
    environment = os.environ | {"UNIWHISPER_DATA": str(tmp_path)}
    done = subprocess.run([sys.executable, "-m", *command.split()], env=environment, capture_output=True, text=True)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert f"is not built in {tmp_path}; build it with python -m dataset_builders.open_audio build" in done.stderr
