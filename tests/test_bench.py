"""The table of what was measured: whole, and the same in the README.  Nothing is timed here."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[1]
BENCH = PROJECT / "bench"


@pytest.fixture(scope="module")
def bench() -> Any:
    """The modules of bench/, which are no package: a script imports them."""
    sys.path.insert(0, str(BENCH))
    try:
        yield {name: importlib.import_module(name) for name in ("measuring", "results", "rows", "commands")}
    finally:
        sys.path.remove(str(BENCH))


def test_the_readme_shows_the_table(bench: Any) -> None:
    table = bench["results"].between_marks((BENCH / "RESULTS.md").read_text("utf-8"))
    assert "| ratio |" in table
    assert bench["results"].between_marks((PROJECT / "README.md").read_text("utf-8")) == table


def test_the_table_has_only_rows_that_are_measured(bench: Any) -> None:
    keys = [row.key for row in bench["rows"].all_rows(100_000)]
    assert len(set(keys)) == len(keys)
    table = bench["results"].between_marks((BENCH / "RESULTS.md").read_text("utf-8"))
    found = [line.split("`")[1] for line in table.splitlines() if line.startswith("| `")]
    assert found == [key for key in keys if key in found], "in the order of the rows"


def test_new_lines_take_the_place_of_old_ones_and_keep_the_others(bench: Any, tmp_path: Path) -> None:
    page, readme = tmp_path / "RESULTS.md", tmp_path / "README.md"
    results, measured = bench["results"], bench["measuring"].Measured
    readme.write_text(f"before {results.BEGIN}{results.END} after")
    row = bench["rows"].Row("b", "work", "peer", "≤ 2 ×", lambda shop: [], 1000)
    ours, peer = measured(1, [2.0, 9.0, 3.0], [4.0], 3 << 20), measured(10, [0.2], [0.1])
    line = results.table_line(row, ours, peer)
    assert line == "| `b` | work | peer | 3.00 | 2.00 | 1.50 × | ≤ 2 × | 4.00 × | 3 MiB, 3.07 KiB a file |"
    results.write_results(page, readme, {"b": "| `b` | old |", "a": "| `a` | kept |"}, ["a", "b"])
    results.write_results(page, readme, {"b": line}, ["a", "b"])
    table = results.between_marks(page.read_text())
    assert table.endswith(f"{results.HEAD}| `a` | kept |\n{line}\n")
    assert readme.read_text() == f"before {results.BEGIN}{table}{results.END} after"


def test_a_run_is_measured_with_its_children(bench: Any) -> None:
    """A child that works is counted; one that does not succeed is an error."""
    measuring = bench["measuring"]
    work = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'sum(range(10**7))'])"
    processor, wall, memory = measuring.run_once(measuring.Command("a", [sys.executable, "-c", work]))
    alone, _, _ = measuring.run_once(measuring.Command("b", [sys.executable, "-c", "pass"]))
    assert processor > alone and wall > 0 and memory > 1 << 20
    with pytest.raises(SystemExit, match="c failed"):
        measuring.run_once(measuring.Command("c", [sys.executable, "-c", "raise SystemExit(3)"]))


def test_trees_and_manifests_are_as_large_as_they_say(tmp_path: Path) -> None:
    sys.path.insert(0, str(BENCH))
    try:
        trees = importlib.import_module("trees")
    finally:
        sys.path.remove(str(BENCH))
    trees.make_tree(tmp_path / "tree", 250, lambda dice: 24)
    assert sorted(len(list(folder.iterdir())) for folder in (tmp_path / "tree").iterdir()) == [50, 100, 100]
    assert trees.inline_manifest(250).count("content of file") == 250
    import ntfsbuild

    for steps in (3, 8, 21):
        (tmp_path / "steps.yaml").write_text(trees.steps_manifest(steps))
        assert len(ntfsbuild.load(tmp_path / "steps.yaml").steps) == steps
