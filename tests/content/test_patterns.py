"""The patterns of include and exclude, held against git's own reading of them."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from ntfsbuild.content.patterns import Patterns
from ntfsbuild.errors import ManifestError

PATTERNS = [
    "*.tmp", "a.txt", "/a.txt", "docs/*.md", "docs/", "/docs/", "**/x.c", "src/**/x.c", "src/**", "sub/**/",
    "?.c", "[ab].c", "[!ab].c", "[a-c]?.h", "[]a].c", "[^a].c", r"\*.c", "a*b*c", "*", "**", "x[0-9]",
    "sub/x.c", "d*/", ".*", "[[].c", "a/**/b",
    "*a*a*b", "**/sub/**/*.c", "a**b*", "*/**/x.c", "**/**/b", "*?*c", "src/**/two/**",
    "**/d*p/**/*b*/**/x.c",
]  # fmt: skip
FILES = [
    "a.txt", "sub/a.txt", "x.tmp", "sub/deep/y.tmp", "docs/r.md", "docs/sub/r.md", "sub/docs/r.md", "x.c",
    "src/x.c", "src/one/x.c", "src/one/two/x.c", "a.c", "b.c", "c.c", "].c", "*.c", "[.c", "aa.h", "dz.h",
    "abc", "aXbYc", "x1", "xx", ".hidden", "sub/x.c", "deep/sub/x.c", "a/b", "a/m/b", "a/m/n/b", "ünï/äö.c",
    "aab", "abab", "aaxb", "sub/deep/q/sub/z.c", "deep/sub/b/sub/x.c", "dip/one/abc/two/x.c", "src/two/y",
]  # fmt: skip


def excluded(patterns: Patterns, path: str) -> bool:
    """Whether the file or a directory above it matches, as a scan finds it."""
    *parents, name = path.split("/")
    above = ""
    for parent in parents:
        if patterns.match_directory(above, parent):
            return True
        above += parent + "/"
    return patterns.match_file(above, name)


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_mean_what_git_takes_them_for(tmp_path: Path, pattern: str) -> None:
    for file in FILES:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / ".git/info/exclude").write_text(pattern + "\n")
    output = subprocess.run(
        ["git", "-c", "core.quotepath=false", "-C", tmp_path, "check-ignore", "-z", "--stdin"],
        input="\0".join(FILES), capture_output=True, text=True, check=False,
    )  # fmt: skip

    ours = [file for file in FILES if excluded(Patterns([pattern]), file)]

    assert ours == [file for file in output.stdout.split("\0") if file]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("!a", "cannot be negated"),
        ("/", "it names nothing"),
        ("", "it names nothing"),
        ("a[b", "without its ]"),
        ("[z-a]", "not a pattern"),
    ],
)
def test_bad_patterns_are_refused(pattern: str, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        Patterns([pattern])


@pytest.mark.parametrize(
    ("pattern", "unit"),
    [
        ("*a" * 100 + "b", "a"),
        ("?*" * 200 + "b", "a"),
        ("[ab]*" * 100 + "c", "ab"),
        ("**/" * 150 + "b", "a/"),
        ("**/a/" * 100 + "b", "a/"),
        ("a/**/*a*a/" * 50 + "b", "aaaa/"),
        ("*a*/**/" * 50 + "*a*b", "aaaa/"),
    ],
)
def test_no_pattern_takes_long(pattern: str, unit: str) -> None:
    above, _, name = (unit * (4000 // len(unit)) + "a").rpartition("/")
    pattern = "/" + pattern if "/" in pattern else pattern
    patterns = Patterns([pattern])
    begin = time.process_time()
    assert not patterns.match_file(above and above + "/", name)
    assert time.process_time() - begin < 5


def test_patterns_have_limits() -> None:
    with pytest.raises(ManifestError, match="a pattern of 1001 characters: at most 1000 are allowed"):
        Patterns(["a" * 1001])
    with pytest.raises(ManifestError, match="1001 patterns: at most 1000 are allowed"):
        Patterns(["a"] * 1001)
