"""Names: what Win32 and NTFS allow, and in which order NTFS sorts them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntfsbuild.ondisk import names, upcase

GOOD = [
    "a",
    "a.b",
    ".git",
    "COM10",
    "CON1",
    "NULL",
    "aux_",
    "con-x.txt",
    "ü",
    "日本",
    "😀.txt",
    "x" * 255,
    "a b.c",
]
ONLY_POSIX = [
    "a:b", "a*", "a?", 'a"', "a<", "a>", "a|", "a\\b", "a\x01", "\x1f", "a.", "a ", "CON", "con", "Con.txt",
    "nul.tar.gz", "COM1", "com9.x", "LPT1", "COM¹", "LPT³.txt", "PRN", "AUX .txt", "CONIN$", "...",
    "\ud800", "a\udfffb",
]  # fmt: skip
NEVER = ["", ".", "..", "a/b", "a\0", "x" * 256, "😀" * 128]


@pytest.mark.parametrize("name", GOOD)
def test_good_names(name: str) -> None:
    assert names.what_is_wrong(name, posix=False) is None
    assert names.what_is_wrong(name, posix=True) is None
    assert names.all_legal([name], posix=False)
    assert names.all_legal([name], posix=True)


@pytest.mark.parametrize("name", ONLY_POSIX)
def test_names_that_only_ntfs_allows(name: str) -> None:
    assert "`names: posix` allows it" in (names.what_is_wrong(name, posix=False) or "")
    assert names.what_is_wrong(name, posix=True) is None
    assert not names.all_legal(["a", name, "b"], posix=False)
    assert names.all_legal(["a", name, "b"], posix=True)


@pytest.mark.parametrize("name", NEVER)
def test_names_that_nobody_allows(name: str) -> None:
    for posix in (False, True):
        assert names.what_is_wrong(name, posix=posix)
        assert not names.all_legal(["a", name, "b"], posix=posix)


any_name = st.text(st.characters(codec=None), max_size=8) | st.sampled_from(GOOD + ONLY_POSIX + NEVER)


@given(st.lists(any_name, max_size=6), st.booleans())
def test_the_quick_judgement_lets_nothing_through(several: list[str], posix: bool) -> None:
    if names.all_legal(several, posix=posix):
        assert [names.what_is_wrong(name, posix=posix) for name in several] == [None] * len(several)


@given(st.lists(st.sampled_from(GOOD), max_size=6))
def test_the_quick_judgement_is_seldom_wrong_about_good_names(several: list[str]) -> None:
    assert names.all_legal(several, posix=False)


def collation_key(name: str) -> tuple[list[int], list[int]]:
    """By the book: code units through the table, then the code units themselves."""
    raw = name.encode("utf-16-le", "surrogatepass")
    units = [int.from_bytes(raw[k : k + 2], "little") for k in range(0, len(raw), 2)]
    table = upcase.table()
    return [int.from_bytes(table[2 * unit : 2 * unit + 2], "little") for unit in units], units


@given(
    st.lists(st.text(st.characters(codec=None, exclude_characters="/"), min_size=1, max_size=5), max_size=12)
)
def test_the_order_is_that_of_code_units(several: list[str]) -> None:
    folded = upcase.code_unit_order(names.folded(several))
    spelled = upcase.code_unit_order(several)
    order = sorted(range(len(several)), key=lambda k: (folded[k], spelled[k]))
    assert [several[k] for k in order] == sorted(several, key=collation_key)


def test_known_order() -> None:
    several = ["É", "ß", "ÿ", "Ÿ", "é", "aa", "aA", "Aa", "AA", "a", "A", "[", "z", "\uffee", "😀"]
    assert sorted(several, key=collation_key) == [
        "A", "a", "AA", "Aa", "aA", "aa", "z", "[", "É", "é", "ß", "ÿ", "Ÿ", "😀", "\uffee",
    ]  # fmt: skip


def test_ascii_takes_a_short_way() -> None:
    every = "".join(map(chr, range(128)))
    assert upcase.upper(every) == upcase.upper(every, dict(upcase.standard()))
    assert upcase.parse_table(upcase.table()) is upcase.standard()
