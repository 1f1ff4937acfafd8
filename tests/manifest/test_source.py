"""Positions, limits and the parser that stands in for libyaml."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ntfsbuild.errors import ManifestError
from ntfsbuild.manifest import loads, source
from ntfsbuild.manifest.source import Data, Document, read_document
from tests.manifest.render import rendered

PLAIN_TEXTS = (
    "no Yes on OFF y 12:30 017 -017 00 1_000 0b1 0X1F 2024-01-01 .inf -.INF .nan 1e999 nULL + . "
    "Null NULL True TRUE False FALSE +7 0x1F 0o17 .5 -.5e3 1. 1.e3 +0 0x"
)
VALID = sorted((Path(__file__).parent / "valid").glob("*.yaml"))


def places(document: Document) -> list[tuple[str, str]]:
    """Every node's path and place, by the walk that `Document` describes."""
    found: list[tuple[str, str]] = []

    def walk(node: Data, index: int, path: str) -> int:
        found.append((path, "{0.line}:{0.column}".format(document.mark(index))))
        end = index + document.width(node, index)
        if isinstance(node, dict):
            index += 2
            for key, value in node.items():
                found.append((f"{path}/{key} (key)", "{0.line}:{0.column}".format(document.mark(index))))
                index = walk(value, index + 1, f"{path}/{key}")
        elif isinstance(node, list):
            index += 2
            for number, value in enumerate(node):
                index = walk(value, index, f"{path}[{number}]")
        else:
            index += 1
        assert index == end
        return index

    assert walk(document.data, 0, "") == len(document.positions)
    return found


def test_every_node_has_its_place() -> None:
    document = read_document('a: 1\n"b":\n  - x\n  - {c: [], d: }\né: |\n  text\n'.encode(), "m.yaml")

    assert document.data == {"a": 1, "b": ["x", {"c": [], "d": None}], "é": "text\n"}
    assert places(document) == [
        ("", "1:1"),
        ("/a (key)", "1:1"),
        ("/a", "1:4"),
        ("/b (key)", "2:1"),
        ("/b", "3:3"),
        ("/b[0]", "3:5"),
        ("/b[1]", "4:5"),
        ("/b[1]/c (key)", "4:6"),
        ("/b[1]/c", "4:9"),
        ("/b[1]/d (key)", "4:13"),
        ("/b[1]/d", "4:16"),
        ("/é (key)", "5:1"),
        ("/é", "5:4"),
    ]


def test_an_alias_has_the_places_of_what_it_stands_for() -> None:
    document = read_document(b"a: &x {b: [1, 2]}\nc: *x\nd: &y text\ne: *y\n", "m.yaml")

    found = dict(places(document))
    assert found["/c/b[1]"] == found["/a/b[1]"] == "1:15"
    assert found["/e"] == "4:4"


def test_find_leads_where_the_walk_comes_by() -> None:
    document = read_document(b"a: [{b: 1}, {c: {d: 2}, e: [3]}]\nf: 4\n", "m.yaml")

    node, index = document.find(document.data, 0, ["a", 1, "e", 0])
    assert (node, str(document.mark(index))) == (3, "m.yaml:1:29")
    node, index = document.find(document.data, 0, ["f"])
    assert (node, str(document.mark(index))) == (4, "m.yaml:2:4")


def test_a_column_that_does_not_fit_is_cut_and_keeps_its_line() -> None:
    document = read_document(b"a: {" + b" " * (1 << 20) + b"b: 1}", "m.yaml")

    _, index = document.find(document.data, 0, ["a", "b"])
    assert document.mark(index).line == 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("~", None),
        ("", None),
        ("null", None),
        ("true", True),
        ("false", False),
        ("0", 0),
        ("-12", -12),
        ("1.5", 1.5),
        ("-0.5e3", -500.0),
        ("1E+2", 100.0),
        ("'1'", "1"),
        ('"null"', "null"),
    ],
)
def test_scalars_of_json(text: str, value: Any) -> None:
    data = read_document(f"[{text} ]".encode() if text else b"[a, ]", "m.yaml").data
    assert isinstance(data, list)
    if text:
        assert data == [value]
        assert type(data[0]) is type(value)


@pytest.mark.parametrize("text", PLAIN_TEXTS.split(" "))
def test_everything_else_is_text(text: str) -> None:
    assert read_document(text.encode(), "m.yaml").data == text


def test_equal_words_are_one_object() -> None:
    words = {"text": "text"}
    document = read_document(b"[{text: text}, {text: text}]", "m.yaml", words)

    assert isinstance(document.data, list)
    strings = [string for item in document.data for pair in item.items() for string in pair]
    assert {id(string) for string in strings} == {id(words["text"])}


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_without_libyaml_a_manifest_means_the_same(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "CParser", None)
    manifest = loads(path.read_bytes(), path.name)

    assert rendered(manifest) == json.loads(path.with_suffix(".json").read_text("utf-8"))


@pytest.mark.parametrize("escape", [r"\uD800", r"\uDFFF", r"\U0000D800", r"\UFFFFFFFF", r"\ud83d\ude00"])
@pytest.mark.parametrize("with_libyaml", [True, False])
def test_no_escape_makes_half_a_surrogate_pair(
    escape: str, with_libyaml: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not with_libyaml:
        monkeypatch.setattr(source, "CParser", None)
    with pytest.raises(ManifestError, match="found invalid Unicode character escape code"):
        read_document(f'a: "{escape}"'.encode(), "m.yaml")


def test_depth_has_a_limit_and_paths_have_none() -> None:
    deepest = b"ntfsbuild: 1\ntree: " + b"{a/: " * 998 + b"{f: hi}" + b"}" * 998
    loads(deepest, "m.yaml")
    loads(b"ntfsbuild: 1\ntree:\n  ? " + b"a/" * 16_000 + b"f\n  : hi\n", "m.yaml")
    with pytest.raises(ManifestError, match="nested more than 1000 deep"):
        loads(deepest.replace(b"{f: hi}", b"{a/: {f: hi}}"), "m.yaml")


def test_brackets_without_end_are_an_error_soon() -> None:
    with pytest.raises(ManifestError, match="nested more than 1000 deep"):
        read_document(b"[" * 1_000_000, "m.yaml")
