"""Reads YAML into plain data with a position for every node; the only module that imports yaml.

The parser's events become dicts, lists and JSON's scalars.  No types are guessed: `no`, `True`, `+5`, `0x10`
and `2024-01-01` are text, and so is every key.  Surprising features (duplicate keys, tags, merge keys, a
second document, many aliases) are refused.
"""

from __future__ import annotations

import importlib
import re
from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NoReturn, TypeAlias

import yaml
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from ntfsbuild.errors import (
    COLUMN_BITS,
    COLUMN_MAX,
    ManifestError,
    Mark,
    Problem,
    pack_position,
    unpack_position,
)
from ntfsbuild.manifest.words import quoted
from ntfsbuild.manifest.yaml_faults import explained, lines_of
from ntfsbuild.named_tuple import NamedTuple

CParser: Any
try:
    CParser = importlib.import_module("yaml.cyaml").CParser
except ImportError:  # PyYAML without libyaml: the same events, many times slower.
    CParser = None

Data: TypeAlias = dict[str, Any] | list[Any] | str | int | float | bool | None

DEPTH_MAX: Final = 1000
ALIASES_MAX: Final = 1000
ALIAS_WEIGHT_MAX: Final = 4 << 20  # Nodes and characters that all aliases together may repeat.
NUMBER_LENGTH_MAX: Final = 40  # Python itself gives up at 4300 digits, with an error of its own.

_TOO_DEEP = f"nested more than {DEPTH_MAX} deep (a key may be a whole path: a/b/c)"
_CONSTANTS: dict[str, bool | None] = {"": None, "~": None, "null": None, "true": True, "false": False}
_LEADS = frozenset(["", *"-0123456789tfn~"])  # How a plain scalar begins that is not text.
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_NOT_YAML = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_OLD_LINE_BREAKS = {"\x85": "\\N", "\u2028": "\\L", "\u2029": "\\P"}


class Document(NamedTuple):
    """A manifest as data.  `positions` has a packed position for every node, in document order.

    A key or scalar takes one element; a container takes two, its position and the number of elements
    of its whole subtree, and its children follow.  Who walks `data` in order carries an index along
    and never searches.  An alias repeats the positions of what it stands for.
    """

    file: str
    data: Data
    positions: array[int]
    problems: list[Problem]
    size_bytes: int

    def mark(self, index: int) -> Mark:
        """The place of the node at `index`."""
        return self.mark_of(self.positions[index])

    def mark_of(self, position: int) -> Mark:
        """The place that a packed position means."""
        return Mark(self.file, *unpack_position(position))

    def width(self, node: Data, index: int) -> int:
        """How many elements of `positions` the node at `index` takes."""
        return self.positions[index + 1] if isinstance(node, (dict, list)) else 1

    def find(self, node: Data, index: int, steps: Sequence[str | int]) -> tuple[Any, int]:
        """The node, and its index, to which `steps` lead from `node`, which lies at `index`."""
        for step in steps:
            if isinstance(node, dict):
                assert isinstance(step, str)
                index = self.find_key(node, index, step) + 1
                node = node[step]
            else:
                assert isinstance(node, list) and isinstance(step, int)
                index += 2
                for value in node[:step]:
                    index += self.width(value, index)
                node = node[step]
        return node, index

    def find_key(self, node: dict[str, Any], index: int, key: str) -> int:
        """The index of a key of the mapping `node`, which lies at `index`."""
        index += 2
        for name, value in node.items():
            if name == key:
                return index
            index += 1 + self.width(value, index + 1)
        raise AssertionError(f"no key {key!r} here")


def read_document(source: bytes, file: str, words: Mapping[str, str] | None = None) -> Document:
    """Parse one YAML document; equal keys and plain scalars among `words` become one object.

    Errors that break the structure are raised; all others are in `problems`.
    """
    _check_characters(source, file)
    composer = _Composer(file, words or {})
    try:
        composer.run(CParser(source).get_event if CParser else _pure_events(source.decode("utf-8-sig")))
    except yaml.reader.ReaderError:
        text = source.decode("utf-8-sig")
        match = _NOT_YAML.search(text)
        assert match
        _fail(file, text[: match.start()], f"the character U+{ord(match[0]):04X} is not allowed in YAML")
    except yaml.MarkedYAMLError as error:
        raise ManifestError([*composer.problems, _fault(error, file, source)]) from None
    if not composer.root:
        raise ManifestError([*composer.problems, Problem(Mark(file, 1, 1), "", "the manifest is empty")])
    return Document(file, composer.root[0], composer.positions, composer.problems, len(source))


