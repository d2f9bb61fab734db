"""Reports of runs whose replies are drawn with a seed and scored for real, against second computations."""

import json
import re
from html.parser import HTMLParser

import jiwer
import numpy as np
import pytest
from PIL import Image
from transformers.models.whisper.english_normalizer import EnglishTextNormalizer

from dataset_builders.audiomarathon.tasks import LETTERS, TASKS, find_task
from metrics.audiomarathon import paper
from metrics.audiomarathon.comparison import confusion, labels_of
from metrics.audiomarathon.outputs import RunError, read_run
from metrics.audiomarathon.parsing import parse
from metrics.audiomarathon.published import published
from metrics.audiomarathon.report import write
from metrics.audiomarathon.scoring import average_scores, summarise

WORDS = ("river", "stone", "cloud", "bread", "horse", "glass")
MADE = ("emotion_recognition", "speaker_age_recognition")


def draw_samples(task, count, skill, seed, heard):
    """Items of a task, the same for every seed, and replies to them, of which a share of `skill` is right."""
    items, replies = np.random.default_rng(len(task.name)), np.random.default_rng(seed)
    for number in range(count):
        duration = float(items.uniform(90, 300))
        start = float(items.uniform(0, duration - 5))
        if task.answer == "transcript":
            choices, answer = None, " ".join(items.choice(WORDS, 30))
            reply = " ".join(word if replies.random() < skill else "moss" for word in answer.split())
        else:
            offered = task.labels if task.answer == "labels" else items.permutation(task.labels or WORDS)[:4]
            choices = [str(choice) for choice in offered]
            answer = str(items.choice(choices))
            reply = LETTERS[choices.index(answer)] if replies.random() < skill else "A"
            reply = "I cannot\u2028say." if replies.random() < 0.1 else reply
        yield {
            "id": f"{task.name}-{number}",
            "task": task.name,
            "prompt": "",
            "reply": reply,
            "parsed": parse(task, reply, choices or ()),
            "answer": answer,
            "choices": choices,
            "letter": choices and LETTERS[choices.index(answer)],
            "group": f"group-{number // 2}",
            "duration": duration,
            "start": start if task.name == "sound_event_detection" else None,
            "end": start + 5 if task.name == "sound_event_detection" else None,
            "left_out": "made with a voice synthesizer" if task.name in MADE else None,
            "heard_seconds": min(duration, heard),
            "seconds": float(replies.uniform(0.5, 2)),
            "new_tokens": len(reply),
            "peak_memory_gb": 1.25,
            "error": None,
        }


def write_run(folder, tasks=tuple(TASKS), count=12, skill=0.7, seed=0, heard=400.0, hear="audio"):
    """Write what the runner writes."""
    folder.mkdir(parents=True)
    results = {}
    for task in map(find_task, tasks):
        samples = list(draw_samples(task, count, skill, seed, heard))
        (folder / f"{task.name}.jsonl").write_text(
            "".join(json.dumps(sample, ensure_ascii=False) + "\n" for sample in samples)
        )
        results[task.name] = summarise(task, samples)
    report = {
        "command": f"python -m metrics.audiomarathon run --model {folder.name}",
        "model": folder.name,
        "split": "mini",
        "data": None,
        "settings": {"hear": hear, "batch_size": 4, "limit": None},
        "environment": {"device": "cpu", "versions": {"torch": "2.13.0"}},
        "tasks": results,
        "average": average_scores(results),
    }
    (folder / "scores.json").write_text(json.dumps(report))
    return folder


def tables(text):
    """Tables of a Markdown file, a row as cells by header."""
    found = []
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        head, _, *rows = ([cell.strip() for cell in line.strip("|\n").split("|")] for line in block.splitlines())
        found.append([dict(zip(head, row)) for row in rows])
    return found


def table(text, *columns):
    """The first table that has these columns."""
    return next(rows for rows in tables(text) if {*columns} <= rows[0].keys())


