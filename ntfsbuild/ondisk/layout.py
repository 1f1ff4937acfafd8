"""Declares structures: once, with their offsets, for fast reading and for annotated views.

A structure is a class whose fields have offsets, which are checked when the module is imported.  The same
declaration gives a `struct` layout (packs and unpacks millions of records) and a `construct` object (parses,
explains, dumps).  This is the only module that imports construct.
"""

from __future__ import annotations

import operator
import struct
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias, dataclass_transform

from ntfsbuild.errors import CorruptVolume
from ntfsbuild.named_tuple import NamedTuple

if TYPE_CHECKING:
    import construct


class Codec(NamedTuple):
    """One field's type: its `struct` letter, its width, and its name in construct."""

    letter: str
    size_bytes: int
    construct_name: str


_U8 = Codec("B", 1, "Int8ul")
_S8 = Codec("b", 1, "Int8sl")
_U16 = Codec("H", 2, "Int16ul")
_U32 = Codec("I", 4, "Int32ul")
_U64 = Codec("Q", 8, "Int64ul")

_REQUIRED: Any = object()


Names: TypeAlias = Mapping[int, str]


class Declared(NamedTuple):
    """A field as its structure declares it: type, offset and default.

    `flags` names the bits of a number, `codes` its values; both are for explanations of bytes.
    """

    codec: Codec
    at: int
    default: Any
    flags: Names | None = None
    codes: Names | None = None


class Field(NamedTuple):
    """A field in actual bytes: its offset, its value, and the name of the value."""

    name: str
    at: int
    size_bytes: int
    value: Any
    meaning: str | None  # None where the declaration names no flags or codes.


def _declare(
    codec: Codec, at: int, default: Any, flags: Names | None = None, codes: Names | None = None
) -> Any:
    return Declared(codec, at, default, flags, codes)


def u8(*, at: int, default: Any = _REQUIRED, flags: Names | None = None, codes: Names | None = None) -> Any:
    """An unsigned byte at offset `at`."""
    return _declare(_U8, at, default, flags, codes)


def s8(*, at: int, default: Any = _REQUIRED) -> Any:
    """A signed byte at offset `at`."""
    return _declare(_S8, at, default)


def u16(*, at: int, default: Any = _REQUIRED, flags: Names | None = None, codes: Names | None = None) -> Any:
    """A little-endian unsigned 16-bit number at offset `at`."""
    return _declare(_U16, at, default, flags, codes)


def u32(*, at: int, default: Any = _REQUIRED, flags: Names | None = None, codes: Names | None = None) -> Any:
    """A little-endian unsigned 32-bit number at offset `at`."""
    return _declare(_U32, at, default, flags, codes)


def u64(*, at: int, default: Any = _REQUIRED) -> Any:
    """A little-endian unsigned 64-bit number at offset `at`."""
    return _declare(_U64, at, default)


def raw(size_bytes: int, *, at: int, default: Any = _REQUIRED) -> Any:
    """`size_bytes` bytes as they are, at offset `at`."""
    codec = Codec(f"{size_bytes}s", size_bytes, f"Bytes:{size_bytes}")
    return _declare(codec, at, default)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(u8, s8, u16, u32, u64, raw))
