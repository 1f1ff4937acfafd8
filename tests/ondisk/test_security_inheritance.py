"""What directories hand down: against the rules by hand, and against what Windows made on real volumes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ntfsbuild.ondisk import sddl, security, security_inheritance
from ntfsbuild.ondisk import security_descriptor as sd
from ntfsbuild.ondisk.security_templates import TEMPLATES
from tests.foreign.real_volumes import VOLUMES
from tests.ondisk.real_descriptors import contents_of

# What Windows formatted and filled; the other one was filled by ntfs-3g.
WINDOWS = sorted(set(VOLUMES) - {"colinfinck-testfs1.raw.xz"})

SACL_BITS = sd.SACL_PRESENT | sd.SACL_AUTO_INHERITED | sd.SACL_PROTECTED


@pytest.mark.parametrize("parent", [security.ROOT, security.DEFAULT_DIRECTORY])
def test_the_defaults_are_what_is_inherited_from_our_root(parent: bytes) -> None:
    assert security_inheritance.inherited(parent, directory=True) == security.DEFAULT_DIRECTORY
    assert security_inheritance.inherited(parent, directory=False) == security.DEFAULT_FILE


@pytest.mark.parametrize(
    ("above", "directory", "file"),
    [
        ("D:(A;OICI;FA;;;WD)", "D:AI(A;OICIID;FA;;;WD)", "D:AI(A;ID;FA;;;WD)"),
        ("D:(A;OI;FA;;;WD)", "D:AI(A;OIIOID;FA;;;WD)", "D:AI(A;ID;FA;;;WD)"),
        ("D:(A;CI;FA;;;WD)", "D:AI(A;CIID;FA;;;WD)", "D:(A;;FA;;;BA)(A;;FA;;;SY)"),
        ("D:(A;;FA;;;WD)", "D:(A;;FA;;;BA)(A;;FA;;;SY)", "D:(A;;FA;;;BA)(A;;FA;;;SY)"),
        ("D:NO_ACCESS_CONTROL", "D:(A;;FA;;;BA)(A;;FA;;;SY)", "D:(A;;FA;;;BA)(A;;FA;;;SY)"),
        ("D:(A;OICINP;GR;;;WD)", "D:AI(A;ID;FR;;;WD)", "D:AI(A;ID;FR;;;WD)"),
        ("D:(A;OINP;FR;;;WD)", "D:(A;;FA;;;BA)(A;;FA;;;SY)", "D:AI(A;ID;FR;;;WD)"),
        ("D:(D;OICIIO;GA;;;WD)", "D:AI(D;ID;FA;;;WD)(D;OICIIOID;GA;;;WD)", "D:AI(D;ID;FA;;;WD)"),
        ("D:(A;OICIIO;FA;;;CO)", "D:AI(A;ID;FA;;;BA)(A;OICIIOID;FA;;;CO)", "D:AI(A;ID;FA;;;BA)"),
        ("D:(A;CIIO;FX;;;CG)", "D:AI(A;ID;FX;;;BA)(A;CIIOID;FX;;;CG)", "D:(A;;FA;;;BA)(A;;FA;;;SY)"),
        (
            "D:(A;OICI;FA;;;BA)(A;OIIO;FA;;;CO)",
            "D:AI(A;OICIID;FA;;;BA)(A;OIIOID;FA;;;CO)",
            "D:AI(A;ID;FA;;;BA)",
        ),
        (
            "D:(A;OICIIO;SDGXGWGR;;;AU)",
            "D:AI(A;ID;0x1301bf;;;AU)(A;OICIIOID;SDGXGWGR;;;AU)",
            "D:AI(A;ID;0x1301bf;;;AU)",
        ),
        (
            "D:(A;OICI;FA;;;WD)S:(ML;OICIIO;NW;;;LW)(AU;CISAFA;GA;;;WD)",
            "D:AI(A;OICIID;FA;;;WD)S:AI(ML;OICIID;NW;;;LW)(AU;IDSAFA;FA;;;WD)(AU;CIIOIDSAFA;GA;;;WD)",
            "D:AI(A;ID;FA;;;WD)S:AI(ML;ID;NW;;;LW)",
        ),
        (
            "D:(OA;OICI;FA;;bf967aba-0de6-11d0-a285-00aa003049e2;WD)(A;OICI;FR;;;WD)",
            "D:AI(OA;OICIIOID;FA;;bf967aba-0de6-11d0-a285-00aa003049e2;WD)(A;OICIID;FR;;;WD)",
            "D:AI(A;ID;FR;;;WD)",
        ),
        (
            '(XA;OICI;FA;;;WD;(Title == "VP"))'.join(("D:", "")),
            'D:AI(XA;OICIID;FA;;;WD;(Title == "VP"))',
            'D:AI(XA;ID;FA;;;WD;(Title == "VP"))',
        ),
    ],
)
def test_what_is_inherited(above: str, directory: str, file: str) -> None:
    parent = sddl.parse(f"O:SYG:SY{above}")
    found = [
        sddl.text(security_inheritance.inherited(parent, directory=is_directory))
        for is_directory in (True, False)
    ]
    assert found == [f"O:BAG:BA{directory}", f"O:BAG:BA{file}"]


@pytest.mark.parametrize(
    ("explicit", "file"),
    [
        ("O:SYG:SYD:(A;;FR;;;WD)", "O:SYG:SYD:(A;;FR;;;WD)"),
        ("O:SYG:SYD:PAI(A;;FR;;;WD)", "O:SYG:SYD:PAI(A;;FR;;;WD)"),
        ("O:SYG:SY", "O:SYG:SY"),
        ("O:SYD:P", "O:SYG:BAD:P"),
        ("D:(A;;FR;;;WD)", "O:BAG:BAD:(A;;FR;;;WD)"),
        ("O:SYG:SYD:AI(A;;FR;;;WD)", "O:SYG:SYD:AI(A;;FR;;;WD)(A;ID;FA;;;SY)S:AI(ML;ID;NW;;;LW)"),
        ("O:SYG:SYD:AR(A;;FR;;;WD)", "O:SYG:SYD:AI(A;;FR;;;WD)(A;ID;FA;;;SY)S:AI(ML;ID;NW;;;LW)"),
        ("O:AUD:AI(A;ID;FR;;;WD)", "O:AUG:BAD:AI(A;ID;FA;;;AU)S:AI(ML;ID;NW;;;LW)"),
        ("O:SYG:SYD:AIS:(ML;;NW;;;HI)", "O:SYG:SYD:AI(A;ID;FA;;;SY)S:(ML;;NW;;;HI)"),
        ("O:SYG:SYD:AIS:PAI", "O:SYG:SYD:AI(A;ID;FA;;;SY)S:PAI"),
        ("O:SYG:SYS:AI", "O:SYG:SYD:AI(A;ID;FA;;;SY)S:AI(ML;ID;NW;;;LW)"),
        ("O:SYG:SYD:AINO_ACCESS_CONTROL", "O:SYG:SYD:AINO_ACCESS_CONTROLS:AI(ML;ID;NW;;;LW)"),
    ],
)
def test_what_is_handed_down_to_a_descriptor_of_its_own(explicit: str, file: str) -> None:
    parent = sddl.parse("O:BAG:BAD:(A;OICIIO;GA;;;CO)S:(ML;OICI;NW;;;LW)")
    asking = security_inheritance.asking(sddl.parse(explicit))
    found = security_inheritance.with_inherited(asking, parent, directory=False)
    assert sddl.text(found) == file


@pytest.mark.parametrize(
    ("given", "root"),
    [
        ("O:SYG:SYD:AI(A;ID;FR;;;WD)S:AR", "O:SYG:SYD:AI(A;ID;FR;;;WD)S:AI"),
        ("O:SYG:SYD:PAI(A;;FR;;;WD)", "O:SYG:SYD:PAI(A;;FR;;;WD)"),
        ("D:AR(A;;FR;;;WD)", "O:BAG:BAD:AI(A;;FR;;;WD)"),
    ],
)
def test_nothing_is_handed_down_to_the_root(given: str, root: str) -> None:
    explicit = sddl.parse(given)
    assert sddl.text(security_inheritance.of_root(explicit)) == root
    assert sddl.text(security_inheritance.of_root(security_inheritance.asking(explicit))) == root


def test_what_asks_for_nothing_stays_byte_for_byte() -> None:
    """Also as others lay it out: owner, group, DACL."""
    acl = bytes.fromhex("02001c0001000000 00031400ff011f00010100000000000100000000")
    owner = security.ADMINISTRATORS
    other = bytes.fromhex("01000480 14000000 24000000 00000000 34000000") + owner + owner + acl
    assert sd.what_is_wrong(other) is None
    assert security_inheritance.with_inherited(other, security.ROOT, directory=True) == other
    stored = sddl.parse("O:SYG:SYD:AI(A;ID;FR;;;WD)S:AI")
    assert security_inheritance.with_inherited(stored, security.ROOT, directory=True) == stored


def test_templates_can_be_used() -> None:
    for name, text in TEMPLATES.items():
        parsed = sddl.parse(text)
        assert sd.what_is_wrong(parsed) is None, name
        assert sddl.text(parsed) == text.replace("LA", "S-1-5-21-0-0-0-500"), name
        assert security_inheritance.with_inherited(parsed, security.ROOT, directory=True) == parsed, name
        for directory in (True, False):
            assert sd.what_is_wrong(security_inheritance.inherited(parsed, directory=directory)) is None
    assert sddl.parse(TEMPLATES["everyone_full"]) == security.ROOT


@settings(deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_damage_raises_value_error(data: bytes, directory: bool) -> None:
    for damaged in (data, security.ROOT[:20] + data):
        for explicit in (security.DEFAULT_FILE, damaged):
            try:
                found = security_inheritance.with_inherited(explicit, damaged, directory=directory)
            except ValueError:
                continue
            assert found == explicit or sddl.text(found).startswith("O:")


# ---------------------------------------------------------------------- what Windows made


@pytest.mark.parametrize("name", WINDOWS)
def test_windows_hands_down_the_same(volumes: Path, name: str) -> None:
    """All but what is protected.  Windows marks entries as inherited where the directory's own are."""
    compared = 0
    for made in contents_of(volumes / name).made:
        own = sd.unpack(made.own)
        if own.control & sd.DACL_PROTECTED:
            continue
        ours = sd.unpack(security_inheritance.inherited(made.above, directory=made.is_directory))
        assert (ours.sacl, ours.control & SACL_BITS) == (own.sacl, own.control & SACL_BITS), made.path
        assert ours.dacl is not None and own.dacl is not None
        theirs, mine = list(own.dacl.entries), list(ours.dacl.entries)
        if own.control & sd.DACL_AUTO_INHERITED:
            theirs = [entry for entry in theirs if entry.flags & sd.INHERITED]
        else:
            mine = [entry._replace(flags=entry.flags & ~sd.INHERITED) for entry in mine]
        assert mine == theirs, made.path
        compared += 1
    assert compared >= 2


def test_windows_adds_the_same_to_a_descriptor_of_its_own(volumes: Path) -> None:
    everything = contents_of(volumes / "small_ntfs_test.vhdx.gz").made
    [made] = [one for one in everything if one.path.endswith("ClientRecoveryPasswordRotation")]
    assert sddl.text(made.own) == "O:SYG:SYD:AI(A;;DC;;;AU)(A;OICIID;FA;;;SY)"
    explicit = security_inheritance.asking(sddl.parse("O:SYG:SYD:AI(A;;DC;;;AU)"))
    assert security_inheritance.with_inherited(explicit, made.above, directory=True) == made.own
