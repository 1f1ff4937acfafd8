"""The manifest's entry of one file or directory, from which the same file is built again."""

from __future__ import annotations

import functools
import stat
from collections.abc import Callable, Mapping
from typing import Any

from ntfsbuild.capturing.contents import Contents, Data, inline
from ntfsbuild.errors import CorruptVolume, VolumeError
from ntfsbuild.ondisk import (
    file_name,
    guid,
    names,
    object_id,
    reparse_point,
    reparse_tags,
    security,
    security_inheritance,
)
from ntfsbuild.ondisk.extended_attributes import NEED_EA, pack, unpack
from ntfsbuild.ondisk.file_attributes import SETTABLE_NAMES, FileAttributes, attribute_names
from ntfsbuild.ondisk.filetime import TICKS_MAX, format_filetime
from ntfsbuild.ondisk.standard_information import TIME_NAMES, Ticks4
from ntfsbuild.ondisk.traits import INFORMATION_BITS, SomeTicks, Traits
from ntfsbuild.ondisk.unix_metadata import (
    UnixMetadata,
    extended_attributes,
    unix_metadata,
    without_unix_metadata,
)
from ntfsbuild.volume.read.file import File
from ntfsbuild.volume.read.indexes import NameEntry, times_of
from ntfsbuild.volume.read.info import DirectoryItem, FileInfo
from ntfsbuild.volume.read.plain import PlainRecord

Note = Callable[[str, str], None]

_FOLLOWING = FileAttributes.SPARSE | FileAttributes.REPARSE_POINT | FileAttributes.COMPRESSED
# Some drivers set the directory bit here, too, where it has no meaning.
_FOLLOWING |= FileAttributes.ENCRYPTED | FileAttributes.VIEW_INDEX | FileAttributes.DIRECTORY_INDEX
# The version of a directory tells whether its names are case-sensitive, and is captured as `case_sensitive`.
_NUMBERS = tuple(name for name in INFORMATION_BITS if not name.startswith("version"))
_ENCRYPTED = int(FileAttributes.ENCRYPTED)
_ARCHIVE = int(FileAttributes.ARCHIVE)
_LONG_NAMESPACES = (file_name.POSIX, file_name.WIN32)
_COMPRESSED = int(FileAttributes.COMPRESSED)
_SPARSE_FORMS = frozenset(["sparse", "sparse_compressed"])
_HANDED_DOWN = _ENCRYPTED | _COMPRESSED


