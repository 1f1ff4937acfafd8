"""The fenced blocks of `specs/manifest.md`, and the host files that its examples read."""

from __future__ import annotations

import io
import re
import tarfile
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).parents[2] / "specs" / "manifest.md"


class Block(NamedTuple):
    """What stands between two fences; `line` is that of the first fence."""

    line: int
    info: str
    text: str


def blocks() -> list[Block]:
    """All fenced blocks of the page, in order."""
    page = PAGE.read_text("utf-8")
    found = re.finditer(r"^```(\S[^\n]*)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return [Block(page.count("\n", 0, match.start()) + 1, match[1], match[2]) for match in found]


def examples() -> list[Block]:
    """The valid manifests of the page; `yaml image=path` is one that others build upon."""
    return [block for block in blocks() if block.info == "yaml" or block.info.startswith("yaml image=")]


def make_sources(folder: Path) -> None:
    """Lay the page's files into a folder: `file=path`, or `file=archive:member`."""
    archives: dict[str, list[tuple[str, bytes]]] = {}
    for block in blocks():
        _, is_file, place = block.info.partition("file=")
        archive, is_member, member = place.partition(":")
        if is_member:
            archives.setdefault(archive, []).append((member, block.text.encode()))
        elif is_file:
            path = folder / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(block.text.encode())
    for name, members in archives.items():
        with tarfile.open(folder / name, "w:gz") as archive_file:
            for member, content in members:
                header = tarfile.TarInfo(member)
                header.size = len(content)
                archive_file.addfile(header, io.BytesIO(content))