def samples_of(folder, name):
    return [json.loads(line) for line in (folder / f"{find_task(name).name}.jsonl").read_text().split("\n")[:-1]]


def strict_score(folder, name):
    samples = samples_of(folder, name)
    if name == "ASR":
        normalise = EnglishTextNormalizer({})
        texts = ([normalise(sample[field]) for sample in samples] for field in ("answer", "parsed"))
        return 1 - jiwer.wer(*texts)
    return sum(sample["parsed"] == sample["answer"] for sample in samples) / len(samples)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    return [
        write_run(root / "ours", seed=1),
        write_run(root / "short", seed=2, skill=0.3, heard=30.0),
    ]


@pytest.fixture(scope="module")
def report(folders, tmp_path_factory):
    to = tmp_path_factory.mktemp("report") / "of_two"
    write(folders, to)
    return to


COUNTED = ("ASR", "SCR", "SER", "ASC", "MC", "SED", "SD", "SGR")


def test_strict_scores_equal_a_second_computation(folders, report):
    text = (report / "report.md").read_text()
    strict_tables = [rows for rows in tables(text) if "macro F1" in rows[0]]
    assert len(strict_tables) == 2
    for folder, rows in zip(folders, strict_tables):
        shown = {row["task"]: float(row["score"]) for row in rows}
        scores = {name: strict_score(folder, name) for name in (*COUNTED, "ER", "SAR")}
        for name in COUNTED:
            assert shown[name] == pytest.approx(scores[name], abs=6e-4)
        assert shown["ER (made)"] == pytest.approx(scores["ER"], abs=6e-4)
        assert shown["average"] == pytest.approx(np.mean([scores[name] for name in COUNTED]), abs=6e-4)
        told = json.loads((folder / "scores.json").read_text())["average"]["strict"]
        assert shown["average"] == pytest.approx(told, abs=6e-4)
        assert shown["average"] != pytest.approx(np.mean(list(scores.values())), abs=6e-4)
    assert "**ER, SAR: made data, in no average.** made with a voice synthesizer" in text


def test_differences_are_of_the_first_run(folders, report):
    rows = {row["task"]: row for row in table((report / "report.md").read_text(), "difference")}
    expected = [strict_score(folders[1], name) - strict_score(folders[0], name) for name in COUNTED]
    assert float(rows["average, tasks: 8"]["difference"]) == pytest.approx(np.mean(expected), abs=6e-4)
    assert float(rows["average, tasks: 8"]["p"]) < 0.05
    low, high = map(float, rows["MC"]["95 %"].split(" to "))
    assert low <= float(rows["MC"]["difference"]) <= high


def test_published_rows_stand_beside_ours(folders, report):
    text = (report / "report.md").read_text()
    rows = {row["model"]: row for row in table(text, "Avg of the same")}
    assert len(rows) == 2 + 17
    replies = samples_of(folders[0], "SGR")
    task = find_task("SGR")
    names = ("reply", "answer", "choices")
    expected = paper.score(task, *([sample[name] for sample in replies] for name in names))["score"]
    assert float(rows["**ours**"]["SGR"]) == pytest.approx(expected, abs=0.06)
    assert rows["**ours**"]["ER"].startswith("*")
    own = [float(rows["**ours**"][name]) for name in COUNTED]
    assert rows["**ours**"]["Avg"] == rows["**ours**"]["Avg of the same"]
    assert float(rows["**ours**"]["Avg"].removesuffix(" (8)")) == pytest.approx(np.mean(own), abs=0.11)
    qwen = next(row for row in published() if row.model == "Qwen2.5-Omni-7B")
    same = np.mean([qwen.scores[name] for name in COUNTED])
    assert float(rows[qwen.model]["Avg of the same"].removesuffix(" (8)")) == pytest.approx(same, abs=0.051)
    assert rows[qwen.model]["Avg"] == "70.5"
    assert rows["Human"]["Avg"] == "87.6 (9)"
    assert "**These are not the same data.**" in text


