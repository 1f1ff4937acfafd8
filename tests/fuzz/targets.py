"""What is fed with anything: the readers of manifests, archives and saved plans, and what follows them.

A target fails when anything but an NtfsBuildError is raised, or an error that is our own bug, or when what
was built breaks a rule of sound volumes.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import yaml

import ntfsbuild
from ntfsbuild.content import archive
from ntfsbuild.content.model import LinksRule
from ntfsbuild.content.read import read, size_of
from ntfsbuild.content.tar_tree import scan
from ntfsbuild.errors import EXIT_BUG, NtfsBuildError
from ntfsbuild.manifest import loads
from tests.content.tars import END, header, long_name, member, octal, pax
from tests.fuzz.mutators import mutated_json, mutated_lines, mutated_tar, mutated_text

IMAGES = Path(__file__).parents[2] / "specs/images"
_LARGEST_IMAGE = 64 << 20
_LARGEST_READ = 1 << 20


class Target(NamedTuple):
    """Seeds, a mutator, and what is done with an input in a folder of its own; True where it was taken."""

    seeds: Callable[[], list[bytes]]
    mutate: Callable[[bytes, random.Random], bytes]
    run: Callable[[bytes, Path], bool]


def refused(action: Callable[[], object]) -> bool:
    """Whether an action ends in an error that a user may see."""
    try:
        action()
    except NtfsBuildError as error:
        assert error.exit_code != EXIT_BUG
        assert str(error)
        return True
    return False


# ---------------------------------------------------------------------- manifests


@cache
def manifests() -> list[bytes]:
    return [path.read_bytes() for path in sorted(IMAGES.glob("*.yaml")) if path.stat().st_size < 20_000]


def mutated_manifest(data: bytes, rng: random.Random) -> bytes:
    """Half of them as text, half as data that is written anew."""
    if rng.randrange(2):
        return mutated_text(data, rng)
    try:
        parsed = yaml.load(data, yaml.BaseLoader)
        text = yaml.safe_dump(
            mutated_json(parsed, rng, rng.randrange(1, 4)), allow_unicode=bool(rng.randrange(2))
        )
    except (yaml.YAMLError, RecursionError, ValueError):
        return mutated_text(data, rng)
    return text.encode("utf-8", "surrogatepass")


def run_manifest(data: bytes, folder: Path) -> bool:
    return not refused(lambda: loads(data, "m.yaml"))


# ---------------------------------------------------------------------- archives


@cache
def tars() -> list[bytes]:
    sparse = {386: octal(0) + octal(2) + octal(9) + octal(1), 483: octal(10)}
    mapped = [(b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"), (b"GNU.sparse.realsize", b"9")]
    numbers = [(b"GNU.sparse.size", b"9"), (b"GNU.sparse.map", b"0,1,4,2"), (b"GNU.sparse.name", b"s")]
    return [
        member(b"a", b"data") + member(b"d/", kind=b"5") + member(b"d/b", b"x" * 600) + END,
        long_name(b"n" * 150)
        + member(b"n", b"x")
        + long_name(b"t" * 120, b"K")
        + member(b"l", kind=b"2")
        + END,
        pax((b"path", b"p"), (b"mtime", b"1.5"), (b"size", b"3"), (b"uid", b"9"))
        + member(b"f", b"abc")
        + END,
        pax((b"mtime", b"-7.25"), kind=b"g")
        + member(b"f", b"x")
        + member(b"h", kind=b"1", fields={157: b"f"})
        + END,
        header(b"s", 3, b"S", sparse) + b"abc".ljust(512, b"\0") + END,
        pax(*mapped) + member(b"f", b"2\n0\n1\n8\n1\n".ljust(512, b"\0") + b"ab") + END,
        pax(*numbers) + member(b"f", b"abc") + END,
    ]


def run_tar(data: bytes, folder: Path) -> bool:
    path = folder / "a.tar"
    path.write_bytes(data)
    rules: tuple[LinksRule, ...] = ("follow", "wsl", "ntfs", "error")
    return sum(refused(partial(_read_all, path, rule)) for rule in rules) < len(rules)


def _read_all(path: Path, rule: LinksRule) -> None:
    archive.forget_archives()
    rest = [scan(os.fsencode(path), (), (), rule)]
    while rest:
        here = rest.pop()
        for name in here.names:
            here.mtime_ticks(name)
            here.unix_metadata(name)
            if name not in here.links and size_of(here.content(name)) < _LARGEST_READ:
                read(here.content(name))
        rest += here.directories.values()


# ---------------------------------------------------------------------- saved plans


@cache
def plans() -> list[bytes]:
    found = []
    for path in sorted(IMAGES.glob("*.yaml")):
        manifest = ntfsbuild.load(path)
        if manifest.volume.base is None:
            plan = ntfsbuild.make_plan(manifest, pin_sources=True)
            found.append("".join(ntfsbuild.save_plan(plan, IMAGES)).encode())
    return [plan for plan in found if len(plan) < 100_000]


def run_plan(data: bytes, folder: Path) -> bool:
    """What is built of a plan that was not refused must be sound."""
    (folder / "plan").write_bytes(data)
    out = folder / "x.img"

    def execute() -> None:
        ntfsbuild.execute(ntfsbuild.load_plan(folder / "plan", IMAGES), out)

    if refused(execute):
        assert not out.exists()
        return False
    if out.stat().st_size <= _LARGEST_IMAGE:
        verified = ntfsbuild.verify(out)
        assert verified.is_clean, [str(one) for one in verified.findings][:5]
    out.unlink()
    return True


TARGETS = {
    "manifest": Target(manifests, mutated_manifest, run_manifest),
    "tar": Target(tars, mutated_tar, run_tar),
    "plan": Target(plans, mutated_lines, run_plan),
}