class _Composer:
    """Builds the data from events, without recursion."""

    def __init__(self, file: str, words: Mapping[str, str]) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.positions: array[int] = array("q")
        self.root: list[Data] = []
        self._words = words
        self._anchors: dict[str, tuple[Data, int]] = {}
        self._aliases = 0
        self._alias_weight = 0

    def run(self, next_event: Callable[[], Any]) -> None:
        """Consume all events.  One loop, because a function call per node would double its cost."""
        word = self._words.get
        positions = self.positions
        append = positions.append
        stack: list[tuple[Any, int]] = []
        node: Any = self.root
        start, is_mapping = 0, False
        key: str | None = None
        while True:
            event = next_event()
            kind = type(event)
            if kind is ScalarEvent:
                mark = event.start_mark
                column = mark.column + 1
                position = mark.line + 1 << COLUMN_BITS | (column if column < COLUMN_MAX else COLUMN_MAX)
                value = event.value
                if is_mapping and key is None:
                    odd = value in node or value == "<<" or event.tag is not None or event.anchor is not None
                    if odd and self._refuse_key(event, node):
                        self._skip(next_event, next_event())
                        continue
                    key = word(value, value)
                    append(position)
                    continue
                if not event.style:
                    value = self._resolve(value, mark) if value[:1] in _LEADS else word(value, value)
                if event.anchor is not None or event.tag is not None:
                    self._note(event, value)
                append(position)
                if is_mapping:
                    node[key] = value
                    key = None
                else:
                    node.append(value)
            elif kind is MappingStartEvent or kind is SequenceStartEvent or kind is AliasEvent:
                if is_mapping and key is None:
                    self._say(event, "a key must be text")
                    self._skip(next_event, event)
                    self._skip(next_event, next_event())
                    continue
                child = self._alias(event) if kind is AliasEvent else {} if kind is MappingStartEvent else []
                if is_mapping:
                    node[key] = child
                else:
                    node.append(child)
                key = None
                if kind is AliasEvent:
                    continue
                if event.anchor is not None or event.tag is not None:
                    self._note(event, child)
                stack.append((node, start))
                if len(stack) > DEPTH_MAX:
                    self._stop(event, _TOO_DEEP)
                mark = event.start_mark
                node, start, is_mapping = child, len(positions), kind is MappingStartEvent
                append(pack_position(mark.line + 1, mark.column + 1))
                append(0)
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                positions[start + 1] = len(positions) - start
                node, start = stack.pop()
                is_mapping = type(node) is dict
            elif kind is DocumentStartEvent and self.root:
                self._stop(event, "a second document: a manifest is one")
            elif kind is StreamEndEvent:
                return

    def _resolve(self, value: str, mark: Any) -> Data:
        """The value of a plain scalar: as in JSON; `~` and an empty one are null; all else is text."""
        if value in _CONSTANTS:
            return _CONSTANTS[value]
        integer = _INTEGER.fullmatch(value)
        if not integer and not _FLOAT.fullmatch(value):
            return self._words.get(value, value)
        if len(value) > NUMBER_LENGTH_MAX:
            message = f"a number of {len(value)} characters: quote it if it is text"
            self.problems.append(Problem(_mark(self.file, mark), "", message))
            return value
        if integer:
            return int(value)
        number = float(value)
        return number if abs(number) != float("inf") else value

    def _refuse_key(self, event: ScalarEvent, node: dict[str, Data]) -> bool:
        """Look closer at a key; True (and a problem) when it cannot be one."""
        if event.value == "<<" and not event.style:
            self._say(event, "merge keys (<<) are not part of the language")
            return True
        if event.value in node:
            self._say(event, f"the key {quoted(event.value)} is there twice")
            return True
        if event.tag is not None:
            self._refuse_tag(event)
        if event.anchor is not None:
            self._anchors[event.anchor] = (event.value, len(self.positions))
        return False

    def _note(self, event: Any, value: Data) -> None:
        """Remember the anchor of a value about to be placed; refuse its tag."""
        if event.tag is not None:
            self._refuse_tag(event)
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, len(self.positions))

    def _alias(self, event: AliasEvent) -> Data:
        """What an alias stands for; its positions are repeated."""
        value, start = self._anchors.get(event.anchor or "", (None, -1))
        is_container = isinstance(value, (dict, list))
        if start < 0 or (is_container and not self.positions[start + 1]):
            where = "before it" if start < 0 else "outside of it"
            self._say(event, f"the alias *{event.anchor} has no anchor &{event.anchor} {where}")
            value, start, is_container = None, -1, False
        self._aliases += 1
        self._alias_weight += _weight(value, ALIAS_WEIGHT_MAX)
        if self._aliases > ALIASES_MAX:
            self._stop(event, f"more than {ALIASES_MAX} aliases")
        if self._alias_weight > ALIAS_WEIGHT_MAX:
            self._stop(event, f"the aliases stand for more than {ALIAS_WEIGHT_MAX} nodes and characters")
        if is_container:
            self.positions.extend(self.positions[start : start + self.positions[start + 1]])
        else:
            mark = _mark(self.file, event.start_mark)
            self.positions.append(pack_position(mark.line, mark.column))
        return value

    def _skip(self, next_event: Callable[[], Event], event: Event) -> None:
        """Pass over one node, of which `event` is the first."""
        depth = 0
        while True:
            depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
            if depth == 0:
                return
            event = next_event()

    def _refuse_tag(self, event: Any) -> None:
        tag = event.tag.replace("tag:yaml.org,2002:", "!!")
        self._say(event, f"tags ({tag}) are not part of the language")

    def _say(self, event: Event, message: str) -> None:
        self.problems.append(Problem(_mark(self.file, event.start_mark), "", message))

    def _stop(self, event: Event, message: str) -> NoReturn:
        self._say(event, message)
        raise ManifestError(self.problems)


