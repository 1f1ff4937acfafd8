"""Measures ntfsbuild and its peers on the same trees, in one run, and prints how they compare.

    python bench/bench.py [--rounds 3] [--folder DIR] [--only a,b] [--json FILE]

The machines are noisy, so what counts are ratios: the commands of a case take turns, round after round,
and the median of each is compared with ours.  Caches are warm (the first round is thrown away).  Peers
that are not installed are left out and named.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
DIRECTORIES, FILES_IN_EACH = 100, 1000
LARGE_DIRECTORIES, LARGE_FILES_IN_EACH = 1000, 500


@dataclass
class Command:
    """Something to be timed: `argv` is, `prepare` and `clean` are not."""

    name: str
    argv: list[str]
    prepare: Callable[[], None] = lambda: None
    clean: Callable[[], None] = lambda: None
    needs: tuple[str, ...] = ()


@dataclass
class Measured:
    """The seconds of every round, and the most memory that the process held."""

    seconds: list[float] = field(default_factory=list)
    memory_bytes: int = 0

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


@dataclass(frozen=True)
class Case:
    """A tree, and the commands that make an image or an archive of it."""

    key: str
    title: str
    files: int
    commands: list[Command]
    targets: dict[str, float]  # Our time is to be at most this often that of the peer.


# ---------------------------------------------------------------------- trees


def make_tree(folder: Path, sizes: Callable[[random.Random], int], directories: int, files: int) -> None:
    """Files of pseudo-random bytes, the same in every run."""
    if folder.exists():
        return
    dice = random.Random(1)
    blob = dice.randbytes(64 * KIB)
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    for number in range(directories):
        here = partial / f"dir{number:03}"
        here.mkdir(parents=True)
        for k in range(files):
            at, size = dice.randrange(32 * KIB), sizes(dice)
            (here / f"file{k:05}.dat").write_bytes(blob[at : at + size])
    partial.rename(folder)


def make_large_file(folder: Path) -> None:
    """One file of 1 GiB without zeros worth skipping."""
    if folder.exists():
        return
    folder.mkdir()
    block = random.Random(2).randbytes(16 * MIB)
    with (folder / "large.bin").open("wb") as out:
        for number in range(GIB // len(block)):
            out.write(number.to_bytes(8, "little") + block[8:])


def make_compressible_file(folder: Path) -> None:
    """24 MiB of text and programs: what comes with Python."""
    if folder.exists():
        return
    folder.mkdir()
    library = Path(os.__file__).parent
    with (folder / "mixed.bin").open("wb") as out:
        for path in sorted([*library.rglob("*.py"), *library.rglob("*.so")]):
            out.write(path.read_bytes()[: 24 * MIB - out.tell()])
        assert out.tell() == 24 * MIB, "a Python with less than 24 MiB of library"


def make_inline_manifest(path: Path, described: bool) -> None:
    """100,000 entries in YAML: plain text, or a mapping each."""
    lines = ["ntfsbuild: 1", "volume: {size: auto}", "tree:"]
    for number in range(DIRECTORIES):
        lines.append(f"  dir{number:03}/:")
        for k in range(FILES_IN_EACH):
            text = f'"content of file {number}/{k}\\n"'
            value = f"{{text: {text}, attributes: [hidden]}}" if described else text
            lines.append(f"    file{k:05}.txt: {value}")
    path.write_text("\n".join(lines) + "\n")


def make_large_volume(folder: Path) -> Path:
    """An image with 500,000 files in 1,000 directories, and room for more."""
    image = folder / "large-volume.img"
    if image.exists():
        return image
    lines = ["ntfsbuild: 1", "volume: {size: auto+64MiB}", "tree:"]
    for number in range(LARGE_DIRECTORIES):
        lines.append(f"  dir{number:03}/:")
        lines += [f"    file{k:05}.txt: content {k}" for k in range(LARGE_FILES_IN_EACH)]
    manifest = folder / "large-volume.yaml"
    manifest.write_text("\n".join(lines) + "\n")
    subprocess.run([sys.executable, "-m", "ntfsbuild", "build", "-q", manifest, "-o", image], check=True)
    return image


def bytes_read(image: Path, manifest: Path) -> int:
    """How many bytes of an image are read when a manifest is applied to it in place."""
    import ntfsbuild

    counted, pread = [0], os.pread

    def counting(descriptor: int, size_bytes: int, offset: int) -> bytes:
        data = pread(descriptor, size_bytes, offset)
        counted[0] += len(data)
        return data

    os.pread = counting
    try:
        ntfsbuild.apply(manifest, image, in_place=True)
    finally:
        os.pread = pread
    return counted[0]


def occupied_bytes(image: Path) -> int:
    """How many bytes the clusters of the compressed file have."""
    import ntfsbuild

    with ntfsbuild.Volume.open(image) as volume:
        return volume.stat("/mixed.bin").streams[0].occupied_bytes


# ---------------------------------------------------------------------- commands


class Workshop:
    """Makes the commands for trees in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.image = folder / "image"
        self.mounted = folder / "mounted"
        self.mounted.mkdir(exist_ok=True)

    def remove_image(self) -> None:
        self.image.unlink(missing_ok=True)

    def manifest(self, name: str, text: str) -> Path:
        path = self.folder / f"{name}.yaml"
        path.write_text(text)
        return path

    def ours(self, manifest: Path) -> Command:
        argv = [sys.executable, "-m", "ntfsbuild", "build", str(manifest), "-o", str(self.image), "-q"]
        return Command("ntfsbuild", argv, self.remove_image)

    def ours_of_tree(self, tree: Path, volume: str = "size: auto") -> Command:
        text = f"ntfsbuild: 1\nvolume: {{{volume}}}\ntree: {{.: {{source: ./{tree.name}}}}}\n"
        return self.ours(self.manifest(tree.name, text))

    def formatted(self, size_bytes: int) -> Callable[[], None]:
        def prepare() -> None:
            self.remove_image()
            with self.image.open("wb") as out:
                out.truncate(size_bytes)
            subprocess.run(["mkntfs", "-Q", "-F", "-q", str(self.image)], check=True, capture_output=True)

        return prepare

    def wimlib(self, tree: Path, size_bytes: int) -> Command:
        captured = self.folder / f"{tree.name}.wim"
        if not captured.exists() and shutil.which("wimcapture"):
            subprocess.run(
                ["wimcapture", str(tree), str(captured), "--compress=none"], check=True, capture_output=True
            )
        argv = ["wimapply", str(captured), "1", str(self.image)]
        return Command("wimlib apply", argv, self.formatted(size_bytes), needs=("wimapply", "mkntfs"))

    def ntfs_3g(self, tree: Path, size_bytes: int) -> Command:
        image, mounted = self.image, self.mounted
        script = f"ntfs-3g '{image}' '{mounted}' && cp -a '{tree}/.' '{mounted}/' && umount '{mounted}'"

        def clean() -> None:
            subprocess.run(["umount", str(self.mounted)], check=False, capture_output=True)

        return Command(
            "ntfs-3g + cp -a", ["sh", "-c", script], self.formatted(size_bytes), clean, ("ntfs-3g", "mkntfs")
        )

    def compressing(self, tree: Path) -> list[Command]:
        """Our one process, our several, and ntfs-3g; how much room each takes is printed once."""
        text = f"ntfsbuild: 1\ntree: {{.: {{source: ./{tree.name}, compressed: true}}}}\n"
        one, several = self.ours(self.manifest("one-job", text)), self.ours(self.manifest("jobs", text))
        one.argv.extend(["--jobs", "1"])
        one.name = "ntfsbuild --jobs 1"
        mark = f"import os; os.setxattr('{self.mounted}', 'system.ntfs_attrib', b'\\0\\x08\\0\\0')"
        script = (
            f"ntfs-3g -o compression '{self.image}' '{self.mounted}' && {sys.executable} -c \"{mark}\" && "
            f"cp '{tree}/mixed.bin' '{self.mounted}/' && umount '{self.mounted}'"
        )
        peer = self.ntfs_3g(tree, 64 * MIB)
        peer.name, peer.argv[2] = "ntfs-3g -o compression + cp", script
        room = {}
        for command in (one, peer):
            if all(map(shutil.which, command.needs)):
                run_once(command)
                room[command.name] = occupied_bytes(self.image)
                print(f"  {command.name} takes {room[command.name] / MIB:.2f} MiB", flush=True)
        return [several, one, peer]

    def mke2fs(self, tree: Path, size_bytes: int) -> Command:
        argv = ["mke2fs", "-q", "-F", "-t", "ext4", "-N", "150000", "-d", str(tree), str(self.image)]
        return Command("mke2fs -d", [*argv, f"{size_bytes // KIB}k"], self.remove_image, needs=("mke2fs",))

    def tar(self, tree: Path) -> Command:
        return Command("GNU tar", ["tar", "cf", str(self.image), str(tree)], self.remove_image)

    def cp(self, tree: Path, *options: str) -> Command:
        copy = self.folder / "copy"

        def remove() -> None:
            shutil.rmtree(copy, ignore_errors=True)

        return Command(
            " ".join(["cp", *options]), ["cp", *options, "-r", str(tree), str(copy)], remove, remove
        )

    def safe_loader(self, manifest: Path) -> Command:
        code = "import sys, yaml; yaml.load(open(sys.argv[1]), yaml.CSafeLoader)"
        return Command("PyYAML CSafeLoader", [sys.executable, "-c", code, str(manifest)])

    def mkntfs(self, size_bytes: int) -> Command:
        def prepare() -> None:
            self.remove_image()
            with self.image.open("wb") as out:
                out.truncate(size_bytes)

        return Command("mkntfs -Q", ["mkntfs", "-Q", "-F", "-q", str(self.image)], prepare, needs=("mkntfs",))

    def changes_of(self, volume: Path) -> list[Command]:
        """One small file more, each command on a copy of the volume of its own, each run another name."""
        counter, content = self.folder / "counter", self.folder / "content"
        content.write_text("hello\n")
        manifest = self.folder / "one-more.yaml"

        def next_name() -> None:
            number = int(counter.read_text()) + 1 if counter.exists() else 0
            counter.write_text(str(number))
            manifest.write_text(f'ntfsbuild: 1\ntree:\n  dir500/more{number}.txt: "hello\\n"\n')

        def copy(name: str) -> Path:
            path = self.folder / f"{name}.img"
            subprocess.run(["cp", "--sparse=always", volume, path], check=True)
            return path

        name = f"dir500/more$(cat '{counter}').txt"
        ours, theirs, mounted = copy("ours"), copy("ntfscp"), copy("ntfs-3g")
        next_name()
        print(f"  one file more reads {bytes_read(ours, manifest) / MIB:.2f} MiB of the volume", flush=True)
        argv = [sys.executable, "-m", "ntfsbuild", "apply", str(manifest), str(ours), "--in-place", "-q"]
        put = f"ntfscp -q '{theirs}' '{content}' /{name}"
        mount = f"ntfs-3g '{mounted}' '{self.mounted}'"
        through = f"{mount} && cp '{content}' '{self.mounted}'/{name} && umount '{self.mounted}'"
        return [
            Command("ntfsbuild", argv, next_name),
            Command("ntfscp", ["sh", "-c", put], next_name, needs=("ntfscp",)),
            Command("ntfs-3g + cp", ["sh", "-c", through], next_name, needs=("ntfs-3g",)),
        ]


