"""A tar archive as a source of files, with the same face as a directory of the host.

What is taken: regular files, directories, hard links (the content that the name had at that point of
the archive), and symbolic links: as links where they are kept, else those to a file in the archive (the
content that it has at the end).  Of two members with the same name the last one counts, as it does for
tar.  All else is a problem: devices and FIFOs but for `wsl`, other symbolic links, names that are
absolute, go up with `..` or are not UTF-8, and names that are a file and a directory at once.  `include`
and `exclude` work as for a directory of the host.
"""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any, Final, NamedTuple, TypeAlias, cast

from ntfsbuild.content.archive import Archive, open_archive
from ntfsbuild.content.model import (
    EMPTY,
    NO_LINKS,
    Content,
    LinkKind,
    LinksRule,
    Segment,
    Segments,
    SourceLink,
    TarMember,
)
from ntfsbuild.content.patterns import Patterns
from ntfsbuild.content.problems import SourceError, shown
from ntfsbuild.errors import ManifestError
from ntfsbuild.ondisk.filetime import filetime_from_unix_ns
from ntfsbuild.ondisk.unix_metadata import UnixMetadata

_BLOCK_BYTES = 512
_LINK_HOPS_MAX = 40
_VOLUME_LABEL_TYPE = b"V"
_SPECIAL_TYPES: Final[dict[bytes, tuple[LinkKind, int]]] = {
    tarfile.SYMTYPE: ("symlink", stat.S_IFLNK),
    tarfile.FIFOTYPE: ("fifo", stat.S_IFIFO),
    tarfile.CHRTYPE: ("char", stat.S_IFCHR),
    tarfile.BLKTYPE: ("block", stat.S_IFBLK),
}


class _Member(NamedTuple):
    """A regular file: where its bytes lie, or in which pieces when it is sparse."""

    offset: int
    size_bytes: int
    ticks: int
    extents: tuple[tuple[int, int], ...] | None
    unix: UnixMetadata  # Shared by all members that have the same.


class _Link(NamedTuple):
    """A symbolic link, resolved when all members are known."""

    target: str


class _Kept(NamedTuple):
    """A symbolic link, or a special file, that stays one."""

    kind: LinkKind
    target: str
    ticks: int
    unix: UnixMetadata


_Any: TypeAlias = _Member | _Link | _Kept


class TarTree:
    """One directory of an archive: its regular files by name, and its subdirectories.

    Those of the names that are in `links` have no content.
    """

    __slots__ = ("_archive", "_members", "_relative", "_ticks", "_unix", "directories", "links", "names")

    def __init__(self, archive: bytes, relative: str) -> None:
        self._archive = archive
        self._relative = relative  # From the archive's root: "", or with a slash at its end.
        self._members: dict[str, _Any] = {}
        self._ticks: int | None = None
        self._unix: UnixMetadata | None = None
        self.names: list[str] = []
        self.links: Mapping[str, SourceLink] = NO_LINKS
        self.directories: dict[str, TarTree] = {}

    @property
    def path(self) -> bytes:
        """Where the directory is, for messages: the archive and the path in it."""
        return self._archive + b": " + self._relative.encode() if self._relative else self._archive

    def content(self, name: str) -> Content:
        """The content of a file of this directory; of a sparse file its pieces."""
        member = self._members[name]
        assert isinstance(member, _Member)
        if not member.size_bytes:
            return EMPTY
        path = self._relative + name
        if member.extents is None:
            return TarMember(self._archive, path, member.offset, member.size_bytes, None)
        parts, offset = [], member.offset
        for at, length in member.extents:
            parts.append(Segment(at, TarMember(self._archive, path, offset, length, None)))
            offset += length
        return Segments(member.size_bytes, tuple(parts))

    def contents(self) -> Iterator[Content]:
        """The contents of all files, in the order of `names`."""
        return map(self.content, self.names)

    def mtime_ticks(self, name: str) -> int | None:
        """When a file of this directory was last modified; "" is the directory itself.

        None for a directory that has no member in the archive.
        """
        if not name:
            return self._ticks
        member = self._members[name]
        assert not isinstance(member, _Link)
        return member.ticks

    def unix_metadata(self, name: str) -> UnixMetadata | None:
        """Owner, group and mode of a file of this directory; "" is the directory itself, as for times."""
        if not name:
            return self._unix
        member = self._members[name]
        assert not isinstance(member, _Link)
        return member.unix


