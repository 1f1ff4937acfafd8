"""Standard output and error: UTF-8 in any locale, and no error message when a pipe's reader is gone."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, TextIO, cast

from ntfsbuild.cli.settings import Settings
from ntfsbuild.errors import HostError

_CLOSED = "standard output is closed"


def use_utf8() -> None:
    """Make both streams UTF-8 with plain line feeds; characters that UTF-8 cannot encode are escaped."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, _closed(name))
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", newline="\n")


def _closed(name: str) -> TextIO:
    """The replacement of a stream that the caller closed: error messages are lost, writing results fails."""
    if name == "stderr":
        return open(os.devnull, "w", encoding="utf-8")
    return io.TextIOWrapper(io.BufferedWriter(_ClosedOutput()), encoding="utf-8", errors="backslashreplace")


class _ClosedOutput(io.RawIOBase):
    """Refuses all data until it is abandoned, then discards it."""

    abandoned = False

    def writable(self) -> bool:
        """True, so that it can be buffered."""
        return True

    def write(self, data: Any) -> int:
        """Refuse."""
        if not self.abandoned:
            raise HostError(_CLOSED)
        return len(data)


def binary_output() -> BinaryIO:
    """Standard output for bytes; text written before is flushed first."""
    sys.stdout.flush()
    return cast(BinaryIO, sys.stdout.buffer)


def binary_input() -> BinaryIO:
    """Standard input for bytes."""
    if sys.stdin is None:  # The caller closed it.
        raise HostError("standard input is closed")
    return cast(BinaryIO, sys.stdin.buffer)


def flush_output() -> None:
    """Write buffered output while an error can still be reported."""
    sys.stdout.flush()


def finish_output() -> None:
    """Write buffered output after an error; if that fails, discard it.

    Otherwise the interpreter would try again at exit.
    """
    try:
        sys.stdout.flush()
    except (OSError, ValueError, HostError):
        _abandon(sys.stdout)


def _abandon(stream: TextIO) -> None:
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    if isinstance(raw, _ClosedOutput):
        raw.abandoned = True
        return
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


def say(text: str) -> None:
    """Print a line on standard error; an error while writing it is ignored."""
    with sayable():
        print(text, file=sys.stderr)


def say_damage(image: str, messages: Iterable[str], settings: Settings) -> None:
    """Report damage that a reader skipped, on standard error; with --json as one document."""
    messages = list(messages)
    if not messages:
        return
    if settings.json:
        say(json.dumps({"damage": {"image": image, "messages": messages}}, ensure_ascii=False))
        return
    from ntfsbuild.report.words import escaped

    for message in messages:
        say(f"damaged: {image}: {escaped(message)}")


@contextlib.contextmanager
def sayable() -> Iterator[None]:
    """A context in which errors of writing to standard error are ignored."""
    try:
        yield
        sys.stderr.flush()
    except (OSError, ValueError):
        _abandon(sys.stderr)


def save(path: str, pieces: Iterable[bytes]) -> None:
    """Write a file under a temporary name and rename it when complete; write to a device or pipe directly."""
    from ntfsbuild.image.replacing import replacing

    if is_device(path):
        with _naming(path), open(path, "wb") as device:
            _write(device, pieces, path)
        return
    with replacing(path) as descriptor, open(descriptor, "wb", closefd=False) as file:
        _write(file, pieces, path)


def save_sparse(path: str, data: Iterable[tuple[int, bytes]], size_bytes: int) -> None:
    """Write data at offsets to a file of that size, as `save` does; between the data are holes."""
    from ntfsbuild.image.replacing import replacing
    from ntfsbuild.image.sparse_file import write_sparse

    with replacing(path) as descriptor, _naming(path):
        os.ftruncate(descriptor, size_bytes)  # A size that the host cannot have is refused at once.
        write_sparse(descriptor, data, size_bytes)


def is_device(path: str) -> bool:
    """Whether a path is there, and is neither a file nor a directory."""
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


def _write(file: BinaryIO, pieces: Iterable[bytes], path: str) -> None:
    for piece in pieces:
        with _naming(path):
            file.write(piece)
    with _naming(path):
        file.flush()


@contextlib.contextmanager
def _naming(path: str) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise HostError(f"{path}: {error.strerror or error}") from error