def _weight(value: Data, limit: int) -> int:
    """The number of nodes and characters in `value`; counting stops a little beyond `limit`."""
    weight, rest = 0, [value]
    while rest and weight <= limit:
        node = rest.pop()
        weight += 1
        if isinstance(node, str):
            weight += len(node)
        elif isinstance(node, list):
            rest.extend(node)
        elif isinstance(node, dict):
            rest.extend(node)
            rest.extend(node.values())
    return weight


def _check_characters(source: bytes, file: str) -> None:
    """Refuse bytes that are not UTF-8, and characters that YAML makes line breaks."""
    try:
        text = source.decode().removeprefix("\ufeff")  # "utf-8-sig" counts errors from behind the mark.
    except UnicodeDecodeError as error:
        before = source[: error.start].decode().removeprefix("\ufeff")
        if source[:2] in (b"\xff\xfe", b"\xfe\xff"):
            _fail(file, before, "UTF-16 text, not UTF-8: save the file as UTF-8")
        advice = "this is not text" if b"\0" in source else "save the file as UTF-8"
        _fail(file, before, f"not UTF-8: the byte 0x{source[error.start]:02X}; {advice}")
    if not text.isascii():
        for character, escape in _OLD_LINE_BREAKS.items():
            at = text.find(character)
            if at >= 0:
                name = f"U+{ord(character):04X}"
                _fail(file, text[:at], f'the character {name} breaks lines in YAML: write "{escape}"')


def _pure_events(text: str) -> Callable[[], Event]:
    """The events of PyYAML's own parser, which lets some escapes through that libyaml refuses."""
    parser = yaml.SafeLoader(text)

    def next_event() -> Event:
        try:
            event: Event = parser.get_event()  # type: ignore[no-untyped-call]
            if type(event) is ScalarEvent:
                event.value.encode()
        except (ValueError, OverflowError):
            reason = "found invalid Unicode character escape code"
            raise yaml.MarkedYAMLError(None, None, reason, parser.get_mark()) from None
        return event

    return next_event


def _fault(error: yaml.MarkedYAMLError, file: str, source: bytes) -> Problem:
    """What is not YAML, and where."""
    problem, mark = error.problem or "it ends too early", error.problem_mark or error.context_mark
    if problem == "exceeded maximum nesting depth":  # Some builds of libyaml are the first to stop.
        return Problem(_mark(file, mark), "", _TOO_DEEP)
    line, column = (mark.line, mark.column) if mark else (0, 0)
    line, column, message = explained(problem, error.context or "", line, column, source.decode("utf-8-sig"))
    return Problem(Mark(file, line + 1, column + 1), "", message)


def _mark(file: str, mark: Any) -> Mark:
    return Mark(file, mark.line + 1, mark.column + 1) if mark else Mark(file, 1, 1)


def _fail(file: str, before: str, message: str) -> NoReturn:
    """Raise a problem at the end of the text `before`."""
    lines = lines_of(before)
    raise ManifestError([Problem(Mark(file, len(lines), len(lines[-1]) + 1), "", message)])
