"""How the house is laid out: who may import whom, and what a saved model's code needs where it is loaded."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
ARROWS = {
    "modeling_uniwhisper": set(),
    "dataset_builders": set(),
    "uniwhisper_cli": {"modeling_uniwhisper"},
    "spaces": {"modeling_uniwhisper", "dataset_builders"},
    "training": {"modeling_uniwhisper", "dataset_builders"},
    "metrics": {"modeling_uniwhisper", "dataset_builders", "training"},
    "model_cards": {"modeling_uniwhisper", "dataset_builders", "training", "metrics"},
}
"""Each room, and those that it may import."""
REMOTE_CODE_NEEDS = {"huggingface_hub", "numpy", "soundfile", "soxr", "torch", "transformers"}


class Import(NamedTuple):
    """What one line imports: `file` is its file where it is one of ours."""

    module: str
    file: Path | None
    lazy: bool  # inside a function
    typing: bool  # under TYPE_CHECKING
    relative: bool


def files_of(room: str) -> list[Path]:
    return [ROOT / f"{room}.py"] if (ROOT / f"{room}.py").exists() else sorted((ROOT / room).rglob("*.py"))


def find(module: str) -> Path | None:
    """The file of a module of ours."""
    path = ROOT.joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.exists()), None)


@cache
def imports(file: Path) -> tuple[Import, ...]:
    package = file.relative_to(ROOT).parts[:-1]

    def walk(node: ast.AST, lazy: bool, typing: bool) -> Iterator[Import]:
        lazy |= isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        typing |= isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        if isinstance(node, ast.Import):
            names, level = [name.name for name in node.names], 0
        elif isinstance(node, ast.ImportFrom):
            level = node.level
            base = [*package[: len(package) + 1 - level], *filter(None, [node.module])] if level else [node.module]
            names = [".".join([*base, name.name]) for name in node.names]
        else:
            for child in ast.iter_child_nodes(node):
                yield from walk(child, lazy, typing)
            return
        for name in names:
            module = name if find(name) or isinstance(node, ast.Import) else name.rpartition(".")[0]
            yield Import(module, find(module), lazy, typing, level > 0)

    return tuple(walk(ast.parse(file.read_text("utf-8")), False, False))


def at_import(file: Path) -> Iterator[Import]:
    return (one for one in imports(file) if not one.lazy and not one.typing)


def reached(files: list[Path], follow=imports) -> set[Path]:
    """`files` and what of ours they import, and so on."""
    found, todo = set(), set(files)
    while todo:
        found |= todo
        todo = {one.file for file in todo for one in follow(file) if one.file} - found
    return found


def room_of(file: Path, depth: int) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts[:depth])


@pytest.mark.parametrize("room", ARROWS)
def test_arrows_between_rooms(room):
    arrows = {(file, one.module) for file in files_of(room) for one in imports(file) if one.file}
    wrong = [
        f"{file.relative_to(ROOT)} imports {module}"
        for file, module in sorted(arrows)
        if module.split(".")[0] not in ARROWS[room] | {room}
    ]
    assert not wrong


@pytest.mark.parametrize("room", ["dataset_builders", "metrics"])
def test_no_circle_of_rooms_within_a_room(room):
    graph = {}
    for file in files_of(room):
        parts = {room_of(one.file, 2) for one in imports(file) if one.file and one.module.startswith(room)}
        graph.setdefault(room_of(file, 2), set()).update(parts - {room_of(file, 2)})
    TopologicalSorter(graph).prepare()


def test_no_circle_of_files():
    """Not even of imports that wait until a function is called; what is imported for its type alone may be one."""
    files = [file for room in ARROWS for file in files_of(room)]
    TopologicalSorter(
        {file: {one.file for one in imports(file) if one.file and not one.typing} for file in files}
    ).prepare()


def test_the_package_of_the_model_is_flat_and_its_imports_relative():
    for file in files_of("modeling_uniwhisper"):
        assert file.parent.name == "modeling_uniwhisper"
        assert all(one.relative for one in imports(file) if one.file), file.name


def test_what_remote_code_needs():
    """Transformers copies these files beside the weights: what they import must be there wherever it is."""
    kinds = ("configuration", "feature_extraction", "modeling", "processing")
    copied = reached([ROOT / "modeling_uniwhisper" / f"{kind}_uniwhisper.py" for kind in kinds])
    needed = {one.module.split(".")[0] for file in copied for one in at_import(file) if not one.file}
    assert needed - sys.stdlib_module_names == REMOTE_CODE_NEEDS


@pytest.mark.parametrize(
    ("room", "extra"), [("modeling_uniwhisper", None), ("uniwhisper_cli", None), ("dataset_builders", "data")]
)
def test_what_is_installed_declares_what_it_imports(room, extra):
    """At import; what is imported later says itself which extra it needs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"].get(extra, ())]
    declared = {canonical(re.match(r"[\w-]+", requirement)[0]) for requirement in wanted}
    providers = packages_distributions()
    for file in files_of(room):
        for name in {one.module.split(".")[0] for one in at_import(file) if not one.file} - sys.stdlib_module_names:
            assert {*map(canonical, providers[name])} & declared, f"{file.name} imports {name}"


def canonical(distribution: str) -> str:
    return distribution.lower().replace("_", "-")


@pytest.mark.parametrize("module", ["metrics.audiomarathon.audiomarathon", "metrics.probe.probe"])
def test_a_metric_knows_no_model(module):
    files = reached([find(module)])
    assert not {room_of(file, 1) for file in files} & {"modeling_uniwhisper", "training"}


IMPORT = """
import sys
from time import process_time

from transformers import AutoConfig, AutoFeatureExtractor, AutoModel, AutoModelForMultimodalLM, AutoProcessor, Pipeline

theirs, start = {*sys.modules}, process_time()
import modeling_uniwhisper

print(process_time() - start, *({name.partition(".")[0] for name in sys.modules.keys() - theirs}))
"""


def test_importing_the_model_costs_little_more_than_transformers():
    """Whose Auto classes, with torch, are nearly all of it. Of processor time, as the machine may be busy."""
    seconds, *packages = subprocess.check_output([sys.executable, "-c", IMPORT], cwd=ROOT, text=True).split()
    assert float(seconds) < 1
    ours = {"modeling_uniwhisper", "soundfile", "_soundfile", "_soundfile_data", "_cffi_backend", "soxr"}
    assert {*packages} - sys.stdlib_module_names <= ours | {"transformers", "torch", "numpy"}
