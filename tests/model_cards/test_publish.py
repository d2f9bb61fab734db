"""Publishing to a server that speaks the Hub's routes, and opening what lies there in new processes."""

import re
import sysconfig
import tomllib
from itertools import chain
from pathlib import Path

import httpx
import yaml
from huggingface_hub import ModelCard, parse_eval_result_entries

from model_cards.repos import REPOS

from .conftest import SECONDS

ROOT = Path(__file__).parents[2]
ORG = "someone"
TAG = f"v{tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']['version']}"


def held(release, repo) -> dict[str, bytes]:
    """What the newest commit of a repository holds."""
    on_hub = release.hub.repos[repo.type, f"{ORG}/{repo.name}"]
    return {name: (release.hub.folder / file.sha256).read_bytes() for name, file in on_hub.commits[on_hub.head].items()}


def download(release, name: str, folder: Path) -> None:
    """Write what a repository holds, as the Hub does where a Space runs."""
    for file, content in held(release, next(repo for repo in REPOS if repo.name == name)).items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(content)


def read_tables(release, *command: str, cwd: Path) -> list[str]:
    """The tables, as HTML, of a page that `command` serves."""
    page = release.start("-u", *command, cwd=cwd)
    try:
        address = re.search(r"http://\S+", page.stdout.readline())
        assert address, page.communicate()[1]
        components = httpx.get(f"{address[0]}/config").json()["components"]
    finally:
        page.kill()
        page.communicate()
    return [html for one in components if "<table>" in (html := str(one["props"].get("value")))]


def test_a_killed_run_goes_on_where_it_was(release):
    assert release.sent_before, "something had arrived"
    sent = release.hub.uploads()
    assert all(sent.count(one) == 1 for one in release.sent_before), "and was not sent again"


def test_each_repository_is_one_commit_with_a_tag_and_a_link(release):
    for repo in REPOS:
        on_hub = release.hub.repos[repo.type, f"{ORG}/{repo.name}"]
        assert len(on_hub.commits) == 2, "the Hub's own first one, and ours"
        assert on_hub.tags == {TAG: on_hub.head}
        assert f"{ORG}/{repo.name}/tree/{TAG}" in release.printed


def test_the_model_opens_with_its_own_code(release, tmp_path):
    code = f"""
import sys
import numpy as np
from transformers import AutoFeatureExtractor, AutoModel, AutoModelForMultimodalLM, AutoProcessor

name, trusted = "{ORG}/uniwhisper-base", dict(trust_remote_code=True, revision="{TAG}")
model = AutoModel.from_pretrained(name, **trusted)
extractor = AutoFeatureExtractor.from_pretrained(name, **trusted)
answering = AutoModelForMultimodalLM.from_pretrained(name, **trusted)
processor = AutoProcessor.from_pretrained(name, **trusted)
audio = np.sin(np.arange(16_000) / 9).astype(np.float32)
print(model.embed(**extractor(audio, sampling_rate=16_000)).embeddings.shape)
batch = processor(text="<|audio|>What is heard?", audio=audio, sampling_rate=16_000)
print(answering.generate(**batch, max_new_tokens=3).shape[0])
assert "modeling_uniwhisper" not in sys.modules
assert all(type(one).__module__.startswith("transformers_modules.") for one in (model, answering, processor))
"""
    assert release.run("-c", code, cwd=tmp_path).split("\n")[:2] == ["torch.Size([1, 16])", "1"]


def test_the_dataset_opens_with_no_code(release, tmp_path):
    code = f"""
import sys
from datasets import Audio, get_dataset_config_names, load_dataset

asr = load_dataset("{ORG}/audiomarathon", "asr")
print(asr["mini"].num_rows, asr["mini"][0]["task"])
print(*get_dataset_config_names("{ORG}/audiomarathon"))
streamed = load_dataset("{ORG}/audiomarathon", "sed", split="mini", streaming=True)
print(len(next(iter(streamed))["audio"]["bytes"]) > 10_000)
assert "dataset_builders" not in sys.modules
"""
    rows, names, streamed = release.run("-c", code, cwd=tmp_path).splitlines()
    assert rows == "6 speech_recognition"
    assert {"asr", "scr", "speech_recognition", "needle", "all"} <= set(names.split())
    assert streamed == "True"


