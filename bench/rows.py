"""The rows of the table: what we do, which peer does the like, and how much of its time we may take."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from commands import Shop
from measuring import GIB, MIB, Command

SMALL_BYTES = 24


class Row(NamedTuple):
    """One row; `files` are those that our command handles, for the memory that each takes."""

    key: str
    work: str
    against: str
    reach: str
    commands: Callable[[Shop], list[Command]]  # Ours, then the peer's.
    files: int = 0


def of_trees(files: int) -> list[Row]:
    """Rows of `files` files of 0 to 20 kB."""
    many = f"{files:,} files of 0 to 20 kB"
    return [
        Row("build", f"build {many} from a directory", "wimlib-imagex apply", "≤ 0.6 ×",
            lambda shop: [shop.build(shop.tree), shop.wimlib_apply(shop.tree)], files),
        Row("build-tar", "the same", "GNU tar", "≤ 2.5 ×",
            lambda shop: [shop.build(shop.tree), shop.tar(shop.tree)], files),
        Row("build-ntfs-3g", "the same", "mkntfs, ntfs-3g, cp -a", "",
            lambda shop: [shop.build(shop.tree), shop.ntfs_3g(shop.tree)], files),
        Row("build-mke2fs", "the same", "mke2fs -d", "",
            lambda shop: [shop.build(shop.tree), shop.mke2fs(shop.tree)], files),
        Row("apply", "apply them to a volume of mkntfs", "our build", "≤ 1.5 ×",
            lambda shop: [shop.apply(shop.tree), shop.build(shop.tree)], files),
        Row("apply-small", f"the same with files of {SMALL_BYTES} bytes", "our build", "≤ 2 ×",
            lambda shop: [shop.apply(shop.small), shop.build(shop.small)], files),
        Row("apply-nothing", "apply where there is nothing to do", "our build", "≤ 2 ×",
            lambda shop: [shop.apply_again(shop.tree), shop.build(shop.tree)], files),
        Row("extract", "extract to a directory", "7-Zip x", "≤ 2 ×",
            lambda shop: [shop.extract(), shop.seven_zip()], files),
        Row("extract-tar", "extract to a tar archive", "our extract to a directory", "≤ 0.5 ×",
            lambda shop: [shop.extract("out.tar"), shop.extract()], files),
        Row("capture", "capture", "wimlib-imagex capture", "≤ 4 ×",
            lambda shop: [shop.capture(), shop.wimlib_capture()], files),
        Row("diff", "diff of two volumes, one file more", "our capture", "≤ 1 ×",
            lambda shop: [shop.diff(), shop.capture()], files),
        Row("tree", "tree --json", "fls -r -p", "≤ 3 ×",
            lambda shop: [shop.list_tree(), shop.fls()], files),
        Row("verify", "verify", "fls -r -p", "≤ 6 ×",
            lambda shop: [shop.verify(), shop.fls()], files),
    ]  # fmt: skip


def of_sizes(files: int) -> list[Row]:
    """Rows that show how time grows."""
    many, steps = files * 10, files // 10
    title = f"{many:,} files of 0 to 4 KiB"
    tenth = f"ten times {files:,} files"
    return [
        Row("million-build", f"build {title}", tenth, "≤ 1.1 ×",
            lambda shop: [shop.build(shop.million), shop.ten_times(shop.build(shop.tenth))], many),
        Row("million-verify", "verify them", tenth, "≤ 1.1 ×",
            lambda shop: [shop.verify("million"), shop.ten_times(shop.verify("tenth"))], many),
        Row("million-tree", "tree --json of them", tenth, "≤ 1.1 ×",
            lambda shop: [shop.list_tree("million"), shop.ten_times(shop.list_tree("tenth"))], many),
        Row("steps", f"{steps:,} steps", f"ten times {steps // 10:,} steps", "≤ 1.2 ×",
            lambda shop: [shop.build_steps(steps), shop.ten_times(shop.build_steps(steps // 10))], steps),
        Row("one-more", f"one file into a volume of {files * 5:,}", "ntfscp", "",
            lambda shop: [shop.apply_one_more(), shop.ntfscp()]),
    ]  # fmt: skip


def of_single_things(files: int) -> list[Row]:
    """Rows of one file, one manifest, one start."""
    return [
        Row("start", "build of specs/images/quickstart.yaml", "python -c pass", "≤ 6 ×",
            lambda shop: [shop.quickstart(), shop.python()]),
        Row("yaml", f"build {files:,} texts in YAML", "PyYAML's CSafeLoader", "",
            lambda shop: [shop.build_inline(files), shop.safe_loader(files)], files),
        Row("large", "build one file of 1 GiB", "cp", "",
            lambda shop: [shop.build(shop.large_file(GIB)), shop.cp(shop.large_file(GIB))]),
        Row("format", "format 1 TiB", "mkntfs -Q", "",
            lambda shop: [shop.format(1024 * GIB), shop.mkntfs(1024 * GIB)]),
        Row("lznt1", "compress 24 MiB of text and programs, extra `fast`, one job", "ntfs-3g", "≤ 1 ×",
            lambda shop: [shop.compress(fast=True), shop.ntfs_3g_compressing(64 * MIB)]),
        Row("lznt1-python", "the same without the extra", "ntfs-3g", "≤ 20 ×",
            lambda shop: [shop.compress(fast=False), shop.ntfs_3g_compressing(64 * MIB)]),
    ]  # fmt: skip


def all_rows(files: int) -> list[Row]:
    """Every row, for trees of so many files."""
    return [*of_trees(files), *of_sizes(files), *of_single_things(files)]
