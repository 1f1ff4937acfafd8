r"""The patterns of `include` and `exclude`, turned into regular expressions.

Their syntax is that of a .gitignore, without negation; case matters:

    *       any characters but /            ?       one character but /
    [a-z]   one of these, [!a-z] none of these          \*      the character itself
    **/     any number of directories, also none        /**     everything below

    *.tmp       a name, at any depth            build/      a directory's name, at any depth
    /a.txt      the path from the source's root docs/*.md   so is everything with a / before its end

Matching takes time in proportion to the lengths of the name and of the pattern.  The text between two `*` (or
two `**/`) has a fixed length, so the first place where it matches is as good as any later one; an atomic
group keeps the regular expression from trying later ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from ntfsbuild.errors import ManifestError

PATTERNS_MAX: Final = 1000  # Each name is compared with each.
PATTERN_LENGTH_MAX: Final = 1000


class Patterns:
    """Several patterns as one; each entry is matched at most twice, by name and by path."""

    __slots__ = ("_directory_names", "_directory_paths", "_file_names", "_file_paths")

    def __init__(self, patterns: Iterable[str]) -> None:
        compiled = [_translated(pattern) for pattern in patterns]
        if len(compiled) > PATTERNS_MAX:
            raise ManifestError(f"{len(compiled)} patterns: at most {PATTERNS_MAX} are allowed")
        for_files = [each for each in compiled if not each[2]]
        self._directory_names = _one_of(regex for regex, rooted, _ in compiled if not rooted)
        self._directory_paths = _one_of(regex for regex, rooted, _ in compiled if rooted)
        self._file_names = _one_of(regex for regex, rooted, _ in for_files if not rooted)
        self._file_paths = _one_of(regex for regex, rooted, _ in for_files if rooted)

    def match_file(self, parent: str, name: str) -> bool:
        """Whether a file matches; `parent` is "" or ends in a slash."""
        names, paths = self._file_names, self._file_paths
        return (names is not None and names.fullmatch(name) is not None) or (
            paths is not None and paths.fullmatch(parent + name) is not None
        )

    def match_directory(self, parent: str, name: str) -> bool:
        """Whether a directory matches; `parent` is "" or ends in a slash."""
        names, paths = self._directory_names, self._directory_paths
        return (names is not None and names.fullmatch(name) is not None) or (
            paths is not None and paths.fullmatch(parent + name) is not None
        )


def _one_of(regexes: Iterable[str]) -> re.Pattern[str] | None:
    alternatives = "|".join(regexes)
    return re.compile(alternatives, re.DOTALL) if alternatives else None


def _translated(pattern: str) -> tuple[str, bool, bool]:
    """The regular expression, whether it is for the path from the root, and for directories only."""
    if len(pattern) > PATTERN_LENGTH_MAX:
        raise ManifestError(
            f"a pattern of {len(pattern)} characters: at most {PATTERN_LENGTH_MAX} are allowed"
        )
    if pattern.startswith("!"):
        raise ManifestError(f'"{pattern}": a pattern cannot be negated (write \\! for the character)')
    directories_only = pattern.endswith("/")
    body = pattern.rstrip("/") if directories_only else pattern
    rooted = "/" in body
    body = body.removeprefix("/")
    if not body:
        raise ManifestError(f'"{pattern}" is not a pattern: it names nothing')
    *parts, last = body.split("/")
    runs = [""]  # Whole parts, with a slash after each; between two runs there was a `**/`.
    for part in parts:
        if part != "**":
            runs[-1] += _part(part, pattern) + "/"
        elif len(runs) == 1 or runs[-1]:  # Two in a row are one.
            runs.append("")
    runs[-1] += ".+" if last == "**" else _part(last, pattern)
    regex = _joined(runs, "(?:[^/]+/)")
    try:
        re.compile(regex)
    except re.error as failure:
        raise ManifestError(f'"{pattern}" is not a pattern: {failure.msg}') from None
    return regex, rooted, directories_only


def _joined(runs: list[str], any_of: str) -> str:
    """Runs with any number of something between them: at the first place where each is found."""
    if len(runs) == 1:
        return runs[0]
    first, *between, last = runs
    return first + "".join(f"(?>{any_of}*?{run})" for run in between) + f"{any_of}*{last}"


def _part(part: str, pattern: str) -> str:
    runs, at = [""], 0  # Between two runs there was a `*`.
    while at < len(part):
        character = part[at]
        at += 1
        if character == "*":
            if len(runs) == 1 or runs[-1]:  # Two in a row are one.
                runs.append("")
        elif character == "?":
            runs[-1] += "[^/]"
        elif character == "[":
            one, at = _one_character(part, at, pattern)
            runs[-1] += one
        elif character == "\\" and at < len(part):
            runs[-1] += re.escape(part[at])
            at += 1
        else:
            runs[-1] += re.escape(character)
    return _joined(runs, "[^/]")


def _one_character(part: str, at: int, pattern: str) -> tuple[str, int]:
    """A bracket expression whose [ was read; a ] that comes first stands for itself."""
    negated = part[at : at + 1] in ("!", "^")
    begin = at + negated
    end = part.find("]", begin + 1)
    if end < 0:
        raise ManifestError(f'"{pattern}" is not a pattern: a [ without its ]')
    inside = re.sub(r"[\\\[\]&~|^]", r"\\\g<0>", part[begin:end])
    return (f"[^/{inside}]" if negated else f"(?!/)[{inside}]"), end + 1
