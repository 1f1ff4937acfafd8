"""Files listed in the indexes of $Extend."""

from __future__ import annotations

import struct

import pytest

from ntfsbuild.errors import ManifestError
from ntfsbuild.ondisk import attribute
from ntfsbuild.ondisk.reparse_point import index_key
from ntfsbuild.volume.write import extend_views
from ntfsbuild.volume.write.directories import ViewIndex
from ntfsbuild.volume.write.transaction import Transaction
from tests.volume.write.memory import made_file, open_writer, resident

ID = bytes(range(16))
TAG = struct.pack("<IHH", 0xA000000C, 0, 0)


def view(transaction: Transaction, name: str) -> ViewIndex:
    (found,) = (one for (_, index), one in transaction.views.items() if index == name)
    return found


def test_an_object_id_comes_and_goes() -> None:
    writer = open_writer()
    transaction, state = writer.transaction, made_file(writer, "a")
    state.put(resident(ID, type_code=attribute.OBJECT_ID))
    extend_views.list_object_id(transaction, state, ID)
    data = view(transaction, "$O").get(ID)
    assert data is not None and data[:8] == state.reference.to_bytes(8, "little")
    with pytest.raises(ManifestError):
        extend_views.list_object_id(transaction, made_file(writer, "b"), ID)
    extend_views.unlist_object_id(transaction, state)
    assert view(transaction, "$O").get(ID) is None


def test_a_reparse_point_is_listed_by_its_tag_and_file() -> None:
    writer = open_writer()
    transaction, state = writer.transaction, made_file(writer, "a")
    state.put(resident(TAG, type_code=attribute.REPARSE_POINT))
    extend_views.list_reparse_point(transaction, state, TAG)
    key = index_key(0xA000000C, state.reference)
    assert list(view(transaction, "$R").all_keys()) == [key]
    extend_views.unlist_reparse_point(transaction, state)
    assert not list(view(transaction, "$R").all_keys())


def test_a_volume_without_the_indexes_needs_none() -> None:
    writer = open_writer()
    transaction, state = writer.transaction, made_file(writer, "a")
    directory = transaction.directory(transaction.file(transaction.state(11).reference).reference)
    for key, _ in list(directory.pairs()):
        directory.remove(key)
    extend_views.list_object_id(transaction, state, ID)
    extend_views.list_reparse_point(transaction, state, TAG)
    assert not [index for _, index in transaction.views if index in ("$O", "$R")]