def scan(path: bytes, include: Sequence[str], exclude: Sequence[str], links: LinksRule = "follow") -> TarTree:
    """The tree in the archive at `path`; raises `SourceError` with everything that is wrong with it."""
    listing = _Listing(open_archive(path), links)
    listing.read()
    if links == "follow":
        listing.resolve_links()
    elif listing.keeps:
        listing.name_links()
    if not listing.problems:
        _select(listing.root, include, exclude)
        if links == "error":
            listing.refuse_links()
    if listing.problems:
        raise SourceError([f"{shown(path)}: {problem}" for problem in listing.problems])
    return listing.root


class _Listing:
    """The state of reading one archive."""

    def __init__(self, archive: Archive, links: LinksRule) -> None:
        self.archive = archive
        self.links = links
        self.keeps = False  # Whether there is anything that is kept as a link.
        self.root = TarTree(archive.path, "")
        self.problems: list[str] = []
        self._unix: dict[tuple[int, ...], UnixMetadata] = {}

    def read(self) -> None:
        """Take every member, in the order of the archive."""
        path = self.archive.path
        os.lseek(self.archive.fd, 0, os.SEEK_SET)
        try:
            with os.fdopen(os.dup(self.archive.fd), "rb") as stream:
                end = self._take_all(stream)
        except (tarfile.TarError, ValueError, EOFError, OverflowError) as failure:
            raise ManifestError(f"{shown(path)} is damaged: {failure}") from None
        # tarfile takes whatever is not a header for the end.  The true end is a block of zeros.
        if end + _BLOCK_BYTES > self.archive.size_bytes:
            raise ManifestError(f"{shown(path)} is damaged: it is cut off after {end} bytes")
        if any(self.archive.read(end, _BLOCK_BYTES)):
            raise ManifestError(f"{shown(path)} is damaged: there is no member at byte {end}")

    def _take_all(self, stream: IO[bytes]) -> int:
        """Take the members; the answer is where the last one ends."""
        with tarfile.open(fileobj=stream, mode="r:", encoding="utf-8", errors="surrogateescape") as tar:
            members = cast(Any, tar).members
            while (info := tar.next()) is not None:
                self._take(info)
                members.clear()  # Else it keeps a kilobyte for each.
            return tar.offset

    def _take(self, info: tarfile.TarInfo) -> None:
        if info.type == _VOLUME_LABEL_TYPE:
            return
        try:
            parts = _parts(info.name)
            if info.isdir():
                directory = self._directory(parts)
                directory._ticks, directory._unix = _ticks(info), self._unix_of(info, stat.S_IFDIR)
            elif not parts:
                raise ManifestError("is a file without a name")
            else:
                self._put(parts, self._member(info))
        except ManifestError as fault:
            self.problems.append(f"{_escaped(info.name)} {fault}")

    def _member(self, info: tarfile.TarInfo) -> _Any:
        if info.type in _SPECIAL_TYPES and (self.links == "wsl" or (self.links == "ntfs" and info.issym())):
            self.keeps = True
            kind, kind_mode = _SPECIAL_TYPES[info.type]
            return _Kept(kind, info.linkname, _ticks(info), self._unix_of(info, kind_mode))
        if info.issym():
            return _Link(info.linkname)
        if info.islnk():
            return self._hard_link_target(info)
        if info.type not in tarfile.REGULAR_TYPES:
            raise ManifestError("is neither a file nor a directory nor a link")
        sparse: list[tuple[int, int]] | None = cast(Any, info).sparse
        extents = None if sparse is None else tuple((at, size) for at, size in sparse if size)
        stored = info.size if extents is None else sum(size for _, size in extents)
        if info.offset_data + stored > self.archive.size_bytes:
            raise ManifestError("is cut off: the archive is damaged")
        return _Member(info.offset_data, info.size, _ticks(info), extents, self._unix_of(info, stat.S_IFREG))

    def _unix_of(self, info: tarfile.TarInfo, kind_mode: int) -> UnixMetadata:
        key = info.uid, info.gid, info.mode, kind_mode, info.devmajor, info.devminor
        unix = self._unix.get(key)
        if unix is None:
            device = (info.devmajor, info.devminor) if info.ischr() or info.isblk() else None
            mode = stat.S_IMODE(info.mode) | kind_mode
            unix = self._unix[key] = UnixMetadata(info.uid, info.gid, mode, device)
        return unix

    def _hard_link_target(self, info: tarfile.TarInfo) -> _Any:
        *parents, name = _parts(info.linkname) or [""]
        directory = self._find(parents)
        target = None if directory is None else directory._members.get(name)
        if target is None:
            raise ManifestError(f"is a hard link to {_escaped(info.linkname)}, which does not come before it")
        return target

    def _directory(self, parts: list[str]) -> TarTree:
        """The directory with this path; made when it is not there yet."""
        here = self.root
        for part in parts:
            if part in here._members:
                raise ManifestError(f"lies in {here._relative}{part}, which is a file")
            if part not in here.directories:
                here.directories[part] = TarTree(self.archive.path, f"{here._relative}{part}/")
            here = here.directories[part]
        return here

    def _put(self, parts: list[str], member: _Any) -> None:
        directory = self._directory(parts[:-1])
        if parts[-1] in directory.directories:
            raise ManifestError("is a file and a directory at once")
        directory._members[parts[-1]] = member

    def _find(self, parts: Sequence[str]) -> TarTree | None:
        here: TarTree | None = self.root
        for part in parts:
            here = here.directories.get(part) if here is not None else None
        return here

    def resolve_links(self) -> None:
        """Put the content of its target in the place of every symbolic link."""
        for tree in _all(self.root):
            for name, member in tree._members.items():
                if isinstance(member, _Link):
                    try:
                        tree._members[name] = self._resolved(tree, member)
                    except ManifestError as fault:
                        self.problems.append(f"{_escaped(tree._relative + name)} {fault}")

    def name_links(self) -> None:
        """Tell of every directory which links it has."""
        for tree in _all(self.root):
            links = {
                name: SourceLink(
                    member.kind,
                    member.target.encode("utf-8", "surrogateescape") if member.kind == "symlink" else b"",
                    self.links == "ntfs" and self._leads_to_directory(tree, member),
                )
                for name, member in tree._members.items()
                if isinstance(member, _Kept)
            }
            if links:
                tree.links = links

    def _leads_to_directory(self, tree: TarTree, link: _Kept) -> bool:
        """Whether a link ends at a directory of this archive, perhaps through other links."""
        hops, way = 0, [self.root]
        rest = [*tree._relative.split("/"), *link.target.split("/")][::-1]
        outside = link.target.startswith("/")
        while rest and not outside:
            part = rest.pop()
            if part in ("", "."):
                continue
            if part == "..":
                way.pop()
                outside = not way
                continue
            if part in way[-1].directories:
                way.append(way[-1].directories[part])
                continue
            member = way[-1]._members.get(part)
            hops += 1
            if not isinstance(member, _Kept) or member.kind != "symlink" or hops > _LINK_HOPS_MAX:
                return False
            if member.target.startswith("/"):
                return False
            rest += member.target.split("/")[::-1]
        return not outside

    def refuse_links(self) -> None:
        """Every symbolic link that was taken is a problem."""
        for tree in _all(self.root):
            self.problems += [
                f"{_escaped(tree._relative + name)} is a symbolic link"
                for name in tree.names
                if isinstance(tree._members[name], _Link)
            ]

    def _resolved(self, tree: TarTree, link: _Link) -> _Member:
        directory: TarTree | None = tree
        member: _Any | None = link
        for _ in range(_LINK_HOPS_MAX):
            assert isinstance(member, _Link) and directory is not None
            if member.target.startswith("/"):
                raise ManifestError(f"is a symbolic link to {_escaped(link.target)}, outside the archive")
            parts = _normal(directory._relative.split("/") + member.target.split("/"))
            if parts is None:
                raise ManifestError(f"is a symbolic link to {_escaped(link.target)}, outside the archive")
            directory = self._find(parts[:-1])
            member = directory._members.get(parts[-1]) if directory is not None and parts else None
            if isinstance(member, _Member):
                return member
            if member is None:
                raise ManifestError(
                    f"is a symbolic link to {_escaped(link.target)}, which is not a file in the archive"
                )
        raise ManifestError(f"is a symbolic link to {_escaped(link.target)}, which leads in a circle")