def is_text(name: str) -> bool:
    """Whether a name has no unpaired surrogates, which NTFS allows."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def has_key_of_directory(info: FileInfo | DirectoryItem) -> bool:
    """Whether the manifest's key is that of a directory.

    A directory with a reparse point has such a key only if it may have children, or if it is compressed or
    encrypted.
    """
    is_leaf = info.reparse_tag and not reparse_tags.may_have_children(info.reparse_tag)
    return info.is_directory and not (is_leaf and not info.attributes & _HANDED_DOWN)


class Entries:
    """Makes the entries of one volume; `times` are the defaults of the manifest."""

    def __init__(self, contents: Contents, times: Ticks4, note: Note, *, short_names: bool) -> None:
        self._contents = contents
        self._times = times
        self._note = note
        self._short_names = short_names
        self._descriptors: dict[str, bytes | None] = {}  # Of directories.
        self._inherited: set[tuple[int, str]] = set()  # Security ids that are inherited, with the directory.
        self._compressed: dict[str, bool] = {}

    def of_usual(self, file: File) -> Data | None:
        """The entry of a file that has only a content and times; None for all others, which `of` is for."""
        plain, above = file.plain, file.path.rpartition("/")[0] or "/"
        if plain is None or not self._is_usual(plain, file.entry, above):
            return None
        said = self._contents.of_plain(file, plain)
        if said is not None and plain.times != self._times:
            said |= self._said_times(file.path, "times", plain.times)
        return said

    def of(self, file: File, info: FileInfo) -> Data:
        """The complete entry of a file or directory."""
        traits, path = file.traits(), file.path
        above = path.rpartition("/")[0] or "/"
        said: Data = {}
        if not info.is_directory:
            said |= self._main_stream(file, info)
        self._say_link(path, said, traits, info)
        if info.times != self._times:
            said |= self._said_times(path, "times", info.times)
        said |= self._attributes(path, info, traits)
        said |= self._extended_attributes(info, traits)
        security = self._security(path, above, info, traits)
        if not security and traits.security is not None:
            self._inherited.add((info.security_id, above))
        said |= security
        said |= self._traits(path, traits)
        streams = {
            stream.name: self._contents.of(file, stream) or None
            for stream in info.streams
            if stream.name and self._can_be_said(path, stream.name)
        }
        if streams:
            said["streams"] = streams
        self._encryption(path, info, traits, said)
        said |= self._compression(path, above, info, said)
        return said

    def _is_usual(self, plain: PlainRecord, entry: NameEntry, above: str) -> bool:
        """Whether a plain file has nothing to be captured but its content and its times."""
        times = plain.times
        return (
            plain.attributes == _ARCHIVE
            and (plain.security_id, above) in self._inherited
            and not self._short_names
            and plain.namespace in _LONG_NAMESPACES
            and times == plain.name_times == times_of(entry)
            and not (plain.owner_id or plain.quota_charged or plain.usn)
            and not (plain.version_max or plain.version or plain.class_id)
            and plain.is_listed_by(entry)
            and not self._compressed.get(above)
        )

    def _can_be_said(self, path: str, stream: str) -> bool:
        if is_text(stream):
            return True
        self._note(
            path, f"the name of its stream {stream!r} has half a surrogate pair: it cannot be expressed"
        )
        return False

    def _main_stream(self, file: File, info: FileInfo) -> Data:
        path = file.path
        main = next((stream for stream in info.streams if not stream.name), None)
        if main is None:
            self._note(path, "it has no main stream")
            return {}
        try:
            said = self._contents.of(file, main)
        except CorruptVolume:
            raise
        except VolumeError as error:
            self._note(path, str(error).removeprefix(f"{path}: "))
            return {"size": main.size_bytes}
        return said

    def _encryption(self, path: str, info: FileInfo, traits: Traits, said: Data) -> None:
        """Add the $EFS of encrypted streams."""
        if traits.efs is not None and info.attributes & _ENCRYPTED:
            said["encrypted"] = {"efs": {"hex": traits.efs.hex()}} | said.get("encrypted", {})
            return
        if info.attributes & _ENCRYPTED:
            self._note(path, "it is encrypted and has no $EFS")
        for one in (said, *said.get("streams", {}).values()):
            if one:
                one.pop("encrypted", None)

    def _extended_attributes(self, info: FileInfo, traits: Traits) -> Data:
        """The extended attributes, as `unix` metadata if that makes the same $EA."""
        if not traits.ea:
            return {}
        entries = unpack(traits.ea)
        others = without_unix_metadata(entries)
        unix = unix_metadata(entries)
        kind = stat.S_IFDIR if info.is_directory else stat.S_IFREG
        plain = not traits.reparse and stat.S_IFMT(unix.mode or kind) == kind
        if plain and unix != UnixMetadata() and pack([*others, *extended_attributes(*unix)]) == traits.ea:
            words = {name: value for name, value in unix._asdict().items() if value is not None}
            if unix.mode is not None:
                words["mode"] = f"0{stat.S_IMODE(unix.mode):03o}"
            ea = {name: _ea_data(value, flags) for name, value, flags in others}
            return ({"ea": ea} if ea else {}) | {"unix": words}
        return {"ea": {name: _ea_data(value, flags) for name, value, flags in entries}}

    def _attributes(self, path: str, info: FileInfo, traits: Traits) -> Data:
        bits = info.attributes & ~int(_FOLLOWING)
        names = attribute_names(bits)
        others = [name for name in names if name not in SETTABLE_NAMES]
        if others:
            names = [name for name in names if name in SETTABLE_NAMES]
            self._note(path, f"its attributes {', '.join(others)} cannot be expressed")
        sparse = any(stream.form in _SPARSE_FORMS for stream in info.streams)
        if sparse != bool(info.attributes & FileAttributes.SPARSE):
            self._note(path, "its sparse bit cannot be expressed without a sparse stream")
        usual = ["hidden", "system"] if path == "/" else [] if info.is_directory else ["archive"]
        usual += ["recall_on_open"] if traits.ea else []
        return {} if names == usual else {"attributes": names}

    # ------------------------------------------------------------------ security

    def _security(self, path: str, above: str, info: FileInfo, traits: Traits) -> Data:
        """The security descriptor, unless it equals the one inherited from the directory."""
        own = traits.security
        if info.is_directory:
            self._descriptors[path] = own
        if own is None:
            self._note(path, "it has no security descriptor")
            return {}
        if path == "/":
            # `security` gives the root the long form of $STANDARD_INFORMATION.
            usual = own == security.ROOT and traits.owner_id is None
            return {} if usual else {"security": {"hex": own.hex()}}
        handing = self._descriptors.get(above) or security.DEFAULT_DIRECTORY
        try:
            inherits, made = _inherited(own, handing, info.is_directory)
            if inherits:
                return {}
        except ValueError as error:
            self._note(path, f"its security descriptor: {error}")
            return {}
        if made != own:
            self._note(path, "its descriptor requests inheritance and was stored as inherited")
        return {"security": {"hex": own.hex()}}

    def _compression(self, path: str, above: str, info: FileInfo, said: Mapping[str, Any]) -> Data:
        """`compressed` of a directory or file that differs from its inherited compression."""
        handed = self._compressed.get(above, False) and path != "/"
        if info.is_directory:
            own = bool(info.attributes & _COMPRESSED)
            self._compressed[path] = own
            return {} if own == handed or not has_key_of_directory(info) else {"compressed": own}
        if handed and not info.reparse_tag and not said.keys() & {"compressed", "sparse", "encrypted"}:
            return {"compressed": False}
        return {}

    # ------------------------------------------------------------------ traits

    def _say_link(self, path: str, said: Data, traits: Traits, info: FileInfo) -> None:
        if traits.reparse and _is_cut(traits.reparse):
            self._note(path, f"its reparse point has only {len(traits.reparse)} bytes")
        elif traits.reparse:
            said |= link_data(traits.reparse, directory=info.is_directory and not has_key_of_directory(info))
            if has_key_of_directory(info):
                said.pop("directory", None)  # Its key ends in a slash already.

    def name(self, file: File) -> Data:
        """The keys of a further name of a file: its own times, and its short name."""
        traits = file.traits()
        return self._own_times(file.path, traits) | self._short_name(file.path, traits)

    def _own_times(self, path: str, traits: Traits) -> Data:
        said: Data = {}
        for name in ("name_times", "entry_times"):
            times = getattr(traits, name)
            if times is not None:
                said |= self._said_times(path, name, times)
        return said

    def _traits(self, path: str, traits: Traits) -> Data:
        said: Data = {}
        root = path == "/"
        if traits.object_id:
            problem = object_id.what_is_wrong(traits.object_id)
            if problem:
                self._note(path, f"its object id: {problem}")
            else:
                said["object_id"] = object_id_data(traits.object_id)
        said |= self._own_times(path, traits)
        said |= {name: value for name in _NUMBERS if (value := getattr(traits, name))}
        if traits.case_sensitive:
            said["case_sensitive"] = True
        else:
            said |= {name: value for name in ("version_max", "version") if (value := getattr(traits, name))}
        if not root:
            said |= self._short_name(path, traits)
        return said

    def _said_times(self, path: str, key: str, times: SomeTicks) -> Data:
        created, modified, changed, accessed = (
            None if ticks is None or ticks > TICKS_MAX else ticks for ticks in times
        )
        sound = created, modified, changed, accessed
        if sound != times:
            self._note(path, f"{key}: not all are times that NTFS can mean")
        data = times_data(sound)
        return {key: data} if data else {}

    def _short_name(self, path: str, traits: Traits) -> Data:
        """The key `short_name` of a path, if it is needed."""
        name = path.rpartition("/")[2]
        if traits.short_name is not None and (problem := names.what_is_wrong(name, posix=False)):
            self._note(path, f"its short name {traits.short_name!r}: {problem.partition(';')[0]}")
            return {"short_name": False} if self._short_names else {}
        if traits.short_name == name:
            return {"short_name": True}  # One $FILE_NAME for both namespaces.
        if traits.short_name is not None:
            return {"short_name": traits.short_name}
        return {"short_name": False} if self._short_names else {}


def times_data(times: SomeTicks) -> str | dict[str, str]:
    """Four times, or one if all are equal."""
    if len(set(times)) == 1 and times[0] is not None:
        return format_filetime(times[0])
    named = zip(TIME_NAMES, times, strict=True)
    return {name: format_filetime(ticks) for name, ticks in named if ticks is not None}


def object_id_data(value: bytes) -> str | dict[str, str]:
    """An object id: one GUID, or four."""
    if len(value) == object_id.SHORT_BYTES:
        return guid.text(value)
    found = object_id.parse(value)
    return {
        "id": guid.text(found.object_id),
        "birth_volume": guid.text(found.birth_volume_id),
        "birth_object": guid.text(found.birth_object_id),
        "domain": guid.text(found.domain_id),
    }


@functools.lru_cache(maxsize=1024)
def _inherited(own: bytes, above: bytes, is_directory: bool) -> tuple[bool, bytes]:
    """Whether a descriptor is only inherited; and the one that is stored if the manifest gives it."""
    inherited = security_inheritance.inherited(above, directory=is_directory)
    if own == inherited:
        return True, own
    return False, security_inheritance.with_inherited(own, above, directory=is_directory)


def _is_cut(value: bytes) -> bool:
    """Whether a reparse point ends before its tag, its length and, if it is not Microsoft's, its GUID."""
    tag = int.from_bytes(value[:4], "little")
    return len(value) < (8 if reparse_tags.is_microsoft(tag) else 24)


