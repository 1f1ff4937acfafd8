"""Reads one value at a time; whatever is wrong becomes a problem at the value's place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from ntfsbuild.errors import Problem
from ntfsbuild.manifest.node import Node, step_path
from ntfsbuild.manifest.schema import StructureCheck
from ntfsbuild.manifest.source import Document

Value = TypeVar("Value")


class Values:
    """The document being read, and all that was found wrong with it."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems = list(document.problems)
        self._structure = StructureCheck(document)
        self._broken: dict[int, set[str | None]] = {}

    def sound(self, definition: str, node: Node) -> bool:
        """Whether a node is a `definition` of the schema, apart from what is under single keys.

        Those keys are problems; for `has` and `read` they do not exist, and reading goes on.
        """
        faults = self._structure.faults(definition, node)
        if not faults:
            return True
        self.problems.extend(fault.problem for fault in faults)
        self._broken[node.at] = {fault.key for fault in faults}
        return None not in self._broken[node.at]

    def has(self, node: Node, key: str) -> bool:
        """Whether a mapping has a key whose structure is sound."""
        return key in node.data and key not in self._broken.get(node.at, ())

    def say(self, node: Node, message: str) -> None:
        """Note a problem with a node."""
        self.problems.append(Problem(self.document.mark(node.at), node.path, message))

    def child(self, node: Node, *steps: str | int) -> Node:
        """The node to which `steps` lead."""
        data, index = self.document.find(node.data, node.at, steps)
        return Node(data, index, step_path(node.path, steps))

    def items(self, node: Node) -> Iterator[Node]:
        """The items of a list, in order."""
        index = node.at + 2
        for number, value in enumerate(node.data):
            yield Node(value, index, f"{node.path}[{number}]")
            index += self.document.width(value, index)

    def read(self, node: Node, key: str, parse: Callable[[Any], Value]) -> Value | None:
        """What `parse` makes of the value under `key`; None if it is absent, or refused (a problem)."""
        if not self.has(node, key):
            return None
        try:
            return parse(node.data[key])
        except ValueError as error:
            self.say(self.child(node, key), str(error))
            return None
