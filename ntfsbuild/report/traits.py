"""The traits of a file as data, raw and decoded, and the important ones in a line each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ntfsbuild.errors import CorruptVolume
from ntfsbuild.ondisk import extended_attributes, guid, object_id, reparse_point, sddl, security_descriptor
from ntfsbuild.ondisk.efs import KeyHolder, decode_efs
from ntfsbuild.ondisk.extended_attributes import NEED_EA
from ntfsbuild.ondisk.sddl_words import sid_text
from ntfsbuild.ondisk.traits import INFORMATION_BITS
from ntfsbuild.ondisk.unix_metadata import UnixMetadata, unix_metadata

if TYPE_CHECKING:
    from ntfsbuild.volume.read.info import FileDetails

Data = dict[str, Any]


def traits_data(details: FileDetails) -> Data:
    """All traits but the times of names; a missing one is null, a damaged one has `malformed`."""
    traits, faults = details.traits, details.faults

    def shown(name: str, raw: bytes | None, decode: Callable[[bytes], Data]) -> Data | None:
        if name in faults:
            return {"malformed": faults[name]}
        if raw is None:
            return None
        return decode(raw) | {"hex": raw.hex()}

    security = shown("security", traits.security, security_data)
    ea = shown("ea", traits.ea, ea_data)
    return {
        **{name: getattr(traits, name) for name in INFORMATION_BITS},
        "case_sensitive": traits.case_sensitive,
        "short_name": traits.short_name,
        "security": security and {"id": details.info.security_id} | security,
        "reparse": shown("reparse", traits.reparse, reparse_point.decode),
        "ea": ea,
        "unix": None if traits.ea is None else _unix_data(traits.ea),
        "object_id": shown("object_id", traits.object_id, object_id.decode),
        "efs": shown("efs", traits.efs, efs_data),
    }


def security_data(raw: bytes) -> Data:
    """A descriptor: owner, group and SDDL; `sddl` is null if SDDL cannot express it."""
    try:
        found = security_descriptor.unpack(raw)
        data: Data = {
            "owner": sid_text(found.owner) if found.owner else None,
            "group": sid_text(found.group) if found.group else None,
        }
    except ValueError as error:
        return {"malformed": str(error)}
    try:
        return data | {"sddl": sddl.text(raw)}
    except ValueError as error:
        return data | {"sddl": None, "not_sddl": str(error)}


def ea_data(raw: bytes) -> Data:
    """The entries of an $EA; values that are text have `text`, too."""
    try:
        entries = extended_attributes.unpack(raw)
    except CorruptVolume as error:
        return {"malformed": str(error)}
    return {
        "entries": [
            {
                "name": name,
                "flags": flags,
                "needed": bool(flags & NEED_EA),
                "hex": value.hex(),
                "text": _printable(value),
            }
            for name, value, flags in entries
        ]
    }


def _printable(value: bytes) -> str | None:
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if text.isprintable() else None


def _unix_data(raw: bytes) -> Data | None:
    """The metadata of WSL for a file, or null."""
    try:
        found = unix_metadata(extended_attributes.unpack(raw))
    except CorruptVolume:
        return None
    if found == UnixMetadata():
        return None
    device = None if found.dev is None else {"major": found.dev[0], "minor": found.dev[1]}
    mode = None if found.mode is None else f"0{found.mode:o}"
    return {"uid": found.uid, "gid": found.gid, "mode": mode, "device": device}


def efs_data(raw: bytes) -> Data:
    """The users and recovery agents who can decrypt a file."""
    try:
        found = decode_efs(raw)
    except CorruptVolume as error:
        return {"malformed": str(error)}
    return {
        "efs_id": guid.text(found.efs_id),
        "users": [_holder_data(one) for one in found.users],
        "recovery": [_holder_data(one) for one in found.recovery],
    }


def _holder_data(holder: KeyHolder) -> Data:
    return {
        "thumbprint": holder.thumbprint.hex(),
        "sid": sid_text(holder.sid) if holder.sid else None,
        "display_name": holder.display_name,
        "container": holder.container,
        "provider": holder.provider,
        "wrapped_key_bytes": len(holder.wrapped_key),
    }


# ---------------------------------------------------------------------- in lines


def traits_texts(facts: Data) -> Iterator[tuple[str, str]]:
    """Name and text of the most important of `traits_data` that the file has."""
    for name, text in (
        ("security", _security_text),
        ("reparse", _reparse_text),
        ("ea", _ea_text),
        ("unix", _unix_text),
        ("object_id", lambda data: str(data["object_id"])),
        ("efs", _efs_text),
    ):
        data = facts[name]
        if data is not None:
            yield name, f"malformed: {data['malformed']}" if "malformed" in data else text(data)


def _security_text(data: Data) -> str:
    head = f"{data['id']:#x} " if data["id"] else ""
    return head + (data["sddl"] or f"owner {data['owner']}, group {data['group']}, {data['not_sddl']}")


def _reparse_text(data: Data) -> str:
    known = {key: value for key, value in data.items() if key not in ("tag", "name", "hex", "data")}
    words = [f"{key.replace('_', ' ')} {value}" for key, value in known.items()]
    return ", ".join([f"{data['name'] or 'tag'} {data['tag']:#010x}", *words])


def _ea_text(data: Data) -> str:
    return ", ".join(
        f"{one['name']} ({len(one['hex']) // 2} bytes{', needed' if one['needed'] else ''})"
        for one in data["entries"]
    )


def _unix_text(data: Data) -> str:
    device = data["device"] and f"{data['device']['major']}:{data['device']['minor']}"
    said = {"uid": data["uid"], "gid": data["gid"], "mode": data["mode"], "device": device}
    return ", ".join(f"{name} {value}" for name, value in said.items() if value is not None)


def _efs_text(data: Data) -> str:
    return "; ".join(
        f"{who}: {', '.join(one['display_name'] or one['thumbprint'] for one in data[key])}"
        for key, who in (("users", "users"), ("recovery", "recovery agents"))
        if data[key]
    )
