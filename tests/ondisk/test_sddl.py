"""SDDL both ways: bytes by hand, every descriptor of real volumes, and text and bytes that are wrong."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ntfsbuild.ondisk import sddl, security
from ntfsbuild.ondisk import security_descriptor as sd
from ntfsbuild.ondisk.sddl_words import DOMAIN, KINDS, RIGHTS
from tests.foreign.real_volumes import VOLUMES
from tests.ondisk.real_descriptors import contents_of

WORLD = "010100000000000100000000"
SYSTEM = "010100000000000512000000"
BUILTIN = "01020000000000052000000020020000"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "01000080 00000000 00000000 00000000 00000000"),
        ("O:SY", f"01000080 14000000 00000000 00000000 00000000 {SYSTEM}"),
        ("G:SYO:BA", f"01000080 14000000 24000000 00000000 00000000 {BUILTIN} {SYSTEM}"),
        ("D:", "01000480 00000000 00000000 00000000 14000000 0200080000000000"),
        ("D:NO_ACCESS_CONTROL", "01000480 00000000 00000000 00000000 00000000"),
        ("D:PARAI", "01000495 00000000 00000000 00000000 14000000 0200080000000000"),
        ("S:PARAI", "010010aa 00000000 00000000 14000000 00000000 0200080000000000"),
        (
            "O:BAG:BAD:(A;OICI;FA;;;WD)",
            f"01000480 30000000 40000000 00000000 14000000 02001c0001000000"
            f"00031400ff011f00 {WORLD} {BUILTIN} {BUILTIN}",
        ),
        (
            " o:sy g:sy d:p (d;oicinpioid;0x1f01ff;;;s-1-1-0) s:(au;safa;gagr;;;wd) ",
            f"01001490 4c000000 58000000 14000000 30000000 02001c0001000000 02c0140000000090 {WORLD}"
            f"02001c0001000000 011f1400ff011f00 {WORLD} {SYSTEM} {SYSTEM}",
        ),
        (
            "D:(OA;;RPWP;bf967aba-0de6-11d0-a285-00aa003049e2;{00299570-246d-11d0-a768-00aa006e0529};SY)",
            "01000480 00000000 00000000 00000000 14000000 0400400001000000 05003800 30000000 03000000"
            f"ba7a96bfe60dd011a28500aa003049e2 709529006d24d011a76800aa006e0529 {SYSTEM}",
        ),
        (
            "D:(OD;;CR;;00299570-246d-11d0-a768-00aa006e0529;SY)",
            "01000480 00000000 00000000 00000000 14000000 0400300001000000 06002800 00010000 02000000"
            f"709529006d24d011a76800aa006e0529 {SYSTEM}",
        ),
        (
            'D:(XA;;FX;;;WD;(Title=="VP"))',  # The condition is an example of MS-DTYP 2.4.4.17.
            f"01000480 00000000 00000000 00000000 14000000 02003c0001000000 09003400a0001200 {WORLD}"
            "61727478 f80a000000 5400690074006c006500 1004000000 56005000 80 000000",
        ),
        (
            'D:(ZA;;FA;;;WD;((@User.a==-1||!@Device.b)&&@Resource.c Any_of{"x",#0A,SID(SY),0x1f}))',
            f"01000480 00000000 00000000 00000000 14000000 0400780001000000 0b007000ff011f0000000000 {WORLD}"
            "61727478 f902000000 6100 04 ffffffffffffffff 02 02 80 fb02000000 6200 a2 a1 fa02000000 6300"
            f"50 29000000 1002000000 7800 1801000000 0a 510c000000 {SYSTEM} 04 1f00000000000000 03 03"
            "88 a0 00",
        ),
        (
            'S:(RA;CI;;;;WD;("Ab",TU,0x10001,3,0x10))',
            "01001080 00000000 00000000 14000000 00000000 02004c0001000000 1202440000000000 " + WORLD +
            "18000000 0200 0000 01000100 02000000 1e000000 26000000 410062000000"
            "0300000000000000 1000000000000000 0000",
        ),
    ],
)  # fmt: skip
def test_text_to_bytes(text: str, expected: str) -> None:
    assert sddl.parse(text).hex() == expected.replace(" ", "")


@pytest.mark.parametrize(
    ("word", "sid"),
    [
        ("WD", "S-1-1-0"),
        ("CO", "S-1-3-0"),
        ("OW", "S-1-3-4"),
        ("AN", "S-1-5-7"),
        ("UD", "S-1-5-84-0-0-0-0-0"),
        ("WR", "S-1-5-33"),
        ("BU", "S-1-5-32-545"),
        ("RM", "S-1-5-32-580"),
        ("AC", "S-1-15-2-1"),
        ("MP", "S-1-16-8448"),
        ("SS", "S-1-18-2"),
        ("DA", f"{DOMAIN}-512"),
        ("LA", f"{DOMAIN}-500"),
        ("RS", f"{DOMAIN}-553"),
    ],
)
def test_sids_in_two_letters(word: str, sid: str) -> None:
    assert sddl.parse(f"O:{word}") == sddl.parse(f"O:{sid}")


def test_the_domain_is_the_callers() -> None:
    mine = "S-1-5-21-1-2-3"
    assert sddl.parse("O:DA", domain=mine) == sddl.parse(f"O:{mine}-512")
    with pytest.raises(ValueError, match="is no SID"):
        sddl.parse("O:DA", domain="EXAMPLE")


def test_a_sid_of_many_bits() -> None:
    sid = "S-1-0x123456789ABC-4294967295-0"
    data = sddl.parse(f"O:{sid}")
    assert data[20:].hex() == "0102123456789abcffffffff00000000"
    assert sddl.text(data) == f"O:{sid}"


def test_rights_in_words_and_numbers() -> None:
    def mask(rights: str) -> int:
        return sd.unpack(sddl.parse(f"D:(A;;{rights};;;WD)")).dacl.entries[0].mask  # type: ignore[union-attr]

    for word, value in RIGHTS.items():
        assert mask(word) == value
    assert mask("") == 0
    assert mask("0x1f01ff") == mask("FA") == mask("2032127") == mask("07600777") == 0x1F01FF
    assert mask("SDGXGWGR") == 0xE0010000


def test_every_type_of_entry_both_ways() -> None:
    for word in KINDS:
        text = f"S:({word};OICINPIOIDCR;CC;;;WD)".replace(";CC;", ";NW;" if word == "ML" else ";CC;")
        assert sddl.text(sddl.parse(text)) == text


@pytest.mark.parametrize(
    "condition",
    [
        "(Exists a)",
        "(a)",
        '((@User.Title == "PM") && ((@User.Division == "Finance") || (@User.Division == "Sales")))',
        "((a) && (b) && (c) && (!(d)))",
        "(Member_of {SID(BA), SID(SY)})",
        "(Not_Device_Member_of_Any SID(BA))",
        "(a%0020b:c./d_ < -0x10)",
        "(a >= +017)",
        '(@User.a-b;c[d]{}##e\'f == "%0022%0000%")',
        "(@Device.x Not_Contains {})",
        "(@User.p Any_of @Resource.p)",
        "(%0045xists != %0031a)",
        '(ü == "☃ \U0001f600")',
    ],
)
def test_conditions_both_ways(condition: str) -> None:
    text = f"D:(XA;;FX;;;WD;{condition})"
    assert sddl.text(sddl.parse(text)) == text


def test_names_may_begin_with_digits_on_the_left() -> None:
    left, escaped = (sddl.parse(f"D:(XA;;FA;;;WD;({name} < -06))") for name in ("77h7", "%00377h7"))
    assert left == escaped


def test_each_number_sign_is_a_zero_too() -> None:
    """An example of Microsoft's."""
    short, long = (sddl.parse(f"D:(XA;;FA;;;WD;(a=={octets}))") for octets in ("#1#2#3##", "#01020300"))
    assert short == long


