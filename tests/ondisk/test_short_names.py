"""8.3 names: what Windows is known to make of long names, and which names are short."""

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntfsbuild.ondisk import names
from ntfsbuild.ondisk.short_names import ShortNames, is_short, what_is_wrong
from tests.ondisk.bare_volume import Bare
from tests.oracle import specimen
from tests.oracle.ntfs3g import mounted


def made(name: str, times: int) -> list[str]:
    maker = ShortNames()
    return [maker.make(name, ()) for _ in range(times)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("TextFile1.Mine.txt", "TEXTFI~1.TXT"),
        ("ver +1.2.text", "VER_12~1.TEX"),
        (".bashrc.swp", "BASHRC~1.SWP"),
        (".git", "GIT~1"),
        ("This is a really long file name.123.456.789.txt", "THISIS~1.TXT"),
        ("Program Files (x86)", "PROGRA~1"),
        ("index.html", "INDEX~1.HTM"),
        ("a,b;c=d[e]", "A_B_C_~1"),
        ("name.e x,t", "NAME~1.EX_"),
        ("...dots..", "DOTS~1"),
        ("日本語.txt", "___~1.TXT"),
        ("😀😀.é", "____~1._"),
    ],
)
def test_first_names(name: str, expected: str) -> None:
    assert made(name, 1) == [expected]


# The digits as users of Windows saw them: git and Mercurial guard against these names.
HASHED = {
    ".gitmodules": "GI7EBA",
    ".gitignore": "GI250A",
    ".gitattributes": "GI7D29",
    ".mailmap": "MABA30",
    "SomeStuff.aspx": "SOBC84",
    "Rammstein & Tatu - Moscow.mp3": "RA8E17",
    "Rammstein - Asche zu Asche.mp3": "RA23A6",
    "Rammstein - Du Hast.mp3": "RA0CAE",
    "Rammstein - Haifisch.mp3": "RA6BAA",
}


@pytest.mark.parametrize("name", HASHED)
def test_the_fifth_name_has_a_hash(name: str) -> None:
    found = made(name, 4 + 12)
    plain = [one.partition(".")[0] for one in found]
    assert [one[-2:] for one in plain[:4]] == ["~1", "~2", "~3", "~4"]
    assert plain[4:13] == [f"{HASHED[name]}~{number}" for number in range(1, 10)]
    assert plain[13:] == [f"{HASHED[name][:5]}~{number}" for number in (10, 11, 12)]


def test_a_name_of_two_characters_has_the_hash_at_once() -> None:
    assert made(".hg", 2) == ["HG8B6C~1", "HG8B6C~2"]
    assert re.fullmatch(r"A[0-9A-F]{4}~1\.TXT", made("a .txt", 1)[0])
    assert re.fullmatch(r"[0-9A-F]{4}~1\.TXT", made(" .txt", 1)[0])


def test_names_that_are_taken() -> None:
    maker = ShortNames()
    assert maker.make("long name 1", {"LONGNA~1", "LONGNA~2"}) == "LONGNA~3"
    assert maker.make("long name 2", ()) == "LONGNA~1"
    assert maker.make("long name 3", {"LONGNA~2"}) == "LONGNA~4"


class Full:
    """A directory in which every name is."""

    def __contains__(self, name: object) -> bool:
        return True


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("README", True),
        ("hello.txt", True),
        ("12345678.123", True),
        ("A~1.$!#", True),
        ("a.b.c", False),
        ("123456789", False),
        ("a.html", False),
        (".foo", False),
        ("foo.", False),
        ("a b", False),
        ("a+b", False),
        ("é", False),
        ("", False),
        ("a\n", False),
    ],
)
def test_names_that_are_short_themselves(name: str, short: bool) -> None:
    assert is_short(name) is short


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("SETUP~1.EXE", None),
        ("A", None),
        ("É.TXT", None),  # In some code pages.
        ("", "cannot be empty"),
        ("setup.exe", "upper case"),
        ("é", "upper case"),
        ("A.B.C", "one dot"),
        ("123456789", "1 to 8"),
        ("A.1234", "3 at most"),
        (".A", "1 to 8"),
        ("A B", "cannot hold ' '"),
        ("A+B", "cannot hold '+'"),
        ("A\x7f", "cannot hold"),
        ("CON.X", "reserves this name for a device"),
        ("A:", "allows no : in names"),
        ("A.", "ends in a dot"),
    ],
)
def test_what_is_wrong_with_a_short_name(name: str, message: str | None) -> None:
    found = what_is_wrong(name)
    assert found is None if message is None else found and message in found
    assert "posix" not in (found or "")


LONG = st.text(min_size=1, max_size=40).filter(lambda name: names.what_is_wrong(name, posix=True) is None)


@given(LONG, st.integers(1, 40))
def test_what_is_made_is_short_and_new(name: str, times: int) -> None:
    found = made(name, times)
    assert len(set(found)) == times
    for one in found:
        assert is_short(one), one
        assert what_is_wrong(one) is None, one


def test_many_alike() -> None:
    maker = ShortNames()
    found = {maker.make(f"photograph {number}.jpeg", ()) for number in range(20_000)}
    assert len(found) == 20_000 and all(map(is_short, found))


def test_no_name_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ntfsbuild.ondisk.short_names.MAX_NUMBER", 50)
    with pytest.raises(ValueError, match=r"no 8\.3 name is left"):
        ShortNames().make("long name", Full())


@pytest.mark.needs("mkntfs", "ntfs-3g", "mounting")
def test_ntfs_3g_needs_a_second_name_where_we_do(tmp_path: Path) -> None:
    image, long = tmp_path / "v.img", ["hello.txt", "UPPER", "a b.c", ".hg", "index.html", "é", "a.b.c"]
    specimen.make(image, dict.fromkeys(long, b""), size=16 << 20)
    short = {name: name.upper() if is_short(name) else made(name, 1)[0] for name in long}
    with mounted(image, "rw") as top:
        records = {name: (top / name).stat().st_ino for name in long}
        for name in long:
            os.setxattr(top / name, "system.ntfs_dos_name", short[name].encode())
    volume = Bare(image.read_bytes())
    for name, record in records.items():
        values = [one.value for one in volume.attributes(record) if one.type_code == 0x30]
        found = {value[0x41]: value[0x42:].decode("utf-16-le") for value in values}
        assert found == ({3: name} if is_short(name) else {1: name, 2: short[name]})
