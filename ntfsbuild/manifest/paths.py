"""Paths and names in a manifest: of the host, and on the volume."""

from __future__ import annotations

from ntfsbuild.manifest.words import shown
from ntfsbuild.ondisk.names import what_is_wrong_with_stream


def parse_host_path(text: str) -> bytes:
    """A path of the host, in UTF-8 on every machine."""
    if not text or "\0" in text:
        raise ValueError(f"{shown(text)} is not a path: it is empty or holds U+0000")
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{shown(text)} is not a path: it holds half a surrogate pair") from None


def parse_place(text: str) -> str:
    """A path on the volume, absolute and without a slash at its end; "/" or "." alone is the root."""
    return "/" if text in ("/", ".") else _absolute(text)


def parse_path(text: str) -> str:
    """A path on the volume that is not the root directory's."""
    if text in ("/", "."):
        raise ValueError(f"{shown(text)} is the root directory, which only touch and set take")
    return _absolute(text)


def parse_stream_name(text: str) -> str:
    """The name of a named stream, as NTFS allows it."""
    if wrong := what_is_wrong_with_stream(text):
        raise ValueError(f"{shown(text)} is not the name of a stream: {wrong}")
    return text


def _absolute(text: str) -> str:
    # One slash at either end is ignored; a second one is an empty part.
    path = "/" + text.removeprefix("/").removesuffix("/")
    if "//" in text or path == "/":
        raise ValueError(f"{shown(text)} is not a path: {'a part of it' if text else 'it'} is empty")
    if "\0" in path:
        raise ValueError(f"{shown(text)} is not a path: it holds U+0000")
    if "/." in path:
        for part in (".", ".."):
            if f"/{part}/" in path + "/":
                raise ValueError(f"{shown(text)} is not a path: it has {shown(part)} in it")
    return path
