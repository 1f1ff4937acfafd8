"""The pages of `specs/ondisk` taken apart: their tables, and their fenced blocks."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import ntfsbuild.ondisk
from ntfsbuild.ondisk.layout import OnDisk

FOLDER = Path(__file__).parents[2] / "specs" / "ondisk"
PAGES = sorted(FOLDER.glob("*.md"))


class Table(NamedTuple):
    """A table of a page; `title` is the heading above it."""

    page: str
    title: str
    head: tuple[str, ...]
    rows: list[list[str]]


class Block(NamedTuple):
    """What stands between two fences; `follower` is the text of a `yaml` block that follows at once."""

    page: str
    line: int
    words: list[str]
    text: str
    follower: str

    @property
    def options(self) -> dict[str, str]:
        """The words behind the first, split at `=`."""
        return {key: value for key, _, value in (word.partition("=") for word in self.words[1:])}


def cells(line: str) -> list[str]:
    parts = re.split(r"(?<!\\)\|", line.strip())[1:-1]
    return [part.strip().strip("`").replace("\\|", "|") for part in parts]


def read_blocks(path: Path) -> list[Block]:
    text = path.read_text("utf-8")
    found = re.finditer(r"^```(\S.*)\n((?s:.*?))^```$(?:\n```yaml\n((?s:.*?))^```$)?", text, re.MULTILINE)
    return [
        Block(path.stem, text.count("\n", 0, one.start()) + 1, one[1].split(), one[2], one[3] or "")
        for one in found
    ]


def read_tables(path: Path) -> Iterator[Table]:
    title, fenced, lines = "", False, path.read_text("utf-8").splitlines()
    for number, line in enumerate(lines):
        fenced ^= line.startswith("```")
        if fenced:
            continue
        if line.startswith("#"):
            title = line.lstrip("# ")
        if line.startswith("| ---"):
            rows = []
            for row in lines[number + 1 :]:
                if not row.startswith("|"):
                    break
                rows.append(cells(row))
            head = tuple(cells(lines[number - 1]))
            assert rows and all(len(row) == len(head) for row in rows), f"{path.name}: the table {head}"
            yield Table(path.stem, title, head, rows)


TABLES = [table for path in PAGES for table in read_tables(path)]
BLOCKS = [block for path in PAGES for block in read_blocks(path)]


def tables(page: str, *head: str) -> list[list[str]]:
    """The rows of the tables of a page that have this head; there is one at least."""
    found = [row for table in TABLES if (table.page, table.head) == (page, head) for row in table.rows]
    assert found, f"{page}.md has no table {head}"
    return found


def text_of(page: str) -> str:
    return (FOLDER / f"{page}.md").read_text("utf-8")


def number(cell: str) -> int:
    return int(cell, 0)


def declared() -> list[type[OnDisk]]:
    for module in pkgutil.iter_modules(ntfsbuild.ondisk.__path__, "ntfsbuild.ondisk."):
        importlib.import_module(module.name)
    return sorted(
        (cls for cls in OnDisk.__subclasses__() if cls.__module__.startswith("ntfsbuild.")),
        key=lambda cls: cls.__name__,
    )
