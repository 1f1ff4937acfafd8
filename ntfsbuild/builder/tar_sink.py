"""Writes items to a tar archive in the PAX format, with exact times, sparse files, attributes and streams."""

from __future__ import annotations

import base64
import io
import tarfile
from types import TracebackType
from typing import IO, Self

from ntfsbuild.builder.extraction import NO_UNIX_METADATA, Item, Stream
from ntfsbuild.ondisk.file_attributes import FileAttributes, attribute_names
from ntfsbuild.ondisk.filetime import unix_ns_from_filetime
from ntfsbuild.ondisk.standard_information import Ticks4

_BLOCK_BYTES = 512
_SHOWN_CHARACTERS = 80
_SMALL_STREAM_BYTES = 64 << 10  # Larger streams are members of their own.
_READONLY = int(FileAttributes.READONLY)
_NAME_BYTES = 100
_PLAIN_BYTES_MAX = 0o77777777777
_SIZE_AT, _SUM_AT = 124, 148
_TYPES = {
    "directory": tarfile.DIRTYPE,
    "file": tarfile.REGTYPE,
    "symlink": tarfile.SYMTYPE,
    "fifo": tarfile.FIFOTYPE,
    "hardlink": tarfile.LNKTYPE,
}


class TarSink:
    """Writes an archive to an open file."""

    def __init__(self, file: IO[bytes]) -> None:
        self._tar = tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115  Closed below.
        self._head_key: tuple[Ticks4, int] | None = None  # Key of the template.
        self._before = self._head = b""
        self._head_sum = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._tar.close()

    def put(self, item: Item) -> None:
        """Write one item; its directory was written before."""
        name = item.path[1:]
        if (
            item.kind == "file"
            and not item.streams
            and item.unix is NO_UNIX_METADATA
            and name.isascii()
            and len(name) <= _NAME_BYTES
            and "./" not in f"{name}/"
        ):
            content = item.main
            if content is None or (content.extents or [(0, 0)]) == [(0, content.size_bytes)]:
                self._put_plain(item, name.encode(), content)
                return
        self._put_any(item)

    def _put_plain(self, item: Item, name: bytes, content: Stream | None) -> None:
        """A file whose header differs only in name and size from files of equal times and attributes."""
        size = content.size_bytes if content else 0
        if size > _PLAIN_BYTES_MAX:
            self._put_any(item)
            return
        key = item.times, item.attributes
        if key != self._head_key:
            info = self._info(item, "/x")
            info.mode = 0o444 if item.attributes & _READONLY else 0o644
            whole = info.tobuf(tarfile.PAX_FORMAT, self._tar.encoding, self._tar.errors or "strict")
            self._head_key, self._before, self._head = key, whole[:-_BLOCK_BYTES], whole[-_BLOCK_BYTES:]
            # The checksum counts its own field as spaces; of the rest only name and size differ.
            blank = bytearray(self._head)
            blank[:1], blank[_SIZE_AT : _SIZE_AT + 11] = b"\0", bytes(11)
            blank[_SUM_AT : _SUM_AT + 8] = b"        "
            self._head_sum = sum(blank)
        head, digits = bytearray(self._head), b"%011o" % size
        head[: len(name)] = name  # The template's name has one character.
        head[_SIZE_AT : _SIZE_AT + 11] = digits
        head[_SUM_AT : _SUM_AT + 8] = b"%06o\0 " % (self._head_sum + sum(name) + sum(digits))
        file = self._tar.fileobj
        assert file is not None
        file.write(self._before + head)
        self._tar.offset += len(self._before) + _BLOCK_BYTES + -(-size // _BLOCK_BYTES) * _BLOCK_BYTES
        if content is not None:
            for _, piece in content.pieces():
                file.write(piece)
        if size % _BLOCK_BYTES:
            file.write(bytes(-size % _BLOCK_BYTES))

    def _put_any(self, item: Item) -> None:
        info = self._info(item, item.path)
        info.type = _TYPES[item.kind]
        info.mode = 0o755 if item.kind == "directory" else 0o444 if item.attributes & _READONLY else 0o644
        if item.unix.mode is not None:
            info.mode = item.unix.mode & 0o7777
        info.uid, info.gid = item.unix.uid or 0, item.unix.gid or 0
        if item.kind == "hardlink":
            info.linkname = _member_name(item.target)
        elif item.kind == "symlink":
            info.linkname = _text(item.target)
        large = []
        for stream in item.streams:
            if stream.size_bytes <= _SMALL_STREAM_BYTES:
                key = f"LIBARCHIVE.xattr.user.{_key(stream.name)}"
                info.pax_headers = {**info.pax_headers, key: _encoded(stream)}
            else:
                large.append(stream)
        self._add(info, item.main if item.kind == "file" else None)
        for stream in large:
            info = self._info(item, f"{item.path}:{stream.name}")
            info.mode = 0o644
            self._add(info, stream)

    def finish(self) -> None:
        """Do nothing: only a directory of the host needs work at the end."""

    def _info(self, item: Item, path: str) -> tarfile.TarInfo:
        info = tarfile.TarInfo(_member_name(path))
        created, modified, changed, accessed = (_seconds(ticks) for ticks in item.times)
        info.mtime = int(unix_ns_from_filetime(item.times[1]) // 10**9)
        info.pax_headers = {
            "mtime": modified,
            "atime": accessed,
            "ctime": changed,
            "LIBARCHIVE.creationtime": created,
            "NTFSBUILD.attributes": ",".join(attribute_names(item.attributes)),
        }
        return info

    def _add(self, info: tarfile.TarInfo, content: Stream | None) -> None:
        if content is None:
            self._tar.addfile(info)
            return
        stored = sum(end - begin for begin, end in content.extents)
        if stored == content.size_bytes:
            info.size = content.size_bytes
            self._tar.addfile(info, _Reader([b""], content))
            return
        # GNU's sparse format 1.0: a map of the data ranges comes before the data.
        extents = content.extents
        if not extents or extents[-1][1] < content.size_bytes:
            extents = [*extents, (content.size_bytes, content.size_bytes)]
        numbers = [len(extents), *(number for begin, end in extents for number in (begin, end - begin))]
        sparse_map = "".join(f"{number}\n" for number in numbers).encode()
        sparse_map = sparse_map.ljust(-(-len(sparse_map) // _BLOCK_BYTES) * _BLOCK_BYTES, b"\0")
        info.pax_headers = {
            **info.pax_headers,
            "GNU.sparse.major": "1",
            "GNU.sparse.minor": "0",
            "GNU.sparse.name": info.name,
            "GNU.sparse.realsize": str(content.size_bytes),
        }
        # Short, and ASCII: otherwise tarfile writes a second PAX name, and Python reads that one.
        last = info.name.rpartition("/")[2].encode("ascii", "replace").decode()
        info.name = f"GNUSparseFile.0/{last[:_SHOWN_CHARACTERS]}"
        info.size = len(sparse_map) + stored
        self._tar.addfile(info, _Reader([sparse_map], content))


class _Reader(io.RawIOBase):
    """A file object for tarfile: first given bytes, then the data of a stream."""

    def __init__(self, ready: list[bytes], content: Stream) -> None:
        self._buffer = b"".join(ready)
        self._pieces = content.pieces()

    def read(self, size: int = -1) -> bytes:
        """The next `size` bytes, fewer at the end."""
        while 0 <= size > len(self._buffer) or size < 0:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._buffer += piece[1]
        end = len(self._buffer) if size < 0 else size
        data, self._buffer = self._buffer[:end], self._buffer[end:]
        return data


def _seconds(ticks: int) -> str:
    seconds, rest = divmod(unix_ns_from_filetime(ticks), 10**9)
    if seconds < 0 and rest:
        seconds, rest = seconds + 1, 10**9 - rest
        return f"{'-' if seconds == 0 else ''}{seconds}.{rest:09}"
    return f"{seconds}.{rest:09}"


def _member_name(path: str) -> str:
    """A path without its leading slash, and with `.` and `..` escaped."""
    parts = [{".": "%2E", "..": "%2E%2E"}.get(part, part) for part in path.strip("/").split("/")]
    return _text("/".join(parts))


def _text(text: str) -> str:
    """The text for tarfile; an unpaired surrogate is stored as its three bytes."""
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape")


def _key(name: str) -> str:
    return _text(name.replace("%", "%25").replace("=", "%3D"))


def _encoded(stream: Stream) -> str:
    data = bytearray(stream.size_bytes)
    for at, piece in stream.pieces():
        data[at : at + len(piece)] = piece
    return base64.b64encode(data).decode().rstrip("=")
