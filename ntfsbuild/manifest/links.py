"""Links and other reparse points: at most one of the keys in `LINK_KEYS`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ntfsbuild.manifest.feature_specs import Symlink
from ntfsbuild.manifest.file_content import read_bytes
from ntfsbuild.manifest.integers import parse_device, parse_integer
from ntfsbuild.manifest.node import Node
from ntfsbuild.manifest.object_ids import parse_guid
from ntfsbuild.manifest.paths import parse_path
from ntfsbuild.manifest.places import Place
from ntfsbuild.manifest.values import Values
from ntfsbuild.manifest.words import shown
from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.ondisk import guid as guids
from ntfsbuild.ondisk import reparse_point, reparse_tags

LINK_KEYS: Final = (
    "hardlink",
    "symlink",
    "junction",
    "mount_point",
    "wsl_symlink",
    "wsl",
    "app_exec_link",
    "reparse",
)
_NO_TAG = 0


class Link(NamedTuple):
    """The value of one of these keys; `key` is empty if none is given."""

    key: str = ""
    hardlink: str | None = None
    symlink: Symlink | None = None
    reparse: bytes | None = None
    directory: bool = False  # The key of a file makes a directory.
    special: reparse_point.SpecialKind | None = None
    device: tuple[int, int] | None = None

    @property
    def has_content(self) -> bool:
        """Whether the file can have a content, too."""
        return not self.key or (self.key == "reparse" and not self.directory)

    @property
    def must_be_empty(self) -> bool:
        """Whether a directory with this link cannot have children."""
        tag = int.from_bytes((self.reparse or b"")[:4], "little")
        return self.symlink is not None or (tag != _NO_TAG and not reparse_tags.may_have_children(tag))


NO_LINK: Final = Link()


def read_link(values: Values, node: Node, place: Place) -> Link:
    """The link of a description."""
    first, *more = [key for key in node.data if key in LINK_KEYS] or [""]
    for key in more if values.has(node, first) else ():
        if values.has(node, key):
            message = f"one thing is one kind of link, and {first} is said already"
            values.say_of_key(values.child(node, key), message)
    if not first or more:
        return NO_LINK
    value = values.child(node, first)
    if not values.has(node, first):
        return Link(first)
    if value.data is None:  # Only a step can remove an existing reparse point.
        return Link(first, reparse=b"")
    return _READERS[first](values, node, place)


def _read_hardlink(values: Values, node: Node, _: Place) -> Link:
    return Link("hardlink", hardlink=values.read(node, "hardlink", parse_path))


def _read_symlink(values: Values, node: Node, place: Place) -> Link:
    target = values.read(node, "symlink", _parse_symlink)
    directory: bool | None = True
    if place == "set":  # It is what it is.
        directory = None
    elif place == "file":
        directory = node.data["directory"] if values.has(node, "directory") else None
    return Link("symlink", symlink=None if target is None else Symlink(target, directory))


def _read_junction(values: Values, node: Node, place: Place) -> Link:
    value = values.read(node, "junction", _target(reparse_point.junction))
    return Link("junction", reparse=value, directory=place == "file")


def _read_mount_point(values: Values, node: Node, place: Place) -> Link:
    value = values.read(node, "mount_point", _parse_mount_point)
    return Link("mount_point", reparse=value, directory=place == "file")


def _read_wsl_symlink(values: Values, node: Node, _: Place) -> Link:
    return Link("wsl_symlink", reparse=values.read(node, "wsl_symlink", _target(reparse_point.wsl_symlink)))


def _read_wsl(values: Values, node: Node, _: Place) -> Link:
    value = values.child(node, "wsl")
    if isinstance(value.data, str):
        kind = values.parse(value, _parse_special)
        return Link("wsl", reparse=reparse_point.wsl_special(kind), special=kind) if kind else Link("wsl")
    for kind in _DEVICES:
        if values.has(value, kind):
            device = values.read(value, kind, parse_device)
            return Link("wsl", reparse=reparse_point.wsl_special(kind), special=kind, device=device)
    return Link("wsl")


def _read_app_exec_link(values: Values, node: Node, _: Place) -> Link:
    value = values.child(node, "app_exec_link")
    texts = {key: value.data[key] for key in _APP_EXEC_LINK_KEYS if values.has(value, key)}
    if not texts.keys() >= {*_APP_EXEC_LINK_KEYS[:3]}:
        return Link("app_exec_link")  # A problem already.
    return Link("app_exec_link", reparse=values.parse(value, lambda _: reparse_point.app_exec_link(**texts)))


def _read_reparse(values: Values, node: Node, place: Place) -> Link:
    value = values.child(node, "reparse")
    count = len(values.problems)
    tag = values.read(value, "tag", parse_tag)
    guid = values.read(value, "guid", parse_guid)
    data = read_bytes(values, values.child(value, "data")) if values.has(value, "data") else b""
    directory = values.has(value, "directory") and value.data["directory"] is True
    if place != "file" and values.has(value, "directory"):
        values.say_of_key(values.child(value, "directory"), "only where a file could be, it says something")
    if place == "file" and tag is not None and reparse_tags.is_directory_only(tag) and not directory:
        values.say(value, "only a directory can have this tag: directory: true is missing")
    if tag is None or data is None or len(values.problems) > count or not values.has(value, "tag"):
        return Link("reparse", directory=directory)
    made = values.parse(value, lambda _: reparse_point.raw(tag, data, guid))
    return Link("reparse", reparse=made, directory=directory)


def parse_tag(value: int | str) -> int:
    """The tag of a reparse point: a number, or Windows' name for it."""
    if isinstance(value, str) and not value.startswith("0x"):
        if (named := reparse_tags.tag_of(value)) is None:
            raise ValueError(f"{shown(value)} is not a reparse tag (0x8000001B or APPEXECLINK)")
        return named
    tag = parse_integer(32)(value)
    if problem := reparse_tags.what_is_wrong(tag):
        raise ValueError(problem)
    return tag


def _target(make: Callable[[str], bytes]) -> Callable[[str], bytes]:
    """A parser of targets; its errors quote the target like other errors of manifests."""

    def parse(text: str) -> bytes:
        try:
            return make(text)
        except ValueError as error:
            raise ValueError(str(error).replace(repr(text), shown(text))) from None

    return parse


def _parse_symlink(text: str) -> str:
    _target(reparse_point.symlink)(text)
    return text


def _parse_mount_point(text: str) -> bytes:
    return reparse_point.mount_point(guids.text(parse_guid(text)))


def _parse_special(text: str) -> reparse_point.SpecialKind:
    if text == "socket":
        return "socket"
    if text == "fifo":
        return "fifo"
    raise ValueError(
        f"{shown(text)} is not socket, fifo, {{char: [major, minor]}} or {{block: [major, minor]}}"
    )


_DEVICES: Final[tuple[reparse_point.SpecialKind, ...]] = ("char", "block")
_APP_EXEC_LINK_KEYS: Final = ("package", "entry_point", "target", "kind")
_READERS: Final[dict[str, Callable[[Values, Node, Place], Link]]] = {
    "hardlink": _read_hardlink,
    "symlink": _read_symlink,
    "junction": _read_junction,
    "mount_point": _read_mount_point,
    "wsl_symlink": _read_wsl_symlink,
    "wsl": _read_wsl,
    "app_exec_link": _read_app_exec_link,
    "reparse": _read_reparse,
}
