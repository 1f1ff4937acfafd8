"""Inheritance: the security descriptor of a new file or directory, from that of its parent.

`specs/ondisk/security.md` has the rules.  A damaged descriptor raises ValueError.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.ondisk import security
from ntfsbuild.ondisk import security_descriptor as sd
from ntfsbuild.ondisk.security_descriptor import Acl, Descriptor, Entry

_TO_CHILDREN = sd.OBJECT_INHERIT | sd.CONTAINER_INHERIT
_HOW = _TO_CHILDREN | sd.NO_PROPAGATE | sd.INHERIT_ONLY | sd.INHERITED  # The rest says when to audit.

_CONTROL_AT = 2  # Of the control bits in a descriptor.

_GENERIC = {  # What files and directories mean by rights that all objects have.
    0x80000000: 0x120089,
    0x40000000: 0x120116,
    0x20000000: 0x1200A0,
    0x10000000: security.FULL_CONTROL,
}
# Masks of these are no rights.
_OTHER_MASKS = frozenset({sd.MANDATORY_LABEL, sd.RESOURCE_ATTRIBUTE, sd.SCOPED_POLICY, sd.TRUST_LABEL})
# Creator owner and creator owner server, creator group and creator group server.
_CREATOR_OWNERS = frozenset({security.sid(3, 0), security.sid(3, 2)})
_CREATOR_GROUPS = frozenset({security.sid(3, 1), security.sid(3, 3)})

# What an administrator's process gives where nothing is inherited.
_DEFAULT_DACL = Acl(
    (
        Entry(sd.ALLOW, 0, security.FULL_CONTROL, security.ADMINISTRATORS),
        Entry(sd.ALLOW, 0, security.FULL_CONTROL, security.SYSTEM),
    )
)


class _Bits(NamedTuple):
    """Where the control bits of one of the two lists are."""

    present: int
    requested: int
    auto_inherited: int
    protected: int


_DACL = _Bits(sd.DACL_PRESENT, sd.DACL_INHERIT_REQUESTED, sd.DACL_AUTO_INHERITED, sd.DACL_PROTECTED)
_SACL = _Bits(sd.SACL_PRESENT, sd.SACL_INHERIT_REQUESTED, sd.SACL_AUTO_INHERITED, sd.SACL_PROTECTED)


def inherited(parent: bytes, *, directory: bool) -> bytes:
    """The descriptor of a new file without a descriptor of its own; its owner is Administrators.

    It has the entries inherited from `parent`, all marked as inherited.  If there are none, it has the
    default DACL of an administrator's process: full control for Administrators and SYSTEM.
    """
    bare = Descriptor(0, security.ADMINISTRATORS, security.ADMINISTRATORS)
    above = sd.unpack(parent)
    whole = _merged(bare, above, directory=directory, into_dacl=True, into_sacl=True)
    assert whole.dacl is not None
    if not whole.dacl.entries:
        control = whole.control & ~sd.DACL_AUTO_INHERITED
        whole = whole._replace(control=control, dacl=_DEFAULT_DACL)
    return sd.pack(whole)


def with_inherited(explicit: bytes, parent: bytes, *, directory: bool) -> bytes:
    """The descriptor of a new file with its own descriptor `explicit`, in a directory with `parent`.

    An ACL that requests inheritance (AR) and is not protected (P) becomes its explicit entries as given, then
    the inherited ones; given entries marked as inherited are computed anew.  A missing ACL follows the other
    one.  Without a request the descriptor is stored byte for byte, but with an owner and a group.
    """
    own = sd.unpack(explicit)
    dacl, sacl = _asks(own, _DACL), _asks(own, _SACL)
    if not dacl and not sacl:
        return _completed(explicit, own)
    into_dacl = dacl or not own.control & (_DACL.present | _DACL.protected)
    into_sacl = sacl or not own.control & (_SACL.present | _SACL.protected)
    above, own = sd.unpack(parent), _with_owner(own)
    return sd.pack(_merged(own, above, directory=directory, into_dacl=into_dacl, into_sacl=into_sacl))


def of_root(explicit: bytes) -> bytes:
    """The descriptor of the root directory, which inherits nothing, with `explicit` as its own."""
    own = sd.unpack(explicit)
    asked = own.control & (_DACL.requested | _SACL.requested)
    # In both lists, AI is equally many bits above AR.
    granted = own.control & ~asked | asked * (_DACL.auto_inherited // _DACL.requested)
    return sd.pack(_with_owner(own)._replace(control=granted)) if asked else _completed(explicit, own)


def asking(explicit: bytes) -> bytes:
    """The same descriptor, but an ACL marked as inherited (AI) also requests inheritance (AR).

    Windows stores AI alone; AI in the SDDL of a manifest means that the file inherits.
    """
    control = int.from_bytes(explicit[_CONTROL_AT : _CONTROL_AT + 2], "little")
    for bits in (_DACL, _SACL):
        if control & bits.auto_inherited and not control & bits.protected:
            control |= bits.requested
    return explicit[:_CONTROL_AT] + control.to_bytes(2, "little") + explicit[_CONTROL_AT + 2 :]


def _completed(explicit: bytes, own: Descriptor) -> bytes:
    """With owner and group, which Windows and ntfs-3g require: Administrators by default."""
    return explicit if own.owner and own.group else sd.pack(_with_owner(own))


def _with_owner(own: Descriptor) -> Descriptor:
    return own._replace(
        owner=own.owner or security.ADMINISTRATORS, group=own.group or security.ADMINISTRATORS
    )


def _asks(own: Descriptor, bits: _Bits) -> bool:
    return bool(own.control & bits.requested) and not own.control & bits.protected


def _merged(
    own: Descriptor, above: Descriptor, *, directory: bool, into_dacl: bool, into_sacl: bool
) -> Descriptor:
    control, dacl, sacl = own.control & ~(_DACL.requested | _SACL.requested), own.dacl, own.sacl
    # The list that allows everything has no end to which anything could be added.
    if into_dacl and (dacl is not None or not control & _DACL.present):
        new = _inherited_entries(above.dacl, own, directory=directory)
        dacl = Acl((*_explicit(dacl), *new))
        control |= _DACL.present | _DACL.auto_inherited
    if into_sacl:
        entries = (*_explicit(sacl), *_inherited_entries(above.sacl, own, directory=directory))
        if entries or sacl is not None:
            sacl = Acl(entries)
            control |= _SACL.present | _SACL.auto_inherited
    return own._replace(control=control, dacl=dacl, sacl=sacl)


def _explicit(acl: Acl | None) -> Iterable[Entry]:
    return [entry for entry in acl.entries if not entry.flags & sd.INHERITED] if acl else []


# ---------------------------------------------------------------------- entries


def _inherited_entries(above: Acl | None, own: Descriptor, *, directory: bool) -> Iterable[Entry]:
    """The inherited entries without duplicates, which the creator's entry can give."""
    found: dict[Entry, None] = {}
    for entry in above.entries if above else ():
        found.update(dict.fromkeys(_to_directory(entry, own) if directory else _to_file(entry, own)))
    return found


