"""`python -m dataset_builders.open_audio build`: make the corpus on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from .build import build as build_config
from .builder import cache_home, data_folder
from .configs import CONFIGS
from .packages import PackageStore

app = typer.Typer(add_completion=False, help=__doc__)
DEBS = cache_home() / "debs"


@app.callback()
def main() -> None:
    """Real, openly licensed audio from Debian packages."""


@app.command()
def build(
    only: Annotated[list[str] | None, typer.Option(help="Build this config; repeatable.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where the Parquet goes.")] = None,
    debs: Annotated[Path, typer.Option(help="Folder of the .deb files.")] = DEBS,
) -> None:
    """Build every config, or those named; what is built already is left as it is."""
    store = PackageStore(debs)
    try:
        manifests = [build_config(name, store, out or data_folder()) for name in only or CONFIGS]
    except ValueError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    Console().print(_table(manifests))


def _table(manifests: list[dict[str, Any]]) -> Table:
    table = Table("config", "split", "clips", "minutes", "labels", "groups", "majority", "dropped")
    for manifest in manifests:
        dropped = ", ".join(f"{count} {why}" for why, count in manifest["dropped"].items())
        for split, held in manifest["splits"].items():
            row = (held["clips"], held["minutes"], len(held["labels"]) or "-", held["groups"])
            share = "-" if held["majority"] is None else f"{held['majority']:.0%}"
            table.add_row(manifest["config"], split, *map(str, row), share, dropped)
            dropped = ""
        table.add_section()
    return table


if __name__ == "__main__":
    app()
