"""A new folder of the host: it appears when all is in it, or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from ntfsbuild.errors import HostError, ManifestError


@contextmanager
def new_folder(path: str | bytes | os.PathLike[str] | os.PathLike[bytes]) -> Iterator[str]:
    """A folder to be filled, which becomes `path` when all went well; there may be an empty one.

    Raises ManifestError where something else is there, HostError for what the host refuses, inside, too.
    """
    shown = os.fsdecode(path)
    target = os.path.realpath(shown)
    if os.path.lexists(target) and (not os.path.isdir(target) or os.listdir(target)):
        raise ManifestError(f"{shown}: is there already, and is not an empty directory")
    try:
        passing = tempfile.mkdtemp(prefix=".ntfsbuild-", suffix=".part", dir=os.path.dirname(target))
    except OSError as error:
        raise HostError(f"{shown}: {error.strerror}") from None
    try:
        # By its descriptor: under its name there may be a link to something else by then.
        descriptor = os.open(passing, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            yield passing
            os.fchmod(descriptor, 0o755)
        finally:
            os.close(descriptor)
        os.rename(passing, target)  # An empty directory is replaced.
    except OSError as error:
        shutil.rmtree(passing, ignore_errors=True)
        raise HostError(f"{shown}: {error.strerror}") from None
    except BaseException:
        shutil.rmtree(passing, ignore_errors=True)
        raise
