"""Hard links of the tree: what they name is found before anything is done, and what cannot be is told."""

from __future__ import annotations

import pytest

from ntfsbuild.compiler import compile_manifest
from ntfsbuild.errors import ManifestError
from ntfsbuild.manifest import loads
from ntfsbuild.plan.model import LinkFile, MakeFile


def plan(tree: str) -> list[object]:
    return list(compile_manifest(loads(f"ntfsbuild: 1\ntree: {tree}\n".encode(), "a.yaml"), b"/").operations)


def test_a_link_to_a_link_names_the_file() -> None:
    operations = plan("{c: x, a: {hardlink: b}, b: {hardlink: c}}")
    links = {(one.path, one.to) for one in operations if isinstance(one, LinkFile)}
    assert links == {("/a", "/c"), ("/b", "/c")}
    (file,) = [one for one in operations if isinstance(one, MakeFile)]
    assert file.path == "/c" and file.features.linked


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ("{a: {hardlink: b}}", "there is no file /b"),
        ("{a: {hardlink: b}, b: {hardlink: a}}", "the links lead round in a circle"),
        ("{a: {hardlink: d}, d/: {}}", "/d is a directory, which has one name only"),
        (r"{a: {hardlink: J}, J: {junction: 'C:\x'}}", "/J is a directory, which has one name only"),
        ("{a: {hardlink: l}, l: {symlink: d}, d/: {}}", "/l is a directory, which has one name only"),
    ],
)
def test_what_cannot_be_linked_to_is_told(tree: str, message: str) -> None:
    with pytest.raises(ManifestError, match=f"tree/[abl]: hardlink: {message}"):
        plan(tree)
