"""Security descriptors as text, in Microsoft's Security Descriptor Definition Language.

`specs/ondisk/security.md` lists the supported parts.  Errors are ValueErrors; those of a text have the number
of the character.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ntfsbuild.ondisk import security_descriptor as sd
from ntfsbuild.ondisk.sddl_claims import claim_text, parse_claim
from ntfsbuild.ondisk.sddl_conditions import condition_text, parse_condition
from ntfsbuild.ondisk.sddl_words import (
    DOMAIN,
    FLAGS,
    KINDS,
    RIGHTS,
    Scanner,
    mask_text,
    sid_text,
)
from ntfsbuild.ondisk.security_descriptor import Acl, Descriptor, Entry

_NO_ACCESS_CONTROL = "NO_ACCESS_CONTROL"
_CONTROL = {
    "D": {"P": sd.DACL_PROTECTED, "AR": sd.DACL_INHERIT_REQUESTED, "AI": sd.DACL_AUTO_INHERITED},
    "S": {"P": sd.SACL_PROTECTED, "AR": sd.SACL_INHERIT_REQUESTED, "AI": sd.SACL_AUTO_INHERITED},
}
_CONDITIONAL = frozenset({KINDS["XA"], KINDS["XD"], KINDS["ZA"], KINDS["XU"], sd.ACCESS_FILTER})
_KIND_WORDS = {kind: word for word, kind in KINDS.items()}
_GUID = re.compile(r"\{?([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})\}?", re.I)


def parse(text: str, *, domain: str = DOMAIN) -> bytes:
    """The self-relative descriptor for an SDDL text; names such as DA are relative to `domain`.

    Its layout is that of Windows.  White space between parts and the case of words are ignored.
    """
    scanner = Scanner(text, domain)
    control = 0
    sids = {"O": b"", "G": b""}
    acls: dict[str, Acl | None] = {"D": None, "S": None}
    seen: set[str] = set()
    scanner.skip_spaces()
    while scanner.at < len(text):
        part = text[scanner.at].upper()
        if part not in "OGDS" or text[scanner.at + 1 : scanner.at + 2] != ":":
            scanner.wrong(f"'O:', 'G:', 'D:' or 'S:' was expected, {scanner.here()} found")
        if part in seen:
            scanner.wrong(f"{part}: is there twice")
        seen.add(part)
        scanner.at += 2
        scanner.skip_spaces()
        if part in sids:
            sids[part] = scanner.sid()
        else:
            bits, acls[part] = _acl(scanner, part)
            control |= bits
        scanner.skip_spaces()
    return sd.pack(Descriptor(control, sids["O"], sids["G"], acls["D"], acls["S"]))


def _acl(scanner: Scanner, part: str) -> tuple[int, Acl | None]:
    control = sd.DACL_PRESENT if part == "D" else sd.SACL_PRESENT
    nothing = False
    while not scanner.sees("(") and scanner.at < len(scanner.text):
        if scanner.takes(_NO_ACCESS_CONTROL):
            nothing = True
        elif word := next((word for word in ("AR", "AI", "P") if scanner.takes(word)), None):
            control |= _CONTROL[part][word]
        else:
            break
        scanner.skip_spaces()
    entries = []
    while scanner.sees("("):
        if nothing:
            scanner.wrong(f"behind {_NO_ACCESS_CONTROL} there are no entries")
        entries.append(_entry(scanner))
        scanner.skip_spaces()
    return control, None if nothing else Acl(tuple(entries))


# ---------------------------------------------------------------------- an entry


def _entry(scanner: Scanner) -> Entry:
    scanner.expect("(")
    kind = _kind(scanner)
    scanner.expect(";")
    flags = _words(scanner, FLAGS, "flags of an entry")
    scanner.expect(";")
    mask = _rights(scanner)
    scanner.expect(";")
    guids = []
    for _ in range(2):
        guids.append(_guid(scanner, kind))
        scanner.expect(";")
    scanner.skip_spaces()
    sid = scanner.sid()
    scanner.skip_spaces()
    data = b""
    if kind in _CONDITIONAL and scanner.takes(";"):
        data = parse_condition(scanner)
    elif kind == sd.RESOURCE_ATTRIBUTE and scanner.takes(";"):
        data = parse_claim(scanner)
    scanner.skip_spaces()
    scanner.expect(")")
    return Entry(kind, flags, mask, sid, guids[0], guids[1], data)


def _kind(scanner: Scanner) -> int:
    word, begin = scanner.field()
    if word.upper() not in KINDS:
        scanner.wrong(f"{word!r} is no type of entry; there are {', '.join(KINDS)}", begin)
    return KINDS[word.upper()]


def _words(scanner: Scanner, known: Mapping[str, int], what: str) -> int:
    field, begin = scanner.field()
    bits = 0
    for at in range(0, len(field), 2):
        word = field[at : at + 2].upper()
        if word not in known:
            scanner.wrong(f"{field!r}: {word!r} is none of the {what}", begin)
        bits |= known[word]
    return bits


def _rights(scanner: Scanner) -> int:
    scanner.skip_spaces()
    if scanner.text[scanner.at : scanner.at + 1] in set("0123456789"):
        mask, _, _ = scanner.number(0, 0xFFFFFFFF)
        scanner.skip_spaces()
        return mask
    return _words(scanner, RIGHTS, "rights")


def _guid(scanner: Scanner, kind: int) -> bytes:
    field, begin = scanner.field()
    if not field:
        return b""
    if kind not in sd.OBJECT_KINDS:
        scanner.wrong(f"an entry of the type {_KIND_WORDS[kind]} has no GUID", begin)
    found = _GUID.fullmatch(field)
    if not found:
        scanner.wrong(f"{field!r} is no GUID", begin)
    # The first three parts are numbers, which lie little-endian.
    numbers = b"".join(bytes.fromhex(found[part])[::-1] for part in (1, 2, 3))
    return numbers + bytes.fromhex(found[4] + found[5])


# ---------------------------------------------------------------------- to text


def text(descriptor: bytes) -> str:
    """A self-relative descriptor as SDDL; raises ValueError where it is damaged, or SDDL cannot say it.

    `parse` makes an equivalent one of it: the order of the parts is Windows', default marks are dropped.
    """
    found = sd.unpack(descriptor)
    parts = []
    if found.owner:
        parts.append(f"O:{sid_text(found.owner)}")
    if found.group:
        parts.append(f"G:{sid_text(found.group)}")
    for part, acl, present in (("D", found.dacl, sd.DACL_PRESENT), ("S", found.sacl, sd.SACL_PRESENT)):
        if found.control & present:
            parts.append(f"{part}:{_acl_text(found.control, part, acl)}")
    return "".join(parts)


def _acl_text(control: int, part: str, acl: Acl | None) -> str:
    flags = "".join(word for word, bit in _CONTROL[part].items() if control & bit)
    if acl is None:
        return flags + _NO_ACCESS_CONTROL
    return flags + "".join(map(_entry_text, acl.entries))


def _entry_text(entry: Entry) -> str:
    kind = _KIND_WORDS.get(entry.kind)
    if kind is None:
        raise ValueError(f"SDDL has no name for entries of the type {entry.kind:#x}")
    fields = [
        kind,
        _flags_text(entry),
        mask_text(entry.mask, label=entry.kind == sd.MANDATORY_LABEL),
        _guid_text(entry.object_type),
        _guid_text(entry.inherited_type),
        sid_text(entry.sid),
    ]
    if entry.data:
        fields.append(_data_text(entry))
    return f"({';'.join(fields)})"


def _flags_text(entry: Entry) -> str:
    other = "SA" if entry.kind == sd.ACCESS_FILTER else "TP"
    return "".join(word for word, bit in FLAGS.items() if entry.flags & bit and word != other)


def _guid_text(guid: bytes) -> str:
    if not guid:
        return ""
    numbers = [guid[begin:end][::-1].hex() for begin, end in ((0, 4), (4, 6), (6, 8))]
    return "-".join([*numbers, guid[8:10].hex(), guid[10:].hex()])


def _data_text(entry: Entry) -> str:
    if entry.kind in _CONDITIONAL:
        return condition_text(entry.data)
    if entry.kind == sd.RESOURCE_ATTRIBUTE:
        return claim_text(entry.data)
    raise ValueError(
        f"an entry of the type {_KIND_WORDS[entry.kind]} has {len(entry.data)} bytes behind its SID"
    )
