"""A volume in memory: what `specs/manifest.md` says of steps, in as plain words as Python has.

It reads nothing of a volume but, once, what is on it at the beginning; names are equal by the volume's own
`$UpCase`.  What a step may not do is `Refused`, and then nothing has changed.
"""

from __future__ import annotations

import copy
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.model.steps import ATTRIBUTES, Step, attributes_of, content_of, operation_of, size_of, times_of

SETTABLE = sum(ATTRIBUTES.values())
ARCHIVE = ATTRIBUTES["archive"]
SPARSE, COMPRESSED = 0x200, 0x800
MODIFIED, CHANGED = 1, 2

NAME_UNITS_MAX = 255
LABEL_UNITS_MAX = 32
LINKS_MAX = 1024
RESERVED = ("$MFT", "$MFTMirr", "$LogFile", "$Volume", "$AttrDef", "$Bitmap", "$Boot", "$BadClus", "$Secure")
RESERVED += ("$UpCase", "$Extend")
# Of the names that the tests use, those that only `names: posix` allows.
NOT_FOR_WINDOWS = frozenset(["aux", "con.txt", "dot.", "space ", "a:b", "a*b", "tab\t"])


class Refused(Exception):
    """The step cannot be done; says why, in words of no importance."""


class TooLarge(Refused):
    """There is no room for it."""


@dataclass(eq=False)
class Node:
    """A file or a directory, under as many names as it has."""

    is_directory: bool
    times: list[int]
    attributes: int
    streams: dict[str, bytes] = field(default_factory=dict)  # The main one has no name.
    children: dict[str, Node] = field(default_factory=dict)
    names: list[tuple[Node, str]] = field(default_factory=list)
    aliased: tuple[Node, str] | None = None  # That of its names which a short name comes along with.
    touched: bool = False  # Whether a step changed anything of it.

    @property
    def links(self) -> int:
        """How many names it has, a short one among them."""
        return len(self.names) + (self.aliased is not None)

    def data_changed(self, now: int) -> None:
        """Of a file: its content; of a directory: what is in it, or in one of its streams."""
        self.touched = True
        self.times[MODIFIED] = self.times[CHANGED] = now
        if not self.is_directory:
            self.attributes |= ARCHIVE

    def metadata_changed(self, now: int) -> None:
        self.touched = True
        self.times[CHANGED] = now