def cases(shop: Workshop, only: set[str]) -> Iterator[Case]:
    """The cases that are asked for; their trees are made when they are not there yet."""
    folder = shop.folder
    many = DIRECTORIES * FILES_IN_EACH
    if "a" in only:
        tree = folder / "tree-a"
        make_tree(tree, lambda _: 500, DIRECTORIES, FILES_IN_EACH)
        size = 512 * MIB
        peers = [
            shop.wimlib(tree, size),
            shop.ntfs_3g(tree, size),
            shop.mke2fs(tree, GIB),
            shop.tar(tree),
            shop.cp(tree),
        ]
        yield Case("a", "100,000 files of 500 B", many, [shop.ours_of_tree(tree), *peers], {
            "wimlib apply": 0.8, "ntfs-3g + cp -a": 0.1,
        })  # fmt: skip
    if "b" in only:
        tree = folder / "tree-b"
        make_tree(tree, lambda dice: dice.randrange(20_001), DIRECTORIES, FILES_IN_EACH)
        size = 3 * GIB
        peers = [
            shop.wimlib(tree, size),
            shop.ntfs_3g(tree, size),
            shop.mke2fs(tree, size),
            shop.tar(tree),
            shop.cp(tree),
        ]
        yield Case("b", "100,000 files of 0 to 20 kB", many, [shop.ours_of_tree(tree), *peers], {
            "wimlib apply": 0.8, "ntfs-3g + cp -a": 0.1, "GNU tar": 2.2, "mke2fs -d": 1.0,
        })  # fmt: skip
    if "c" in only:
        tree = folder / "tree-c"
        make_large_file(tree)
        peers = [shop.cp(tree, "--sparse=auto"), shop.wimlib(tree, 2 * GIB), shop.tar(tree)]
        yield Case("c", "one file of 1 GiB", 1, [shop.ours_of_tree(tree), *peers], {"cp --sparse=auto": 1.1})
    for key, described in (("d", False), ("D", True)):
        if "d" in only:
            manifest = folder / f"inline-{'mapping' if described else 'plain'}.yaml"
            make_inline_manifest(manifest, described)
            title = f"100,000 inline {'mappings' if described else 'strings'} in YAML"
            commands = [shop.ours(manifest), shop.safe_loader(manifest)]
            yield Case(key, title, many, commands, {"PyYAML CSafeLoader": 12 / 7})
    if "e" in only:
        tree = folder / "tree-e"
        make_tree(tree, lambda _: 100, 1, 20_000)
        size = 256 * MIB
        peers = [
            shop.wimlib(tree, size),
            shop.ntfs_3g(tree, size),
            shop.mke2fs(tree, 512 * MIB),
            shop.tar(tree),
        ]
        yield Case("e", "20,000 files in one directory", 20_000, [shop.ours_of_tree(tree), *peers], {})
    if "f" in only:
        manifest = shop.manifest("format", "ntfsbuild: 1\nvolume: {size: 1TiB}\ntree: {}\n")
        yield Case("f", "format 1 TiB", 0, [shop.ours(manifest), shop.mkntfs(1 << 40)], {})
    if "g" in only:
        commands = shop.changes_of(make_large_volume(folder))
        yield Case("g", "one file more on a volume of 500,000 files", 1, commands, {})
    if "h" in only:
        tree = folder / "tree-h"
        make_compressible_file(tree)
        yield Case("h", "compress one file of 24 MiB", 1, shop.compressing(tree), {})


