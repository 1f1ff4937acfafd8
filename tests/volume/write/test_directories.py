"""Directories while they change, and view indexes."""

from __future__ import annotations

import struct

import pytest

from ntfsbuild.errors import CorruptVolume, ManifestError
from ntfsbuild.ondisk import file_name, upcase
from ntfsbuild.ondisk.file_name import FileName
from ntfsbuild.volume.write.descriptors import view_entry
from ntfsbuild.volume.write.directories import Directory, ViewIndex, by_numbers, key_of, leaf_entry, name_in

HEAD = bytes(0x40)


def key(name: str, namespace: int = file_name.POSIX, size: int = 0) -> bytes:
    raw = name.encode("utf-16-le", "surrogatepass")
    head = FileName.LAYOUT.pack(5, 0, 0, 0, 0, 0, size, 0, 0, len(raw) // 2, namespace)
    return head + raw


def directory(*names: str, case_sensitive: bool = False, posix: bool = False) -> Directory:
    entries = [leaf_entry(key(name), 100 + k) for k, name in enumerate(names)]
    made = Directory(7, entries, upcase.standard, case_sensitive=case_sensitive)
    made.posix_names = posix
    return made


def names_of(found: Directory) -> list[str]:
    return [name_in(one).decode("utf-16-le") for one, _ in found.pairs()]


def packed(found: Directory) -> list[str]:
    return [name_in(key_of(one)).decode("utf-16-le") for one in found.in_order(lambda: "/d")]


def test_an_entry_and_its_key() -> None:
    one = leaf_entry(key("name"), 0x5000000000007)
    assert len(one) % 8 == 0
    assert struct.unpack_from("<QHH", one) == (0x5000000000007, len(one), len(key("name")))
    assert key_of(one) == key("name") and name_in(key("name")) == "name".encode("utf-16-le")


def test_names_are_found_in_any_case_and_first_as_they_are_spelled() -> None:
    found = directory("Name", "b", "B", "ä")
    assert found.find("NAME") == (key("Name"), 100)
    assert found.find("b") == (key("b"), 101) and found.find("B") == (key("B"), 102)
    assert found.find("Ä") == (key("ä"), 103)
    assert found.find("NAME", exactly=True) is None and found.find("c") is None


def test_a_directory_that_tells_cases_apart() -> None:
    found = directory("Name", case_sensitive=True)
    assert found.find("NAME") is None
    found.tell_cases_apart(False)
    assert found.find("NAME") is not None


def test_collation_is_by_upper_case_and_then_as_spelled() -> None:
    assert names_of(directory("b", "a", "B", "_", "Z", "é", "É")) == ["a", "B", "b", "Z", "_", "É", "é"]


def test_entries_are_added_replaced_and_removed() -> None:
    found = directory("a", "b")
    found.put(key("a"), 100)
    assert not found.changed, "nothing is another"
    found.put(key("a", size=5), 100)
    found.put(key("c"), 9)
    found.remove(key("b"))
    assert found.changed and packed(found) == ["a", "c"]
    assert found.find("a") == (key("a", size=5), 100) and found.find("B") is None
    with pytest.raises(CorruptVolume, match="no entry for the name 'b'"):
        found.remove(key("b"))
    found.settle()
    assert (found.changed, names_of(found), found.is_empty()) == (False, ["a", "c"], False)


def test_a_removed_name_can_come_back() -> None:
    found = directory("Name")
    assert found.find("name") is not None
    found.remove(key("Name"))
    assert found.is_empty() and found.find("name") is None
    found.put(key("NAME"), 4)
    assert found.find("name") == (key("NAME"), 4)


@pytest.mark.parametrize(
    ("new", "posix", "message"),
    [
        ("A", False, "'A' and 'a' are the same name to Windows"),
        ("a", True, "'a' and 'a' are the same name"),
        ("x\0y", True, "/d/x\0y: "),
        ("x|y", False, "/d/x|y: "),
    ],
)
def test_new_names_are_judged_when_they_are_packed(new: str, posix: bool, message: str) -> None:
    found = directory("a", posix=posix)
    found.keys.append(key(new))
    found.references.append(3)
    with pytest.raises(ManifestError) as caught:
        found.in_order(lambda: "/d")
    assert message in str(caught.value)


def test_names_that_were_there_are_nobody_s_to_judge() -> None:
    assert packed(directory("a", "A", "con", "x|y")) == ["A", "a", "con", "x|y"]


def test_posix_names_differ_in_case() -> None:
    found = directory("a", posix=True)
    found.put(key("A"), 3)
    assert packed(found) == ["A", "a"]


def test_a_name_that_is_there_twice_is_damage() -> None:
    with pytest.raises(CorruptVolume, match="'a' is there twice"):
        directory("a", "a").find("b")


def test_win32_names_and_short_ones() -> None:
    found = directory()
    found.put(key("Long name.txt", file_name.WIN32), 3)
    found.put(key("LONGNA~1.TXT", file_name.DOS), 3)
    found.put(key("posix"), 4)
    assert found.has_win32("LONG NAME.TXT") and not found.has_win32("POSIX")
    assert found.short_name("long name 2.txt") == "LONGNA~2.TXT"


def test_a_view_index_is_ordered_by_numbers() -> None:
    def entry(number: int, data: bytes) -> bytes:
        return view_entry(struct.pack("<I", number), data)

    view = ViewIndex([entry(0x100, b"one"), entry(2, b"two")], by_numbers)
    assert (view.get(struct.pack("<I", 2)), view.get(b"none")) == (b"two", None)
    view.remove(b"none")
    assert not view.changed
    view.put(entry(0x10000, b"three"))
    assert view.changed
    assert [int.from_bytes(key_of(one), "little") for one in view.in_order()] == [2, 0x100, 0x10000]
    view.remove(struct.pack("<I", 0x100))
    assert len(list(view.all_keys())) == 2
    assert by_numbers(struct.pack("<III", 1, 2, 3)) == (1, 2, 3)