def test_audio_that_was_not_heard_is_told(report):
    text = (report / "report.md").read_text()
    ours, short = (rows for rows in tables(text) if "heard, s" in rows[0])
    assert {row["heard"] for row in ours} == {"all of it"}
    assert {row["heard"] for row in short} == {"**cut short** in 12 of 12"}
    assert {row["heard, s"] for row in short} == {"30.0"}
    assert text.count("Not heard whole:") == 1


def test_parts_add_up(folders, report):
    rows = table((report / "report.md").read_text(), "first third")
    assert {row["task"] for row in rows} == {"SED"}
    cells = [cell.split(" (") for row in rows[:1] for cell in row.values() if cell.endswith(")")]
    counts = [int(count.strip(")")) for _, count in cells]
    assert sum(counts) == 12
    right = sum(float(score) * count for (score, _), count in zip(cells, counts))
    assert right / 12 == pytest.approx(strict_score(folders[0], "SED"), abs=0.01)


class Links(HTMLParser):
    """What a page takes from elsewhere, and its pictures."""

    def __init__(self):
        super().__init__()
        self.links, self.pictures = [], 0

    def handle_starttag(self, tag, attributes):
        self.pictures += tag == "img"
        assert tag not in ("script", "link", "iframe")
        self.links += [value for name, value in attributes if name in ("src", "srcset", "href")]


def test_page_needs_nothing_beside_it(report):
    page = (report / "report.html").read_text()
    links = Links()
    links.feed(page)
    assert links.pictures == len(re.findall(r"!\[", (report / "report.md").read_text())) == 3 + 7
    assert len(links.links) == 2 * links.pictures
    assert all(link.startswith("data:image/png;base64,iVBOR") for link in links.links)
    assert "url(" not in page and "@import" not in page
    assert page.count('<div class="scroll"><table>') == page.count("<table>") == page.count("</table></div>")


def test_pictures_of_both_themes(report):
    named = {name.removesuffix(".png") for name in re.findall(r"\]\((.+?)\)", (report / "report.md").read_text())}
    assert {path.stem.removesuffix("-dark") for path in report.glob("*.png")} == named
    for name in named:
        light, dark = (np.asarray(Image.open(report / f"{name}{end}.png").convert("L")) for end in ("", "-dark"))
        assert light.shape == dark.shape
        assert light[0, 0] > 240 and dark[0, 0] < 40
        assert light.std() > 5 and dark.std() > 5


def test_confusions_count_every_item(folders):
    run = read_run(folders[1], "short")
    for result in run.results.values():
        if result.task.labels:
            labels = labels_of([result])
            counts = confusion(result, labels)
            samples = samples_of(folders[1], result.task.name)
            assert counts.shape == (len(labels), len(labels) + 1)
            assert counts.sum() == len(samples)
            assert counts[:, -1].sum() == sum(sample["parsed"] is None for sample in samples) > 0
            assert np.trace(counts) / 12 == result.scores["strict"]["accuracy"]


def test_one_task_alone(tmp_path):
    write([write_run(tmp_path / "alone", tasks=["SD"])], tmp_path / "report")
    assert {path.stem for path in (tmp_path / "report").glob("*.png")} == {
        *("by_duration", "by_duration-dark", "confusion_speech_detection", "confusion_speech_detection-dark")
    }
    text = (tmp_path / "report/report.md").read_text()
    assert "Side by side" not in text and "evidence" not in text and "made data" not in text
    row = table(text, "Avg of the same")[0]
    assert row["Avg"] == row["Avg of the same"] == f"{row['SD']} (1)"
    assert row["ASR"] == "–"


