"""A plan and its lines: exact both ways, described by the schema, and refused when they are damaged."""

from __future__ import annotations

import json
import os
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ntfsbuild.content.confinement import Confinement
from ntfsbuild.content.model import Content, Fill, HostFile, Inline, Segment, Segments, TarMember
from ntfsbuild.errors import ManifestError, pack_position
from ntfsbuild.ondisk.file_attributes import SETTABLE_NAMES
from ntfsbuild.ondisk.filetime import TICKS_MAX
from ntfsbuild.ondisk.traits import NO_TRAITS, Traits
from ntfsbuild.plan import json_lines, parsing
from ntfsbuild.plan.features import NO_FEATURES, Features, NamedStream
from ntfsbuild.plan.model import (
    DeleteStep,
    Format,
    Keep,
    LabelStep,
    LinkFile,
    LinkStep,
    MakeDirectory,
    MakeFile,
    MkdirStep,
    OpenBase,
    Operation,
    Plan,
    Remove,
    RenameStep,
    ReplaceFile,
    SetMetadata,
    SetStep,
    TruncateStep,
    WriteStep,
)

ROOT = Path(__file__).parents[2]
BASE = b"/work"  # Any folder that is there; the lines must not depend on it.
SCHEMA = json.loads((ROOT / "schemas/plan.schema.json").read_text())
SHA256 = bytes(range(32))
SETTABLE = 0x1 | 0x2 | 0x4 | 0x20 | 0x100 | 0x1000 | 0x2000 | 0x8000 | 0x20000 | 0x80000 | 0x100000 | 0x400000
FEATURES = Features(
    Traits(
        security=bytes(20),
        short_name="LONG~1.TXT",
        reparse=b"\x17\0\0\x80\0\0\0\0",
        ea=b"ea",
        object_id=bytes(range(16)),
        efs=b"efs",
        name_times=(1, None, 3, None),
        entry_times=(1, 2, 3, TICKS_MAX),
        case_sensitive=True,
        owner_id=0xFFFFFFFF,
        quota_charged=1,
        usn=(1 << 64) - 1,
        version_max=0,
        version=2,
        class_id=3,
    ),
    form="encrypted",
    valid_bytes=7,
    streams=(
        NamedStream("Zone.Identifier", Inline(b"x")),
        NamedStream("Größe", Fill(5, None), "sparse", 3),
    ),
    file_key=bytes(range(32)),
    raw_bytes=9,
    linked=True,
)


@pytest.fixture(name="base")
def _base(tmp_path: Path) -> bytes:
    (tmp_path / "sub").mkdir()
    return os.fsencode(tmp_path.resolve())


def formatting(**changes: Any) -> Format:
    times = (133_000_000_000_000_000,) * 4
    plain = Format(None, 0, 0.0, "LABEL", 0x1C2D3E4F5061728, 4096, 512, 1024, 0, 63, 255, times, 1, 2, 0)
    return plain._replace(**changes)


ROOT_DIRECTORY = MakeDirectory("/", (0, 0, 0, 0), 0, False, 0)


def written(operations: list[Operation], base: bytes) -> list[str]:
    return list(json_lines.write(Plan("dir/disk.yaml", SHA256, iter(operations)), base))


def parsed(text: list[str], base: bytes) -> list[Operation]:
    data = (line.encode() for line in text)
    return list(parsing.read(data, "plan.jsonl", base, Confinement((base,))).operations)


def test_a_plan_reads_as_it_was_written(base: bytes) -> None:
    times = (1, 2, 3, TICKS_MAX)
    contents: list[Content] = [
        Inline(b""),
        Inline("Grüße, 世界 \U0001f600\r\n\t".encode()),
        Inline(b"\0\xff"),
        Inline(b"\x1b[31m"),
        Fill(0, None),
        Fill(3 << 20, 7),
        HostFile(base + b"/a.txt", None, None),
        HostFile(base + "/sub/ä b".encode(), 12, SHA256),
        TarMember(base + b"/a.tar", "x/y", 512, 10, None),
        TarMember(base + b"/a.tar", "x/y", 512, 10, SHA256),
        Segments(1 << 40, ()),
        Segments(
            1 << 40,
            (
                Segment(0, Inline(b"head")),
                Segment(4096, HostFile(base + b"/a.txt", 4, SHA256)),
                Segment(1 << 39, Fill(5, 0)),
                Segment(1 << 39 | 5, TarMember(base + b"/a.tar", "s", 0, 10, None)),
            ),
        ),
    ]
    operations: list[Operation] = [
        formatting(object_id=bytes(64), short_names=True),
        MakeDirectory("/", times, 0, False, 0, FEATURES),
        MakeDirectory("/posix", (5, 5, 5, 5), 0x2, True, pack_position(17, 3)),
        *(MakeFile(f"/f{k}", content, times, 0x20, 1 << 20 | k + 1) for k, content in enumerate(contents)),
        MakeFile("/bits", Inline(b""), times, SETTABLE, 0),
        MakeFile("/half\ud800pair", Inline(b""), times, 0, 0),
    ]

    text = written(operations, base)

    assert parsed(text, base) == operations
    assert json.loads(text[0]) == {"ntfsbuild_plan": 1, "manifest": "disk.yaml", "digest": SHA256.hex()}
    assert os.fsdecode(base) not in "".join(text)
    for line in text:
        assert line.endswith("\n") and line.count("\n") == 1
        jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(line))


