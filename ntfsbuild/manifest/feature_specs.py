"""The features of a file or directory in a manifest (all but content, times and attributes) as frozen data.

None always means "not given".  Values are checked and have the format of the disk; the compiler resolves what
depends on the host, the tree or the volume (certificates, targets, inheritance).
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from ntfsbuild.content.model import Content
from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.ondisk.traits import SomeTicks


class StreamSpec(NamedTuple):
    """A named stream."""

    content: Content
    position: int
    sparse: bool | None = None
    compressed: bool | None = None
    valid_bytes: int | None = None
    sha256: bytes | None = None
    plain_bytes: int | None = None  # Its decrypted size, if the content is ciphertext.


class Symlink(NamedTuple):
    """A symbolic link of Windows; if `directory` is None, the target in the tree decides."""

    target: str
    directory: bool | None


class EncryptTo(NamedTuple):
    """Encryption by us: host paths of certificates, as written."""

    certificates: tuple[bytes, ...]
    recovery: tuple[bytes, ...] = ()


class EncryptedRaw(NamedTuple):
    """Existing encryption: the $EFS value; the content is ciphertext of a file of `size_bytes`.

    A stream has the $EFS of its file.
    """

    efs: Content | None
    size_bytes: int


class UnixSpec(NamedTuple):
    """WSL metadata; "source" takes it from the host file or the tar member."""

    uid: int | None
    gid: int | None
    mode: int | None
    dev: tuple[int, int] | None = None


ExtendedAttribute: TypeAlias = tuple[str, bytes, int]  # Name, value, flags.


class FeatureSpec(NamedTuple):
    """The given features of one file or directory; `position` is that of its description."""

    position: int = 0
    streams: dict[str, StreamSpec] | None = None
    sparse: bool | Literal["auto"] | None = None
    compressed: bool | None = None
    encrypted: EncryptTo | EncryptedRaw | Literal[False] | None = None
    valid_bytes: int | None = None
    hardlink: str | None = None  # Absolute path on the volume.
    symlink: Symlink | None = None
    reparse: bytes | None = None  # The whole value of $REPARSE_POINT; of all other kinds of links, too.
    reparse_directory: bool = False  # A file's description that is a directory: junction, mount point, ...
    security: bytes | None = None
    short_name: str | Literal[True, False] | None = None  # True: made; False: none.
    ea: tuple[ExtendedAttribute, ...] | None = None
    unix: UnixSpec | Literal["source"] | None = None
    object_id: bytes | None = None  # 16 or 64 bytes.
    name_times: SomeTicks | None = None
    entry_times: SomeTicks | None = None
    case_sensitive: bool | None = None
    owner_id: int | None = None
    quota_charged: int | None = None
    usn: int | None = None
    version_max: int | None = None
    version: int | None = None
    class_id: int | None = None


NO_FEATURE_SPEC = FeatureSpec()
