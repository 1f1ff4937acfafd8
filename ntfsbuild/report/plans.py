"""A plan for people: a line for each operation, in columns."""

from __future__ import annotations

from ntfsbuild.content.model import Content, Fill, HostFile, Inline, Segments, TarMember
from ntfsbuild.content.problems import shown
from ntfsbuild.ondisk.file_attributes import FileAttributes, attribute_names
from ntfsbuild.plan.model import Format, MakeDirectory, MakeFile, Operation
from ntfsbuild.report.words import count_text, escaped, size_text, time_text

_PATH_WIDTH = 40
_USUAL = int(FileAttributes.ARCHIVE)


def operation_text(operation: Operation, size_bytes: int | None, base: bytes) -> str:
    """One operation; `size_bytes` is that of a file's content where it is known."""
    match operation:
        case Format():
            size = "auto" if operation.size_bytes is None else size_text(operation.size_bytes)
            return f"{'format':9} {size:>10}  {escaped(_format_words(operation))}"
        case MakeDirectory(path, _, attributes, posix_names, _):
            words = attribute_names(attributes) + (["posix names"] if posix_names else [])
            return _columns("directory", None, path, ", ".join(words))
        case MakeFile(path, content, _, attributes, _):
            words = [content_words(content, base)]
            words += attribute_names(attributes) if attributes != _USUAL else []
            return _columns("file", size_bytes, path, ", ".join(words))


def _columns(kind: str, size_bytes: int | None, path: str, what: str) -> str:
    size = "" if size_bytes is None else size_text(size_bytes)
    return f"{kind:9} {size:>10}  {escaped(path):{_PATH_WIDTH}}  {escaped(what)}".rstrip()


def _format_words(operation: Format) -> str:
    words = []
    if operation.size_bytes is None:
        words.append("the smallest that fits" + _extra_words(operation))
    if operation.label:
        words.append(f"label {operation.label}")
    words.append(f"serial {operation.serial:016X}")
    for name, size in (
        ("sector", operation.sector_bytes),
        ("cluster", operation.cluster_bytes),
        ("record", operation.record_bytes),
    ):
        words.append(f"{name} {size_text(size)}")
    if operation.hidden_sectors:
        words.append(f"{operation.hidden_sectors} hidden sectors")
    words.append(f"times {time_text(operation.times[0])}")
    return ", ".join(words)


def _extra_words(operation: Format) -> str:
    if operation.extra_bytes:
        return f" and {size_text(operation.extra_bytes)} more"
    return f" and {operation.extra_percent:g} % more" if operation.extra_percent else ""


def content_words(content: Content, base: bytes) -> str:
    """Where the bytes come from."""
    match content:
        case Inline(data):
            return "inline" if data else "empty"
        case Fill(_, None):
            return "zeros"
        case Fill(_, seed):
            return f"random, seed {seed}"
        case HostFile(path, _, sha256):
            return f"from {_shown(path, base)}" + (", digest checked" if sha256 else "")
        case TarMember(archive, name, _, _, _):
            return f"from {_shown(archive, base)}: {name}"
        case Segments(_, parts):
            return f"{count_text(len(parts), 'piece', 'pieces')} between zeros"


def _shown(path: bytes, base: bytes) -> str:
    return shown(path.removeprefix(base.rstrip(b"/") + b"/"))
