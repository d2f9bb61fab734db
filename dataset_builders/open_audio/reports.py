"""Builds one config after another and tells what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from .packages import PackageStore


def build_each(
    names: Iterable[str], build: Callable[[str, PackageStore, Path], dict[str, Any]], store: PackageStore, folder: Path
) -> None:
    """Build each of `names` into `folder`, print what they hold, and exit with 1 if any failed."""
    manifests, failed = [], {}
    for name in names:
        try:
            manifests.append(build(name, store, folder))
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


def _table(manifests: list[dict[str, Any]]) -> Table:
    table = Table("config", "split", "clips", "minutes", "labels", "groups", "largest")
    for manifest in manifests:
        for split, held in manifest["splits"].items():
            row = (held["clips"], held["minutes"], len(held["labels"]) or "-", held["groups"])
            share = "-" if held["majority"] is None else f"{held['majority']:.0%}"
            table.add_row(manifest["config"], split, *map(str, row), share)
        table.add_section()
    return table
