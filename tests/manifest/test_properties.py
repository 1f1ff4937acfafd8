"""Whatever is read, nothing but a ManifestError comes out."""

from __future__ import annotations

from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ntfsbuild.errors import ManifestError
from ntfsbuild.manifest import Manifest, loads, source

SEEDS = [path.read_bytes() for path in sorted(Path(__file__).parent.glob("*valid/*.yaml"))]
MARKS = "ntfsbuild: tree: volume: a b/ . - [ ] { } , ? &x *x !t !!str ' # --- ... %YAML << 0x 1e9 ~ size"
ODD = [
    "ntfsbuild: 1\n",
    "  ",
    ": ",
    "\n",
    "\t",
    "|\n",
    ">-\n",
    '"',
    "\\",
    "\u2028",
    "\x85",
    "\ufeff",
    "\x00",
    "\r",
]
SNIPPETS = st.sampled_from([*MARKS.split(" "), *ODD, " ", "😀", "é", "\r", "text"])


def outcome(data: bytes) -> Manifest | str:
    try:
        return loads(data, "m.yaml")
    except ManifestError as error:
        assert all(problem.mark.line >= 1 and problem.mark.column >= 1 for problem in error.problems)
        assert error.problems == sorted(error.problems)
        return str(error)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
@example(b"\xff\xfe")
@example(b"\xef\xbb\xbf")
@example(b"a: \xed\xa0\x80")
def test_any_bytes(data: bytes) -> None:
    outcome(data)


@settings(max_examples=500, deadline=None)
@given(st.lists(SNIPPETS, max_size=30).map("".join))
def test_any_pieces_of_yaml(text: str) -> None:
    outcome(text.encode())


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SEEDS), st.data())
def test_any_damage(seed: bytes, data: st.DataObject) -> None:
    seed = seed[:4000]
    at = data.draw(st.integers(0, len(seed)))
    cut = data.draw(st.integers(0, 10))
    outcome(seed[:at] + data.draw(st.binary(max_size=4)) + seed[at + cut :])


@settings(max_examples=300, deadline=None)
@given(st.lists(SNIPPETS, max_size=20).map("".join))
def test_both_parsers_accept_the_same(text: str) -> None:
    with_libyaml = outcome(text.encode())
    parser, source.CParser = source.CParser, None
    try:
        without = outcome(text.encode())
    finally:
        source.CParser = parser
    if isinstance(with_libyaml, Manifest) and isinstance(without, Manifest):
        assert without.digest == with_libyaml.digest
