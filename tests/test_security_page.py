"""`specs/security.md` against the code: every limit with its value, every promise with its test."""

from __future__ import annotations

import ast
import importlib
import re

import pytest

from tests.source_tree import PROJECT, sources

TEXT = (PROJECT / "specs/security.md").read_text("utf-8")
UNITS = {"": 0, "Ki": 10, "Mi": 20, "Gi": 30, "Ei": 60}
JUDGED = ("content", "manifest", "compiler", "plan")  # Packages whose public `*_MAX` are all in the table.
NOT_A_LIMIT = {"content.host_file.PATH_BYTES_MAX": "where a path is opened in steps"}


def table(title: str) -> list[list[str]]:
    rows = TEXT.partition(f"\n## {title}\n")[2].partition("\n## ")[0].splitlines()
    return [row.strip("| ").split(" | ") for row in rows if row.startswith("| `") or " | `tests/" in row]


LIMITS = {row[0].strip("`"): row[1] for row in table("Limits")}


def number(text: str) -> int:
    match = re.fullmatch(r"(\d+) ?([KMGE]i)?( - 1)?", text)
    assert match, text
    return (int(match[1]) << UNITS[match[2] or ""]) - (1 if match[3] else 0)


@pytest.mark.parametrize("name", LIMITS)
def test_limits_are_those_of_the_code(name: str) -> None:
    module, _, constant = name.rpartition(".")
    assert getattr(importlib.import_module(f"ntfsbuild.{module}"), constant) == number(LIMITS[name])


def test_every_limit_is_on_the_page() -> None:
    found = set()
    for module, source in sources().items():
        for node in source.nodes:
            if isinstance(node, ast.AnnAssign | ast.Assign) and source.place in JUDGED:
                target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
                if isinstance(target, ast.Name) and re.fullmatch("[A-Z][A-Z_]*_MAX", target.id):
                    found.add(f"{module.removeprefix('ntfsbuild.')}.{target.id}")
    assert found - NOT_A_LIMIT.keys() <= LIMITS.keys()


def test_every_promise_has_a_test() -> None:
    tests = re.findall("`(tests/[^`]+)`", TEXT)
    assert len(table("Promises")) >= 13 and tests
    assert not [name for name in tests if not (PROJECT / name).is_file()]


def test_every_row_says_why() -> None:
    assert all(len(row) == 4 and all(cell.strip() for cell in row) for row in table("Limits"))
