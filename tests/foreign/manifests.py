"""Manifests written by tests, and next to them, computed from the same description, what has to come out."""

import datetime
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ntfsbuild import builder
from tests.oracle import Tree, directory, file
from tests.oracle.model import TICKS_1970

Segments = Sequence[tuple[int, bytes]]
ARCHIVE = 0x20
EPOCH = "1980-01-01T00:00:00Z"  # What the language says of times that nobody gave.
ZEROS = bytes(1 << 20)


class Case:
    """One volume: geometry, files, directories; `write` makes the manifest, `expected` the truth."""

    def __init__(
        self, volume: Mapping[str, str | int] | None = None, *, times: str | None = None, posix: bool = False
    ) -> None:
        self.volume = volume or {}
        self.defaults = ({"times": times} if times else {}) | ({"names": "posix"} if posix else {})
        self.ticks = ticks(times or EPOCH)
        self.keys: dict[str, object] = {}
        self.expected: Tree = {}

    def folder(self, path: str) -> None:
        self._parents(path)
        self.keys[path + "/"] = {}
        self.expected[path] = directory(attributes=0, **self._times())

    def file(self, path: str, content: bytes = b"") -> None:
        self._parents(path)
        self.keys[path] = {"hex": content.hex()} if content else None
        self.expected[path] = file(content, attributes=ARCHIVE, links=1, **self._times())

    def files(self, contents: Mapping[str, bytes]) -> None:
        for path, content in contents.items():
            self.file(path, content)

    def pieces(self, path: str, size: int, segments: Segments) -> None:
        """A large file: zeros, but for some segments in ascending order."""
        self._parents(path)
        data = [{"at": at, "hex": content.hex()} for at, content in segments]
        self.keys[path] = {"size": size, "data": data}
        self.expected[path] = file(_stream(size, segments), attributes=ARCHIVE, links=1, **self._times())

    def _parents(self, path: str) -> None:
        parent = posixpath.dirname(path)
        while parent and parent not in self.expected:
            self.expected[parent] = directory(attributes=0, **self._times())
            parent = posixpath.dirname(parent)

    def _times(self) -> dict[str, int]:
        return dict.fromkeys(("created", "modified", "changed", "accessed"), self.ticks)

    def write(self, manifest: Path) -> None:
        manifest.write_text(
            f"ntfsbuild: 1\nvolume: {flow(self.volume)}\ndefaults: {flow(self.defaults)}\ntree:\n"
            + "".join(f"{_key(key)}: {flow(value)}\n" for key, value in self.keys.items())
            + ("" if self.keys else "  {}\n"),
            encoding="utf-8",
        )

    def build(self, image: Path, prefill: int | None = None) -> tuple[Path, Tree]:
        """The image, and what every reader has to find in it."""
        manifest = image.with_suffix(".yaml")
        self.write(manifest)
        builder.build(manifest, image, prefill=prefill)
        return image, self.expected


def ticks(time: str) -> int:
    """FILETIME of an ISO time, to 100 ns."""
    whole, fraction = re.fullmatch(r"(.*?)(?:\.(\d{1,7}))?Z", time).groups()  # type: ignore[union-attr]
    since_1970 = datetime.datetime.fromisoformat(whole + "+00:00") - datetime.datetime.fromtimestamp(
        0, datetime.UTC
    )
    seconds = since_1970 // datetime.timedelta(seconds=1)
    return TICKS_1970 + seconds * 10_000_000 + int((fraction or "").ljust(7, "0"))


def flow(value: object) -> str:
    """YAML in flow style."""
    match value:
        case None:
            return "null"
        case str():
            return quoted(value)
        case Mapping():
            return "{" + ", ".join(f"{quoted(str(key))}: {flow(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(flow, value)) + "]"
    return str(value)


def _key(path: str) -> str:
    """A key of the tree; YAML wants a question mark before one that is very long."""
    key = quoted(path)
    return f"  {key}" if len(key) < 1000 else f"  ? {key}\n  "


def quoted(text: str) -> str:
    """A double-quoted YAML scalar in ASCII; what is not plainly printable is escaped."""
    return '"' + re.sub(r"[^ !#-\[\]-~]", lambda found: f"\\U{ord(found[0]):08X}", text) + '"'


def _stream(size: int, segments: Segments) -> Iterator[bytes]:
    at = 0
    for start, content in [*segments, (size, b"")]:
        while at < start:
            piece = ZEROS[: min(len(ZEROS), start - at)]
            at += len(piece)
            yield piece
        at += len(content)
        yield content


def pattern(size: int, seed: int = 0) -> bytes:
    """Bytes of which no two sectors are alike."""
    block = bytes((seed + 7 * i) % 251 for i in range(251))
    raw = bytearray((block * (size // 251 + 1))[:size])
    for at in range(0, size - 8, 512):
        raw[at : at + 8] = (at + seed).to_bytes(8, "little")
    return bytes(raw)
