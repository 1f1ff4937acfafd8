"""Measures ntfsbuild and its peers on the same trees, in one run, and writes the table of `bench/RESULTS.md`.

    python bench/bench.py [--only build,extract] [--files 100000] [--rounds 3] [--folder DIR]

The machines are noisy, so what counts are ratios of user and system time: the two commands of a row take
turns, round after round, and their medians are compared.  Caches are warm (a first round does not count).
Peers that are not installed are left out and named.  The full table needs some 30 GB and hours; with fewer
files it is printed, and written only where `--results` says so.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from commands import PROJECT, Shop
from measuring import measure
from results import HEAD, machine, table_line, write_results
from rows import Row, all_rows
from trees import compiled_modules_only

FILES = 100_000
FEWEST_FILES = 1_000  # Of a tenth of them, a tenth are steps.
RESULTS = PROJECT / "bench" / "RESULTS.md"


def measured_line(row: Row, shop: Shop, rounds: int) -> str:
    """A row of the table, measured."""
    ours, peer = row.commands(shop)
    if ours.missing:
        raise SystemExit(f"{row.key}: {', '.join(ours.missing)} is not installed")
    if peer.missing:
        print(f"{row.key}: {', '.join(peer.missing)} is not installed, left out", file=sys.stderr)
        return table_line(row, measure(row.key, [ours], rounds)[0], None)
    return table_line(row, *measure(row.key, [ours, peer], rounds))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    keys = ", ".join(row.key for row in all_rows(FILES))
    parser.add_argument("--rounds", type=int, default=3, help="measured rounds; the median counts (3)")
    parser.add_argument("--files", type=int, default=FILES, help=f"files of the tree ({FILES})")
    parser.add_argument("--only", help=f"rows, separated by commas: {keys}")
    parser.add_argument("--folder", type=Path, help="where trees are made and kept (a temporary folder)")
    parser.add_argument(
        "--results", type=Path, help="the page to write; bench/RESULTS.md where all files are"
    )
    options = parser.parse_args()
    if options.rounds < 1 or options.files < FEWEST_FILES or options.files % FEWEST_FILES:
        parser.error(f"--rounds is at least 1, --files a multiple of {FEWEST_FILES}")
    unknown = set((options.only or "").split(",")) - {""} - {row.key for row in all_rows(FILES)}
    if unknown:
        parser.error(f"there is no row {', '.join(sorted(unknown))}: {keys}")
    return options


def main() -> None:
    """Measure row by row; each is printed and written when it is known."""
    options = arguments()
    rows = all_rows(options.files)
    chosen = [row for row in rows if not options.only or row.key in options.only.split(",")]
    full = options.files == FILES
    page = options.results or (RESULTS if full else None)
    compiled_modules_only()
    print(f"{machine()}\n{HEAD}", end="")
    with tempfile.TemporaryDirectory(prefix="ntfsbuild-bench-") as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        shop = Shop(folder, options.files)
        try:
            for row in chosen:
                line = measured_line(row, shop, options.rounds)
                print(line, flush=True)
                if page is not None:
                    readme = PROJECT / "README.md" if page == RESULTS else None
                    write_results(page, readme, {row.key: line}, [row.key for row in rows])
        finally:
            shop.delete_outputs()


if __name__ == "__main__":
    main()
