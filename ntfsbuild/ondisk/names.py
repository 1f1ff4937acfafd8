"""Names: allowed by NTFS, allowed by Win32, equal without case.  specs/ondisk/names.md"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ntfsbuild.ondisk import upcase

MAX_NAME_UNITS = 255
MAX_PATH_UNITS = 32767

# NTFS's own files, all in the root: no user's file can have such a name there, in whatever case.
SYSTEM_NAMES = (
    "$MFT",
    "$MFTMirr",
    "$LogFile",
    "$Volume",
    "$AttrDef",
    "$Bitmap",
    "$Boot",
    "$BadClus",
    "$Secure",
    "$UpCase",
    "$Extend",
)

_ILLEGAL = '\x00-\x1f"*/:<>?\\\\|'
_DEVICES = "CON|PRN|AUX|NUL|CONIN\\$|CONOUT\\$|COM[0-9¹²³]|LPT[0-9¹²³]"

_illegal_character = re.compile(f"[{_ILLEGAL}]")
_device_name = re.compile(f"(?:{_DEVICES})(?: *\\..*| *)", re.IGNORECASE | re.DOTALL)
_surrogate = re.compile("[\ud800-\udfff]")

# Searched for in all names of a directory, each with `/` before it: where neither is found, all are legal.
_ILLEGAL_BYTES = bytes(range(0x20)) + b'"*:<>?|\\'
_suspicious_name = re.compile(f"/(?=[CPANL])(?:{_DEVICES})[ .]*(?:[/.]|$)", re.IGNORECASE)


def units(name: str) -> int:
    """The length of a name in UTF-16 code units."""
    return len(name) if name.isascii() else len(name.encode("utf-16-le", "surrogatepass")) // 2


def what_is_wrong(name: str, *, posix: bool) -> str | None:
    """Why a name is not allowed, as a message; None if it is."""
    if not name:
        return "a name cannot be empty"
    if name in (".", ".."):
        return f"{name!r} is not a name"
    if "\0" in name or "/" in name:
        return "a name cannot hold NUL or '/'"
    if units(name) > MAX_NAME_UNITS:
        return f"the name has {units(name)} UTF-16 units, {MAX_NAME_UNITS} are allowed"
    return None if posix else _what_win32_refuses(name)


def _what_win32_refuses(name: str) -> str | None:
    hint = "; `names: posix` allows it"
    if found := _surrogate.search(name):
        return f"U+{ord(found[0]):04X} is half a surrogate pair, which is not a character" + hint
    if found := _illegal_character.search(name):
        shown = found[0] if found[0].isprintable() else f"U+{ord(found[0]):04X}"
        return f"Windows allows no {shown} in names" + hint
    if name[-1] in ". ":
        return f"Windows allows no name that ends in a {'dot' if name[-1] == '.' else 'space'}" + hint
    if _device_name.fullmatch(name):
        return "Windows reserves this name for a device" + hint
    return None


def what_is_wrong_with_stream(name: str) -> str | None:
    """Why no alternate data stream can have this name, in words that follow the name; None if one can."""
    if not name:
        return "it is empty"
    for character, shown in (("/", "/"), (":", ":"), ("\0", "\\u0000")):
        if character in name:
            return f'it holds "{shown}"'
    if units(name) > MAX_NAME_UNITS:
        return f"it has {units(name)} UTF-16 units, at most {MAX_NAME_UNITS} are allowed"
    return None


def all_legal(names: Sequence[str], *, posix: bool) -> bool:
    """Whether every name of a directory is allowed: a quick check of all names together, exact only if True.

    False means that `what_is_wrong` should be asked of each.
    """
    if not names:
        return True
    joined = "/" + "/".join(names)
    if joined.count("/") != len(names) or not all(names):
        return False
    if max(map(len if joined.isascii() else units, names)) > MAX_NAME_UNITS:
        return False
    if posix:
        return not ("\0" in joined or "." in names or ".." in names)
    try:
        raw = joined.encode()
    except UnicodeEncodeError:  # Half a surrogate pair.
        return False
    if b"./" in raw or b" /" in raw or raw.endswith((b".", b" ")):
        return False
    return len(raw.translate(None, _ILLEGAL_BYTES)) == len(raw) and not _suspicious_name.search(joined)


def folded(names: Sequence[str]) -> list[str]:
    """The names in upper case by $UpCase: names that are then equal are the same name for Windows."""
    return upcase.upper("/".join(names)).split("/") if names else []