def _parts(name: str) -> list[str]:
    """The parts of a member's name."""
    if name.startswith("/"):
        raise ManifestError("has an absolute name")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise ManifestError("has a name that goes up with ..")
    if not name.isascii():
        try:
            name.encode()
        except UnicodeEncodeError:
            raise ManifestError("has a name that is not UTF-8") from None
    return parts


def _normal(parts: list[str]) -> list[str] | None:
    """The parts without `.` and `..`; None when they lead out of the archive."""
    normal: list[str] = []
    for part in parts:
        if part == "..":
            if not normal:
                return None
            normal.pop()
        elif part not in ("", "."):
            normal.append(part)
    return normal


def _escaped(name: str) -> str:
    return shown(name.encode("utf-8", "surrogateescape"))


def _ticks(info: tarfile.TarInfo) -> int:
    """The member's modification time; a PAX header has it in decimal, which a float would round."""
    text = info.pax_headers.get("mtime")
    try:
        if text is None:
            return filetime_from_unix_ns(int(info.mtime) * 1_000_000_000)
        return filetime_from_unix_ns(_nanoseconds(text))
    except ValueError:
        raise ManifestError("has a modification time that NTFS does not hold") from None


def _nanoseconds(text: str) -> int:
    """A decimal count of seconds in nanoseconds, rounded towards the past."""
    whole, _, fraction = text.strip().partition(".")
    if not (whole.removeprefix("-") + fraction).isdecimal() or len(whole) > 20:
        raise ValueError(text)
    digits = fraction.ljust(9, "0")
    nanoseconds = int(digits[:9]) + (1 if whole.startswith("-") and digits[9:].strip("0") else 0)
    seconds = int(whole or "0") * 1_000_000_000
    return seconds - nanoseconds if whole.startswith("-") else seconds + nanoseconds