def test_the_metric_opens_from_its_space(release, tmp_path):
    code = f"""
import sys
import evaluate

evaluate.load("{ORG}/audiomarathon_score")
metric = evaluate.load("{ORG}/audiomarathon_score", "SGR")
print(metric.compute(predictions=["b", "a man"], references=["female", "male"])["strict"]["accuracy"])
assert not {{"metrics", "dataset_builders"}} & set(sys.modules)
"""
    assert release.run("-c", code, cwd=tmp_path) == "1.0\n"


def test_the_snippets_of_the_cards_run(release, tmp_path):
    """As they are on the Hub, in one process; those of the page's card run in `tests/spaces`, against the page."""
    pages = "uniwhisper", "leaderboard"
    cards = [held(release, repo)["README.md"].decode() for repo in REPOS if repo.name not in pages]
    snippets = [re.findall(r"```python\n(.*?)```", card, re.DOTALL) for card in cards]
    assert all(snippets)
    codes = sorted(
        chain(*snippets), key=lambda code: "dataset_builders" in code
    )  # it changes load_dataset for the rest
    (tmp_path / "clip.flac").write_bytes((ROOT / "spaces/uniwhisper/examples/lion.flac").read_bytes())
    release.run("-c", f"for code in {codes!r}:\n    print(code)\n    exec(code, {{}})", cwd=tmp_path)


def test_the_space_starts_with_the_published_model(release, tmp_path):
    download(release, "uniwhisper", tmp_path)
    code = f"""
import runpy, sys
import gradio

def launch(page, **_):
    from modeling_uniwhisper.checkpoints import find_checkpoint

    print(find_checkpoint(), sys.modules["modeling_uniwhisper"].__file__)

gradio.Blocks.launch = launch
sys.argv, sys.path[0] = ["start.py"], "{tmp_path}"
runpy.run_path("start.py", run_name="__main__")
"""
    model, package = release.run("-c", code, cwd=tmp_path).splitlines()[-1].split()
    assert f"models--{ORG}--uniwhisper-base" in model
    assert Path(package).parent == tmp_path / "modeling_uniwhisper"


def test_the_leaderboard_shows_by_itself_what_it_shows_in_a_checkout(release, tmp_path, monkeypatch):
    download(release, "leaderboard", tmp_path)
    in_checkout = read_tables(release, "spaces/leaderboard/app.py", cwd=ROOT)
    monkeypatch.setenv("PYTHONPATH", sysconfig.get_path("purelib"))
    alone = "-S"  # without it the environment's links would lead to the checkout
    assert read_tables(release, alone, "app.py", cwd=tmp_path) == in_checkout
    assert len(in_checkout) == 2, "AudioMarathon and probes"


def test_results_are_where_the_hub_reads_them(release):
    files = held(release, REPOS[0])
    entries = {
        name: parse_eval_result_entries(yaml.safe_load(content))
        for name, content in files.items()
        if name.startswith(".eval_results/")
    }
    marathon = {entry.task_id: entry for entry in entries[".eval_results/audiomarathon.yaml"]}
    assert marathon["speech_recognition"].dataset_id == f"{ORG}/audiomarathon"
    assert "emotion_recognition" not in marathon, "made items are no result"
    assert all(0 <= entry.value <= 100 and "95 % interval" in entry.notes for entry in marathon.values())
    assert ModelCard(files["README.md"].decode()).data.license == "apache-2.0"


def test_publishing_again_changes_nothing_and_other_content_needs_another_version(release):
    """Last here, as what lies on the Hub is changed: a file that is not ours goes, and the tag stays where it was."""
    before, sent = {key: repo.head for key, repo in release.hub.repos.items()}, len(release.hub.uploads())
    changed = "space", f"{ORG}/frozen_probe"
    on_hub = release.hub.repos[changed]
    ours = on_hub.commits[on_hub.head]
    on_hub.add_commit(ours | {"stray.py": release.hub.store(b"", lfs=False)})
    publish = release.start("-m", "model_cards.publish", "--target", ORG, cwd=ROOT)
    _, errors = publish.communicate(timeout=SECONDS)
    assert publish.returncode == 1
    assert f"{TAG} is the tag of older content: raise `version` in pyproject.toml" in errors
    assert on_hub.commits[on_hub.head] == ours
    assert on_hub.tags == {TAG: before[changed]}
    others = {key: repo.head for key, repo in release.hub.repos.items() if key != changed}
    assert others.items() <= before.items()
    assert len(release.hub.uploads()) == sent
