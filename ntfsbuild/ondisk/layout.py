"""How a structure is declared: once, with its offsets, for the fast view and for the annotated one.

A structure is a class whose fields say where they lie.  The offsets are checked when the module is
imported; from the same declaration come `struct` layouts (pack and unpack millions of records) and a
`construct` object (parse, explain, dump).  This is the only module that imports construct.
"""

from __future__ import annotations

import operator
import struct
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self, dataclass_transform

from ntfsbuild.errors import CorruptVolume

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


class Declared(NamedTuple):
    """A field as its structure declares it: its type, its offset, and what it holds unless said."""

    codec: Codec
    at: int
    default: Any


def _declare(codec: Codec, at: int, default: Any) -> Any:
    return Declared(codec, at, default)


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
        """The structure that begins at byte `at`; raises CorruptVolume where the data ends too early."""
        if at < 0 or len(data) - at < cls.SIZE:
            raise CorruptVolume(
                f"{cls.__name__} needs {cls.SIZE:#x} bytes at {at:#x}, {max(0, len(data) - at):#x} are left"
            )
        made = cls.__new__(cls)  # All fields are there: nothing to check.
        made.__dict__.update(zip(cls.FIELDS, cls.LAYOUT.unpack_from(data, at), strict=True))
        return made

    @classmethod
    def offset_of(cls, name: str) -> int:
        """Where a field lies in the structure, in bytes."""
        return cls.FIELDS[name].at

    @classmethod
    def construct(cls) -> construct.Construct[Any, Any]:
        """The declaration as a construct `Struct`, for parsing, explaining and dumping."""
        # Imported here: it takes longer to load than most commands take to run.
        import construct

        def codec(name: str) -> construct.Construct[Any, Any]:
            kind, _, size_bytes = name.partition(":")
            return getattr(construct, kind)(int(size_bytes)) if size_bytes else getattr(construct, kind)

        return construct.Struct(
            *(name / codec(declared.codec.construct_name) for name, declared in cls.FIELDS.items())
        )


def align(value: int, unit: int) -> int:
    """`value` rounded up to a multiple of `unit`."""
    return -(-value // unit) * unit
