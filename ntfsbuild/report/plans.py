"""A plan as text: a line for each operation, in columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ntfsbuild.content.model import Content, Fill, HostFile, Inline, Segments, TarMember
from ntfsbuild.content.problems import shown
from ntfsbuild.ondisk.file_attributes import FileAttributes, attribute_names
from ntfsbuild.ondisk.standard_information import TIME_NAMES
from ntfsbuild.ondisk.traits import SomeTicks
from ntfsbuild.plan.features import Features
from ntfsbuild.plan.model import (
    DeleteStep,
    Format,
    Keep,
    LabelStep,
    LinkFile,
    LinkStep,
    MakeDirectory,
    MakeFile,
    MkdirStep,
    OpenBase,
    Operation,
    Remove,
    RenameStep,
    ReplaceFile,
    SetMetadata,
    SetStep,
    Step,
    TruncateStep,
    WriteStep,
)
from ntfsbuild.report.words import count_text, escaped, size_text, time_text

_PATH_WIDTH = 40
_USUAL = int(FileAttributes.ARCHIVE)


def operation_text(
    operation: Operation, size_bytes: int | None, base: bytes, *, on_base: bool = False
) -> str:
    """One operation; `size_bytes` is the size of the file's content, if known.

    On a base the first word is create, replace, keep or remove.
    """
    text = _text(operation, size_bytes, base)
    kind = changed_kind(operation) if on_base else None
    return text if kind is None else f"{kind:9}{text[9:]}"


def _text(operation: Operation, size_bytes: int | None, base: bytes) -> str:
    match operation:
        case Format():
            size = "auto" if operation.size_bytes is None else size_text(operation.size_bytes)
            return f"{'format':9} {size:>10}  {escaped(_format_words(operation))}"
        case MakeDirectory(path, _, attributes, posix_names, _, features):
            words = attribute_names(attributes) + (["posix names"] if posix_names else [])
            words += _feature_words(features)
            return _columns("directory", None, path, ", ".join(words))
        case MakeFile(path, content, _, attributes, _, features):
            words = [content_words(content, base)]
            words += attribute_names(attributes) if attributes != _USUAL else []
            words += _feature_words(features)
            return _columns("file", size_bytes, path, ", ".join(words))
        case LinkFile(path, to, _, _, _, features):
            words = [f"one more name of {to}", *_feature_words(features)]
            return _columns("link", None, path, ", ".join(words))
        case OpenBase(serial, label, ticks):
            words = [f"the volume {serial:016X}, at {time_text(ticks)}"]
            words += [] if label is None else [f"label {label}"]
            return f"{'base':9} {'':>10}  {escaped(', '.join(words))}"
        case Keep(path, directory, _, _):
            return _columns("keep", None, _as_kind(path, directory), "")
        case ReplaceFile(path, content, times, attributes, _, _, features):
            words = [content_words(content, base), *_said(times, attributes), *_feature_words(features)]
            return _columns("replace", size_bytes, path, ", ".join(words))
        case SetMetadata(path, directory, times, attributes, _, _, features):
            words = [*_said(times, attributes), *_feature_words(features)]
            return _columns("set", None, _as_kind(path, directory), ", ".join(words))
        case Remove(path, directory, _, _):
            return _columns("remove", None, _as_kind(path, directory), "")
        case _:
            return _step_text(operation, size_bytes, base)


def _feature_words(features: Features) -> list[str]:
    """The features, each in a word or two."""
    words = [] if features.form in (None, "plain") else [str(features.form)]
    for name, value in features.traits._asdict().items():
        if value is not None:
            words.append(f"short name {value}" if name == "short_name" else name.replace("_", " "))
    return words + [f"stream {stream.name}" for stream in features.streams]


def changed_kind(operation: Operation) -> str | None:
    """The kind of change (create, replace, keep, remove) of an operation in a plan with a base."""
    match operation:
        case MakeDirectory() | MakeFile() | LinkFile():
            return "create"
        case Keep():
            return "keep"
        case ReplaceFile() | SetMetadata():
            return "replace"
        case Remove():
            return "remove"
    return None


def summary(operations: Iterable[Operation]) -> str:
    """How many paths of the tree are created, replaced, kept, removed, and how many steps follow."""
    kinds = (changed_kind(one) or "step" for one in operations if not isinstance(one, Format | OpenBase))
    counts = Counter(kinds)
    return counts_text(*(counts[kind] for kind in ("create", "replace", "keep", "remove", "step")))


def counts_text(created: int, replaced: int, kept: int, removed: int, steps: int) -> str:
    """The same counts in words."""
    words = f"{created:,} created, {replaced:,} replaced, {kept:,} kept, {removed:,} removed"
    return f"{words}, {count_text(steps, 'step', 'steps')}" if steps else words


def _step_text(operation: Step, size_bytes: int | None, base: bytes) -> str:
    """One step: the operation, the path, what is done, and when."""
    when = time_text(operation.ticks)
    match operation:
        case WriteStep(path, at, content, stream, _, _, _):
            where = "at the end" if at is None else f"at {at}"
            kind = "append" if at is None else "write"
            words = [content_words(content, base), *([] if at is None else [where])]
            return _columns(kind, size_bytes, _with_stream(path, stream), ", ".join([*words, when]))
        case TruncateStep(path, size, stream, _, _):
            return _columns("truncate", size, _with_stream(path, stream), when)
        case RenameStep(path, to, replace, _, _, _):
            words = [f"to {to}", *(["replacing"] if replace else []), when]
            return _columns("rename", None, path, ", ".join(words))
        case LinkStep(path, to, _, _, _):
            return _columns("link", None, path, f"to {to}, {when}")
        case DeleteStep(path, stream, recursive, _, _):
            words = [*(["with all in it"] if recursive else []), when]
            return _columns("delete", None, _with_stream(path, stream), ", ".join(words))
        case MkdirStep(path, _, attributes, _, _, _, features):
            words = [*attribute_names(attributes), *_feature_words(features), when]
            return _columns("mkdir", None, path, ", ".join(words))
        case SetStep(path, times, attributes, _, _, features):
            words = [*_said(times, attributes), *_feature_words(features), when]
            return _columns("set", None, path, ", ".join(words))
        case LabelStep(label, _, _):
            return _columns("label", None, label, when)


def _said(times: SomeTicks, attributes: int | None) -> list[str]:
    """The times and attributes that are given, in words."""
    named = zip(TIME_NAMES, times, strict=True)
    given = [(name, time_text(ticks)) for name, ticks in named if ticks is not None]
    words = [f"{name} {text}" for name, text in given]
    if len(given) == len(TIME_NAMES) and len({text for _, text in given}) == 1:
        words = [f"times {given[0][1]}"]
    if attributes is not None:
        words.append("attributes " + (" ".join(attribute_names(attributes)) or "none"))
    return words


def _as_kind(path: str, directory: bool) -> str:
    return path.rstrip("/") + "/" if directory else path


def _with_stream(path: str, stream: str) -> str:
    return f"{path}:{stream}" if stream else path


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
    """The content in words: its kind or its source."""
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
