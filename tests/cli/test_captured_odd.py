"""capture of what is hard to say: the manifest is accepted, builds the same again, and can be applied."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ntfsbuild
from ntfsbuild import builder
from ntfsbuild.builder.captured_check import check_captured
from ntfsbuild.capturing.manifest_text import entry_text, key_of_entry, text_of
from ntfsbuild.manifest.source import read_document
from ntfsbuild.volume.opening import Volume
from tests.oracle import specimen

MIB = 1 << 20
# One of each kind: controls, what YAML breaks lines at, marks of encodings, non-characters, its own signs.
ODD = "\x01\x1f\x7f\x80\x85\x9f\xa0\u2028\u2029\ufeff\ufffe\uffff\U0001f600\U0001fffe"
ODD += "\"'\\:#-?{}[]&*!|>%@` ~é\u0301"
CHARACTERS = st.one_of(st.sampled_from(ODD), st.characters(exclude_categories=("Cs",)))


def names(forbidden: str) -> st.SearchStrategy[str]:
    """Names of up to 255 code units, long ones among them."""
    texts = st.text(CHARACTERS, min_size=1, max_size=12)
    made = st.builds(lambda text, times: (text * times)[:120], texts, st.sampled_from([1, 1, 1, 60]))
    return made.filter(lambda name: not set(forbidden) & set(name) and name not in (".", ".."))


def built(folder: Path, tree: dict[str, Any], **volume: Any) -> Path:
    manifest, image = folder / "given.json", folder / "given.img"
    volume = {"size": "auto+2MiB", **volume}
    said = {"ntfsbuild": 1, "volume": volume, "defaults": {"names": "posix"}, "tree": tree}
    manifest.write_text(text_of(said))
    ntfsbuild.build(manifest, image)
    return image


def come_back(image: Path, folder: Path) -> tuple[tuple[str, str], ...]:
    """Capture, try, build and compare; the notes of the capture."""
    captured = ntfsbuild.capture(image, folder / "captured")
    builder.check(captured.manifest)
    ntfsbuild.build(captured.manifest, folder / "back.img")
    assert not list(ntfsbuild.diff(image, folder / "back.img"))
    return captured.notes


def applied(folder: Path, image: Path) -> None:
    """The captured manifest, laid over an empty volume and over the volume that it is of."""
    over = built(folder, {}, size=8 * MIB)
    manifest = folder / "captured/manifest.yaml"
    ntfsbuild.apply(manifest, over)
    assert not [one for one in ntfsbuild.diff(image, over) if one.path != "/"]
    assert not ntfsbuild.apply(manifest, over).changed
    assert not ntfsbuild.apply(manifest, image).changed


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_odd_names_streams_and_targets(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("odd")
    name, stream, target = names("\0/"), names("\0/:"), names("\0/")
    first = data.draw(name)
    tree: dict[str, Any] = {
        f"{first}/": {".": {"streams": {data.draw(stream): "x"}}},
        f"{first}/{data.draw(name)}": {"text": "x", "streams": {data.draw(stream): {"size": 5}}},
        f"{first}1": {"symlink": data.draw(target), "directory": False},
        f"{first}2": {"wsl_symlink": data.draw(target)},
        f"{first}3": {"text": data.draw(st.text(CHARACTERS, max_size=20))},
        f"{first}4": {"hardlink": f"{first}3"},
    }
    image = built(folder, tree)
    assert come_back(image, folder) == ()
    applied(folder, image)


@settings(deadline=None)
@given(keys=st.lists(st.text(CHARACTERS, min_size=1), min_size=1, max_size=3), times=st.integers(1, 600))
def test_text_of_values_reads_back(keys: list[str], times: int) -> None:
    value = {f"{number}{key * times}": {key * times: key * times} for number, key in enumerate(keys)}
    assert read_document(f"{text_of(value)}\n".encode(), "text").data == value
    lines = "".join(entry_text(key, one) for key, one in value.items())
    assert read_document(lines.encode(), "text").data == value
    assert [key for line in lines.splitlines(True) if (key := key_of_entry(line))] == list(value)


@pytest.mark.parametrize("levels", [4, 6, 40])
def test_long_paths(tmp_path: Path, levels: int) -> None:
    path = "/".join(f"{number:02}" + "x\u2028" * 100 for number in range(levels))
    image = built(tmp_path, {f"{path}/leaf": "x", f"{path}/link": {"hardlink": f"{path}/leaf"}})
    assert come_back(image, tmp_path) == ()
    applied(tmp_path, image)


@pytest.mark.needs(*specimen.TOOLS)
@pytest.mark.parametrize("sector", [256, 512, 1024, 2048, 4096])
@pytest.mark.parametrize("cluster", [256, 512, 2048, 4096, 65536])
def test_geometries_of_mkntfs(tmp_path: Path, sector: int, cluster: int) -> None:
    """Built again as they are, or as what is next to them, and then that is told."""
    image = tmp_path / "mkntfs.img"
    if cluster < sector:
        pytest.skip("no cluster is smaller than a sector")
    specimen.make(image, {}, size=4 * MIB, sector=sector, cluster=cluster)
    captured = ntfsbuild.capture(image, tmp_path / "captured")
    back = tmp_path / "back.img"
    ntfsbuild.build(captured.manifest, back)
    assert not list(ntfsbuild.diff(image, back))
    with Volume.open(image) as there, Volume.open(back) as here:
        same = (there.geometry.sector_bytes, there.geometry.cluster_bytes, there.geometry.record_bytes) == (
            here.geometry.sector_bytes,
            here.geometry.cluster_bytes,
            here.geometry.record_bytes,
        )
    assert same == (sector >= 512)
    assert bool(captured.notes) != same


def test_the_root_s_times_are_applied(tmp_path: Path) -> None:
    times = {"times": "2024-01-01", "name_times": "2020-01-01", "entry_times": "2021-01-01"}
    image = built(tmp_path, {".": times, "a": "x"})
    assert come_back(image, tmp_path) == ()
    applied(tmp_path, image)


def test_what_the_writer_refuses_is_taken_out_and_told(tmp_path: Path) -> None:
    """The last resort: what is known beforehand never comes so far."""
    manifest, notes = tmp_path / "manifest.yaml", []
    manifest.write_text(
        'ntfsbuild: 1\nvolume: {"size": 65536}\ntree:\n'
        '  ".": {}\n'
        '  "a/../b": {"text": "x"}\n'
        '  "c": {"text": "x", "attributes": ["blue"]}\n'
        f'  ? "{"d" * 300}"\n  : null\n'
        '  "e": {"hardlink": "c"}\n'
        '  "f": {"text": "kept"}\n'
    )
    check_captured(manifest, lambda path, why: notes.append((path, why)))
    assert [path for path, _ in notes] == ["/a/../b", "/c", f"/{'d' * 300}", "/e", "/$Bitmap"]
    assert all(
        why.startswith(("it cannot be expressed: ", "its size cannot be expressed")) for _, why in notes
    )
    assert '"f"' in manifest.read_text()
    builder.check(manifest)
