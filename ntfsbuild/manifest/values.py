"""Reads one value at a time; an error becomes a problem at the value's position."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

from ntfsbuild.errors import Problem
from ntfsbuild.manifest.node import Node, step_path
from ntfsbuild.manifest.schema import StructureCheck
from ntfsbuild.manifest.source import Document

Value = TypeVar("Value")

PROBLEMS_MAX: Final = 1000  # More problems than this have one common cause.


class Values:
    """The document being read, and its problems.

    A value with a faulty structure does not exist for `has`, `read` and `items`: it is a problem
    already, and reading goes on with what is around it, so that one run shows everything.
    """

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems = list(document.problems)
        self._structure = StructureCheck(document)
        self._faulty: set[int] = set()  # Where faulty values lie.

    def check(self, definition: str, node: Node) -> bool:
        """Compare a node with a definition of the schema; False if nothing in it can be used."""
        faults = self._structure.faults(definition, node)
        if not faults:
            return True
        self.problems.extend(fault.problem for fault in faults)
        self._faulty.update(fault.at for fault in faults)
        return node.at not in self._faulty

    def say(self, node: Node, message: str) -> None:
        """Note a problem with a node."""
        self.problems.append(Problem(self.document.mark(node.at), node.path, message))

    def say_of_key(self, node: Node, message: str) -> None:
        """Note a problem with the key that a node is under."""
        self.say(node._replace(at=node.at - 1), message)

    def child(self, node: Node, key: str) -> Node:
        """The node under a key."""
        at = self.document.find_key(node.data, node.at, key) + 1
        return Node(node.data[key], at, step_path(node.path, [key]))

    def items(self, node: Node) -> Iterator[Node]:
        """The items of a list, in order."""
        at = node.at + 2
        for number, value in enumerate(node.data):
            if at not in self._faulty:
                yield Node(value, at, f"{node.path}[{number}]")
            at += self.document.width(value, at)

    def entries(self, node: Node) -> Iterator[tuple[str, Node]]:
        """The keys and values of a mapping, in order."""
        at = node.at + 2
        for key, value in node.data.items():
            at += 1
            if at not in self._faulty:
                yield key, Node(value, at, step_path(node.path, [key]))
            at += self.document.width(value, at)

    def has(self, node: Node, key: str) -> bool:
        """Whether a mapping has a value under `key`; there may be faults deeper in it."""
        if key not in node.data:
            return False
        return not self._faulty or self.child(node, key).at not in self._faulty

    def read(self, node: Node, key: str, parse: Callable[[Any], Value]) -> Value | None:
        """The parsed value under `key`; None if it is absent, or refused (a problem)."""
        if key not in node.data or (self._faulty and self._is_faulty_within(self.child(node, key))):
            return None
        try:
            return parse(node.data[key])
        except ValueError as error:
            self.say(self.child(node, key), str(error))
            return None

    def parse(self, node: Node, parse: Callable[[Any], Value]) -> Value | None:
        """The parsed value of a node of valid structure; None if it is refused (a problem)."""
        try:
            return parse(node.data)
        except ValueError as error:
            self.say(node, str(error))
            return None

    def _is_faulty_within(self, node: Node) -> bool:
        end = node.at + self.document.width(node.data, node.at)
        return not self._faulty.isdisjoint(range(node.at, end))
