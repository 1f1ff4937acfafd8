"""`NamedTuple`, like that of `typing`, but quick to define.

A command defines more than a hundred named tuples when it starts, and uses few of them.  `typing.NamedTuple`
compiles the annotation of each field and a constructor for each class, which took a tenth of the time that a
command needs to start.  Here annotations stay text, and the constructor of a class is compiled when its first
tuple is made.  A type checker sees `typing.NamedTuple`; `tests/test_named_tuple.py` compares the two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import NamedTuple as NamedTuple
else:
    from collections.abc import Iterable

    try:
        from _collections import _tuplegetter as _field
    except ImportError:  # A Python without its quick getter.
        from operator import itemgetter

        def _field(at: int, doc: str) -> property:
            return property(itemgetter(at), doc=doc)

    class _Maker(type):
        """Turns the body of a class into a class of tuples."""

        def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> type:
            if not bases:
                return super().__new__(cls, name, bases, body)
            fields = tuple(body.get("__annotations__", ()))
            defaults = {field: body.pop(field) for field in fields if field in body}
            if tuple(defaults) != fields[len(fields) - len(defaults) :]:
                raise TypeError(f"{name}: a field without a default follows one with a default")
            for at, field in enumerate(fields):
                body[field] = _field(at, f"Alias for field number {at}")
            body |= {
                "__slots__": (),
                "__match_args__": fields,
                "_fields": fields,
                "_field_defaults": defaults,
            }
            return type(name, (_Tuple,), body)

    class _Tuple(tuple):
        """The methods of all named tuples."""

        __slots__ = ()

        def __new__(cls, *values: Any, **named: Any) -> _Tuple:
            cls.__new__ = _constructor(cls)  # For the next ones.
            return cls.__new__(cls, *values, **named)

        def __repr__(self) -> str:
            values = ", ".join(f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True))
            return f"{type(self).__name__}({values})"

        def __getnewargs__(self) -> tuple[Any, ...]:
            return tuple(self)

        @classmethod
        def _make(cls, values: Iterable[Any]) -> _Tuple:
            """A tuple of these values."""
            made = tuple.__new__(cls, values)
            if len(made) != len(cls._fields):
                raise TypeError(f"{cls.__name__} has {len(cls._fields)} fields, got {len(made)}")
            return made

        def _replace(self, /, **changes: Any) -> _Tuple:
            """The same tuple with other values of some fields."""
            made = self._make(map(changes.pop, self._fields, self))
            if changes:
                raise ValueError(f"there are no fields {list(changes)!r}")
            return made

        def _asdict(self) -> dict[str, Any]:
            """The values by the names of their fields."""
            return dict(zip(self._fields, self, strict=True))

    def _constructor(cls: type[_Tuple]) -> Any:
        parameters = "".join(
            f", {one}=_{one}" if one in cls._field_defaults else f", {one}" for one in cls._fields
        )
        values = "".join(f"{one}, " for one in cls._fields)
        names = {f"_{one}": value for one, value in cls._field_defaults.items()}
        return eval(f"lambda _cls{parameters}: _new(_cls, ({values}))", {"_new": tuple.__new__, **names})

    class NamedTuple(metaclass=_Maker):
        """The base of a class whose annotations become the fields of a tuple."""
