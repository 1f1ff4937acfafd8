"""The indexes in $Extend that list files: by their object ids, and by their reparse points."""

from __future__ import annotations

from ntfsbuild.errors import ManifestError
from ntfsbuild.ondisk import attribute, file_record
from ntfsbuild.volume.write.descriptors import view_entry
from ntfsbuild.volume.write.directories import ViewIndex
from ntfsbuild.volume.write.file_state import FileState
from ntfsbuild.volume.write.transaction import Transaction

_OBJECT_IDS, _REPARSE_POINTS = ("$ObjId", "$O"), ("$Reparse", "$R")


def list_object_id(transaction: Transaction, state: FileState, value: bytes) -> None:
    """Add a file under its object id, of 16 or 64 bytes; each id is unique on the volume."""
    from ntfsbuild.ondisk import object_id  # Imported late, as below: few files have any.

    view = _view(transaction, *_OBJECT_IDS)
    if view is None:
        return
    key, data = object_id.index_entry(value, state.reference)
    if view.get(key) is not None:
        raise ManifestError("another file of the volume has this object id")
    view.put(view_entry(key, data))


def unlist_object_id(transaction: Transaction, state: FileState) -> None:
    """Remove a file from the index of object ids."""
    found = state.find(attribute.OBJECT_ID)
    if found is not None and found.value is not None:
        _remove(transaction, _OBJECT_IDS, found.value[:16])


def list_reparse_point(transaction: Transaction, state: FileState, value: bytes) -> None:
    """Add a file under the tag of its reparse point."""
    from ntfsbuild.ondisk.reparse_point import index_key

    view = _view(transaction, *_REPARSE_POINTS)
    if view is not None:
        view.put(view_entry(index_key(int.from_bytes(value[:4], "little"), state.reference), b""))


def unlist_reparse_point(transaction: Transaction, state: FileState) -> None:
    """Remove a file from the index of reparse points."""
    found = state.find(attribute.REPARSE_POINT)
    if found is not None:
        tag = transaction.stream_writer.read_part(found, 0, 4)
        _remove(transaction, _REPARSE_POINTS, tag + state.reference.to_bytes(8, "little"))


def _view(transaction: Transaction, owner: str, index: str) -> ViewIndex | None:
    """An index of a file in $Extend, if there is one."""
    extend = transaction.state(file_record.EXTEND)
    found = transaction.directory(extend.reference).find(owner)
    return None if found is None else transaction.view(transaction.file(found[1]).number, index)


def _remove(transaction: Transaction, index: tuple[str, str], key: bytes) -> None:
    """Remove a key from an index, if there is such an index."""
    view = _view(transaction, *index)
    if view is not None:
        view.remove(key)
