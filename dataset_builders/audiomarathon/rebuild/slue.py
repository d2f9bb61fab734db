"""Entity counts from SLUE-VoxPopuli, speeches in the European Parliament.

    SOURCE/slue-voxpopuli_{dev,fine-tune}.tsv   at least id and normalized_ner: [[TYPE, START, LENGTH], ...] or None
    SOURCE/{dev,fine-tune}/ID.ogg

Speeches are joined in the order of their ids, so as they were held. The answer is how many entities they name in all;
the other numbers are near it, and it is as often the lowest of the four as any other.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from .drafts import OPTIONS, Draft, Limits, Recording, SourceError, measure, pack, read_table, shuffled

SPLITS = ("dev", "fine-tune")
QUESTION = "How many named entities are mentioned in this speech?"
STEP = 0.05
"""Between the numbers, as a share of the right one; at least 1."""


def entity_counts(source: Path, limits: Limits) -> list[Iterator[Draft]]:
    """Return the joined speeches of each split that is there.

    Raises:
        SourceError: neither is.
    """
    tables = {split: source / f"slue-voxpopuli_{split}.tsv" for split in SPLITS}
    found = {split: table for split, table in tables.items() if table.is_file()}
    if not found:
        raise SourceError(f"{' and '.join(map(str, tables.values()))} are missing")
    return [_of_split(split, table, limits) for split, table in found.items()]


def _of_split(split: str, table: Path, limits: Limits) -> Iterator[Draft]:
    entities: dict[Path, int] = {}
    for where, row in read_table(table, ("id", "normalized_ner")):
        entities[table.parent / split / f"{row['id']}.ogg"] = _count(where, row["normalized_ner"])
    for number, parts in enumerate(pack(map(measure, sorted(entities)), limits)):
        yield _draft(f"{split}-{number:04}", parts, sum(entities[part.path] for part in parts))


def _draft(name: str, parts: tuple[Recording, ...], count: int) -> Draft:
    step = max(1, round(STEP * count))
    below = min(shuffled(range(OPTIONS), name)[0], count // step)
    wrong = tuple(str(count + step * (rank - below)) for rank in range(OPTIONS) if rank != below)
    return Draft(id=name, parts=parts, question=QUESTION, answer=str(count), wrong=wrong, group=name)


def _count(where: str, listed: str) -> int:
    try:
        return len(ast.literal_eval(listed) or ())
    except (ValueError, SyntaxError, TypeError):
        raise SourceError(f"{where}: normalized_ner should be a list of entities or None, but is {listed!r}") from None