def _ea_data(value: bytes, flags: int) -> Any:
    said = inline(value)
    if flags & NEED_EA:
        return said | {"need": True}
    return said.get("text", said) if said else None


def link_data(value: bytes, *, directory: bool) -> Data:
    """A reparse point as the simplest manifest keys that make the same bytes."""
    decoded = reparse_point.decode(value)
    shown, tag = str(decoded.get("print") or ""), int.from_bytes(value[:4], "little")
    plain: list[tuple[str, Callable[[], bytes], Data]] = [
        ("symlink", lambda: reparse_point.symlink(shown), {"directory": directory}),
        ("junction", lambda: reparse_point.junction(shown), {}),
        ("wsl_symlink", lambda: reparse_point.wsl_symlink(str(decoded.get("target"))), {}),
    ]
    tags = {reparse_tags.SYMLINK: 0, reparse_tags.MOUNT_POINT: 1, reparse_tags.LX_SYMLINK: 2}
    if tag in tags:
        key, make, beside = plain[tags[tag]]
        target = str(decoded.get("target") or shown)
        try:
            if is_text(target) and make() == value:
                return {key: target} | beside
        except ValueError:
            pass
    raw: Data = {"tag": f"{tag:#010x}"}
    data = value[8:]
    if not reparse_tags.is_microsoft(tag):
        raw["guid"], data = guid.text(value[8:24]), value[24:]
    if data:
        raw["data"] = {"hex": data.hex()}
    return {"reparse": raw | ({"directory": True} if directory else {})}
