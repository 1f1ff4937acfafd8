"""View indexes: what $Secure, $Quota, $ObjId and $Reparse list, against what files say."""

from __future__ import annotations

import struct

from ntfsbuild.checks.indexes import Tree
from ntfsbuild.checks.state import CheckedFile, Examination, label, text_of
from ntfsbuild.ondisk import attribute as kinds
from ntfsbuild.ondisk.file_record import EXTEND, HAS_VIEW_INDEX, IN_EXTEND, SECURE

_SHAPES = {  # Key and data; None where they vary.
    ("$Secure", "$SII"): ("V01", 4, 20),
    ("$Secure", "$SDH"): ("V02", 8, 20),
    ("$Reparse", "$R"): ("V03", 12, 0),
    ("$ObjId", "$O"): ("V04", 16, 56),
    ("$Quota", "$O"): ("V05", None, 4),
    ("$Quota", "$Q"): ("V06", 4, None),
}
_OWNERS = {"$Quota": ("$O", "$Q"), "$ObjId": ("$O",), "$Reparse": ("$R",)}
_QUOTA_HEAD_BYTES = 48
_DEFAULT_QUOTA = 1
_TRACKED = 0x10  # Its flag: who owns how much is kept.
_KEY_OF_R = struct.Struct("<IQ")

Listed = dict[bytes, bytes]


class Views:
    """The view indexes of NTFS's own files, as they are met."""

    def __init__(self) -> None:
        self.listed: dict[tuple[str, str], Listed] = {}
        self._numbers: dict[str, int] = {"$Secure": SECURE}

    def check(self, examination: Examination, file: CheckedFile, owner: str) -> None:
        """All view indexes of a file; `owner` is its name if it is one of NTFS's own."""
        for code, name in file.streams:
            if code != kinds.INDEX_ROOT or name == "$I30".encode("utf-16-le"):
                continue
            key = owner, text_of(name)
            tree = Tree(examination, file, name, examination.say, owner)
            found = {key: data for _, key, data, _ in tree.entries() if key}
            if key not in _SHAPES:
                continue
            self.listed[key] = found
            rule, key_bytes, data_bytes = _SHAPES[key]
            for one, data in found.items():
                if len(one) != (key_bytes or len(one)) or len(data) != (
                    len(data) if data_bytes is None else data_bytes
                ):
                    wanted = f"{key_bytes} bytes, {data_bytes} of data".replace("None", "some")
                    what = label(kinds.INDEX_ROOT, name)
                    examination.say(rule, file.number, wanted, f"{len(one)}, {len(data)}", what)

    def check_owners(
        self, examination: Examination, children: dict[str, int], files: dict[str, CheckedFile]
    ) -> None:
        """$Quota, $ObjId and $Reparse are what they should be, and none is there without the others.

        Windows makes them when it mounts a volume for the first time; until then $Extend is empty.
        """
        missing = [name for name in _OWNERS if name not in children]
        if missing and children:
            examination.say("Y64", EXTEND, ", ".join(_OWNERS), f"no {', no '.join(missing)}")
        for name, indexes in _OWNERS.items():
            file = files.get(name)
            if file is None:
                continue
            self._numbers[name] = children[name]
            if file.flags & (HAS_VIEW_INDEX | IN_EXTEND) != HAS_VIEW_INDEX | IN_EXTEND:
                examination.say("Y34", file.number, "flags 0xd", f"{file.flags:#x}", at=0x16)
            for index in indexes:
                if (kinds.INDEX_ROOT, index.encode("utf-16-le")) not in file.streams:
                    examination.say("Y33", file.number, f"an index {index}", "none")

    def check_reparse_points(self, examination: Examination) -> None:
        """$R lists every reparse point, and nothing else."""
        listed = self.listed.get(("$Reparse", "$R"))
        if listed is None:
            return
        what = label(kinds.INDEX_ROOT, "$R".encode("utf-16-le"))
        for key, number in examination.reparse_points.items():
            if key not in listed:
                examination.say("V09", number, "an entry in $Reparse:$R", "none", label(kinds.REPARSE_POINT))
        for key in listed:
            if key not in examination.reparse_points and len(key) == _KEY_OF_R.size:
                tag, reference = _KEY_OF_R.unpack(key)
                found = f"none with tag {tag:#010x} in record {reference & (1 << 48) - 1}"
                examination.say("V10", self._numbers["$Reparse"], "a reparse point", found, what)

    def check_object_ids(self, examination: Examination) -> None:
        """$O lists every object id, and nothing else."""
        listed = self.listed.get(("$ObjId", "$O"))
        if listed is None:
            return
        what, owner = label(kinds.INDEX_ROOT, "$O".encode("utf-16-le")), self._numbers["$ObjId"]
        for key, number in examination.object_ids.items():
            if key not in listed:
                examination.say("V11", number, "an entry in $ObjId:$O", "none", label(kinds.OBJECT_ID))
                continue
            reference = examination.sequences[number] << 48 | number
            named = int.from_bytes(listed[key][:8], "little")
            if named != reference:
                examination.say("V17", owner, f"{reference:#x}", f"{named:#x}", what)
        for key in listed:
            if key not in examination.object_ids:
                examination.say("V12", owner, "a file with that object id", f"none with {key.hex()}", what)

    def check_quota(self, examination: Examination) -> None:
        """Owners have ids, ids have owners, and whoever is charged is known."""
        by_id, by_sid = self.listed.get(("$Quota", "$Q")), self.listed.get(("$Quota", "$O"))
        if by_id is None or by_sid is None:
            return
        owner = self._numbers["$Quota"]
        what_q, what_o = (label(kinds.INDEX_ROOT, name.encode("utf-16-le")) for name in ("$Q", "$O"))
        ids = {int.from_bytes(key, "little"): data for key, data in by_id.items()}
        if _DEFAULT_QUOTA not in ids:
            examination.say("V13", owner, "an entry 1, the default", "none", what_q)
        for sid, data in by_sid.items():
            number = int.from_bytes(data, "little")
            if number not in ids:
                examination.say("V14", owner, f"an entry {number:#x} in $Q", "none", what_o)
            elif ids[number][_QUOTA_HEAD_BYTES:].ljust(len(sid), b"\0")[: len(sid)] != sid:
                examination.say("V15", owner, sid.hex(), ids[number][_QUOTA_HEAD_BYTES:].hex(), what_q)
        for number, data in ids.items():
            if len(data) < _QUOTA_HEAD_BYTES:
                examination.say("V18", owner, f"{_QUOTA_HEAD_BYTES} bytes", len(data), what_q)
            elif int.from_bytes(data[:4], "little") != 2:
                examination.say("V19", owner, "version 2", int.from_bytes(data[:4], "little"), what_q)
            elif number != _DEFAULT_QUOTA and data[_QUOTA_HEAD_BYTES:] not in by_sid:
                examination.say("V20", owner, "an entry in $O", f"none for owner {number:#x}", what_q)
        tracked = int.from_bytes(ids.get(_DEFAULT_QUOTA, b"")[4:8], "little") & _TRACKED
        for number, record in examination.owner_ids.items():
            if tracked and number not in ids:
                examination.say(
                    "V16", record, "an owner in $Quota:$Q", f"{number:#x}", label(kinds.STANDARD_INFORMATION)
                )