def _all(root: TarTree) -> list[TarTree]:
    """Every directory, parents first."""
    found = [root]
    for tree in found:
        found.extend(tree.directories.values())
    return found


def _select(root: TarTree, include: Sequence[str], exclude: Sequence[str]) -> None:
    """Leave what the patterns take, in the order of the names."""
    taking = Patterns(include) if include else None
    leaving = Patterns(exclude) if exclude else None
    taken = {id(root): taking is None}
    listed = [root]
    for tree in listed:
        inside, at = taken[id(tree)], tree._relative
        for name in sorted(tree._members):
            if leaving is not None and leaving.match_file(at, name):
                continue
            if inside or taking is None or taking.match_file(at, name):
                tree.names.append(name)
        if tree.links:
            taken_names = set(tree.names)
            tree.links = {name: link for name, link in tree.links.items() if name in taken_names}
        kept = {}
        for name in sorted(tree.directories):
            if leaving is None or not leaving.match_directory(at, name):
                kept[name] = child = tree.directories[name]
                taken[id(child)] = inside or (taking is not None and taking.match_directory(at, name))
        tree.directories = kept
        listed.extend(kept.values())
    if taking is None:
        return
    for tree in reversed(listed):
        tree.directories = {
            name: child
            for name, child in tree.directories.items()
            if taken[id(child)] or child.names or child.directories
        }
