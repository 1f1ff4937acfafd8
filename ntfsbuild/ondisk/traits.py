"""The traits of a file or directory (all but name, content, times and DOS attributes) as immutable data.

A plan has the traits of new files; a volume writes and reads them.  Values have the format of the disk: text
such as SDDL is converted before.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.ondisk.standard_information import StandardInformation, Ticks4

SomeTicks: TypeAlias = tuple[int | None, int | None, int | None, int | None]
# The form of a stream in its clusters.  A sparse and compressed stream is stored like a compressed one:
# Windows leaves both flags when a compressed stream is made sparse.
Form: TypeAlias = Literal["plain", "sparse", "compressed", "sparse_compressed", "encrypted"]

FORMS: Final[tuple[Form, ...]] = ("plain", "sparse", "compressed", "sparse_compressed", "encrypted")
COMPRESSED_FORMS: Final[frozenset[Form]] = frozenset(["compressed", "sparse_compressed"])
NO_SHORT_NAME: Final = ""  # Removes an existing one; None leaves it.
MADE_SHORT_NAME: Final = "*"  # No name can be this: the volume makes one as Windows does.


# The integers of $STANDARD_INFORMATION that can be set, and the bits of each.  Manifests, plans, captures and
# listings use these names.
INFORMATION_BITS: Final = {
    name: 8 * StandardInformation.FIELDS[name].codec.size_bytes
    for name in ("owner_id", "quota_charged", "usn", "version_max", "version", "class_id")
}


class Traits(NamedTuple):
    """The traits of a file.  None: a new file gets the default, an existing file keeps its value.

    `short_name` equal to the long name makes one $FILE_NAME of both.  `name_times` are those of $FILE_NAME,
    `entry_times` those of the directory entry; times that are None are as in $STANDARD_INFORMATION.
    """

    security: bytes | None = None  # Self-relative; AR in it requests inherited entries.
    short_name: str | None = None
    reparse: bytes | None = None  # The value of $REPARSE_POINT; empty removes it.
    ea: bytes | None = None  # The value of $EA without `unix`; empty removes it.
    unix: bytes | None = None  # WSL's entries of $EA; other existing entries stay.
    object_id: bytes | None = None  # 16 or 64 bytes; empty removes it.
    efs: bytes | None = None  # The value of $EFS.
    name_times: SomeTicks | None = None
    entry_times: SomeTicks | None = None
    case_sensitive: bool | None = None
    owner_id: int | None = None
    quota_charged: int | None = None
    usn: int | None = None
    version_max: int | None = None
    version: int | None = None
    class_id: int | None = None

    def information(self) -> dict[str, int]:
        """The given fields of $STANDARD_INFORMATION."""
        said = {name: value for name in INFORMATION_BITS if (value := getattr(self, name)) is not None}
        if self.case_sensitive is not None:
            said |= {"version_max": 0, "version": int(self.case_sensitive)}
        return said


NO_TRAITS: Final = Traits()


def chosen(times: Ticks4, own: SomeTicks | None) -> Ticks4:
    """The times, with a name's own times where they are given."""
    if own is None:
        return times
    created, modified, changed, accessed = (
        ticks if mine is None else mine for ticks, mine in zip(times, own, strict=True)
    )
    return created, modified, changed, accessed