def changes(base: bytes) -> list[Operation]:
    """Every operation that a plan of a change may have, with all that can be left out and without."""
    some, nothing, at = (1, None, 3, None), (None,) * 4, pack_position(3, 5)
    source = HostFile(base + b"/a.txt", 4, SHA256)
    return [
        OpenBase(0x1C2D3E4F50617283, "NEW", 7, 2, 3, at, bytes(16), False),
        Keep("/kept", False, nothing, 0),
        Keep("/", True, some, at),
        ReplaceFile("/r", source, nothing, None, 7, at),
        ReplaceFile("/r2", Inline(b"x"), some, 0, 7, at),
        SetMetadata("/m", True, some, None, 7, 0),
        SetMetadata("/m2", False, nothing, 0x22, 7, at),
        Remove("/gone", True, 7, at),
        Remove("/gone.txt", False, 7, at),
        MakeDirectory("/d", (1, 2, 3, 4), 0, False, at),
        MakeFile("/d/f", Inline(b""), (1, 2, 3, 4), 0x20, at),
        MakeFile("/d/g", Inline(b""), (1, 2, 3, 4), 0x20, at, FEATURES),
        MakeDirectory("/e", (1, 2, 3, 4), 0, False, at, Features(Traits(case_sensitive=False))),
        ReplaceFile("/r3", Inline(b"x"), some, 0, 7, at, Features(Traits(reparse=b""))),
        SetMetadata("/m3", False, nothing, 0x22, 7, at, FEATURES),
        LinkFile("/e/h", "/d/g", (1, 2, 3, 4), False, at),
        LinkFile("/e/i", "/d/g", (1, 1, 1, 1), True, 0, Features(Traits(short_name="I"))),
        *steps(source, at),
    ]


def steps(source: Content, at: int) -> list[Operation]:
    some, nothing = (None, 2, None, 4), (None,) * 4
    return [
        WriteStep("/w", 0, source, "", False, 7, at),
        WriteStep("/w", None, Inline(b"x"), "Zone.Identifier", True, 7, 0),
        TruncateStep("/t", 0, "", 7, at),
        TruncateStep("/t", 1 << 40, "s", 7, at),
        RenameStep("/a", "/b", False, False, 7, at),
        RenameStep("/a", "/b", True, True, 7, at),
        LinkStep("/a", "/c", False, 7, at),
        LinkStep("/a", "/d", False, 7, at, "D"),
        DeleteStep("/a", "", False, 7, at),
        DeleteStep("/a", "s", False, 7, at),
        DeleteStep("/a", "", True, 7, at),
        MkdirStep("/m", (1, 2, 3, 4), 0, False, 7, at),
        SetStep("/s", some, None, 7, at),
        SetStep("/s", nothing, 0, 7, at),
        LabelStep("", 7, at),
    ]


def test_a_plan_of_a_change_reads_as_it_was_written(base: bytes) -> None:
    fresh = [formatting(), ROOT_DIRECTORY, *steps(Inline(b"x"), 0)]
    for operations in (changes(base), [changes(base)[0]._replace(label=None)], fresh):
        text = written(operations, base)
        assert parsed(text, base) == operations
        for line in text:
            jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(line))


@pytest.mark.parametrize(
    ("order", "message"),
    [
        (lambda c: [formatting(), *c[:1]], "3:1: op: there is one format, or base, and it comes first"),
        (lambda c: [formatting(), ROOT_DIRECTORY, c[1]], "4:1: op: belongs to a plan that changes a base"),
        (lambda c: [c[0], c[-1], c[1]], "4:1: op: the tree comes before the steps"),
        (lambda c: [formatting(), c[-1]], "3:1: op: the directory / is there once"),
    ],
)
def test_operations_have_an_order(base: bytes, order: Callable[..., list[Operation]], message: str) -> None:
    with pytest.raises(ManifestError, match=f"^plan\\.jsonl:{message}"):
        parsed(written(order(changes(base)), base), base)


