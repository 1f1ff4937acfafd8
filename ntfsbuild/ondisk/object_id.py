"""$OBJECT_ID, and its entry in the index $O of $Extend\\$ObjId.  specs/ondisk/object_id.md"""

from __future__ import annotations

from ntfsbuild.ondisk import guid
from ntfsbuild.ondisk.layout import OnDisk, raw, u64

SHORT_BYTES = 0x10  # The object id alone: what Windows writes.

_NONE = bytes(guid.BYTES)


class ObjectId(OnDisk, size=0x40):
    """The long form of the attribute's value; the short form has only `object_id`."""

    object_id: bytes = raw(16, at=0x00)
    birth_volume_id: bytes = raw(16, at=0x10, default=_NONE)
    birth_object_id: bytes = raw(16, at=0x20, default=_NONE)
    domain_id: bytes = raw(16, at=0x30, default=_NONE)


class ObjIdEntry(OnDisk, size=0x38):
    """The data of an entry of $O; its key is the object id."""

    reference: int = u64(at=0x00)
    birth_volume_id: bytes = raw(16, at=0x08, default=_NONE)
    birth_object_id: bytes = raw(16, at=0x18)
    domain_id: bytes = raw(16, at=0x28, default=_NONE)


def parse(value: bytes) -> ObjectId:
    """The attribute's value in the long form; a short one gets its own id as birth object id."""
    problem = what_is_wrong(value)
    if problem:
        raise ValueError(problem)
    if len(value) == SHORT_BYTES:
        return ObjectId(object_id=value, birth_object_id=value)
    return ObjectId.unpack(value)


def index_entry(value: bytes, reference: int) -> tuple[bytes, bytes]:
    """Key and data of the entry in $O for the file with that attribute."""
    found = parse(value)
    entry = ObjIdEntry(
        reference=reference,
        birth_volume_id=found.birth_volume_id,
        birth_object_id=found.birth_object_id,
        domain_id=found.domain_id,
    )
    return found.object_id, entry.pack()


def decode(value: bytes) -> dict[str, object]:
    """The decoded value, as text; `malformed` says why it cannot be decoded."""
    problem = what_is_wrong(value)
    if problem:
        return {"malformed": problem}
    shown = ["object_id"] if len(value) == SHORT_BYTES else list(ObjectId.FIELDS)
    found = parse(value)
    return {name: guid.text(getattr(found, name)) for name in shown}


def what_is_wrong(value: bytes) -> str | None:
    """Why these bytes are no value of $OBJECT_ID; None if they are."""
    if len(value) not in (SHORT_BYTES, ObjectId.SIZE):
        return f"an object id has {SHORT_BYTES} or {ObjectId.SIZE} bytes, not {len(value)}"
    if not any(value[:SHORT_BYTES]):
        return "an object id cannot be all zeros"
    return None
