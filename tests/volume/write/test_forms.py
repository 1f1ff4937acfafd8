"""Streams given another form, on a volume in memory."""

from __future__ import annotations

import pytest

from ntfsbuild.errors import ManifestError, VolumeError
from ntfsbuild.ondisk import attribute
from ntfsbuild.ondisk.traits import Form
from ntfsbuild.volume.write.forms import Forms
from ntfsbuild.volume.write.stream_maker import FLAGS
from ntfsbuild.volume.write.writer import Writer
from tests.volume.write.memory import TIMES, made_file, open_writer, resident

TEXT = b"All work and no play. " * 9000


@pytest.fixture(name="writer")
def _writer() -> Writer:
    return open_writer()


def large(writer: Writer) -> None:
    made_file(writer, "a", writer.transaction.stream_writer.write(resident(b""), 0, TEXT))


@pytest.mark.parametrize("to", ["plain", "sparse", "compressed", "sparse_compressed"])
@pytest.mark.parametrize("by", ["plain", "sparse", "compressed"])
def test_the_content_is_the_same_in_every_form(writer: Writer, by: Form, to: Form) -> None:
    large(writer)
    state = writer.names.file_at("/a")
    for form in (by, to):
        writer.forms.convert(state, form)
        assert state.stream("").flags == FLAGS[form]
        assert writer.reader.read("/a") == TEXT
    writer.commit()
    assert writer.reader.read("/a") == TEXT


def test_a_small_stream_only_says_another_form(writer: Writer) -> None:
    state = made_file(writer, "a", resident(b"small"))
    writer.forms.convert(state, "compressed")
    assert state.stream("") == resident(b"small")._replace(flags=attribute.COMPRESSED)
    assert Forms.of_overwritten(state) == "compressed"


def test_a_directory_hands_its_form_down(writer: Writer) -> None:
    state = writer.make_directory(writer.directory_at("/"), "d", TIMES, 0, form="compressed")
    assert writer.forms.inherited(state) == "compressed"
    assert (
        writer.make_directory(writer.directory_at("/d"), "e", TIMES, 0)
        .find(attribute.INDEX_ROOT, "$I30")
        .flags
        == attribute.COMPRESSED
    )  # type: ignore[union-attr]
    writer.forms.convert(state, "plain")
    writer.traits.derive_attribute_bits(state)
    assert writer.forms.inherited(state) == "plain"


def test_how_much_is_valid(writer: Writer) -> None:
    state = made_file(writer, "a", resident(b"0123456789"))
    writer.forms.set_valid_data(state, 4)
    assert writer.reader.read("/a") == b"0123" + bytes(6)
    with pytest.raises(VolumeError, match="valid_data is 11, and it has 10 bytes"):
        writer.forms.set_valid_data(state, 11)


def test_what_is_there_is_not_encrypted_in_place(writer: Writer) -> None:
    large(writer)
    with pytest.raises(VolumeError, match="has to be written anew"):
        writer.forms.convert(writer.names.file_at("/a"), "encrypted")


def test_large_clusters_are_not_compressed(writer: Writer) -> None:
    large(writer)
    writer.forms.cluster_bytes = 8192
    assert not writer.forms.compresses
    with pytest.raises(ManifestError, match="compresses nothing in clusters of 8192 bytes"):
        writer.forms.convert(writer.names.file_at("/a"), "compressed")
