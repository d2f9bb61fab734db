"""The model's card says what its results say, and its example runs."""

import re
import subprocess
import sys
from pathlib import Path

from model_cards.card import FOLDER, render_card

ROOT = Path(__file__).parents[2]


def test_the_card_is_that_of_its_template_and_results():
    assert (FOLDER / "README.md").read_text("utf-8") == render_card(), "write it anew: python -m model_cards.card"


def test_the_card_on_the_hub_tells_of_the_whole_model():
    card = render_card("someone/uniwhisper-base")
    assert "This folder holds only" not in card and "](../" not in card
    assert 'from_pretrained("someone/uniwhisper-base", trust_remote_code=True)' in card


def test_the_example_runs():
    [code] = re.findall(r"```python\n(.*?)```", render_card(), re.DOTALL)
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
