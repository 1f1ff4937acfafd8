"""Host paths of a manifest, resolved and confined to allowed folders."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from typing import Final

from ntfsbuild.content.confinement import Confinement
from ntfsbuild.content.model import Content, HostFile, Inline, Segment, Segments
from ntfsbuild.content.read import sha256_of, size_of
from ntfsbuild.errors import ManifestError

GENERATED_HASHED_BYTES_MAX: Final = 1 << 30  # Of all files of a manifest that say their SHA-256; seconds.


class HostSources:
    """Resolves the sources of one manifest against its folder."""

    def __init__(self, folder: bytes, allow_outside: Iterable[bytes]) -> None:
        self._folder = folder
        self.confinement = Confinement((folder, *allow_outside))
        self._real_folders: dict[bytes, bytes] = {}
        self._generated_left = GENERATED_HASHED_BYTES_MAX

    def full_path(self, path: bytes) -> bytes:
        """The path as written, without parts that are only a dot, joined to the manifest's folder."""
        if b"./" in path:
            *above, last = path.split(b"/")
            path = b"/".join([*(part for part in above if part != b"."), last])
        return os.path.join(self._folder, path)

    def resolved(self, content: Content) -> Content:
        """The same content with the real paths of its host files; raises ManifestError."""
        if isinstance(content, HostFile):
            return content._replace(path=self._real_file(self.full_path(content.path)))
        if isinstance(content, Segments):
            parts = tuple(
                Segment(at, part._replace(path=self._real_file(self.full_path(part.path))))
                if isinstance(part, HostFile)
                else Segment(at, part)
                for at, part in content.parts
            )
            return content._replace(parts=parts)
        return content

    def with_digest(self, content: Content, sha256: bytes | None) -> Content:
        """The content with this SHA-256: noted in a host file for later, checked at once for other contents.

        What stands in the manifest itself was checked there.
        """
        if sha256 is None or isinstance(content, Inline):
            return content
        if isinstance(content, HostFile):
            return content._replace(sha256=sha256)
        parts = [part.content for part in content.parts] if isinstance(content, Segments) else []
        self._generated_left -= size_of(content) - sum(size_of(part) for part in parts if _is_of_host(part))
        if self._generated_left < 0:
            raise ManifestError(
                f"sha256: more than {GENERATED_HASHED_BYTES_MAX} bytes of zeros and random numbers in all "
                "files that say it"
            )
        found = sha256_of(content)
        if found != sha256:
            raise ManifestError(f"sha256: the content's SHA-256 is {found.hex()}")
        return content

    def _real_file(self, path: bytes) -> bytes:
        """The real path of a file; each folder is resolved once, because it may have thousands of files."""
        folder, name = os.path.split(path)
        real_folder = self._real_folders.get(folder)
        if real_folder is None:
            # The folder may lie outside and the file be a link back: the whole path is judged below.
            real_folder = os.path.realpath(folder)
            self._real_folders[folder] = real_folder
        candidate = os.path.join(real_folder, name)
        if name not in (b"", b".", b"..") and self.confinement.allows(candidate):
            try:
                if stat.S_ISREG(os.lstat(candidate).st_mode):
                    return candidate
            except OSError:
                pass  # `check` raises the error.
        return self.confinement.check(path)


def _is_of_host(content: Content) -> bool:
    return isinstance(content, HostFile)
