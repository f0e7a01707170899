"""CSV as COPY reads and writes it, and what differs between two tables.

A cell is None for NULL (an unquoted nothing) or text; Python's csv module cannot tell the two kinds of nothing apart.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Iterable, Iterator, Sequence

Cell = str | None
Row = tuple[Cell, ...]

_CELL = re.compile(r'("(?:[^"]|"")*"|[^",\r\n]*)(,|\r?\n|\Z)')


def parse(text: str) -> Iterator[Row]:
    """The rows of some CSV text."""
    row: list[Cell] = []
    at = 0
    while at < len(text) or row:
        found = _CELL.match(text, at)
        if found is None:
            raise ValueError(f"not CSV: {text[at:at + 80]!r}")
        cell, end = found.groups()
        row.append(cell[1:-1].replace('""', '"') if cell.startswith('"') else cell or None)
        if end != ",":
            yield tuple(row)
            row = []
        at = found.end()


def read(path: Path) -> tuple[Row, list[Row]]:
    """The header of a CSV file, and its rows."""
    header, *rows = parse(path.read_text(encoding="utf-8"))
    return header, rows


def line(row: Iterable[Cell]) -> str:
    """A row as a line of CSV."""
    return ",".join("" if cell is None else '"' + cell.replace('"', '""') + '"' for cell in row) + "\n"


def differences(header: Sequence[str], expected: Iterable[Row], found: Iterable[Row], most: int = 10) -> list[str]:
    """Nothing for two equal tables, in whatever order; else a line of counts, then the first rows that differ.

    A row that was found is shown beside the expected one that it is most like, if they are alike at all.
    """
    wanted, got = Counter(expected), Counter(found)
    missing, surplus = (sorted((a - b).elements(), key=str) for a, b in ((wanted, got), (got, wanted)))
    if not missing and not surplus:
        return []
    lines = [f"{len(missing)} of {sum(wanted.values())} rows missing, {len(surplus)} not expected"]
    for row in missing[:most]:
        twin = max(surplus, key=lambda other: _alike(row, other), default=None)
        if twin is None or 2 * _alike(row, twin) < len(row):
            lines.append(f"  missing: {_shown(header, row)}")
            continue
        surplus.remove(twin)
        lines.append(f"  row: {_shown(header, row)}")
        lines += [f"    {name}: expected {_cell(a)}, found {_cell(b)}"
                  for name, a, b in zip(header, row, twin) if a != b]
    lines += [f"  not expected: {_shown(header, row)}" for row in surplus[:max(most - len(missing), 0)]]
    return lines


def _alike(a: Row, b: Row) -> int:
    return sum(x == y for x, y in zip(a, b))


def _cell(cell: Cell) -> str:
    return "null" if cell is None else repr(cell)


def _shown(header: Sequence[str], row: Row) -> str:
    """The cells of a row that are not null, with their names."""
    return ", ".join(f"{name}={cell}" for name, cell in zip(header, row) if cell is not None)
