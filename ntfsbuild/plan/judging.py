"""Checks a saved plan, which may come from anyone, for faults that no compiled plan has.

The writer of a new volume does not look up the names that it makes, so each name must be made once, and in a
directory that was made before.  Values that are stored as they are, such as a descriptor, must be sound.
"""

from __future__ import annotations

from ntfsbuild.ondisk import short_names
from ntfsbuild.ondisk.names import folded
from ntfsbuild.ondisk.trait_values import wrong_trait
from ntfsbuild.ondisk.traits import MADE_SHORT_NAME
from ntfsbuild.plan.features import Features
from ntfsbuild.plan.line_values import LineError
from ntfsbuild.plan.model import LinkFile, MakeDirectory, MakeFile, OpenBase, Operation


class Judge:
    """Checks one plan, operation by operation; keeps the names that were made so far."""

    def __init__(self) -> None:
        self._on_base = False  # Then there may be other names.
        self._names: set[str] = set()
        self._directories: dict[str, bool] = {}  # Whether it is case-sensitive.
        self._files: set[str] = set()

    def add(self, operation: Operation) -> None:
        """Check the next operation; raises LineError for one that the compiler would not make."""
        features = getattr(operation, "features", None)
        if isinstance(features, Features):
            _judge(features)
        match operation:
            case OpenBase():
                self._on_base = True
            case MakeDirectory(path, _, _, posix_names, _, features):
                if path != "/":
                    self._make(path, features)
                self._directories[path] = posix_names or bool(features.traits.case_sensitive)
            case MakeFile(path, _, _, _, _, features):
                self._make(path, features)
                self._files.add(path)
            case LinkFile(path, to, _, _, _, features):
                self._make(path, features)
                if not self._on_base and to not in self._files:
                    raise LineError("is not a file that was made before", "to")

    def _make(self, path: str, features: Features) -> None:
        above_path, _, name = path.rpartition("/")
        exactly = self._directories.get(above_path or "/")
        if exactly is None and not self._on_base:
            raise LineError("lies in no directory that was made before", "path")
        short = features.traits.short_name or MADE_SHORT_NAME
        if short == MADE_SHORT_NAME:
            short = name
        else:
            wrong = short_names.what_is_wrong(short)
            if wrong if short != name else not short_names.is_short(name):
                raise LineError(wrong or "is not an 8.3 name", "features: short_name")
        for one in {name, short}:
            key = f"{above_path}/{folded([one])[0] if exactly is False else one}"
            if key in self._names:
                raise LineError("is there already", "path")
            self._names.add(key)


def _judge(features: Features) -> None:
    traits = features.traits
    if found := wrong_trait(traits):
        name, problem = found
        raise LineError(problem, f"features: {name}")
    if traits.efs and "encrypted" not in (features.form, *(one.form for one in features.streams)):
        raise LineError("is only for encrypted files", "features: efs")
