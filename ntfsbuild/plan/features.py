"""The features of an operation: all but name, content, times and attributes."""

from __future__ import annotations

from ntfsbuild.content.model import Content
from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.ondisk.traits import NO_TRAITS, Form, Traits


class NamedStream(NamedTuple):
    """A stream beside the main one; `valid_bytes` None: all of it was written.

    `raw_bytes` says that the content is ciphertext of a stream of that size.
    """

    name: str
    content: Content
    form: Form = "plain"
    valid_bytes: int | None = None
    raw_bytes: int | None = None


class Features(NamedTuple):
    """The features of one file or directory.

    `form` is the form of the unnamed stream (None: inherited from the directory, or unchanged); for a
    directory the form that its files inherit.  `file_key` encrypts streams of the form `encrypted`.  With
    `raw_bytes` the content is ciphertext of a file of that size.  `linked` means that later operations give
    the file more names.
    """

    traits: Traits = NO_TRAITS
    form: Form | None = None
    valid_bytes: int | None = None
    streams: tuple[NamedStream, ...] = ()
    file_key: bytes | None = None
    raw_bytes: int | None = None
    linked: bool = False


NO_FEATURES = Features()