def contents() -> st.SearchStrategy[Content]:
    sizes = st.integers(0, (1 << 63) - 1)
    names = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="/\0"), min_size=1)
    paths = names.filter(lambda name: name not in (".", "..")).map(lambda name: BASE + b"/" + name.encode())
    digests = st.none() | st.binary(min_size=32, max_size=32)
    parts = st.one_of(
        st.binary().map(Inline),
        st.text(st.characters(blacklist_categories=["Cs"])).map(lambda text: Inline(text.encode())),
        st.builds(Fill, sizes, st.none() | st.integers(0, (1 << 64) - 1)),
        st.builds(HostFile, paths, st.none() | sizes, digests),
        st.builds(TarMember, paths, names, sizes, sizes, digests),
    )
    segments = st.lists(st.builds(Segment, sizes, parts), max_size=3).map(tuple)
    return parts | st.builds(Segments, sizes, segments)


@given(
    st.lists(
        st.builds(
            MakeFile,
            st.text(st.characters(blacklist_characters="/"), min_size=1).map(lambda name: "/" + name),
            contents(),
            st.tuples(*[st.integers(0, TICKS_MAX)] * 4),
            st.integers(0, 0xFFFFFFFF).map(lambda bits: bits & SETTABLE),
            st.just(0) | st.builds(pack_position, st.integers(1, 10**9), st.integers(1, 1 << 21)),
            st.sampled_from([NO_FEATURES, FEATURES, FEATURES._replace(traits=NO_TRAITS, streams=())]),
        ),
        max_size=3,
    )
)
@settings(max_examples=150, deadline=None)
def test_any_plan_reads_as_it_was_written(files: list[MakeFile]) -> None:
    operations = [formatting(extra_percent=0.1, size_bytes=512), ROOT_DIRECTORY, *files]
    text = written(operations, BASE)
    assert parsed(text, BASE) == operations
    assert written(parsed(text, BASE), BASE) == text
    for line in text:
        jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(line))


def test_everything_in_the_schema_is_described() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)

    def undescribed(node: Any, where: str) -> Iterator[str]:
        if isinstance(node, dict):
            for name, value in node.get("properties", {}).items():
                if isinstance(value, dict) and "description" not in value and "if" not in where:
                    yield f"{where}/{name}"
            for name, value in node.items():
                yield from undescribed(value, f"{where}/{name}")
        if isinstance(node, list):
            for each in node:
                yield from undescribed(each, where)

    assert list(undescribed(SCHEMA, "")) == []
    assert all("description" in definition for definition in SCHEMA["$defs"].values())