class OnDisk:
    """The base of every declared structure: `class Name(OnDisk, size=0x30)`.

    Instances are plain values: made from keywords, compared by content, never changed.
    """

    SIZE: ClassVar[int]
    LETTERS: ClassVar[str]  # The struct letters, so that larger layouts can be composed of smaller ones.
    LAYOUT: ClassVar[struct.Struct]
    FIELDS: ClassVar[dict[str, Declared]]
    _defaults: ClassVar[dict[str, Any]]
    _values: ClassVar[operator.attrgetter[tuple[Any, ...]]]

    def __init_subclass__(cls, *, size: int) -> None:
        cls.SIZE = size
        cls.FIELDS = {name: one for name, one in vars(cls).items() if isinstance(one, Declared)}
        end = 0
        for name, declared in cls.FIELDS.items():
            delattr(cls, name)
            if declared.at != end:
                raise TypeError(f"{cls.__name__}.{name} lies at {end:#x}")
            end += declared.codec.size_bytes
        if end != size:
            raise TypeError(f"{cls.__name__} is {end:#x} bytes long")
        cls.LETTERS = "".join(declared.codec.letter for declared in cls.FIELDS.values())
        cls.LAYOUT = struct.Struct("<" + cls.LETTERS)
        cls._defaults = {
            name: declared.default
            for name, declared in cls.FIELDS.items()
            if declared.default is not _REQUIRED
        }
        cls._values = operator.attrgetter(*cls.FIELDS)
        assert cls.LAYOUT.size == size

    def __init__(self, **values: Any) -> None:
        found = self._defaults | values
        if found.keys() != self.FIELDS.keys():
            wrong = ", ".join(sorted(found.keys() ^ self.FIELDS.keys()))
            raise TypeError(f"{type(self).__name__}: missing or unknown: {wrong}")
        self.__dict__.update(found)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} cannot be changed")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.__dict__ == self.__dict__

    def __hash__(self) -> int:
        return hash(self.pack())

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.FIELDS)
        return f"{type(self).__name__}({values})"

    def pack(self) -> bytes:
        """The structure as bytes."""
        return self.LAYOUT.pack(*self._values(self))

    @classmethod
    def unpack(cls, data: bytes | bytearray | memoryview, at: int = 0) -> Self:
        """The structure that begins at byte `at`; raises CorruptVolume if the data is too short."""
        if at < 0 or len(data) - at < cls.SIZE:
            raise CorruptVolume(
                f"{cls.__name__} needs {cls.SIZE:#x} bytes at {at:#x}, {max(0, len(data) - at):#x} are left"
            )
        made = cls.__new__(cls)  # All fields are there: nothing to check.
        made.__dict__.update(zip(cls.FIELDS, cls.LAYOUT.unpack_from(data, at), strict=True))
        return made

    @classmethod
    def offset_of(cls, name: str) -> int:
        """The offset of a field in the structure, in bytes."""
        return cls.FIELDS[name].at

    @classmethod
    def construct(cls) -> construct.Construct[Any, Any]:
        """The declaration as a construct `Struct`, for parsing, explaining and dumping."""
        # Imported here: it takes longer to load than most commands take to run.
        import construct

        return construct.Struct(*(name / _codec(one.codec) for name, one in cls.FIELDS.items()))

    @classmethod
    def explained(cls, data: bytes, at: int = 0) -> list[Field]:
        """Each field with its offset and its meaning, as construct parses them."""
        if at < 0 or len(data) - at < cls.SIZE:
            raise CorruptVolume(
                f"{cls.__name__} needs {cls.SIZE:#x} bytes at {at:#x}, {max(0, len(data) - at):#x} are left"
            )
        structure: Any = cls  # Its `__hash__` is that of its instances, mypy says.
        found = _annotated(structure).parse(data[at : at + cls.SIZE])
        return [
            Field(name, at + raw.offset1, raw.length, raw.value, _meaning(declared, raw.value))
            for name, declared in cls.FIELDS.items()
            for raw in [found[name]]
        ]


def _codec(codec: Codec) -> construct.Construct[Any, Any]:
    import construct

    kind, _, size_bytes = codec.construct_name.partition(":")
    return getattr(construct, kind)(int(size_bytes)) if size_bytes else getattr(construct, kind)


@cache
def _annotated(structure: Any) -> construct.Construct[Any, Any]:
    """The declaration as a construct `Struct` that keeps each field's place; numbers stay whole.

    Not construct's FlagsEnum, which drops bits without a name.
    """
    import construct

    return construct.Struct(
        *(name / construct.RawCopy(_codec(one.codec)) for name, one in structure.FIELDS.items())
    )


def _meaning(declared: Declared, value: Any) -> str | None:
    if declared.codes is not None:
        return declared.codes.get(value)
    if declared.flags is None:
        return None
    named = [name for bit, name in declared.flags.items() if value & bit]
    unknown = value & ~sum(declared.flags)
    return " ".join([*named, *([f"{unknown:#x}"] if unknown else [])]) or "none"


def align(value: int, unit: int) -> int:
    """`value` rounded up to a multiple of `unit`."""
    return -(-value // unit) * unit