def _to_file(entry: Entry, own: Descriptor) -> Iterator[Entry]:
    # An entry for objects of one type says nothing about files, which have none.
    if entry.flags & sd.OBJECT_INHERIT and not entry.inherited_type:
        yield _effective(entry, own, 0)


def _to_directory(entry: Entry, own: Descriptor) -> Iterator[Entry]:
    """The entry for a directory; two entries if the effective one differs from the one inherited further."""
    goes_on = 0 if entry.flags & sd.NO_PROPAGATE else entry.flags & _TO_CHILDREN
    here = entry.flags & sd.CONTAINER_INHERIT and not entry.inherited_type
    if here:
        effective = _effective(entry, own, goes_on)
        if not goes_on or (effective.mask, effective.sid) == (entry.mask, entry.sid):
            yield effective
            return
        yield effective._replace(flags=effective.flags & ~goes_on)
    if goes_on:
        flags = entry.flags & ~_HOW | goes_on | sd.INHERIT_ONLY | sd.INHERITED
        yield entry._replace(flags=flags)


def _effective(entry: Entry, own: Descriptor, goes_on: int) -> Entry:
    """The effective entry: generic rights mapped to file rights, CREATOR OWNER and GROUP replaced."""
    mask, sid = entry.mask, entry.sid
    if entry.kind not in _OTHER_MASKS:
        for generic, meant in _GENERIC.items():
            if mask & generic:
                mask = mask & ~generic | meant
    if sid in _CREATOR_OWNERS:
        sid = own.owner
    elif sid in _CREATOR_GROUPS:
        sid = own.group
    return entry._replace(flags=entry.flags & ~_HOW | goes_on | sd.INHERITED, mask=mask, sid=sid)
