"""What was measured, as a table: in `bench/RESULTS.md`, and between the same marks in the README."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from measuring import KIB, MIB, Measured
from rows import Row

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
HEAD = (
    "| row | work | against | ours, s | its, s | ratio | to reach | wall ratio | memory |\n"
    "|---|---|---|---|---|---|---|---|---|\n"
)
VERSIONS = {
    "7z": ["7z"],
    "wimlib": ["wimlib-imagex", "--version"],
    "The Sleuth Kit": ["fls", "-V"],
    "GNU tar": ["tar", "--version"],
    "ntfs-3g": ["ntfs-3g", "--version"],
}


def table_line(row: Row, ours: Measured, peer: Measured | None) -> str:
    """One row of the table; without its peer, where that is not installed."""
    memory = f"{ours.memory_bytes / MIB:.0f} MiB"
    if row.files >= 1000:
        memory += f", {ours.memory_bytes / KIB / row.files:.2f} KiB a file"
    cells = [f"`{row.key}`", row.work, row.against, f"{ours.processor:.2f}"]
    if peer is None:
        cells += ["not installed", "", row.reach, ""]
    else:
        wall = ours.wall / peer.wall
        cells += [
            f"{peer.processor:.2f}",
            f"{ours.processor / peer.processor:.2f} ×",
            row.reach,
            f"{wall:.2f} ×",
        ]
    return "| " + " | ".join([*cells, memory]) + " |"


def machine() -> str:
    """The machine and the versions, one line each."""
    found = [f"- {processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"]
    fast = importlib.util.find_spec("llvmlite") is not None
    extra = f"llvmlite {importlib.metadata.version('llvmlite')}" if fast else "without the extra `fast`"
    ours = importlib.metadata.version("ntfsbuild")
    found.append(f"- ntfsbuild {ours}, Python {platform.python_version()}, {extra}")
    peers = [f"{name} {version}" for name, argv in VERSIONS.items() if (version := version_of(argv))]
    return "\n".join([*found, "- " + ", ".join(peers)]) + "\n"


def processor() -> str:
    """The processor's name, as the kernel tells it."""
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    found = re.search(r"^model name\s*: (.*)$", text, re.MULTILINE)
    return found[1] if found else platform.machine()


def version_of(argv: Sequence[str]) -> str:
    """The first number with a dot that a program says of itself; empty where it is not installed."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    found = re.search(r"\d+(?:\.\d+)+", done.stdout + done.stderr)
    return found[0] if found else ""


def between_marks(text: str) -> str:
    """The table of a page."""
    return text.partition(BEGIN)[2].partition(END)[0]


def merged(old: str, new: dict[str, str], order: Sequence[str]) -> str:
    """The table with its new lines; those of rows that were not measured now stay."""
    lines = {line.split("`")[1]: line for line in old.splitlines() if line.startswith("| `")} | new
    return HEAD + "".join(lines[key] + "\n" for key in order if key in lines)


def write_results(page: Path, readme: Path | None, lines: dict[str, str], order: Sequence[str]) -> None:
    """Put the lines into the page, and its table into the README."""
    old = page.read_text("utf-8") if page.exists() else ""
    table = f"\n{machine()}\n{merged(between_marks(old), lines, order)}"
    page.write_text(f"{PREFACE}\n{BEGIN}{table}{END}\n", "utf-8")
    if readme is not None:
        before, begin, rest = readme.read_text("utf-8").partition(BEGIN)
        _, end, after = rest.partition(END)
        assert begin and end, f"{readme} has no marks"
        readme.write_text(f"{before}{BEGIN}{table}{END}{after}", "utf-8")


PREFACE = """\
# Results

Written by `make bench`. Seconds are user and system time of all processes of a command: the median of three
rounds or more, in which we and the peer take turns. "Ratio" is ours divided by the peer's, "wall ratio" the
same of wall time. "Memory" is the most that one of our processes held. Machines are noisy, so ratios count.
"""
