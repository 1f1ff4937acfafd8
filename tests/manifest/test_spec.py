"""What `specs/manifest.md` shows is valid, and its error messages are the ones that are printed."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from ntfsbuild.errors import ManifestError
from ntfsbuild.manifest import loads
from ntfsbuild.manifest.schema_files import schema_text
from tests.manifest.spec_page import PAGE, Block, blocks, examples

SCHEMA = json.loads(schema_text("manifest"))


def test_there_are_examples() -> None:
    assert len(examples()) > 10
    assert len(examples()) == len(
        re.findall("^```yaml(?: image=.*)?$", PAGE.read_text("utf-8"), re.MULTILINE)
    )


@pytest.mark.parametrize("block", examples(), ids=lambda block: f"line{block.line}")
def test_examples_are_valid(block: Block) -> None:
    loads(block.text.encode(), "disk.yaml")
    # To editors too, which read YAML with other eyes: base loader, so that no value is converted.
    keys = yaml.load(block.text, yaml.BaseLoader).keys()
    assert keys <= SCHEMA["properties"].keys()


def test_messages_are_those_that_are_printed() -> None:
    manifests = [block for block in blocks() if block.info == "yaml invalid"]
    messages = [block for block in blocks() if block.info == "text messages"]
    assert len(manifests) == len(messages) > 0
    for manifest, expected in zip(manifests, messages, strict=True):
        with pytest.raises(ManifestError) as caught:
            loads(manifest.text.encode(), "disk.yaml")
        assert f"{caught.value}\n" == expected.text


def words(schema: object) -> set[str]:
    """The keys of mappings and the `enum` words of a schema."""
    if isinstance(schema, list):
        return set().union(*map(words, schema))
    if not isinstance(schema, dict):
        return set()
    own = {*schema.get("properties", {}), *map(str, schema.get("enum", []))}
    return own.union(*map(words, schema.values()))


def test_every_key_and_word_of_the_schema_is_explained() -> None:
    page = PAGE.read_text("utf-8")
    explained = {word for word in words(SCHEMA) if re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", page)}
    assert words(SCHEMA) - explained == set()
