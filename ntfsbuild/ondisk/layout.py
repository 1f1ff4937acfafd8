"""How a structure is declared: once, with its offsets, for the fast view and for the annotated one.

A structure is a class whose fields say where they lie.  The offsets are checked when the module is
imported; from the same declaration come `struct` layouts (pack and unpack millions of records) and a
`construct` object (parse, explain, dump).  This is the only module that imports construct.
"""

from __future__ import annotations

import operator
import struct
from dataclasses import Field, dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self, dataclass_transform

from ntfsbuild.errors import CorruptVolume

if TYPE_CHECKING:
    import construct


class _Codec(NamedTuple):
    """One field's type: its `struct` letter, its width, and its name in construct."""

    letter: str
    size_bytes: int
    construct_name: str


_U8 = _Codec("B", 1, "Int8ul")
_S8 = _Codec("b", 1, "Int8sl")
_U16 = _Codec("H", 2, "Int16ul")
_U32 = _Codec("I", 4, "Int32ul")
_U64 = _Codec("Q", 8, "Int64ul")
_S64 = _Codec("q", 8, "Int64sl")

_REQUIRED: Any = object()


def _declare(codec: _Codec, at: int, default: Any) -> Any:
    metadata = {"codec": codec, "at": at}
    if default is _REQUIRED:
        return field(metadata=metadata)
    return field(metadata=metadata, default=default)


def u8(*, at: int, default: Any = _REQUIRED) -> Any:
    """An unsigned byte at offset `at`."""
    return _declare(_U8, at, default)


def s8(*, at: int, default: Any = _REQUIRED) -> Any:
    """A signed byte at offset `at`."""
    return _declare(_S8, at, default)


def u16(*, at: int, default: Any = _REQUIRED) -> Any:
    """A little-endian unsigned 16-bit number at offset `at`."""
    return _declare(_U16, at, default)


def u32(*, at: int, default: Any = _REQUIRED) -> Any:
    """A little-endian unsigned 32-bit number at offset `at`."""
    return _declare(_U32, at, default)


def u64(*, at: int, default: Any = _REQUIRED) -> Any:
    """A little-endian unsigned 64-bit number at offset `at`."""
    return _declare(_U64, at, default)


def s64(*, at: int, default: Any = _REQUIRED) -> Any:
    """A little-endian signed 64-bit number at offset `at`."""
    return _declare(_S64, at, default)


def raw(size_bytes: int, *, at: int, default: Any = _REQUIRED) -> Any:
    """`size_bytes` bytes as they are, at offset `at`."""
    codec = _Codec(f"{size_bytes}s", size_bytes, f"Bytes:{size_bytes}")
    return _declare(codec, at, default)


@dataclass_transform(
    frozen_default=True, kw_only_default=True, field_specifiers=(u8, s8, u16, u32, u64, s64, raw)
)
class OnDisk:
    """The base of every declared structure: `class Name(OnDisk, size=0x30)`."""

    SIZE: ClassVar[int]
    LETTERS: ClassVar[str]  # The struct letters, so that larger layouts can be composed of smaller ones.
    LAYOUT: ClassVar[struct.Struct]
    _fields: ClassVar[tuple[Field[Any], ...]]
    _values: ClassVar[operator.attrgetter[tuple[Any, ...]]]

    def __init_subclass__(cls, *, size: int) -> None:
        dataclass(frozen=True, kw_only=True)(cls)
        cls.SIZE, cls._fields = size, fields(cls)  # type: ignore[arg-type]
        end = 0
        for f in cls._fields:
            if f.metadata["at"] != end:
                raise TypeError(f"{cls.__name__}.{f.name} lies at {end:#x}")
            end += f.metadata["codec"].size_bytes
        if end != size:
            raise TypeError(f"{cls.__name__} is {end:#x} bytes long")
        cls.LETTERS = "".join(f.metadata["codec"].letter for f in cls._fields)
        cls.LAYOUT = struct.Struct("<" + cls.LETTERS)
        cls._values = operator.attrgetter(*(f.name for f in cls._fields))
        assert cls.LAYOUT.size == size

    def pack(self) -> bytes:
        """The structure as bytes."""
        return self.LAYOUT.pack(*self._values(self))

    @classmethod
    def unpack(cls, data: bytes | bytearray | memoryview, at: int = 0) -> Self:
        """The structure that begins at byte `at`; raises CorruptVolume where the data ends too early."""
        if at < 0 or len(data) - at < cls.SIZE:
            raise CorruptVolume(
                f"{cls.__name__} needs {cls.SIZE:#x} bytes at {at:#x}, {max(0, len(data) - at):#x} are left"
            )
        values = cls.LAYOUT.unpack_from(data, at)
        return cls(**{f.name: value for f, value in zip(cls._fields, values, strict=True)})

    @classmethod
    def offset_of(cls, name: str) -> int:
        """Where a field lies in the structure, in bytes."""
        return next(int(f.metadata["at"]) for f in cls._fields if f.name == name)

    @classmethod
    def construct(cls) -> construct.Construct[Any, Any]:
        """The declaration as a construct `Struct`, for parsing, explaining and dumping."""
        # Imported here: it takes longer to load than most commands take to run.
        import construct

        def codec(name: str) -> construct.Construct[Any, Any]:
            kind, _, size_bytes = name.partition(":")
            return getattr(construct, kind)(int(size_bytes)) if size_bytes else getattr(construct, kind)

        return construct.Struct(*(f.name / codec(f.metadata["codec"].construct_name) for f in cls._fields))


def align(value: int, unit: int) -> int:
    """`value` rounded up to a multiple of `unit`."""
    return -(-value // unit) * unit
