"""Values and names in messages."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

_LENGTH_MAX = 60


def quoted(text: str) -> str:
    """Text in double quotes, escaped as in YAML and JSON, and shortened if it is long."""
    cut = text if len(text) <= _LENGTH_MAX else text[: _LENGTH_MAX - 1] + "…"
    return json.dumps(cut, ensure_ascii=not cut.isprintable())


def shown(value: Any) -> str:
    """A value of a manifest as the user wrote it; of a mapping or list only its type."""
    match value:
        case str():
            return quoted(value)
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case None:
            return "nothing"
        case _:
            return json.dumps(value)


def listed(words: Iterable[str]) -> str:
    """Words as an enumeration: `a, b or c`."""
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


def nearest(word: str, known: Iterable[str], likeness: float = 0.6) -> str | None:
    """The known word that is most similar to `word`."""
    import difflib  # Imported late: only errors need it.

    near = difflib.get_close_matches(word[:_LENGTH_MAX].lower(), known, n=1, cutoff=likeness)
    return near[0] if near else None
