"""`python -m dataset_builders.probe_suite build`: make what the probes have of their own on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import plain_errors
from ..open_audio.__main__ import DEBS
from ..open_audio.packages import PackageStore
from ..open_audio.reports import build_each
from .build import build as build_config
from .builder import data_folder
from .configs import CONFIGS

app = typer.Typer(add_completion=False, help=__doc__)


@app.callback()
def main() -> None:
    """Data of the probes that `open_audio` does not have."""


@app.command()
def build(
    only: Annotated[list[str] | None, typer.Option(help="Build this config; repeatable.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where the Parquet goes.")] = None,
    debs: Annotated[Path, typer.Option(help="Folder of the .deb files.")] = DEBS,
) -> None:
    """Build every config, or those named; what is built already is left as it is."""
    build_each(only or CONFIGS, build_config, PackageStore(debs), out or data_folder())


if __name__ == "__main__":
    with plain_errors():
        app()
