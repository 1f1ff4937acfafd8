"""Our commands and those of the peers, over trees and volumes in one folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from measuring import KIB, MIB, Command, environment
from trees import inline_manifest, make_large_file, make_mixed_file, make_tree, steps_manifest

PROJECT = Path(__file__).parents[1]
OURS = (sys.executable, "-m", "ntfsbuild")
WITHOUT_FAST = "import sys; sys.modules['llvmlite'] = None; from ntfsbuild.cli import main; sys.exit(main())"


class Shop:
    """Makes commands; what they work on is made when it is asked for first, and kept."""

    def __init__(self, folder: Path, files: int) -> None:
        self.folder, self.files = folder, files
        self.image, self.mounted = folder / "made.img", folder / "mounted"
        self.mounted.mkdir(exist_ok=True)
        self.outputs = folder / "outputs"  # Folders that commands wrote in earlier rounds.
        self.outputs.mkdir(exist_ok=True)

    def delete_outputs(self) -> None:
        """Delete the folders of all rounds."""
        shutil.rmtree(self.outputs)

    # ------------------------------------------------------------------ trees and volumes

    def _tree(self, name: str, files: int, most_bytes: int, least_bytes: int = 0) -> Path:
        tree = self.folder / f"{name}-{files}"
        make_tree(tree, files, lambda dice: dice.randint(least_bytes, most_bytes))
        return tree

    @cached_property
    def tree(self) -> Path:
        """The files of 0 to 20 kB."""
        return self._tree("tree", self.files, 20_000)

    @cached_property
    def small(self) -> Path:
        """As many files of 24 bytes."""
        return self._tree("small", self.files, 24, 24)

    @cached_property
    def million(self) -> Path:
        """Ten times as many files of 0 to 4 KiB."""
        return self._tree("million", self.files * 10, 4 * KIB)

    @cached_property
    def tenth(self) -> Path:
        """A tenth of those."""
        return self._tree("tenth", self.files, 4 * KIB)

    def large_file(self, size_bytes: int) -> Path:
        """A directory with one large file."""
        make_large_file(self.folder / "large", size_bytes)
        return self.folder / "large"

    def _volume(self, name: str) -> Path:
        """A volume that we built of one of the trees."""
        volume = self.folder / f"{name}-{self.files}.img"
        if not volume.exists():
            self._run(*OURS, "build", "-q", self._manifest_of(getattr(self, name)), "-o", volume)
        return volume

    def _manifest(self, name: str, text: str) -> Path:
        path = self.folder / f"{name}.yaml"
        path.write_text(text)
        return path

    def _manifest_of(self, tree: Path, volume: str = "{size: auto}") -> Path:
        text = f"ntfsbuild: 1\nvolume: {volume}\ntree: {{.: {{source: ./{tree.name}}}}}\n"
        return self._manifest(tree.name, text)

    def _run(self, *argv: str | Path) -> None:
        """What is not timed; it is silent while it succeeds."""
        done = subprocess.run([os.fspath(one) for one in argv], capture_output=True, env=environment())
        if done.returncode:
            raise SystemExit(f"{' '.join(map(str, argv))}: {done.stderr.decode(errors='replace')}")

    def _room_for(self, tree: Path) -> int:
        """A volume of that many bytes surely holds the tree."""
        used = sum(entry.stat().st_blocks * 512 + 2 * KIB for entry in tree.rglob("*"))
        return (used * 5 // 4 // MIB + 64) * MIB

    def _formatted(self, size_bytes: int) -> Callable[[], None]:
        def prepare() -> None:
            self._empty(size_bytes)
            self._run("mkntfs", "-Q", "-F", "-q", self.image)

        return prepare

    def _empty(self, size_bytes: int) -> None:
        self.image.unlink(missing_ok=True)
        with self.image.open("wb") as out:
            out.truncate(size_bytes)

    def _gone(self, *paths: Path) -> Callable[[], None]:
        def prepare() -> None:
            for path in paths:
                if path.is_dir():
                    # A host that has just deleted many files makes new ones slowly: delete them at the end.
                    path.rename(self.outputs / str(self._next()))
                path.unlink(missing_ok=True)

        return prepare

    def ten_times(self, command: Command) -> Command:
        """The same, and its time counts ten times."""
        command.times = 10
        return command

    # ------------------------------------------------------------------ ours

    def _build(self, manifest: Path, *options: str | Path) -> Command:
        argv = [*OURS, "build", "-q", manifest, "-o", self.image, *options]
        return Command("our build", argv, self._gone(self.image))

    def build(self, tree: Path) -> Command:
        """Build from a directory."""
        return self._build(self._manifest_of(tree))

    def build_inline(self, files: int) -> Command:
        """Build from a manifest that holds the contents."""
        return self._build(self._manifest("inline", inline_manifest(files)))

    def build_steps(self, steps: int) -> Command:
        """Build a history."""
        return self._build(self._manifest(f"steps-{steps}", steps_manifest(steps)))

    def quickstart(self) -> Command:
        """Build the small example."""
        return self._build(PROJECT / "specs" / "images" / "quickstart.yaml")

    def format(self, size_bytes: int) -> Command:
        """Build an empty volume."""
        text = f"ntfsbuild: 1\nvolume: {{size: {size_bytes}}}\ntree: {{}}\n"
        return self._build(self._manifest("format", text))

    def compress(self, *, fast: bool) -> Command:
        """Build one compressed file in one process."""
        make_mixed_file(self.folder / "mixed")
        text = "ntfsbuild: 1\ntree: {.: {source: ./mixed, compressed: true}}\n"
        command = self._build(self._manifest("compress", text), "--jobs", "1")
        if not fast:
            command.name = "our build without the extra"
            command.argv = [sys.executable, "-c", WITHOUT_FAST, *command.argv[len(OURS) :]]
        return command

    def apply(self, tree: Path) -> Command:
        """Apply a tree to a volume fresh from mkntfs."""
        argv = [*OURS, "apply", "-q", self._plain_manifest(tree), self.image]
        return Command("our apply", argv, self._formatted(self._room_for(tree)), ("mkntfs",))

    def apply_again(self, tree: Path) -> Command:
        """Apply a tree to a volume that holds it."""
        volume = self.folder / f"applied-{self.files}.img"
        if not volume.exists():
            self._formatted(self._room_for(tree))()
            self._run(*OURS, "apply", "-q", self._plain_manifest(tree), self.image, "-o", volume)
        return Command(
            "our apply", [*OURS, "apply", "-q", self._plain_manifest(tree), volume], needs=("mkntfs",)
        )

    def _plain_manifest(self, tree: Path) -> Path:
        return self._manifest(f"apply-{tree.name}", f"ntfsbuild: 1\ntree: {{.: {{source: ./{tree.name}}}}}\n")

    def extract(self, name: str = "out") -> Command:
        """Extract all files."""
        out = self.folder / name
        return Command(
            "our extract", [*OURS, "extract", "-q", self._volume("tree"), "-o", out], self._gone(out)
        )

    def capture(self) -> Command:
        """Capture the volume into a manifest."""
        out = self.folder / "captured"
        return Command(
            "our capture", [*OURS, "capture", "-q", self._volume("tree"), "-o", out], self._gone(out)
        )

    def diff(self) -> Command:
        """Compare with a volume that has one file more."""
        other = self.folder / f"other-{self.files}.img"
        if not other.exists():
            more = self._manifest("more", "ntfsbuild: 1\ntree: {one-more.txt: hello}\n")
            self._run(*OURS, "apply", "-q", more, self._with_room(), "-o", other)
        return Command("our diff", [*OURS, "diff", "-q", self._with_room(), other], codes=(1,))

    def _with_room(self) -> Path:
        volume = self.folder / f"room-{self.files}.img"
        if not volume.exists():
            manifest = self._manifest_of(self.tree, "{size: auto+16MiB}")
            self._run(*OURS, "build", "-q", manifest, "-o", volume)
        return volume

    def list_tree(self, name: str = "tree") -> Command:
        """List all files as JSON."""
        return Command("our tree --json", [*OURS, "tree", "--json", self._volume(name)])

    def verify(self, name: str = "tree") -> Command:
        """Check the volume."""
        return Command("our verify", [*OURS, "verify", "-q", self._volume(name)])

    def apply_one_more(self) -> Command:
        """One small file more on a large volume, each time with another name."""
        volume, manifest = self._crowded("ours"), self.folder / "one-more.yaml"

        def prepare() -> None:
            manifest.write_text(f'ntfsbuild: 1\ntree: {{dir00001/more{self._next()}.txt: "hello\\n"}}\n')

        return Command("our apply", [*OURS, "apply", "-q", manifest, volume, "--in-place"], prepare)

    def _next(self) -> int:
        """A number that was not there before."""
        counter = self.folder / "counter"
        number = int(counter.read_text()) + 1 if counter.exists() else 0
        counter.write_text(str(number))
        return number

    def _crowded(self, name: str) -> Path:
        """A volume with five times as many files, of its own for each command."""
        volume = self.folder / f"crowded-{name}-{self.files}.img"
        if not volume.exists():
            manifest = self._manifest("crowded", inline_manifest(self.files * 5, "size: auto+64MiB"))
            self._run(*OURS, "build", "-q", manifest, "-o", volume)
        return volume

    # ------------------------------------------------------------------ peers

    def python(self) -> Command:
        """A Python that does nothing."""
        return Command("python -c pass", [sys.executable, "-c", "pass"])

    def safe_loader(self, files: int) -> Command:
        """PyYAML reads what we build from."""
        manifest = self._manifest("inline", inline_manifest(files))
        code = "import sys, yaml; yaml.load(open(sys.argv[1]), yaml.CSafeLoader)"
        return Command("PyYAML", [sys.executable, "-c", code, manifest])

    def wimlib_apply(self, tree: Path) -> Command:
        """The tree from an archive without compression onto a volume of mkntfs."""
        archive = self.folder / f"{tree.name}.wim"
        if not archive.exists() and shutil.which("wimlib-imagex"):
            self._run("wimlib-imagex", "capture", tree, archive, "--compress=none")
        argv = ["wimlib-imagex", "apply", archive, "1", self.image]
        return Command("wimlib", argv, self._formatted(self._room_for(tree)), ("wimlib-imagex", "mkntfs"))

    def wimlib_capture(self) -> Command:
        """The volume into an archive without compression."""
        archive = self.folder / "captured.wim"
        argv = ["wimlib-imagex", "capture", self._volume("tree"), archive, "--compress=none"]
        return Command("wimlib", argv, self._gone(archive), ("wimlib-imagex",))

    def tar(self, tree: Path) -> Command:
        """The tree into an archive.  (To /dev/null it would not read the files.)"""
        return Command("GNU tar", ["tar", "cf", self.image, tree], self._gone(self.image), ("tar",))

    def cp(self, tree: Path) -> Command:
        """The tree into another directory."""
        copy = self.folder / "copy"
        return Command("cp", ["cp", "-r", tree, copy], self._gone(copy), ("cp",))

    def mke2fs(self, tree: Path) -> Command:
        """The tree into an ext4 volume."""
        size, inodes = self._room_for(tree), str(self.files * 3 // 2 + 1000)
        argv = ["mke2fs", "-q", "-F", "-t", "ext4", "-N", inodes, "-d", tree, self.image, f"{size // KIB}k"]
        return Command("mke2fs", argv, self._gone(self.image), ("mke2fs",))

    def mkntfs(self, size_bytes: int) -> Command:
        """A quick format."""
        argv = ["mkntfs", "-Q", "-F", "-q", self.image]
        return Command("mkntfs", argv, lambda: self._empty(size_bytes), ("mkntfs",))

    def ntfs_3g(self, tree: Path) -> Command:
        """The tree copied through FUSE onto a volume of mkntfs."""
        prepare = self._formatted(self._room_for(tree))
        return Command("ntfs-3g", self._through_fuse(f"cp -a '{tree}/.'"), prepare, ("ntfs-3g", "mkntfs"))

    def _through_fuse(self, copy: str, options: str = "") -> list[str]:
        """The driver stays a child, so that its time counts."""
        script = (
            f"ntfs-3g -o no_detach{options} '{self.image}' '{self.mounted}' & "
            f"while ! mountpoint -q '{self.mounted}'; do sleep 0.01; done; "
            f"{copy} '{self.mounted}/'; umount '{self.mounted}'; wait"
        )
        return ["sh", "-c", script]

    def ntfs_3g_compressing(self, size_bytes: int) -> Command:
        """A file copied into a directory that is compressed."""
        make_mixed_file(self.folder / "mixed")
        formatted = self._formatted(size_bytes)

        def prepare() -> None:
            formatted()
            self._run("ntfs-3g", self.image, self.mounted)
            os.setxattr(self.mounted, "system.ntfs_attrib", b"\0\x08\0\0")
            self._run("umount", self.mounted)

        copy = self._through_fuse(f"cp '{self.folder}/mixed/mixed.bin'", ",compression")
        return Command("ntfs-3g", copy, prepare, ("ntfs-3g", "mkntfs"))

    def seven_zip(self) -> Command:
        """All files out of the volume."""
        out, program = self.folder / "out", shutil.which("7zz") or "7z"
        argv = [program, "x", "-y", f"-o{out}", "-bd", self._volume("tree")]
        return Command("7-Zip", argv, self._gone(out), (program,), (0, 1, 2))

    def fls(self) -> Command:
        """All names of the volume."""
        return Command("fls", ["fls", "-r", "-p", self._volume("tree")], needs=("fls",))

    def ntfscp(self) -> Command:
        """One small file more on a large volume."""
        volume, content = self._crowded("ntfscp"), self.folder / "content"
        content.write_text("hello\n")
        counter = self.folder / "counter"
        script = f"ntfscp -q '{volume}' '{content}' /dir00001/more$(cat '{counter}').txt"

        def prepare() -> None:
            self._next()

        return Command("ntfscp", ["sh", "-c", script], prepare, ("ntfscp",))