UNSETTABLE = [
    "directory_index", "view_index", "compressed", "sparse", "encrypted", "reparse_point", "ea", "normal",
    "0x80000000", "0x1ffffffff",
]  # fmt: skip
GOOD: dict[str, Any] = {
    "op": "file",
    "path": "/a",
    "content": {"text": "x"},
    "times": "2024-01-01",
    "attributes": [],
}
BAD_FILES: list[tuple[dict[str, Any], str]] = [
    ({"op": "fyle"}, "op: is not an operation (format, directory, file, base, hardlink, keep, "),
    ({"op": 5}, "op: is not an operation"),
    ({"op": "format"}, "op: there is one format, or base, and it comes first"),
    ({"op": "directory", "path": "/"}, "op: the directory / is there once, right behind the format"),
    ({"path": "a"}, "path: is not a path"),
    ({"path": "/a/"}, "path: is not a path"),
    ({"path": "/a//b"}, "path: is not a path"),
    ({"path": 7}, "path: is not a text"),
    ({"times": "yesterday"}, "times: is not a time"),
    ({"times": {"created": "2024-01-01"}}, "times: modified: is missing"),
    ({"times": 5}, "times: is not an object"),
    ({"attributes": "hidden"}, "attributes: is not a list"),
    ({"attributes": ["archive", "hiden"]}, "attributes[1]: is not an attribute (readonly, hidden"),
    *[({"attributes": [word]}, "attributes[0]: is not an attribute") for word in UNSETTABLE],
    ({"mode": 7}, "mode: is not known here (path, content, times, attributes, origin, features)"),
    ({"origin": "3"}, "origin: is not a place in the manifest"),
    ({"origin": "3:9999999"}, "origin: is not a place in the manifest"),
    ({"origin": "٣:٤"}, "origin: is not a place in the manifest"),
    ({"content": "x"}, "content: is not an object"),
    ({"content": {}}, "content: is not a content (one of text, base64, fill, source, archive, data)"),
    ({"content": {"text": "x", "base64": ""}}, "content: is not a content"),
    ({"content": {"text": "x", "at": 1}}, "content: at: is not known here (text)"),
    ({"content": {"text": "\ud800"}}, "content: text: holds half a surrogate pair"),
    ({"content": {"base64": "x"}}, "content: base64: is not base64"),
    ({"content": {"base64": "é"}}, "content: base64: is not base64"),
    ({"content": {"fill": "ones", "size_bytes": 1}}, "content: fill: is not one of zero, random"),
    ({"content": {"fill": "zero"}}, "content: size_bytes: is missing"),
    ({"content": {"fill": "random", "size_bytes": 1}}, "content: seed: belongs to a random fill"),
    ({"content": {"fill": "zero", "size_bytes": 1, "seed": 1}}, "content: seed: belongs to a random fill"),
    ({"content": {"fill": "zero", "size_bytes": -1}}, "content: size_bytes: is not a whole number from 0"),
    ({"content": {"fill": "zero", "size_bytes": True}}, "content: size_bytes: is not a whole number from 0"),
    ({"content": {"fill": "zero", "size_bytes": 1.0}}, "content: size_bytes: is not a whole number from 0"),
    ({"content": {"fill": "zero", "size_bytes": 1 << 63}}, "content: size_bytes: is not a whole number"),
    ({"content": {"source": "a", "sha256": "ab"}}, "content: sha256: is not a SHA-256"),
    ({"content": {"source": "../a"}}, "content: source: "),
    ({"content": {"source": "/etc/passwd"}}, "content: source: "),
    ({"content": {"source": "sub/.."}}, "content: source: is not the path of a file"),
    ({"content": {"source": ""}}, "content: source: is not the path of a file"),
    ({"content": {"source": "a\0b"}}, "content: source: is not a path"),
    ({"content": {"source": "none/a"}}, "content: source: "),
    ({"content": {"data": [], "size_bytes": None}}, "content: size_bytes: is not a whole number"),
    ({"content": {"data": {}, "size_bytes": 1}}, "content: data: is not a list"),
    ({"content": {"data": [{"text": "x"}], "size_bytes": 1}}, "content: data[0]: at: is missing"),
    ({"content": {"data": [{"at": 0, "data": []}], "size_bytes": 1}}, "content: data[0]: is not a content"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "message"), BAD_FILES)
def test_faults_are_named_with_their_place(base: bytes, change: dict[str, Any], message: str) -> None:
    text = written([formatting(), ROOT_DIRECTORY], base)
    text.insert(3, json.dumps(GOOD | change) + "\n")
    with pytest.raises(ManifestError) as caught:
        parsed(text, base)
    assert str(caught.value).startswith(f"plan.jsonl:4:1: {message}")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "is not a line of JSON: Expecting value"),
        ("{", "is not a line of JSON"),
        ("[]", "is not a JSON object"),
        ("[" * 100_000, "is not a line of JSON"),
        ('{"op": "commit", "op": "commit"}', "has the same key twice"),
        ('{"op": NaN}', "NaN is not a number"),
        ('{"op": ' + "9" * 5000 + "}", "is not a line of JSON"),
    ],
)
def test_lines_that_are_no_json(base: bytes, line: str, message: str) -> None:
    text = written([formatting(), ROOT_DIRECTORY], base)
    text.insert(3, line + "\n")
    with pytest.raises(ManifestError, match=f"^plan.jsonl:4:1: {message}"):
        parsed(text, base)


def test_bytes_that_are_no_utf8(base: bytes) -> None:
    with pytest.raises(ManifestError, match=r"^plan\.jsonl:1:1: is not UTF-8"):
        parsing.read([b'{"a": "\xff"}\n'], "plan.jsonl", base, Confinement((base,)))


@pytest.mark.parametrize("keep", range(1, 5))
def test_a_plan_that_is_cut_off(base: bytes, keep: int) -> None:
    file = MakeFile("/a", Inline(b""), (0, 0, 0, 0), 0, 0)
    operations: list[Operation] = [formatting(), ROOT_DIRECTORY, file]
    with pytest.raises(ManifestError, match=rf"^plan\.jsonl:{keep + 1}:1: the plan is cut off"):
        parsed(written(operations, base)[:keep], base)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({}, ""),
        ({"ntfsbuild_plan": 2}, ""),
        ({"ntfsbuild_plan": True}, ""),
        ({"ntfsbuild_plan": 1}, "manifest: is missing"),
        ({"ntfsbuild_plan": 1, "manifest": "a", "digest": "no"}, "digest: is not a SHA-256"),
    ],
)
def test_what_is_not_a_plan(base: bytes, header: dict[str, Any], message: str) -> None:
    message = message or "is not a plan of this version"
    with pytest.raises(ManifestError, match=rf"^plan\.jsonl:1:1: {message}"):
        parsed([json.dumps(header)], base)
    with pytest.raises(ManifestError, match=r"^plan\.jsonl:1:1: is not a line of JSON"):
        parsed([], base)


