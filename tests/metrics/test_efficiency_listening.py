"""The measurements on a tiny model; nothing is timed for its speed here."""

import json

import pytest
import soundfile

from dataset_builders.audiomarathon.items import Item, write_items
from dataset_builders.audiomarathon.tasks import NEEDLE
from metrics.efficiency.listening import WAYS, ask_noise, ask_ten, find_needles
from metrics.efficiency.timing import in_new_process
from modeling_uniwhisper.audio_io import SAMPLING_RATE


def test_ten_questions_over_one(tiny_checkpoint):
    result = ask_ten(tiny_checkpoint, seconds=3.0, repeats=1)
    assert 1 < result["ten_over_one"]["median"] < 10


def test_a_file_to_its_answer(tiny_checkpoint):
    run = in_new_process(ask_noise, tiny_checkpoint, 1 / 20)
    assert run["heard"] == "heard all 3 s at 12.5 tokens a second"
    assert run["encode_seconds_per_minute"] == pytest.approx(20 * run["seconds"]["encode"], abs=0.02)
    assert 0.05 < run["peak_gigabytes"] < 3


def test_needles(tiny_checkpoint, make_audio, tmp_path):
    """170 s are 2,125 tokens, and the tiny model has 2,048 places: some window is not heard in full."""
    (tmp_path / "audio").mkdir()
    items = []
    for number, start in enumerate((10.0, 100.0)):
        soundfile.write(tmp_path / f"audio/{number}.wav", make_audio(170.0, number), SAMPLING_RATE)
        fields = {"source": "made", "license": "CC0-1.0", "group": f"made/{number}", "question": "What is heard once?"}
        evidence = {"start": start, "end": start + 5, "choices": ("bell", "saw"), "answer": "saw"}
        items.append(Item(id=str(number), audio=f"audio/{number}.wav", duration=170.0, **fields, **evidence))
    write_items(tmp_path, NEEDLE, items)
    result = json.loads(json.dumps(find_needles(tiny_checkpoint, tmp_path)))
    assert set(result) == set(WAYS) - {"all"}
    for way, scores in result.items():
        low, high = scores["strict"]["accuracy_95"]
        assert 0 <= low <= scores["strict"]["accuracy"] <= high <= 1 and scores["strict"]["items"] == 2
        assert [sample["how"] for sample in scores["samples"]] == [way, way]
        heard = scores["evidence_heard"]
        if way == "windows":
            assert heard["by_chance"] < 1
            for sample, item in zip(scores["samples"], items):
                holds = [start <= item.start and item.end <= end for start, end in sample["spans"]]
                assert sample["evidence_heard"] == any(holds)
        else:
            assert heard == {"share": 1, "interval_95": [1, 1], "by_chance": 1}