# ---------------------------------------------------------------------- measuring


def run_once(command: Command) -> tuple[float, int]:
    """Wall-clock seconds and peak memory of one run."""
    command.prepare()
    os.sync()  # What earlier runs still have to write must not slow this one.
    begin = time.perf_counter()
    child = subprocess.Popen(command.argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert child.stderr
    complaint = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - begin
    command.clean()
    if status:
        raise SystemExit(f"{command.name} failed: {complaint.decode(errors='replace')}")
    return seconds, usage.ru_maxrss * KIB


def measure(case: Case, rounds: int) -> dict[str, Measured]:
    """All commands of a case, taking turns."""
    usable = [one for one in case.commands if all(map(shutil.which, one.needs))]
    for one in case.commands:
        if one not in usable:
            print(f"  {one.name}: not installed, left out", file=sys.stderr)
    results = {one.name: Measured() for one in usable}
    for number in range(rounds + 1):
        for one in usable:
            print(f"\r  {case.key}: round {number} of {rounds}: {one.name:24}", end="", file=sys.stderr)
            seconds, memory = run_once(one)
            result = results[one.name]
            result.memory_bytes = max(result.memory_bytes, memory)
            if number:
                result.seconds.append(seconds)
    print("\r" + " " * 70 + "\r", end="", file=sys.stderr)
    return results


def report(case: Case, results: dict[str, Measured]) -> dict[str, object]:
    """Print one case; returns it as data."""
    ours = results["ntfsbuild"]
    memory = f", peak memory {ours.memory_bytes / MIB:.0f} MiB"
    if case.files > 1:
        memory += f" = {ours.memory_bytes / case.files:.0f} B a file"
    print(f"({case.key}) {case.title}: {ours.median:.2f} s{memory}")
    for name, result in results.items():
        if name == "ntfsbuild":
            continue
        ratio = ours.median / result.median
        target = case.targets.get(name)
        verdict = (
            "" if target is None else f"   target {target:.2f}: {'reached' if ratio <= target else 'MISSED'}"
        )
        print(f"      {name:20} {result.median:8.2f} s   we take {ratio:6.3f} of that{verdict}", flush=True)
    return {
        "case": case.key,
        "title": case.title,
        "memory_bytes": ours.memory_bytes,
        "seconds": {name: result.seconds for name, result in results.items()},
        "ratio": {name: ours.median / result.median for name, result in results.items()},
        "targets": case.targets,
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, help="measured rounds; the median counts (3)")
    parser.add_argument("--folder", type=Path, help="where the trees are made and kept (a temporary folder)")
    parser.add_argument("--only", default="a,b,c,d,e,f,g,h", help="cases, separated by commas")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ntfsbuild-bench-") as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        shop = Workshop(folder)
        figures = [
            report(case, measure(case, options.rounds)) for case in cases(shop, set(options.only.split(",")))
        ]
        shop.remove_image()
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
