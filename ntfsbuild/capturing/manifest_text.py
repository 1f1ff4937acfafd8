"""Values of a captured manifest as text: JSON, which is also YAML, except for what YAML cannot read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

# Characters that YAML does not allow unescaped, or reads as line ends or as a byte order mark.
_NOT_RAW = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
# YAML requires "? " before a key of more than 1,024 characters.
_LONGEST_KEY = 1000
_json = json.JSONEncoder(ensure_ascii=False).encode


def text_of(value: Any) -> str:
    """A value as text, on one line."""
    text = _escaped(_json(value))
    if len(text) > _LONGEST_KEY and isinstance(value, Mapping):  # One of its keys may need "? ".
        return "{" + ", ".join(f"{_key(key)}: {text_of(one)}" for key, one in value.items()) + "}"
    return text


def entry_text(key: str, value: Any) -> str:
    """A key of a mapping and its value, as one line; two lines if the key is long."""
    shown = "null" if value is None else text_of(value)
    name = _key(key)
    return f"  {name}\n  : {shown}\n" if name.startswith("?") else f"  {name}: {shown}\n"


def key_of_entry(line: str) -> str | None:
    """The key that a line of `entry_text` begins with; None for its second line."""
    text = line[2:].removeprefix("? ")
    if not text.startswith('"'):
        return None
    key: str = json.JSONDecoder().raw_decode(text)[0]
    return key


def _key(key: str) -> str:
    text = _escaped(_json(key))
    return text if len(text) <= _LONGEST_KEY else f"? {text}"


def _escaped(text: str) -> str:
    if text.isascii() and "\x7f" not in text:
        return text
    return _NOT_RAW.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
