"""Wrong arguments are refused before anything is changed, with their names; the editor stays usable."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ntfsbuild.errors import ManifestError
from ntfsbuild.ondisk.traits import Traits
from ntfsbuild.volume import arguments
from ntfsbuild.volume.write.editor import VolumeEditor
from tests.volume.write.memory import LATER, TIMES, MemoryStorage, formatted

DAY = datetime(2024, 1, 1, tzinfo=UTC)
NO_TIME = "not a time in ticks"
WRONG: list[tuple[str, tuple[Any, ...], dict[str, Any], str]] = [
    ("make_file", ("/n", "text", TIMES, 0), {}, r"content is \'text\' \(str\), not bytes"),
    ("make_file", (b"/n", b"", TIMES, 0), {}, "path is b'/n' .*, not a str"),
    ("make_file", ("/n", b"", (DAY,) * 4, 0), {}, f"times: created is datetime.* {NO_TIME}"),
    ("make_file", ("/n", b"", (LATER, LATER, 1.5, LATER), 0), {}, f"times: changed is 1.5 .*{NO_TIME}"),
    ("make_file", ("/n", b"", (LATER, LATER, LATER, 1 << 63), 0), {}, f"times: accessed is .*{NO_TIME}"),
    ("make_file", ("/n", b"", LATER, 0), {}, "not a tuple of four times"),
    ("make_file", ("/n", b"", TIMES[:3], 0), {}, "not a tuple of four times"),
    ("make_file", ("/n", b"", TIMES, 0x30), {}, "attributes is 0x30: 0x10 cannot be set"),
    (
        "make_file",
        ("/n", b"", TIMES, 0x4E20),
        {},
        "sparse, reparse_point, compressed, encrypted cannot be set",
    ),
    ("make_file", ("/n", b"", TIMES, -1), {}, "attributes is -1"),
    ("make_file", ("/n", b"", TIMES, 1 << 32), {}, "attributes is 4294967296"),
    ("make_file", ("/n", b"", TIMES, 0), {"traits": {}}, "traits is {} .*, not a Traits"),
    ("make_directory", ("/n", TIMES, 0x10000000), {}, "directory_index cannot be set"),
    ("make_directory", ("/n", TIMES, 0), {"now": -1}, f"now is -1 .*{NO_TIME}"),
    ("replace_file", ("/a", None, LATER), {}, "content is None"),
    ("replace_file", ("/a", b"", "2024"), {}, f"now is '2024' .*{NO_TIME}"),
    ("replace_file", ("/a", b"", LATER, (None, None, -1, None)), {}, "times: changed is -1"),
    ("replace_file", ("/a", b"", LATER), {"attributes": 0x800}, "compressed cannot be set"),
    ("link", ("/a", None, LATER), {}, "to is None"),
    ("link", ("/a", "/n", -1), {}, "now is -1"),
    ("link", ("/a", "/n", LATER), {"short_name": "too long.name"}, "short_name is .*, not a short name"),
    ("rename", ("/a", "/n", 1.0), {}, "now is 1.0"),
    ("remove", ("/a", None), {}, "now is None"),
    ("write", ("/a", 0, "x", LATER), {}, "data is 'x'"),
    ("write", ("/a", "0", b"x", LATER), {}, "at is '0'"),
    ("write", ("/a", (1 << 63) - 1, b"x", LATER), {}, r"at \+ len\(data\) is"),
    ("write", ("/a", 0, b"x", LATER, "a:b"), {}, 'stream is .*not the name of a stream: it holds ":"'),
    ("write", ("/a", 0, b"x", LATER, "s" * 256), {}, "it has 256 UTF-16 units"),
    ("append", ("/a", "x", LATER), {}, "data is 'x'"),
    ("append", ("/a", b"x", True), {}, "now is True"),
    ("truncate", ("/a", -1, LATER), {}, "size_bytes is -1"),
    ("truncate", ("/a", 1, LATER, None), {}, "stream is None"),
    ("remove_stream", ("/a", 7, LATER), {}, "stream is 7"),
    ("set_times", ("/a",), {"modified": DAY}, "modified is datetime"),
    ("set_attributes", ("/a", 0x10, 0x10, LATER), {}, "mask is 0x10"),
    ("set_attributes", ("/a", "hidden", 0x2, LATER), {}, "attributes is 'hidden'"),
    ("set_traits", ("/a", None, LATER), {}, "traits is None"),
    ("set_traits", ("/a", Traits(security=b""), LATER), {}, "traits: security: "),
    ("set_traits", ("/a", Traits(reparse=b"abc"), LATER), {}, "traits: reparse: a reparse point has 8 bytes"),
    ("set_traits", ("/a", Traits(ea="x"), LATER), {}, "traits: ea is 'x'"),  # type: ignore[arg-type]
    ("set_traits", ("/a", Traits(object_id=b"abc"), LATER), {}, "traits: object_id: an object id has 16"),
    ("set_traits", ("/a", Traits(efs=b"abc"), LATER), {}, "traits: efs: "),
    ("set_traits", ("/a", Traits(short_name="a b"), LATER), {}, "short_name is 'a b', not a short name"),
    ("set_traits", ("/a", Traits(owner_id=1 << 32), LATER), {}, "owner_id is .*a number of 32 bits"),
    ("set_traits", ("/a", Traits(name_times=(0, 0, 0, -1)), LATER), {}, "name_times: accessed is -1"),
    ("set_traits", ("/a", Traits(case_sensitive=1), LATER), {}, "case_sensitive is 1"),  # type: ignore[arg-type]
    ("set_label", (7,), {}, "label is 7"),
    ("set_volume_object_id", (b"x",), {}, "value: an object id has 16"),
]


@pytest.mark.parametrize(("method", "values", "named", "message"), WRONG)
def test_the_editor_stays_usable(
    method: str, values: tuple[Any, ...], named: dict[str, Any], message: str
) -> None:
    storage = formatted()
    with VolumeEditor(storage) as editor:
        editor.make_file("/a", b"a", TIMES, 0x20)
        editor.commit()
        before = bytes(storage.data)
        with pytest.raises(ManifestError, match=message):
            getattr(editor, method)(*values, **named)
        editor.commit()
        assert storage.data == before
        editor.make_file("/b", b"b", TIMES, 0x20)
        editor.commit()
    again = VolumeEditor(MemoryStorage(storage.data))
    assert [again.read(path) for path, _ in again.walk()] == [b"a", b"b"]


def test_data_of_every_kind_is_counted_in_bytes() -> None:
    numbers = memoryview(b"abcdefgh").cast("I")
    assert arguments.bytes_of("data", numbers) == b"abcdefgh"
    assert arguments.bytes_of("data", numbers[::-1]) == b"efghabcd"
    assert arguments.bytes_of("data", bytearray(b"abc")) == b"abc"
    with VolumeEditor(formatted()) as editor:
        editor.make_file("/a", bytearray(b"x" * 9000), TIMES, 0x20)
        editor.append("/a", numbers, LATER)
        editor.make_file("/b", numbers, TIMES, 0x20)
        assert (editor.read("/a"), editor.read("/b")) == (b"x" * 9000 + b"abcdefgh", b"abcdefgh")
