"""Host paths as a manifest writes them, resolved and confined."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable

from ntfsbuild.content.confinement import Confinement
from ntfsbuild.content.model import Content, HostFile, Segment, Segments


class HostSources:
    """Resolves the sources of one manifest against its folder."""

    def __init__(self, folder: bytes, allow_outside: Iterable[bytes]) -> None:
        self._folder = folder
        self.confinement = Confinement((folder, *allow_outside))
        self._real_folders: dict[bytes, bytes] = {}

    def full_path(self, path: bytes) -> bytes:
        """The path as written, seen from the manifest's folder."""
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

    def _real_file(self, path: bytes) -> bytes:
        """The real path of a file; folders are resolved once, for thousands of files lie in the same."""
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
                pass  # `check` says what is wrong with it.
        return self.confinement.check(path)