class Model:
    """The volume as it should be."""

    def __init__(
        self, root: Node, label: str, upcase: bytes, size_bytes: int, *, posix_names: bool = False
    ) -> None:
        self.root = root
        self.label = label
        self.posix_names = posix_names
        self._size_bytes = size_bytes
        self._upper = struct.unpack("<65536H", upcase)
        self._folded: dict[str, tuple[int, ...]] = {}

    def copy(self) -> Model:
        """A second one that changes on its own."""
        new = copy.copy(self)
        new.root = copy.deepcopy(self.root)
        return new

    # ------------------------------------------------------------------ looking

    def folded(self, name: str) -> tuple[int, ...]:
        """The UTF-16 units of a name in upper case: equal for names that are the same in any case."""
        folded = self._folded.get(name)
        if folded is None:
            folded = self._folded[name] = tuple(self._upper[unit] for unit in units(name))
        return folded

    def walk(self) -> Iterator[tuple[str, Node]]:
        """Everything but the root, with its path, a directory before what it holds."""
        pending = [("", self.root)]
        while pending:
            above, node = pending.pop()
            for name, child in node.children.items():
                yield f"{above}/{name}", child
                pending.append((f"{above}/{name}", child))

    def data_bytes(self) -> int:
        """What all streams hold, one of several names counted once."""
        nodes = {id(node): node for _, node in self.walk()}
        return sum(len(data) for node in nodes.values() for data in node.streams.values())

    def find(self, path: str) -> Node | None:
        """What is at a path: each name as it is spelled if there is such a one, else in any case."""
        node = self.root
        for name in parts(path):
            spelled = self.spelled(node, name)
            if spelled is None:
                return None
            node = node.children[spelled]
        return node

    def spelled(self, directory: Node, name: str) -> str | None:
        """How the name that a name means is spelled in a directory."""
        return self._spelled(directory.children, name)

    def stream(self, node: Node, name: str) -> str | None:
        """The same for a stream of a file."""
        return self._spelled(node.streams, name)

    def _spelled(self, there: dict[str, Node] | dict[str, bytes], name: str) -> str | None:
        if name in there:
            return name
        folded = self.folded(name)
        same = [other for other in there if len(other) == len(name) and self.folded(other) == folded]
        return min(same, key=units, default=None)

    # ------------------------------------------------------------------ steps

    def take(self, step: Step, now: int) -> None:
        """Do what a step says, or refuse."""
        operation = operation_of(step)
        if operation == "label":
            self._label(step["label"])
            return
        path = step[operation]
        if parts(path):
            self._refuse_reserved(path)
        elif operation not in ("touch", "set"):
            raise Refused("the root")
        match operation:
            case "write" | "append":
                self._write(step, path, now, append=operation == "append")
            case "truncate":
                self._truncate(step, path, now)
            case "rename":
                self._rename(path, step["to"], now, replace=step.get("replace", False))
            case "link":
                self._link(path, step["to"], now)
            case "delete":
                self._delete(step, path, now)
            case "mkdir":
                self._mkdir(step, path, now)
            case _:
                self._set(step, path, now)

    def _label(self, label: str) -> None:
        if len(units(label)) > LABEL_UNITS_MAX or any(character < " " for character in label):
            raise Refused("not a label")
        self.label = label

    def _write(self, step: Step, path: str, now: int, *, append: bool) -> None:
        data, stream = content_of(step), step.get("stream", "")
        node = self.find(path)
        if node is None:
            node = self._make(path, Node(False, [now] * 4, ARCHIVE, {"": b""}), now)
        elif node.is_directory and not stream:
            raise Refused("a directory")
        spelled = self.stream(node, stream)
        if spelled is None:
            node.streams[spelled := stream] = b""
        old = node.streams[spelled]
        at = len(old) if append else size_of(step.get("at", 0))
        if data:
            node.streams[spelled] = old[:at].ljust(at, b"\0") + data + old[at + len(data) :]
        node.data_changed(now)

    def _truncate(self, step: Step, path: str, now: int) -> None:
        node, size = self._there(path), size_of(step["size"])
        spelled = self._existing_stream(node, step.get("stream", ""))
        self._refuse_too_large(size)
        node.streams[spelled] = node.streams[spelled][:size].ljust(size, b"\0")
        node.data_changed(now)

    def _rename(self, path: str, to: str, now: int, *, replace: bool) -> None:
        node, (above, name) = self._there(path), self._at(path)
        into, new_name, taken = self._place(to)
        if (into, taken) == (above, name):
            taken = None  # By itself: it is spelled anew, or as before.
        if taken is not None:
            there = into.children[taken]
            if not replace:
                raise Refused("there already")
            if there.is_directory != node.is_directory:
                raise Refused("of another kind")
            if there.children:
                raise Refused("not empty")
        if node.is_directory and self._lies_in(into, node):
            raise Refused("inside itself")
        if taken is not None:
            self._unlink(into, taken, now)
        self._unlink(above, name, now)
        self._name(node, into, new_name, now)

    def _link(self, path: str, to: str, now: int) -> None:
        node = self._there(path)
        if node.is_directory:
            raise Refused("a directory")
        if node.links >= LINKS_MAX:
            raise Refused("too many names")
        into, name = self._new_place(to)
        self._name(node, into, name, now)

    def _delete(self, step: Step, path: str, now: int) -> None:
        node = self._there(path)
        if "stream" in step:
            del node.streams[self._existing_stream(node, step["stream"])]
            node.data_changed(now)
            return
        if node.children and not step.get("recursive", False):
            raise Refused("not empty")
        self._unlink_all(*self._at(path), now)

    def _mkdir(self, step: Step, path: str, now: int) -> None:
        times = [now if said is None else said for said in times_of(step)]
        self._make(path, Node(True, times, attributes_of(step) or 0), now)

    def _set(self, step: Step, path: str, now: int) -> None:
        node, attributes = self._there(path), attributes_of(step)
        node.metadata_changed(now)
        if attributes is not None:
            node.attributes = node.attributes & ~SETTABLE | attributes
        for which, said in enumerate(times_of(step)):
            if said is not None:
                node.times[which] = said

    # ------------------------------------------------------------------ what steps have in common

    def _there(self, path: str) -> Node:
        node = self.find(path)
        if node is None:
            raise Refused("not found")
        return node

    def _existing_stream(self, node: Node, stream: str) -> str:
        if node.is_directory and not stream:
            raise Refused("a directory")
        spelled = self.stream(node, stream)
        if spelled is None:
            raise Refused("no such stream")
        return spelled

    def _at(self, path: str) -> tuple[Node, str]:
        """The directory that something is in, and its name there."""
        above = self._there("/".join(parts(path)[:-1]))
        name = self.spelled(above, parts(path)[-1])
        assert name is not None
        return above, name

    def _place(self, path: str) -> tuple[Node, str, str | None]:
        """The directory that a new name goes into, the name, and how what is there instead is spelled."""
        self._refuse_reserved(path)
        name = parts(path)[-1]
        if len(units(name)) > NAME_UNITS_MAX or (name in NOT_FOR_WINDOWS and not self.posix_names):
            raise Refused("not a name")
        above = self._there("/".join(parts(path)[:-1]))
        if not above.is_directory:
            raise Refused("in a file")
        spelled = self.spelled(above, name)
        return above, name, None if self.posix_names and spelled != name else spelled

    def _new_place(self, path: str) -> tuple[Node, str]:
        above, name, taken = self._place(path)
        if taken is not None:
            raise Refused("there already")
        return above, name

    def _make(self, path: str, node: Node, now: int) -> Node:
        above, name = self._new_place(path)
        node.attributes |= above.attributes & COMPRESSED  # Handed down.
        times = list(node.times)
        self._name(node, above, name, now)
        node.times = times  # Its name is no change of what begins with it.
        return node

    def _name(self, node: Node, above: Node, name: str, now: int) -> None:
        above.children[name] = node
        node.names.append((above, name))
        node.metadata_changed(now)
        above.data_changed(now)

    def _unlink(self, above: Node, name: str, now: int) -> None:
        """A short name goes along with its long one."""
        node = above.children.pop(name)
        node.names.remove((above, name))
        if node.aliased == (above, name):
            node.aliased = None
        node.metadata_changed(now)
        above.data_changed(now)

    def _unlink_all(self, above: Node, name: str, now: int) -> None:
        node = above.children[name]
        for below in list(node.children):
            self._unlink_all(node, below, now)
        self._unlink(above, name, now)

    def _lies_in(self, node: Node, directory: Node) -> bool:
        while node is not directory and node.names:
            node = node.names[0][0]
        return node is directory

    def _refuse_reserved(self, path: str) -> None:
        if self.folded(parts(path)[0]) in map(self.folded, RESERVED):
            raise Refused("NTFS's own")

    def _refuse_too_large(self, size_bytes: int) -> None:
        if size_bytes > self._size_bytes:
            raise TooLarge("larger than the volume")


def parts(path: str) -> list[str]:
    return path.strip("/").split("/") if path.strip("/") else []


def units(name: str) -> tuple[int, ...]:
    """The UTF-16 code units of a name."""
    raw = name.encode("utf-16-le", "surrogatepass")
    return struct.unpack(f"<{len(raw) // 2}H", raw)
