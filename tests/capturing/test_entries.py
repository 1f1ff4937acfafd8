"""The entry of a file or directory: what was said of it, no more, and a note on what cannot be said."""

from __future__ import annotations

from typing import Any

import pytest

from ntfsbuild.capturing.contents import Contents
from ntfsbuild.capturing.entries import Entries, is_text, link_data, object_id_data, times_data
from ntfsbuild.ondisk import reparse_point
from ntfsbuild.ondisk.filetime import parse_filetime
from ntfsbuild.volume.opening import Volume
from tests.disks import Disks

GUID = "6f1b6c1e-2a57-4a7e-9d3c-0f3f6a1f2b11"
TIME = "2024-02-29T12:34:56.7654321Z"
# What is said of each path, and what is captured of it where that is something else.
TREE: dict[str, Any] = {
    "plain.txt": {"text": "plain"},
    "empty": None,
    "hidden.txt": {"text": "x", "attributes": ["hidden", "archive"]},
    "bare.txt": {"text": "x", "attributes": []},
    "dated.txt": {"text": "x", "times": {"modified": TIME}},
    "streams.txt": {"text": "x", "streams": {"s": {"text": "stream"}, "empty": None}},
    "noted.txt": {"text": "x", "ea": {"NOTE": "hi", "RAW": {"hex": "0001", "need": True}}},
    "owned.txt": {"text": "x", "unix": {"uid": 1, "gid": 2, "mode": "0640"}},
    "known.txt": {"text": "x", "object_id": GUID},
    "short name.txt": {"text": "x", "short_name": "SHORT"},
    "named.txt": {"text": "x", "name_times": TIME},
    "link": {"symlink": "plain.txt"},
    "junction": {"junction": "C:\\a"},
    "wsl": {"wsl_symlink": "/etc"},
    "tagged": {"text": "x", "reparse": {"tag": "0x80000013", "data": {"hex": "0102"}}},
    "guarded/": {".": {"security": "O:BAG:BAD:P(A;;FA;;;BA)"}, "inside.txt": {"text": "x"}},
    "packed/": {".": {"compressed": True}, "loose.txt": {"text": "x", "compressed": False}},
    "cased/": {".": {"case_sensitive": True}},
}  # fmt: skip


def entry(disk: Disks, path: str) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """The entry, after those of all directories above it, and the notes on it."""
    notes: list[tuple[str, str]] = []
    with Volume.open(disk(TREE, defaults={"times": TIME})) as volume:
        times = volume.stat("/$MFT").times
        entries = Entries(Contents(volume, None), times, lambda *note: notes.append(note), short_names=False)
        for above in ["/", *(path[:at] for at, char in enumerate(path) if char == "/" and at)]:
            file = volume.open_file(above)
            entries.of(file, file.info())
        notes.clear()
        file = volume.open_file(path)
        said = entries.of(file, file.info())
        if size := next((one.size_bytes for one in file.info().streams if not one.name), 0):
            assert said.pop("size") == size  # Without a store that is all that is said of the content.
    return said, notes


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/plain.txt", {}),
        ("/empty", {}),
        ("/hidden.txt", {"attributes": ["hidden", "archive"]}),
        ("/bare.txt", {"attributes": []}),
        ("/streams.txt", {"streams": {"s": {"size": 6}, "empty": None}}),
        ("/noted.txt", {"ea": {"NOTE": "hi", "RAW": {"hex": "0001", "need": True}}}),
        ("/owned.txt", {"unix": {"uid": 1, "gid": 2, "mode": "0640"}}),
        ("/known.txt", {"object_id": GUID}),
        ("/short name.txt", {"short_name": "SHORT"}),
        ("/link", {"symlink": "plain.txt", "directory": False}),
        ("/junction", {"junction": "C:\\a"}),
        ("/wsl", {"wsl_symlink": "/etc"}),
        ("/tagged", {"reparse": {"tag": "0x80000013", "data": {"hex": "0102"}}}),
        ("/packed", {"compressed": True}),
        ("/packed/loose.txt", {"compressed": False}),
        ("/cased", {"case_sensitive": True}),
        ("/guarded/inside.txt", {}),
    ],
)  # fmt: skip
def test_what_was_said_is_said_again(disk: Disks, path: str, expected: dict[str, Any]) -> None:
    said, notes = entry(disk, path)
    said = {key: value for key, value in said.items() if key not in ("times", "name_times")}
    assert said == expected
    assert not notes
    for key in ("attributes", "ea"):
        assert (key in said) == (key in expected)


def test_a_descriptor_of_its_own_is_said_and_what_is_handed_down_is_not(disk: Disks) -> None:
    said, _ = entry(disk, "/guarded")
    with Volume.open(disk(TREE, defaults={"times": TIME})) as volume:
        security = volume.traits("/guarded").security
        assert security is not None
    assert said["security"] == {"hex": security.hex()}
    assert "security" not in entry(disk, "/guarded/inside.txt")[0]


def test_times_are_said_where_they_are_not_the_usual_ones(disk: Disks) -> None:
    assert "times" not in entry(disk, "/plain.txt")[0] and "name_times" not in entry(disk, "/plain.txt")[0]
    assert entry(disk, "/named.txt")[0].get("name_times", TIME) == TIME


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ((5, 5, 5, 5), "1601-01-01T00:00:00.0000005Z"),
        ((None, 5, None, None), {"modified": "1601-01-01T00:00:00.0000005Z"}),
        ((None, None, None, None), {}),
    ],
)
def test_times(times: Any, expected: Any) -> None:
    assert times_data(times) == expected
    if isinstance(expected, str):
        assert parse_filetime(expected) == 5


def test_object_ids() -> None:
    assert object_id_data(bytes(range(16))) == "03020100-0504-0706-0809-0a0b0c0d0e0f"
    four = object_id_data(bytes(range(64)))
    assert isinstance(four, dict) and list(four) == ["id", "birth_volume", "birth_object", "domain"]
    assert four["domain"].startswith("33323130-3534-3736-3839-")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (reparse_point.symlink("a\\b"), {"symlink": "a\\b", "directory": True}),
        (reparse_point.junction("C:\\x"), {"junction": "C:\\x"}),
        (reparse_point.wsl_symlink("/ünï"), {"wsl_symlink": "/ünï"}),
    ],
)
def test_links_that_keys_would_make_to_the_byte(value: bytes, expected: dict[str, Any]) -> None:
    found = link_data(value, directory=True)
    assert found.keys() == expected.keys()
    key = next(iter(expected))
    make = {"symlink": reparse_point.symlink, "junction": reparse_point.junction}.get(
        key, reparse_point.wsl_symlink
    )
    assert make(found[key]) == value


def test_links_that_no_key_makes_are_said_as_bytes() -> None:
    value = reparse_point.symlink("a")
    odd = value[:-1] + bytes([value[-1] ^ 1])
    found = link_data(odd, directory=False)
    assert found == {"reparse": {"tag": "0xa000000c", "data": {"hex": odd[8:].hex()}}}


def test_names_with_half_a_surrogate_pair_are_no_text() -> None:
    assert is_text("Ünï \U0001f600") and not is_text("a\ud83d")
