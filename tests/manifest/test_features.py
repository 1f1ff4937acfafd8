"""Features: what is not said costs nothing, and what only code can see."""

from __future__ import annotations

import json

import pytest

from ntfsbuild.errors import ManifestError
from ntfsbuild.manifest import Manifest, loads
from ntfsbuild.manifest.feature_specs import NO_FEATURE_SPEC, FeatureSpec
from ntfsbuild.manifest.features import FEATURE_KEYS
from ntfsbuild.manifest.links import LINK_KEYS, parse_tag
from ntfsbuild.manifest.model import DirectoryEntry, FileEntry, MkdirStepSpec, SetStepSpec
from ntfsbuild.manifest.schema_files import schema_text
from ntfsbuild.ondisk import sddl
from ntfsbuild.ondisk.security_templates import TEMPLATES

PROPERTIES = {
    name: one.get("properties", {}) for name, one in json.loads(schema_text("manifest"))["$defs"].items()
}
NOT_FEATURES = {
    "text",
    "encoding",
    "hex",
    "base64",
    "size",
    "fill",
    "seed",
    "data",
    "source",
    "sha256",
    "attributes",
    "times",
    "absent",
    "directory",
}


def read(text: str) -> Manifest:
    return loads(f"ntfsbuild: 1\n{text}".encode(), "m.yaml")


def features(said: str) -> FeatureSpec:
    entry = read(f"tree: {{f: {{{said}}}}}").tree.children["f"]
    assert isinstance(entry, FileEntry)
    return entry.features


def test_every_feature_of_the_schema_is_read_as_one() -> None:
    assert PROPERTIES["file"].keys() - NOT_FEATURES == FEATURE_KEYS - {"case_sensitive"}
    directories = {"include", "exclude", "names", "defaults", "symlinks"} | NOT_FEATURES
    assert PROPERTIES["metadata"].keys() - directories <= FEATURE_KEYS
    steps = {"set", "mkdir", "time"} | NOT_FEATURES
    assert PROPERTIES["set_step"].keys() - steps == FEATURE_KEYS - {"hardlink"}
    assert PROPERTIES["mkdir_step"].keys() - steps < FEATURE_KEYS


def test_what_says_no_features_shares_one() -> None:
    manifest = read(
        "tree: {a: {text: x, times: 2024-01-01}, b/: {.: {attributes: []}}, c: x}\n"
        "steps: [{set: a, attributes: []}, {mkdir: d}]"
    )

    for child in manifest.tree.children.values():
        assert isinstance(child, FileEntry | DirectoryEntry)
        assert child.features is NO_FEATURE_SPEC
    for step in manifest.steps:
        assert isinstance(step, SetStepSpec | MkdirStepSpec)
        assert step.features is NO_FEATURE_SPEC


def test_positions() -> None:
    manifest = read(
        "tree:\n  f: {sparse: true, streams: {s: x}}\n  d/:\n    .: {compressed: true}\n"
        "steps:\n  - {set: f, sparse: true}\n"
    )
    file, directory = manifest.tree.children["f"], manifest.tree.children["d"]
    (step,) = manifest.steps

    assert (
        isinstance(file, FileEntry)
        and isinstance(directory, DirectoryEntry)
        and isinstance(step, SetStepSpec)
    )
    assert str(manifest.mark(file.features.position)) == "m.yaml:3:3"
    assert file.features.streams
    assert str(manifest.mark(file.features.streams["s"].position)) == "m.yaml:3:31"
    assert str(manifest.mark(directory.features.position)) == "m.yaml:5:5"
    assert step.features.position == step.position


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_can_be_named(name: str) -> None:
    assert features(f"security: {name}").security == sddl.parse(TEMPLATES[name])


def test_the_descriptors_of_a_manifest_win() -> None:
    manifest = read('descriptors: {none: "O:SY"}\ntree: {f: {security: none}}')
    file = manifest.tree.children["f"]

    assert isinstance(file, FileEntry)
    assert file.features.security == sddl.parse("O:SY")


def test_descriptors_change_the_digest() -> None:
    tree = "tree: {f: {security: mine}}"
    assert (
        read(f'descriptors: {{mine: "O:SY"}}\n{tree}').digest
        != read(f'descriptors: {{mine: "O:BA"}}\n{tree}').digest
    )


@pytest.mark.parametrize("one", LINK_KEYS)
@pytest.mark.parametrize("other", LINK_KEYS)
def test_one_thing_is_one_kind_of_link(one: str, other: str) -> None:
    said = {
        "hardlink": "x",
        "symlink": "x",
        "junction": "C:/x",
        "mount_point": "6f1b6c1e-2a57-4a7e-9d3c-0f3f6a1f2b11",
        "wsl_symlink": "x",
        "wsl": "fifo",
        "app_exec_link": {"package": "a", "entry_point": "b", "target": "c"},
        "reparse": {"tag": 0x8000001B},
    }
    text = json.dumps({one: said[one], other: said[other]})[1:-1]
    if one == other:
        features(text)
        return
    with pytest.raises(ManifestError) as caught:
        features(text)
    assert f"{other}: one thing is one kind of link, and {one} is said already" in str(caught.value)


@pytest.mark.parametrize(
    ("value", "tag"),
    [
        (0x8000001B, 0x8000001B),
        ("0x8000001b", 0x8000001B),
        ("APPEXECLINK", 0x8000001B),
        ("IO_REPARSE_TAG_SYMLINK", 0xA000000C),
        ("cloud_f", 0x9000F01A),
    ],
)
def test_tags(value: int | str, tag: int) -> None:
    assert parse_tag(value) == tag


@pytest.mark.parametrize(
    ("said", "mode"),
    [
        ("unix: {mode: '0644'}", 0o100644),
        ("unix: {mode: 0o4755}", 0o104755),
        ("unix: {mode: 420}", 0o100644),
        ("unix: {mode: 0}", 0o100000),
        ("unix: {mode: 0o100600}", 0o100600),
        ("wsl: fifo", 0o010644),
        ("wsl: socket", 0o140644),
        ("wsl: {char: [1, 3]}", 0o020644),
        ("wsl: {block: [8, 0]}, unix: {mode: '0600'}", 0o060600),
        ("wsl_symlink: x, unix: {mode: 0o777}", 0o120777),
        ("junction: 'C:/x', unix: {mode: 0o40755}", 0o040755),
        ("wsl: fifo, unix: {uid: 0}", 0o010644),
        ("unix: {uid: 0}", None),
    ],
)
def test_modes(said: str, mode: int | None) -> None:
    unix = features(said).unix
    assert unix and unix != "source"
    assert unix.mode == mode


@pytest.mark.parametrize(
    ("said", "is_directory"),
    [
        ("junction: 'C:/x'", True),
        ("mount_point: 6f1b6c1e-2a57-4a7e-9d3c-0f3f6a1f2b11", True),
        ("reparse: {tag: CLOUD, directory: true}", True),
        ("reparse: {tag: CLOUD}", False),
        ("wsl: fifo", False),
    ],
)
def test_what_of_a_file_is_a_directory(said: str, is_directory: bool) -> None:
    assert features(said).reparse_directory is is_directory
