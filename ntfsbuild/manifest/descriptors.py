"""Security descriptors: in SDDL, by name, or as bytes."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from ntfsbuild.manifest.file_content import parse_base64, parse_hex
from ntfsbuild.manifest.node import Node
from ntfsbuild.manifest.values import PROBLEMS_MAX, Values
from ntfsbuild.manifest.words import nearest, quoted, shown
from ntfsbuild.ondisk.security_templates import TEMPLATES

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")  # Never SDDL, which has a colon.


class Descriptors:
    """The descriptors that a manifest can name: those of its section, and the built-in ones."""

    def __init__(self, values: Values, section: Node | None) -> None:
        self._values = values
        self._named: dict[str, bytes | None] = {}
        for name, node in values.entries(section) if section else ():
            if len(values.problems) >= PROBLEMS_MAX:
                break
            if not _NAME.fullmatch(name):
                values.say_of_key(node, f"{shown(name)} is not a name: letters, digits, _ . and - make one")
            # Known even when it is wrong: files that name it have no error.
            sound = isinstance(node.data, str) or values.check("security", node)
            self._named[name] = self._descriptor(node) if sound else None

    def read(self, node: Node, key: str) -> bytes | None:
        """The descriptor under a key."""
        return self._descriptor(self._values.child(node, key)) if self._values.has(node, key) else None

    def _descriptor(self, node: Node) -> bytes | None:
        values = self._values
        if isinstance(node.data, str):
            return self._named[node.data] if node.data in self._named else values.parse(node, self._parse)
        data = values.read(node, "hex", _sound(parse_hex))
        return values.read(node, "base64", _sound(parse_base64)) if data is None else data

    def _parse(self, text: str) -> bytes:
        if text in TEMPLATES:
            return _from_sddl(TEMPLATES[text])
        if not text.strip():
            raise ValueError(f"{shown(text)} is not a security descriptor: it is empty")
        if _NAME.fullmatch(text):
            near = nearest(text, [*self._named, *TEMPLATES])
            hint = f"did you mean {quoted(near)}?" if near else f"known are {', '.join(TEMPLATES)}"
            raise ValueError(f"{shown(text)} is not the name of a descriptor: {hint}")
        return _from_sddl(text)


@lru_cache(maxsize=1024)
def _from_sddl(text: str) -> bytes:
    from ntfsbuild.ondisk import sddl, security_inheritance  # Imported late: few manifests need it.

    return security_inheritance.asking(sddl.parse(text))


def _sound(parse: Callable[[str], bytes]) -> Callable[[str], bytes]:
    def parse_descriptor(text: str) -> bytes:
        from ntfsbuild.ondisk import security_descriptor

        data = parse(text)
        if problem := security_descriptor.what_is_wrong(data):
            raise ValueError(f"not a self-relative security descriptor: {problem}")
        return data

    return parse_descriptor
