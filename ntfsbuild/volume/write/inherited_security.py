"""The security descriptor of a new file or directory: its own entries, and those inherited."""

from __future__ import annotations

from ntfsbuild.errors import CorruptVolume, ManifestError
from ntfsbuild.ondisk import security


class InheritedSecurity:
    """Computes inherited descriptors of a volume, with a cache."""

    def __init__(self) -> None:
        # What comes of the usual root is known: most volumes need no more than that.
        self._known: dict[tuple[bytes, bytes | None, bool], bytes] = {
            (above, None, directory): inherited
            for above in (security.ROOT, security.DEFAULT_DIRECTORY)
            for directory, inherited in ((True, security.DEFAULT_DIRECTORY), (False, security.DEFAULT_FILE))
        }

    def descriptor(self, above: bytes, explicit: bytes | None, *, directory: bool) -> bytes:
        """The descriptor in a directory with descriptor `above`; `explicit` is the file's own one."""
        key = above, explicit, directory
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = _computed(above, explicit, directory)
        return known


def _computed(above: bytes, explicit: bytes | None, directory: bool) -> bytes:
    from ntfsbuild.ondisk import security_descriptor, security_inheritance

    try:
        if explicit is None:
            return security_inheritance.inherited(above, directory=directory)
        return security_inheritance.with_inherited(explicit, above, directory=directory)
    except ValueError as error:
        if wrong := security_descriptor.what_is_wrong(above):
            raise CorruptVolume(f"the security descriptor of the directory: {wrong}") from None
        raise ManifestError(f"security: {error}") from None
