"""Loading costs less than parsing the same file with PyYAML's fastest loader, and little memory."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable

import pytest
import yaml

from ntfsbuild.errors import ManifestError
from ntfsbuild.manifest import loads, source
from tests import depth

COUNT = 5_000
TEXT = '"content of file {0}\\n"'
ENTRIES = {
    "text": "  file{0:06}.txt: " + TEXT + "\n",
    "mapping": "  file{0:06}.txt: {{text: " + TEXT + ", attributes: [hidden]}}\n",
}
STEP = "  - {{write: docs/file{0:06}.txt, at: {0}, text: " + TEXT + "}}\n"


def manifest(kind: str, count: int = COUNT) -> bytes:
    if kind == "steps":
        return ("ntfsbuild: 1\nsteps:\n" + "".join(map(STEP.format, range(count)))).encode()
    return ("ntfsbuild: 1\ntree:\n" + "".join(map(ENTRIES[kind].format, range(count)))).encode()


def seconds(action: Callable[[], object]) -> float:
    """The least CPU time of three runs."""
    times = []
    for _ in range(3):
        begin = time.process_time()
        action()
        times.append(time.process_time() - begin)
    return min(times)


timed = pytest.mark.skipif(not depth.LONG, reason="a ratio of times is for a quiet machine: make test-long")


@timed
@pytest.mark.skipif(source.CParser is None, reason="PyYAML was built without libyaml")
@pytest.mark.parametrize(("kind", "ratio_max"), [("text", 1.0), ("mapping", 1.4), ("steps", 1.2)])
def test_it_takes_no_longer_than_parsing(kind: str, ratio_max: float) -> None:
    data = manifest(kind)

    ours = seconds(lambda: loads(data, "m.yaml"))
    theirs = seconds(lambda: yaml.load(data, yaml.CSafeLoader))

    assert ours <= ratio_max * theirs


@pytest.mark.parametrize("kind", ENTRIES)
def test_an_entry_takes_little_memory(kind: str) -> None:
    data = manifest(kind)
    loads(data, "m.yaml")
    tracemalloc.start()
    try:
        loaded = loads(data, "m.yaml")
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(loaded.tree.children) == COUNT
    # Of it about 190 bytes are the strings: the name, the text, and its bytes.
    assert kept / COUNT < 400
    assert peak / COUNT < 900


def test_thousands_of_pieces_of_one_shape_cost_little() -> None:
    pieces = ", ".join(f"{{at: {number * 10}, text: piece}}" for number in range(5_000))
    data = f"ntfsbuild: 1\ntree: {{a: {{data: [{pieces}]}}}}".encode()

    assert seconds(lambda: loads(data, "m.yaml")) < 3


@pytest.mark.parametrize("fault", ["{x: 1}", "3", "{at: 0}", "{at: 0, text: 1}", "{at: -1, text: a}"])
def test_thousands_of_faults_in_one_file_are_said_soon(fault: str) -> None:
    data = f"ntfsbuild: 1\ntree: {{a: {{data: [{', '.join([fault] * 5_000)}]}}}}".encode()

    begin = time.process_time()
    with pytest.raises(ManifestError):
        loads(data, "m.yaml")
    assert time.process_time() - begin < 5


@pytest.mark.parametrize(
    "place",
    [
        "tree: {a: {streams: {%s}}}",
        "tree: {a/: {.: {ea: {%s}}}}",
        "descriptors: {%s}",
        "steps: [{set: a, ea: {%s}}]",
    ],
)
@pytest.mark.parametrize("fault", ["7", "{x: 1}", "{hex: 0x}", "[a]"])
def test_thousands_of_faulty_features_are_said_soon(place: str, fault: str) -> None:
    data = f"ntfsbuild: 1\n{place % ', '.join(f'k{number}: {fault}' for number in range(5_000))}".encode()

    begin = time.process_time()
    with pytest.raises(ManifestError):
        loads(data, "m.yaml")
    assert time.process_time() - begin < 5


@timed
@pytest.mark.parametrize(
    "features",
    [
        "security: administrators_only, short_name: true",
        "streams: {{s{0}: text}}, ea: {{e{0}: value}}",
        "symlink: '../{0}', directory: true",
        "name_times: 2024-01-01, owner_id: {0}, unix: {{uid: 0, mode: '0644'}}",
    ],
)
def test_features_cost_no_more_than_their_parsing(features: str) -> None:
    entry = "  file{0:06}.txt: {{" + features + "}}\n"
    data = ("ntfsbuild: 1\ntree:\n" + "".join(map(entry.format, range(1000)))).encode()

    ours = seconds(lambda: loads(data, "m.yaml"))
    theirs = seconds(lambda: yaml.load(data, yaml.CSafeLoader))

    assert ours <= 2 * theirs


@pytest.mark.parametrize(
    "place",
    [
        "tree: {a: {absent: true, %s}}",
        "tree: {a/: {.: {absent: true, %s}}}",
        "steps: [{%s}]",
        "steps: [{write: a, text: b, %s}]",
    ],
)
def test_thousands_of_unknown_keys_are_said_soon(place: str) -> None:
    data = f"ntfsbuild: 1\n{place % ', '.join(f'k{number}: 1' for number in range(5_000))}".encode()

    begin = time.process_time()
    with pytest.raises(ManifestError):
        loads(data, "m.yaml")
    assert time.process_time() - begin < 5


def test_a_forgotten_slash_is_said_soon() -> None:
    data = manifest("text").replace(b"tree:\n", b"tree:\n docs:\n")

    begin = time.process_time()
    with pytest.raises(ManifestError) as caught:
        loads(data, "m.yaml")
    assert time.process_time() - begin < 5
    assert len(caught.value.problems) == 1
    assert str(caught.value).endswith(
        'and 4998 more stand in it: the key of a directory ends in "/" (docs/:)'
    )