@pytest.mark.parametrize(
    "claim",
    [
        '("Project",TS,0x0,"Windows","SQL")',
        '("n",TI,0x1,-5,9223372036854775807)',
        '("n",TU,0x0,18446744073709551615)',
        '("n",TD,0x0,BA,S-1-5-21-1-2-3-4)',
        '("n",TX,0x0,00ff,)',
        '("n%0022%0001%",TB,0x0,0,1)',
        '("n",TB,0x0)',
    ],
)
def test_claims_both_ways(claim: str) -> None:
    text = f"S:(RA;;;;;WD;{claim})"
    assert sddl.text(sddl.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("X:", "character 1: 'O:', 'G:', 'D:' or 'S:' was expected, 'X:' found"),
        ("O:SYO:SY", "character 5: O: is there twice"),
        ("O:QQ", "character 3: a SID or one of the names in two letters was expected, 'QQ' found"),
        ("O:S-1-5-4294967296", "character 3: S-1-5-4294967296: a sub-authority has more than 32 bits"),
        (
            "O:S-1-281474976710656-1",
            "character 3: S-1-281474976710656-1: the authority has more than 48 bits",
        ),
        ("O:S-1-5" + "-1" * 16, "16 sub-authorities, at most 15"),
        ("D:(Q;;FA;;;WD)", "character 4: 'Q' is no type of entry; there are A, D, "),
        ("D:(A;OX;FA;;;WD)", "character 6: 'OX': 'OX' is none of the flags of an entry"),
        ("D:(A;;FAX;;;WD)", "character 7: 'FAX': 'X' is none of the rights"),
        ("D:(A;;0x100000000;;;WD)", "character 7: 0x100000000 is not in 0 to 4294967295"),
        ("D:(A;;08;;;WD)", "character 7: 08 is no octal number"),
        ("D:(A;;FA;;;WD", "character 14: ')' was expected, the end found"),
        ("D:(A;;FA;;WD)", "character 11: an entry of the type A has no GUID"),
        ("D:(OA;;FA;1-2;;WD)", "character 11: '1-2' is no GUID"),
        ("D:NO_ACCESS_CONTROL(A;;FA;;;WD)", "character 20: behind NO_ACCESS_CONTROL there are no entries"),
        ("D:(XA;;FA;;;WD;(a ==))", "character 21: the name of an attribute was expected"),
        ('S:(RA;;;;;WD;("a%0000b",TB,0,2))', "character 15: a text of a claim ends where %0000 stands"),
        ("D:(XA;;FA;;;WD;(a == 1)", "character 24: ')' was expected, the end found"),
        ("D:(XA;;FA;;;WD;(Member_of 1))", "character 27: SID(…) or"),
        ("D:(XA;;FA;;;WD;(" + "(" * 2000, "more than 100 conditions in each other"),
        ("D:(XA;;FA;;;WD;(" + "!" * 2000, "more than 100 conditions in each other"),
        ('S:(RA;;;;;WD;("a",TQ,0))', "character 19: one of TI, TU, TS, TD, TX, TB was expected"),
        ('S:(RA;;;;;WD;("a",TB,0,2))', "character 24: 2 is not in 0 to 1"),
        ("D:" + "(A;;FA;;;WD)" * 4000, "a list of entries has 80008 bytes"),
    ],
)
def test_what_is_wrong_has_its_place(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        sddl.parse(text)


# ---------------------------------------------------------------------- real volumes


@pytest.mark.parametrize("name", sorted(VOLUMES))
def test_descriptors_that_windows_wrote_come_back_to_the_byte(volumes: Path, name: str) -> None:
    found = contents_of(volumes / name).descriptors
    assert len(found) >= 2
    for descriptor in found.values():
        assert sd.what_is_wrong(descriptor) is None
        assert sddl.parse(sddl.text(descriptor)) == descriptor


# ---------------------------------------------------------------------- damage

SAMPLES = [
    security.ROOT,
    sddl.parse("O:BAG:SYD:PAI(OA;CI;CR;bf967aba-0de6-11d0-a285-00aa003049e2;;DA)S:AI(ML;OI;NWNR;;;LW)"),
    sddl.parse('D:(XA;;FX;;;WD;(@User.a Any_of {"x", 1, #00, SID(BA)} && !(Exists b)))'),
    sddl.parse('S:(RA;;;;;WD;("n",TS,0,"a","b"))(RA;;;;;WD;("m",TD,1,BA))(RA;;;;;WD;("l",TI,1,-2))'),
]


@pytest.mark.parametrize("sample", SAMPLES)
def test_no_shorter_one_is_sound(sample: bytes) -> None:
    for size in range(len(sample)):
        assert sd.what_is_wrong(sample[:size]) is not None


def test_what_is_wrong_says_where() -> None:
    def wrong(at: int, value: bytes) -> str | None:
        data = bytearray(security.ROOT)
        data[at : at + len(value)] = value
        return sd.what_is_wrong(bytes(data))

    assert wrong(0, b"\1") is None
    assert wrong(0, b"\2") == "revision 2, expected 1"
    assert wrong(3, b"\0") == "control 0x0004 lacks 0x8000: it is not self-relative"
    assert wrong(2, b"\0") == "a DACL at 0x14, but control 0x8000 lacks 0x0004"
    assert wrong(4, b"\x31") == "the owner at 0x31: not a multiple of 4 inside of 0x50 bytes"
    assert wrong(0x31, b"\x0f") == "the owner: the SID at 0x30 ends at 0x74, behind 0x50"
    assert wrong(0x16, b"\xff") == "the DACL at 0x14 has 255 bytes, 60 are there"
    assert wrong(0x18, b"\x02") == "the DACL, entry 2: at 0x30 there is no room for it"
    assert wrong(0x1E, b"\x10") == "the DACL, entry 1: the SID at 0x24 ends at 0x30, behind 0x2c"
    assert sd.what_is_wrong(bytes(70_000)) == "70000 bytes, a descriptor has 65516 at most"
    assert sd.what_is_wrong(security.ROOT + b"\0") == "81 bytes, not a multiple of 4"


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(SAMPLES), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=6))
def test_damaged_bytes_raise_value_error_alone(sample: bytes, changes: list[tuple[int, int]]) -> None:
    data = bytearray(sample)
    for at, value in changes:
        data[at % len(data)] = value
    try:
        text = sddl.text(bytes(data))
    except ValueError:
        return
    assert sddl.text(sddl.parse(text)) == text


