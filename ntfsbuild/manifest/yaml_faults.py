"""What is wrong with text that is not YAML, in a user's words, from the parser's message and the lines."""

from __future__ import annotations

import re

_HINTS = {
    "found invalid Unicode character escape code": "a character beyond U+FFFF is one escape: \\U0001F600",
    "mapping values are not allowed in this context": 'text with ": " in it must be quoted',
    "mapping values are not allowed here": 'text with ": " in it must be quoted',  # PyYAML alone.
    "could not find expected ':'": "after a key comes a colon and a space",
    "found character that cannot start any token": "quote text that begins with @, ` or %",
}
_LINE_BREAK = re.compile("\r\n|\r|\n")
_INDENTATION = re.compile("[ \t]*")
_OUT_OF_LINE = ("did not find expected", "expected <block end>")  # libyaml; PyYAML alone.
_TAB = "a tab stands here: YAML is indented with spaces"


def lines_of(text: str) -> list[str]:
    """The lines of a text, as YAML counts them here."""
    return _LINE_BREAK.split(text)


def explained(problem: str, context: str, line: int, column: int, text: str) -> tuple[int, int, str]:
    """Line, column (both from 0) and message for a problem that the parser met at `line` and `column`."""
    lines = lines_of(text)
    found = lines[line] if line < len(lines) else ""
    indentation = _INDENTATION.match(found)
    assert indentation
    tab = indentation[0].find("\t")
    if tab >= 0 and "flow" not in context and "quoted" not in context:
        return line, tab, _TAB
    width = len(indentation[0])
    wrong = _wrong_indentation(width, lines, line)
    is_out_of_line = problem.startswith(_OUT_OF_LINE) and "block" in context and column == width
    if is_out_of_line and wrong:
        return line, column, f"not YAML: {wrong}"
    hint = _HINTS.get(problem)
    if problem.startswith("mapping values"):
        if column > 1024:
            hint = "a key of more than 1024 characters is written after `? `"
        elif wrong and ": " not in found[:column]:  # Else text goes on behind its key.
            hint = f"{hint}; if it is a key, it stands too deep: {wrong}"
    said = f", {context}" if context else ""
    return line, column, f"not YAML: {problem}{said}" + (f" ({hint})" if hint else "")


def _wrong_indentation(width: int, lines: list[str], line: int) -> str:
    """How a line and the block that it seems to belong to are indented; empty if they are alike."""
    blocks = _blocks_before(lines, line)
    if not blocks or width in blocks:
        return ""
    block = min(blocks, key=lambda one: (abs(one - width), -one))
    return f"indented by {width} {'space' if width == 1 else 'spaces'}, the lines before it by {block}"


def _blocks_before(lines: list[str], line: int) -> list[int]:
    """The indentations of the blocks that are open before a line, the innermost one first."""
    blocks: list[int] = []
    for before in reversed(lines[:line]):
        stripped = before.lstrip(" ")
        width = len(before) - len(stripped)
        if stripped and not stripped.startswith("#") and (not blocks or width < blocks[-1]):
            blocks.append(width)
            if width == 0:
                break
    return blocks
