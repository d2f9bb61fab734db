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
from .pinned import PACKAGES

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
    store, folder, manifests, failed = PackageStore(debs, _packages(only)), out or data_folder(), [], {}
    for name in CONFIGS if store.only else only or CONFIGS:
        try:
            manifests.append(build_config(name, store, folder))
        except (ValueError, OSError) as error:
            failed[name] = str(error)
    Console().print(_table(manifests))
    if store.only and manifests:
        typer.echo(f"not made of {', '.join(sorted(store.only))} alone: {', '.join(failed) or 'nothing'}")
        failed = {}
    for manifest in manifests:
        if manifest["dropped"]:
            reasons = ", ".join(f"{count} {why}" for why, count in manifest["dropped"].items())
            typer.echo(f"{manifest['config']} leaves out: {reasons}")
        if missing := manifest["missing"]:
            reasons = ", ".join(missing) if store.only else "; ".join(missing.values())
            typer.echo(f"{manifest['config']} is not whole, it lacks: {reasons}", err=True)
    for name, why in failed.items():
        typer.echo(f"error: {name} was not built: {why}", err=True)
    if failed:
        raise typer.Exit(1)


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


def _table(manifests: list[dict[str, Any]]) -> Table:
    table = Table("config", "split", "clips", "minutes", "labels", "groups", "largest")
    for manifest in manifests:
        for split, held in manifest["splits"].items():
            row = (held["clips"], held["minutes"], len(held["labels"]) or "-", held["groups"])
            share = "-" if held["majority"] is None else f"{held['majority']:.0%}"
            table.add_row(manifest["config"], split, *map(str, row), share)
        table.add_section()
    return table


if __name__ == "__main__":
    app()
