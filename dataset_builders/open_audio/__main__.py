"""`python -m dataset_builders.open_audio build`: make the corpus on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .build import build as build_config
from .builder import cache_home, data_folder
from .configs import CONFIGS
from .packages import PackageStore
from .pinned import PACKAGES
from .reports import build_each

app = typer.Typer(add_completion=False, help=__doc__)
DEBS = cache_home() / "debs"


@app.callback()
def main() -> None:
    """Real, openly licensed audio from Debian packages."""


@app.command()
def build(
    only: Annotated[
        list[str] | None, typer.Option(help="Build this config, or what can be made of this package; repeatable.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where the Parquet goes.")] = None,
    debs: Annotated[Path, typer.Option(help="Folder of the .deb files.")] = DEBS,
) -> None:
    """Build every config, or those named; what is built already is left as it is."""
    store = PackageStore(debs, _packages(only))
    build_each(CONFIGS if store.only else only or CONFIGS, build_config, store, out or data_folder())


def _packages(only: list[str] | None) -> frozenset[str] | None:
    """Return the packages whose name begins like one of `only`, unless that is all configs."""
    starts = tuple(name for name in only or () if name not in CONFIGS)
    return frozenset(name for name in PACKAGES if name.startswith(starts)) or None if starts else None


@app.command()
def card(
    out: Annotated[Path | None, typer.Option(help="Folder of the data.")] = None,
) -> None:
    """Write the dataset card: statistics and pictures of what is built."""
    from .card import write_card

    try:
        typer.echo(f"written: {write_card(out or data_folder())}")
    except (ValueError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error


if __name__ == "__main__":
    app()
