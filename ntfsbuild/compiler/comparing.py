"""Compares a file of the base with the features and content that the manifest gives it."""

from __future__ import annotations

from collections.abc import Iterable

from ntfsbuild.compiler.base import Base, BaseEntry
from ntfsbuild.content.model import Content
from ntfsbuild.content.read import is_content, pieces, same_pieces
from ntfsbuild.errors import VolumeError
from ntfsbuild.ondisk import attribute, security_inheritance, unix_metadata
from ntfsbuild.ondisk.file_attributes import FileAttributes
from ntfsbuild.ondisk.traits import MADE_SHORT_NAME, NO_SHORT_NAME, NO_TRAITS, Form, SomeTicks, Traits
from ntfsbuild.plan.features import NO_FEATURES, Features, NamedStream

_FLAGS: tuple[tuple[int, Form], ...] = (
    (attribute.COMPRESSION_MASK, "compressed"),
    (attribute.ENCRYPTED, "encrypted"),
    (attribute.SPARSE, "sparse"),
)
_BITS: tuple[tuple[int, Form], ...] = (
    (int(FileAttributes.COMPRESSED), "compressed"),
    (int(FileAttributes.ENCRYPTED), "encrypted"),
)
_TIMES = ("name_times", "entry_times")
_BYTES = ("reparse", "object_id", "efs")  # Without such a trait, None and an empty value are the same.


def lacking(base: Base, found: BaseEntry, features: Features, above: bytes | None = None) -> Features:
    """The features that the file of the base does not have yet; its main content is not compared.

    `above` is the future descriptor of its directory, if it differs from that on the base.
    """
    if features is NO_FEATURES:
        return NO_FEATURES
    traits = _lacking_traits(base, found, features.traits, above)
    form = None if features.form in (None, _form_of(found)) else features.form
    valid_bytes = features.valid_bytes
    main = next((one for one in found.streams if not one.name), None)
    if valid_bytes is not None and main is not None and main.initialized_bytes == valid_bytes:
        valid_bytes = None
    streams = tuple(one for one in features.streams if not _has_stream(found, one, features.file_key))
    rest = Features(traits, form, valid_bytes, streams)
    if rest == NO_FEATURES:
        return NO_FEATURES
    return rest._replace(file_key=features.file_key, raw_bytes=features.raw_bytes)


def with_own_times(lacks: Features, said: Features) -> Features:
    """`lacks` with the names' own times: any change of a file sets the times in its entries anew."""
    own = {name: value for name in _TIMES if (value := getattr(said.traits, name)) is not None}
    return lacks._replace(traits=lacks.traits._replace(**own)) if own else lacks


def _lacking_traits(base: Base, found: BaseEntry, said: Traits, above: bytes | None) -> Traits:
    if said == NO_TRAITS:
        return NO_TRAITS
    there = found.traits()
    lacks = {}
    for name, value in said._asdict().items():
        if value is None:
            continue
        has = getattr(there, name)
        if name == "security":
            same = has == expected_security(base, found, value, above)
        elif name == "short_name":
            same = has is not None if value == MADE_SHORT_NAME else (has or NO_SHORT_NAME) == value
        elif name in _TIMES:
            same = _same_times(value, has or found.times)
        elif name in ("ea", "unix"):  # Both are in $EA, and are set together.
            same = _all_ea(said, there, directory=found.is_directory) == (there.ea or b"")
        elif name in _BYTES:
            same = value == (has or b"")
        else:
            same = value == (has or 0)
        if not same:
            lacks[name] = value
    return Traits(**lacks) if lacks else NO_TRAITS


def _all_ea(said: Traits, there: Traits, *, directory: bool) -> bytes:
    """The value of $EA after the traits `said` are set on a file that has the traits `there`."""
    ea = (there.ea if said.ea is None else said.ea) or b""
    if said.unix is None:
        return ea
    reparse = (there.reparse if said.reparse is None else said.reparse) or b""
    tag = int.from_bytes(reparse[:4], "little")
    return unix_metadata.merged(ea, unix_metadata.typed(said.unix, tag, directory=directory))


def expected_security(base: Base, found: BaseEntry, explicit: bytes, above: bytes | None) -> bytes:
    """The descriptor of a file that has an explicit one; `above` as in `lacking`."""
    if found.path == "/":
        return security_inheritance.of_root(explicit)
    if above is None:
        directory = base.find(found.path.rpartition("/")[0] or "/", exactly=True)
        above = None if directory is None else directory.traits().security
    if above is None:
        return explicit
    return security_inheritance.with_inherited(explicit, above, directory=found.is_directory)


def _same_times(said: SomeTicks, there: Iterable[int | None]) -> bool:
    return all(one is None or one == other for one, other in zip(said, there, strict=True))


def _form_of(found: BaseEntry) -> Form:
    if found.is_directory:
        return next((form for bit, form in _BITS if found.attributes & bit), "plain")
    flags = next((one.flags for one in found.streams if not one.name), 0)
    return _form_of_flags(flags)


def _form_of_flags(flags: int) -> Form:
    if flags & attribute.SPARSE and flags & attribute.COMPRESSION_MASK:
        return "sparse_compressed"
    return next((form for flag, form in _FLAGS if flags & flag), "plain")


def _has_stream(found: BaseEntry, said: NamedStream, key: bytes | None) -> bool:
    there = next((one for one in found.streams if one.name == said.name), None)
    if there is None or said.form != _form_of_flags(there.flags):
        return False
    if said.valid_bytes is not None and said.valid_bytes != there.initialized_bytes:
        return False
    if said.raw_bytes is not None:
        return there.size_bytes == said.raw_bytes and has_ciphertext(found, said.content, said.name)
    return has_content(found, there.size_bytes, said.content, said.name, said.valid_bytes, key)


def has_ciphertext(found: BaseEntry, content: Content, stream: str = "") -> bool:
    """Whether an encrypted stream of the base has that ciphertext."""
    return same_pieces(found.ciphertext(stream), pieces(content))


def has_content(
    found: BaseEntry,
    size_bytes: int,
    content: Content,
    stream: str = "",
    valid_bytes: int | None = None,
    key: bytes | None = None,
) -> bool:
    """Whether a stream of the base has that size and content; a stream that cannot be read does not."""
    try:
        return is_content(content, size_bytes, found.pieces(stream, key=key), valid_bytes)
    except VolumeError as error:
        if type(error) is not VolumeError:  # A damaged stream is not overwritten silently.
            raise
        return False