@settings(deadline=None)
@given(st.binary(max_size=120))
def test_any_condition_raises_value_error_alone(condition: bytes) -> None:
    for coda in (b"artx" + condition, condition):
        entry = sd.Entry(0x09, 0, 0, security.EVERYONE, data=coda)
        claim = sd.Entry(0x12, 0, 0, security.EVERYONE, data=coda)
        for acl in (sd.Acl((entry,)), sd.Acl((claim,))):
            try:
                text = sddl.text(sd.pack(sd.Descriptor(sd.DACL_PRESENT, dacl=acl)))
            except ValueError:
                continue
            assert sddl.text(sddl.parse(text)) == text


TOKENS = st.sampled_from(
    [
        *("O:", "G:", "D:", "S:", "(", ")", ";", ";;;", "A", "XA", "RA", "FA", "0x", "0xF", "WD", "BA"),
        *("S-1-5", "-1", "AI", "P", "!", "&&", "||", "==", "{", "}", ",", '"', "SID(", "@User.", "Exists"),
        *("#", "1", "a", "%", " "),
    ]
)


@settings(deadline=None, max_examples=300)
@given(st.one_of(st.text(max_size=40), st.lists(TOKENS, max_size=25).map("".join)), st.integers(0, 1))
def test_any_text_raises_value_error_alone(text: str, inside: int) -> None:
    try:
        data = sddl.parse(("D:(XA;;FA;;;WD;(" if inside else "") + text)
    except ValueError:
        return
    assert sddl.parse(sddl.text(data)) == data


def test_many_values_in_one_place_do_not_make_endless_text() -> None:
    count = 10_000
    text_at = 16 + 4 * count
    text = ("x" * 5000 + "\0").encode("utf-16-le")
    claim = struct.pack("<IHHII", text_at, 3, 0, 0, count) + struct.pack("<I", text_at) * count + text
    entry = sd.Entry(0x12, 0, 0, security.EVERYONE, data=claim)
    with pytest.raises(ValueError, match="more than"):
        sddl.text(sd.pack(sd.Descriptor(sd.SACL_PRESENT, sacl=sd.Acl((entry,)))))
