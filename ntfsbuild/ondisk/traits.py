"""What a file or directory has besides its name, content, times and DOS attributes: plain, immutable data.

A plan says these of new files, a volume writes them and is asked for them.  Values are as they lie on the
disk: whoever says them in words has turned them into bytes before.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, TypeAlias

from ntfsbuild.ondisk.standard_information import StandardInformation, Ticks4

SomeTicks: TypeAlias = tuple[int | None, int | None, int | None, int | None]
# How a stream lies in its clusters.  What is sparse and compressed lies there as if it were compressed alone:
# Windows leaves both flags when a compressed stream is made sparse.
Form: TypeAlias = Literal["plain", "sparse", "compressed", "sparse_compressed", "encrypted"]

FORMS: Final[tuple[Form, ...]] = ("plain", "sparse", "compressed", "sparse_compressed", "encrypted")
COMPRESSED_FORMS: Final[frozenset[Form]] = frozenset(["compressed", "sparse_compressed"])
NO_SHORT_NAME: Final = ""  # One that is there is taken away; None leaves it.
MADE_SHORT_NAME: Final = "*"  # No name can be this: the volume makes one as Windows does.


# The integers of $STANDARD_INFORMATION that can be said of a file, and the bits of each.  The manifest, a
# plan, a capture and what is shown of a file name them as here.
INFORMATION_BITS: Final = {
    name: 8 * StandardInformation.FIELDS[name].codec.size_bytes
    for name in ("owner_id", "quota_charged", "usn", "version_max", "version", "class_id")
}


class Traits(NamedTuple):
    """None says nothing: a new file has the default, a file that is there keeps what it has.

    `short_name` equal to the long name makes one name of both.  `name_times` are those of $FILE_NAME,
    `entry_times` those of the entry in the directory; what they leave out is as in $STANDARD_INFORMATION.
    """

    security: bytes | None = None  # Self-relative; AR in it asks for what the directory hands down.
    short_name: str | None = None
    reparse: bytes | None = None  # The value of $REPARSE_POINT; empty takes it away.
    ea: bytes | None = None  # The value of $EA, but for what `unix` says; empty takes it away.
    unix: bytes | None = None  # WSL's entries of $EA; others that are there stay.
    object_id: bytes | None = None  # 16 or 64 bytes; empty takes it away.
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
        """The fields of $STANDARD_INFORMATION that are said."""
        said = {name: value for name in INFORMATION_BITS if (value := getattr(self, name)) is not None}
        if self.case_sensitive is not None:
            said |= {"version_max": 0, "version": int(self.case_sensitive)}
        return said


NO_TRAITS: Final = Traits()


def chosen(times: Ticks4, own: SomeTicks | None) -> Ticks4:
    """The times with those in place that are a name's own."""
    if own is None:
        return times
    created, modified, changed, accessed = (
        ticks if mine is None else mine for ticks, mine in zip(times, own, strict=True)
    )
    return created, modified, changed, accessed
