"""Values as the text of a manifest: YAML reads back what was meant, whatever characters it has."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from ntfsbuild.capturing.manifest_text import entry_text, key_of_entry, text_of

ODD_CHARACTERS = ["\x7f", "\x85", "\x9f", "\u2028", "\u2029", "\ufeff", "\ufffe", "\uffff", "\x01", '"', "\\"]


@pytest.mark.parametrize(
    "value",
    [
        None, True, 0, 1 << 62, "", "yes", "1e3", "0x10", "2024-01-01", "Grüße 日本 \U0001f600", "a: b # c",
        "two\nlines\ttab\r\n", [], [1, "a", None], {}, {"a": {"b": [1, {"c": "d"}]}}, *ODD_CHARACTERS,
    ],
    ids=ascii,
)  # fmt: skip
def test_what_is_written_is_what_is_read(value: Any) -> None:
    text = text_of(value)
    assert "\n" not in text
    assert yaml.safe_load(text) == value
    assert yaml.safe_load(entry_text("key", value)) == {"key": value}


def test_it_stays_readable() -> None:
    assert text_of("Grüße") == '"Grüße"'
    assert entry_text("a/b.txt", None) == '  "a/b.txt": null\n'
    assert entry_text("a", {"text": "x"}) == '  "a": {"text": "x"}\n'


@pytest.mark.parametrize("length", [990, 1000, 1100, 4000])
def test_keys_may_be_of_any_length(length: int) -> None:
    """YAML takes long ones only behind a question mark, on lines of their own, and inside as well."""
    key = "k" * length
    text = entry_text(key, {"ea": {key: "v"}})
    assert yaml.safe_load(text) == {key: {"ea": {key: "v"}}}
    assert text.startswith("  ? ") is (length + 2 > 1000)


@pytest.mark.parametrize("key", ["a", "a/b/", ".", 'quo"te', "\u2028", "k" * 2000])
def test_the_key_of_a_line(key: str) -> None:
    first, *more = entry_text(key, {"text": "x"}).splitlines(keepends=True)
    assert key_of_entry(first) == key
    assert [key_of_entry(line) for line in more] == [None] * len(more)
