"""Links of the tree: hard links to their targets, and which links are directories."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable

from ntfsbuild.compiler.tree import PlannedDirectory, TreePlanner
from ntfsbuild.manifest.feature_specs import FeatureSpec
from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.ondisk.reparse_point import windows_target
from ntfsbuild.ondisk.traits import NO_TRAITS, Traits
from ntfsbuild.plan.features import NO_FEATURES, Features


class HardLink(NamedTuple):
    """One more name, in a directory of the tree, of the file at `target`."""

    directory: PlannedDirectory
    name: str
    target: str
    position: int

    @property
    def path(self) -> str:
        """The path of the name."""
        return f"{self.directory.path.rstrip('/')}/{self.name}"

    @property
    def features(self) -> Features:
        """The features of the name."""
        spec = self.directory.entries[self.name].features
        traits = Traits(
            short_name=self.directory.short_names.get(self.name),
            name_times=spec.name_times,
            entry_times=spec.entry_times,
        )
        return NO_FEATURES if traits == NO_TRAITS else Features(traits)


def take_hard_links(
    planner: TreePlanner, directories: Iterable[PlannedDirectory], on_base: Callable[[str], bool]
) -> list[HardLink]:
    """Take the hard links out of the files of their directories, and mark the files that they name.

    `on_base` tells whether the base has a file at a path.  A link to a link names the same file.
    """
    by_path = {planned.path: planned for planned in directories}
    links = [
        HardLink(planned, name, entry.features.hardlink, entry.features.position or entry.position)
        for planned in by_path.values()
        for name, entry in planned.entries.items()
        if entry.features.hardlink is not None
    ]
    if not links:
        return []
    targets = {link.path: link.target for link in links}
    for planned in {link.directory.path: link.directory for link in links}.values():
        planned.files = [
            name for name in planned.files if f"{planned.path.rstrip('/')}/{name}" not in targets
        ]
    found = []
    for link in sorted(links, key=lambda one: one.path):
        target = _end_of(link.target, targets)
        problem = "the links lead round in a circle" if target is None else None
        if target is not None:
            above, _, name = target.rpartition("/")
            home = by_path.get(above or "/")
            entry = home.entries.get(name) if home is not None else None
            if entry is not None and is_directory(target, entry.features, by_path):
                problem = f"{target} is a directory, which has one name only"
            elif home is not None and name in home.files:
                home.linked |= {name}
            elif target in by_path:
                problem = f"{target} is a directory, which has one name only"
            elif not on_base(target):
                problem = f"there is no file {target}"
        if problem is None and target is not None:
            found.append(link._replace(target=target))
        else:
            planner.say(link.position, link.path, f"hardlink: {problem}")
    return found


def _end_of(target: str, targets: dict[str, str]) -> str | None:
    seen = set()
    while target in targets:
        if target in seen:
            return None
        seen.add(target)
        target = targets[target]
    return target


def is_directory(path: str, spec: FeatureSpec, directories: Container[str]) -> bool:
    """Whether a description of a file makes a directory: by the kind of its link, or by its target."""
    if spec.symlink is None:
        return spec.reparse_directory
    if spec.symlink.directory is not None:
        return spec.symlink.directory
    return _followed(path, spec.symlink.target) in directories


def _followed(path: str, target: str) -> str | None:
    """The path on the volume that a symbolic link leads to; None where it leaves the volume."""
    substitute, _, relative = windows_target(target)
    if not relative:
        return None
    parts = [] if substitute.startswith("\\") else path.split("/")[1:-1]
    for part in substitute.split("\\"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)
