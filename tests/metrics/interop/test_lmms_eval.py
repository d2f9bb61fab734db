"""AudioMarathon's tasks for lmms-eval are whole and score as our runner does; the model answers as ours."""

from pathlib import Path

import datasets
import numpy as np
import pytest
import yaml

from dataset_builders.audiomarathon.tasks import TASKS, find_task
from metrics.audiomarathon.models import Reply
from metrics.audiomarathon.run import sample
from metrics.audiomarathon.scoring import summarise
from metrics.interop.lmms_eval import tasks as package
from metrics.interop.lmms_eval.tasks import utils

FOLDER = Path(package.__file__).parent
FILES = sorted(path for path in FOLDER.glob("*.yaml") if path.name != "audiomarathon.yaml")


class Loader(yaml.SafeLoader):
    """YAML with lmms-eval's `!function module.name`."""


Loader.add_constructor("!function", lambda loader, node: getattr(utils, node.value.removeprefix("utils.")))


def read(path: Path) -> dict:
    """A task as lmms-eval reads it: its own lines over those it includes."""
    config = yaml.load(path.read_text(), Loader)
    return (read(FOLDER / config.pop("include")) if "include" in config else {}) | config


def rows(task: str) -> list[dict]:
    config = read(FOLDER / f"audiomarathon_{task}.yaml")
    return datasets.load_dataset(config["dataset_path"], config["dataset_name"], split=config["test_split"]).to_list()


def test_a_file_a_task():
    configs = [read(path) for path in FILES]
    assert {find_task(config["dataset_name"]) for config in configs} == set(TASKS.values())
    for config in configs:
        task = find_task(config["dataset_name"])
        assert config["task"] == f"audiomarathon_{task.abbreviation.lower()}"
        assert config["generation_kwargs"] == {"max_new_tokens": task.max_new_tokens, "until": []}
    group = yaml.safe_load((FOLDER / "audiomarathon.yaml").read_text())
    assert sorted(group["task"]) == [path.stem for path in FILES]


def test_hears_the_whole_recording():
    row = rows("sgr")[0]
    [audio] = read(FOLDER / "audiomarathon_sgr.yaml")["doc_to_visual"](row)
    assert audio["sampling_rate"] == 16_000
    assert len(audio["array"]) / 16_000 == pytest.approx(row["duration"], abs=0.05)
    assert audio["array"].dtype == np.float32


@pytest.mark.parametrize("name", ["asr", "sed", "sd", "er"])
def test_scores_as_our_runner(name):
    config = read(FOLDER / f"audiomarathon_{name}.yaml")
    task, docs = find_task(name), rows(name)
    replies = [doc["letter"] or doc["answer"] for doc in docs]
    replies[0] = "I cannot tell."
    results = [config["process_results"](doc, [reply]) for doc, reply in zip(docs, replies)]
    ours = summarise(task, [sample(task, doc, Reply(reply, 0.0)) for doc, reply in zip(docs, replies)])
    scores = {
        metric["metric"]: metric["aggregation"]([r[metric["metric"]] for r in results])
        for metric in config["metric_list"]
    }
    good = 1 - ours["strict"]["wer"] if name == "asr" else ours["strict"]["accuracy"]
    assert scores == {"strict": good, "paper": ours["paper"]["score"]}
    assert 0 < scores["strict"] < 1


def test_model_answers_as_ours(tiny_checkpoint, make_audio):
    pytest.importorskip("lmms_eval")
    from lmms_eval.api.instance import Instance

    from metrics.audiomarathon.models.local import LocalModel
    from metrics.interop.lmms_eval.models.uniwhisper import UniWhisper

    audios = [make_audio(seconds, seed) for seed, seconds in enumerate((1.0, 40.0, 2.5))]
    questions = ["What is it?", "Who?", "Which instrument is played?"]
    wanted = [
        LocalModel(str(tiny_checkpoint), "cpu", "float32").reply([audio], [question], 6)[0].text
        for audio, question in zip(audios, questions)
    ]
    model = UniWhisper(str(tiny_checkpoint), device="cpu", batch_size=1)
    model.task_dict["made"] = {"test": audios}

    def hear(audio):
        return [{"array": audio, "sampling_rate": 16_000}]

    def requests(**options):
        return [
            Instance(
                "generate_until",
                (question, {"max_new_tokens": 6, "until": [], **options}, hear, number, "made", "test"),
                idx=0,
                metadata={"task": "made", "doc_id": number, "repeats": 1},
            )
            for number, question in enumerate(questions)
        ]

    assert model.generate_until(requests()) == wanted
    first = wanted[0][1:3]
    assert model.generate_until(requests(until=first))[0] == wanted[0].partition(first)[0]
    with pytest.raises(ValueError, match="greedily"):
        model.generate_until(requests(temperature=0.7))