def test_all_faults_are_told_at_once(base: bytes) -> None:
    file = MakeFile("/a", Inline(b""), (0, 0, 0, 0), 0, 0)
    text = written([formatting(), ROOT_DIRECTORY, *[file] * 3], base)
    text[3] = text[3].replace("/a", "a")
    text[5] = text[5].replace('"text"', '"txt"')
    text.append(text[4])
    with pytest.raises(ManifestError) as caught:
        parsed(text, base)
    assert [problem.mark.line for problem in caught.value.problems] == [4, 6, 8]


def test_a_plan_without_a_format(base: bytes) -> None:
    text = written([formatting(), ROOT_DIRECTORY, MakeFile("/a", Inline(b""), (0, 0, 0, 0), 0, 0)], base)
    for kept in (text[2:], text[3:]):  # Said once, and nothing else.
        with pytest.raises(ManifestError, match=r"^plan\.jsonl:2:1: op: there is one format[^\n]*$"):
            parsed([text[0], *kept], base)


@pytest.mark.parametrize("files", [0, 1, 2])
def test_a_plan_without_the_root(base: bytes, files: int) -> None:
    file = MakeFile("/a", Inline(b""), (0, 0, 0, 0), 0, 0)
    text = written([formatting(), *[file] * files, ROOT_DIRECTORY._replace(path="/d")], base)
    with pytest.raises(ManifestError, match=r"^plan\.jsonl:3:1: op: the directory / is there once[^\n]*$"):
        parsed(text, base)


@pytest.mark.parametrize("label", ["x" * 33, "\U0001f600" * 17, "a\x1b[31m", "\0", "\x85"])
def test_labels_that_a_manifest_cannot_have(base: bytes, label: str) -> None:
    text = written([formatting(label=label), ROOT_DIRECTORY], base)
    with pytest.raises(
        ManifestError, match=r"^plan\.jsonl:2:1: label: is (not a label: it holds|longer than a label)"
    ):
        parsed(text, base)


@pytest.mark.parametrize("name", ["files", "directories"])
def test_a_format_says_how_much_follows(base: bytes, name: str) -> None:
    text = written([formatting(), ROOT_DIRECTORY], base)
    line = json.loads(text[1])
    del line[name]
    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(line)
    with pytest.raises(ManifestError, match=rf"^plan\.jsonl:2:1: {name}: is missing"):
        parsed([text[0], json.dumps(line), *text[2:]], base)


def test_a_plan_allows_the_attributes_that_a_manifest_allows() -> None:
    manifest = json.loads((ROOT / "schemas/manifest.schema.json").read_text())
    allowed = manifest["$defs"]["attributes"]["items"]["enum"]
    assert allowed == SCHEMA["$defs"]["attributes"]["items"]["enum"] == list(SETTABLE_NAMES)


def test_links_out_of_the_folder_are_refused(base: bytes) -> None:
    os.symlink(b"/etc", base + b"/out")
    line = json.dumps(GOOD | {"content": {"source": "out/passwd"}})
    text = written([formatting(), ROOT_DIRECTORY], base)
    text.insert(3, line)
    with pytest.raises(ManifestError, match="leaves the manifest's folder"):
        parsed(text, base)
    allowed = parsing.read((each.encode() for each in text), "", base, Confinement((base, b"/etc")))
    assert list(allowed.operations)[2].content.path == b"/etc/passwd"  # type: ignore[union-attr]


def test_a_long_plan_is_never_held_whole(base: bytes) -> None:
    def endless() -> Iterator[bytes]:
        file = MakeFile("/a", Inline(b"x" * 1000), (0, 0, 0, 0), 0, 0)
        text = written([formatting(), ROOT_DIRECTORY, file], base)
        yield from (line.encode() for line in text[:3])
        for _ in range(5000):
            yield text[3].encode()
        yield text[4].encode()

    tracemalloc.start()
    plan = parsing.read(endless(), "plan.jsonl", base, Confinement((base,)))
    assert sum(1 for _ in plan.operations) == 5002
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20
