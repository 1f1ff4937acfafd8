"""Our named tuples are those of `typing`, but for the time that it takes to define them."""

from __future__ import annotations

import copy
import pickle
import typing

import pytest

from ntfsbuild.named_tuple import NamedTuple


class Ours(NamedTuple):
    """Two fields with defaults."""

    a: int
    b: str
    c: int = 5
    d: tuple[int, ...] = ()

    @property
    def sum(self) -> int:
        return self.a + self.c


class Theirs(typing.NamedTuple):
    """Two fields with defaults."""

    a: int
    b: str
    c: int = 5
    d: tuple[int, ...] = ()

    @property
    def sum(self) -> int:
        return self.a + self.c


class Further(Ours):
    """A class below it."""


def test_they_do_what_those_of_typing_do() -> None:
    ours, theirs = Ours(1, "x", d=(2,)), Theirs(1, "x", d=(2,))
    assert ours == theirs == (1, "x", 5, (2,)) and hash(ours) == hash(theirs)
    assert repr(ours) == repr(theirs).replace("Theirs", "Ours")
    assert ours._replace(b="y", c=7) == theirs._replace(b="y", c=7)
    assert ours._asdict() == theirs._asdict()
    assert (ours.sum, ours.d) == (theirs.sum, theirs.d)
    assert Ours._make("abcd") == Theirs._make("abcd")
    assert isinstance(ours._replace(a=2), Ours)
    for name in ("_fields", "_field_defaults", "__doc__", "__match_args__"):
        assert getattr(Ours, name) == getattr(Theirs, name)
    assert typing.get_type_hints(Ours) == typing.get_type_hints(Theirs)


def test_they_can_be_copied_matched_and_sent_to_another_process() -> None:
    ours = Further(1, "x")
    found = pickle.loads(pickle.dumps(ours))
    assert type(found) is type(copy.copy(ours)) is Further and found == ours
    match found:
        case Ours(a, b):
            assert (a, b) == (1, "x")


def test_mistakes_are_noticed() -> None:
    for wrong in (lambda: Ours(1), lambda: Ours(1, "x", e=1), lambda: Ours._make("abc")):  # type: ignore
        with pytest.raises(TypeError):
            wrong()
    with pytest.raises(ValueError, match="no fields"):
        Ours(1, "x")._replace(e=1)  # type: ignore
    with pytest.raises(AttributeError):
        Ours(1, "x").a = 2  # type: ignore
    with pytest.raises(TypeError, match="without a default"):

        class Wrong(NamedTuple):
            a: int = 1
            b: int  # type: ignore
