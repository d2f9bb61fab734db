"""What is listened to.

Importing this package makes `datasets.load_dataset(NAME, CONFIG, split=...)` find the datasets
named in `BUILDERS`, in any working directory and without the Hub.
"""

from __future__ import annotations

import functools
import hashlib
from importlib import import_module
from pathlib import Path
from typing import Any

import datasets.inspect
import datasets.load

BUILDERS: dict[str, str] = {
    "audiomarathon": "dataset_builders.audiomarathon.builder",
    "open_audio": "dataset_builders.open_audio.builder",
    "probe_suite": "dataset_builders.probe_suite.builder",
}
"""Dataset name to the module that holds its builder class and `fingerprint_files()`: the files
besides itself that decide what a load gives."""


def _module(name: str) -> datasets.load.DatasetModule:
    """Return what `datasets` builds `name` from; its hash changes with builder, data and folder, which rows name."""
    builder = import_module(BUILDERS[name])
    digest = hashlib.sha256(str(builder.__file__).encode())
    for path in [Path(str(builder.__file__)), *builder.fingerprint_files()]:
        digest.update(path.read_bytes())
    return datasets.load.DatasetModule(builder.__name__, digest.hexdigest()[:16], {"dataset_name": name})


def _resolving(factory: Any) -> Any:
    """Wrap `dataset_module_factory`, so that names of `BUILDERS` never reach disk or the Hub."""
    if hasattr(factory, "resolves_builders"):
        return factory

    @functools.wraps(factory)
    def resolve(path: str, *args: Any, **kwargs: Any) -> datasets.load.DatasetModule:
        return _module(path) if path in BUILDERS else factory(path, *args, **kwargs)

    vars(resolve)["resolves_builders"] = True
    return resolve


for _user in (datasets.load, datasets.inspect):
    _user.dataset_module_factory = _resolving(_user.dataset_module_factory)