def test_made_task_alone_has_no_average(tmp_path):
    write([write_run(tmp_path / "made", tasks=["ER"])], tmp_path / "report")
    text = (tmp_path / "report/report.md").read_text()
    assert [row["task"] for row in table(text, "macro F1")] == ["ER (made)"]
    assert table(text, "Avg")[0]["Avg"] == "–"
    assert not (tmp_path / "report/radar.png").exists()


def test_a_task_beside_the_ten_is_shown_and_not_averaged(tmp_path):
    folder = write_run(tmp_path / "eleven", tasks=["SED", "SD"])
    file = folder / "scores.json"
    scores = json.loads(file.read_text())
    scores["tasks"]["needle"] = scores["tasks"].pop("sound_event_detection") | {"paper": None}
    file.write_text(json.dumps(scores))
    (folder / "sound_event_detection.jsonl").rename(folder / "needle.jsonl")
    write([folder], tmp_path / "report")
    text = (tmp_path / "report/report.md").read_text()
    assert [row["task"] for row in table(text, "macro F1")] == ["SD", "NEEDLE", "average"]
    assert table(text, "macro F1")[2]["score"] == table(text, "macro F1")[0]["score"]
    assert [row["task"] for row in table(text, "first third")] == ["NEEDLE"]
    assert table(text, "Avg")[0]["Avg"].endswith(" (1)")


def test_runs_of_other_items_are_not_compared(tmp_path):
    runs = [write_run(tmp_path / "few", tasks=["SD"], count=6), write_run(tmp_path / "many", tasks=["SD"])]
    write(runs, tmp_path / "report")
    rows = table((tmp_path / "report/report.md").read_text(), "difference")
    assert {row["difference"] for row in rows} == {"other items"}


def test_baseline_is_called_one(tmp_path):
    write([write_run(tmp_path / "deaf", tasks=["SD"], heard=0.0, hear="nothing")], tmp_path / "report")
    text = (tmp_path / "report/report.md").read_text()
    assert "**It got nothing in place of the audio.**" in text and "Not heard whole" not in text
    assert table(text, "heard, s")[0]["heard"] == "nothing"
    assert "run --model deaf\n" in text and "`device=cpu`, `torch=2.13.0`\n" in text


def change(folder, file, old, new):
    path = folder / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("scores.json", "{", "", "scores.json: not JSON"),
        ("scores.json", '"split"', '"parts"', "scores.json: the field 'split' is missing"),
        ("scores.json", '"speech_detection"', '"speeches"', "scores.json: AudioMarathon has no task 'speeches'"),
        ("scores.json", '"accuracy":', '"acc":', "speech_detection, strict: the field 'accuracy' is missing"),
        ("scores.json", '"median": ', '"median": "long", "m": ', "seconds: the field 'median' cannot be 'long'"),
        ("scores.json", '"accuracy": ', '"accuracy": 1', r"the strict score is 1\d?\.\d+, but .*detection.jsonl makes"),
        ("scores.json", '"items": 4', '"items": 5', "are of 5 items, but .*speech_detection.jsonl holds 4"),
        ("scores.json", '"90-150 s"', '"9 s"', "by_duration: '9 s' is none of other, 90-150 s"),
        ("speech_detection.jsonl", '"parsed"', '"said"', "detection.jsonl, line 1: the field 'parsed' is missing"),
        ("speech_detection.jsonl", "}\n", "\n", "speech_detection.jsonl, line 1: not JSON"),
    ],
)
def test_broken_output_is_named(tmp_path, file, old, new, message):
    folder = write_run(tmp_path / "broken", tasks=["SD"], count=4)
    change(folder, file, old, new)
    with pytest.raises(RunError, match=message):
        write([folder], tmp_path / "report")
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize("file", ["scores.json", "speech_detection.jsonl"])
def test_missing_file_is_named(tmp_path, file):
    folder = write_run(tmp_path / "missing", tasks=["SD"], count=4)
    (folder / file).unlink()
    with pytest.raises(RunError, match=f"missing/{file} is missing"):
        read_run(folder, "missing")
