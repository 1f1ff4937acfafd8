"""capture: the captured manifest builds what was captured; what a manifest cannot express is listed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ntfsbuild.volume.opening import Volume
from tests.command import run
from tests.depth import by_day
from tests.foreign.real_volumes import VOLUMES, unpacked
from tests.images import same_bytes

IMAGES = Path(__file__).parents[2] / "specs/images"
WITH_STEPS = {"everything", "history"}  # These come back with the same meaning.


def captured(image: Path, folder: Path, *options: str) -> dict[str, Any]:
    done = run("capture", "--json", image, "-o", folder, *options)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def rebuilt(image: Path, folder: Path, tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    captured(image, folder)
    back = tmp_path / "back.img"
    done = run("build", "-q", folder / "manifest.yaml", "-o", back)
    assert done.returncode == 0, done.stderr
    return back, json.loads(run("diff", "--json", image, back).stdout)


def assert_back_to_the_byte(image: Path, tmp_path: Path) -> None:
    back, difference = rebuilt(image, tmp_path / "captured", tmp_path)
    assert difference == {"same": True, "differences": []}
    assert same_bytes(image, back)


@pytest.mark.parametrize("name", sorted(path.stem for path in IMAGES.glob("*.yaml")))
def test_our_images_come_back_to_the_byte(tmp_path: Path, name: str) -> None:
    manifest, image = IMAGES / f"{name}.yaml", tmp_path / "image.img"
    if name == "contents":
        manifest = by_day(with_a_smaller_file(manifest, tmp_path), manifest)
    assert run("build", "-q", manifest, "-o", image).returncode == 0
    back, difference = rebuilt(image, tmp_path / "captured", tmp_path)
    assert difference == {"same": True, "differences": []}
    if name not in WITH_STEPS:
        assert same_bytes(image, back)


def test_files_with_words_of_the_language_as_names_come_back(tmp_path: Path) -> None:
    manifest, image = tmp_path / "disk.yaml", tmp_path / "image.img"
    words = "{source: {text: ./assets}, security: {text: read_only}, text: , size: {text: '1'}}"
    manifest.write_text(f"ntfsbuild: 1\ntree: {{source: {{text: a}}, assets/: {words}, deep/er/: {words}}}\n")
    assert run("build", "-q", manifest, "-o", image).returncode == 0
    assert_back_to_the_byte(image, tmp_path)


def with_a_smaller_file(manifest: Path, folder: Path) -> Path:
    """The same with a file of 64 MiB in place of one of 4 GiB, which takes a minute to capture."""
    text = manifest.read_text()
    for large, small in (("4GiB", "64MiB"), ("1GiB", "16MiB"), (str((4 << 30) - 6), str((64 << 20) - 6))):
        assert text.count(large) == 1
        text = text.replace(large, small)
    copy = folder / manifest.name
    copy.write_text(text)
    return copy


def test_links_of_both_spellings_come_back_to_the_byte(tmp_path: Path) -> None:
    """Directories that lead elsewhere, described as directories and as files, compressed and not."""
    manifest, image = tmp_path / "a.yaml", tmp_path / "a.img"
    manifest.write_text(
        "ntfsbuild: 1\n"
        "tree:\n"
        "  b.txt: b\n"
        "  a: {junction: 'C:\\a'}\n"
        "  z/: {.: {junction: 'C:\\z', streams: {s: x}}}\n"
        "  d/: {.: {compressed: true}, a: {junction: 'C:\\a'}, b.txt: b}\n"
        "  d/y/: {.: {symlink: ../b.txt}}\n"
        "  d/z/: {.: {symlink: ../z, compressed: false}}\n"
        "  e/x/: {.: {reparse: {tag: 0x8000001B, data: {hex: '03000000'}}}}\n"
        "  f/c.txt: c\n"
    )
    assert run("build", "-q", manifest, "-o", image).returncode == 0
    assert_back_to_the_byte(image, tmp_path)


@pytest.mark.parametrize("name", sorted(VOLUMES))
def test_volumes_of_others_come_back_with_all_that_they_mean(
    volumes: Path, tmp_path: Path, name: str
) -> None:
    image = unpacked(volumes / name)
    assert rebuilt(image, tmp_path / "captured", tmp_path)[1] == {"same": True, "differences": []}


def test_names_have_times_of_their_own(tmp_path: Path) -> None:
    manifest, image = tmp_path / "a.yaml", tmp_path / "a.img"
    manifest.write_text(
        "ntfsbuild: 1\n"
        "tree:\n"
        "  a.txt: {text: a, name_times: 2001-01-01}\n"
        "  b/c.txt: {hardlink: a.txt, name_times: 2002-01-01, entry_times: {modified: 2003-01-01}}\n"
        "  d.txt: {hardlink: a.txt, entry_times: 2004-01-01, short_name: D1}\n"
        "  e.txt: {hardlink: a.txt}\n"
    )
    assert run("build", "-q", manifest, "-o", image).returncode == 0
    times = {}
    for path in ("a.txt", "b/c.txt", "d.txt", "e.txt"):
        names = json.loads(run("stat", "--json", image, path).stdout)["names"]
        [one] = [name for name in names if name["name"] == path.rpartition("/")[2]]
        times[path] = [said["times"]["modified"][:4] for said in (one, one["entry"])]
    usual = times["e.txt"][0]
    assert times == {
        "a.txt": ["2001", usual],
        "b/c.txt": ["2002", "2003"],
        "d.txt": [usual, "2004"],
        "e.txt": [usual, usual],
    }
    assert_back_to_the_byte(image, tmp_path)


def test_a_part_and_metadata_alone(tmp_path: Path) -> None:
    manifest, image = tmp_path / "a.yaml", tmp_path / "a.img"
    manifest.write_text("ntfsbuild: 1\ntree: {a/b/c.txt: hello, a/d.txt: x, e.txt: y}\n")
    assert run("build", "-q", manifest, "-o", image).returncode == 0

    captured(image, tmp_path / "part", "--prefix", "/A/b")
    text = (tmp_path / "part/manifest.yaml").read_text()
    assert '"a/b/c.txt"' in text and "e.txt" not in text and "d.txt" not in text

    captured(image, tmp_path / "metadata", "--metadata-only")
    text = (tmp_path / "metadata/manifest.yaml").read_text()
    assert '"a/b/c.txt": {"size": 5' in text and "hello" not in text
    assert [path.name for path in (tmp_path / "metadata").iterdir()] == ["manifest.yaml"]


def test_what_is_there_is_not_touched(tmp_path: Path) -> None:
    image, out = tmp_path / "a.img", tmp_path / "out"
    assert run("build", "-q", IMAGES / "tiny.yaml", "-o", image).returncode == 0
    out.mkdir()
    (out / "mine").write_text("mine")
    done = run("capture", image, "-o", out)
    assert done.returncode == 2 and "is there already" in done.stderr
    assert [path.name for path in out.iterdir()] == ["mine"]


def test_what_a_cloud_keeps_in_step(tmp_path: Path) -> None:
    """Directories that have both a tag and children; files whose content is here, and that is not."""
    manifest, image = tmp_path / "a.yaml", tmp_path / "a.img"
    cloud = "reparse: {tag: 0x9000601A, data: {hex: '00'}}"
    manifest.write_text(
        "ntfsbuild: 1\n"
        "tree:\n"
        f"  OneDrive/: {{.: {{{cloud}}}, empty/: {{.: {{{cloud}}}}}}}\n"
        f"  OneDrive/here.txt: {{text: kept here, {cloud}}}\n"
        f"  OneDrive/away.txt: {{size: 5, {cloud}, attributes: [archive, recall_on_data_access]}}\n"
    )
    assert run("build", "-q", manifest, "-o", image).returncode == 0
    assert run("cat", image, "OneDrive/here.txt").stdout == "kept here"
    assert "its content is in a cloud" in run("cat", image, "OneDrive/away.txt").stderr
    back, difference = rebuilt(image, tmp_path / "captured", tmp_path)
    assert difference == {"same": True, "differences": []}
    assert run("cat", back, "OneDrive/here.txt").stdout == "kept here"


def test_names_that_are_no_text_are_told(tmp_path: Path) -> None:
    manifest, image = tmp_path / "a.yaml", tmp_path / "a.img"
    manifest.write_text("ntfsbuild: 1\nvolume: {size: 2MiB}\ntree: {a/b.txt: x, c.txt: y}\n")
    assert run("build", "-q", manifest, "-o", image).returncode == 0
    with Volume.open(image, "r+") as volume:
        volume.rename("/a", "/a\ud83e", 0, posix_names=True)
        volume.commit()
    found = captured(image, tmp_path / "captured")
    assert [one["why"] for one in found["notes"]] == [
        "its name has half a surrogate pair: it cannot be expressed, nor what is in it"
    ]
    text = (tmp_path / "captured/manifest.yaml").read_text("utf-8")
    assert '"c.txt"' in text and "b.txt" not in text


def test_files_that_no_directory_lists_are_told(tmp_path: Path) -> None:
    manifest, image = tmp_path / "a.yaml", tmp_path / "a.img"
    manifest.write_text("ntfsbuild: 1\ntree: {a.txt: x, b.txt: y}\nsteps: [{delete: b.txt}]\n")
    assert run("build", "-q", manifest, "-o", image).returncode == 0
    with Volume.open(image) as volume:
        number = volume.stat("/a.txt").record + 1
        at = volume.locator().offset_of_record(number)
    with image.open("r+b") as file:
        file.seek(at + 0x16)
        file.write(b"\1")  # In use again, without a name in a directory.
    done = run("capture", "--json", image, "-o", tmp_path / "captured")
    found = json.loads(done.stdout)
    assert (done.returncode, found["notes"]) == (1, [])
    assert found["damage"] == [{"path": f"record {number}", "why": "it is in use, and no directory lists it"}]


def test_what_is_easily_lost_comes_back_to_the_byte(tmp_path: Path) -> None:
    """Links that sort before their files, small content outside of the record, units written in part."""
    manifest, image = tmp_path / "a.yaml", tmp_path / "a.img"
    large = "v" * 400
    manifest.write_text(
        "ntfsbuild: 1\n"
        "tree:\n"
        "  .: {security: everyone_full}\n"
        "  m.txt: m\n"
        "  z.txt: {text: z}\n"
        "  a link.txt: {hardlink: z.txt}\n"
        "  b/link.txt: {hardlink: q.txt}\n"
        "  q: {junction: 'C:\\q'}\n"
        "  q.txt: {text: q}\n"
        "  small.bin: {size: 1, valid_data: 1}\n"
        "  larger.bin: {size: 500, fill: random, valid_data: 500}\n"
        f"  full.txt: {{size: 400, fill: random, ea: {{ONE: {large}}}}}\n"
        "  d/: {.: {compressed: true}, part.bin: {size: 100000, fill: random, valid_data: 28903}}\n"
        "  d/link: {wsl_symlink: /etc}\n"
        "  owned.txt: {text: x, unix: {uid: 1, mode: '0600'}, attributes: [archive]}\n"
        "  e.txt: {text: x, ea: {$LXUID: {hex: '01000000'}, user.a: b}}\n"
    )
    assert run("build", "-q", manifest, "-o", image).returncode == 0
    assert_back_to_the_byte(image, tmp_path)


def test_a_sparse_bit_that_does_not_fit_the_streams_is_told(tmp_path: Path) -> None:
    """Windows leaves it when the stream is deleted; ntfs-3g makes sparse named streams without it."""
    manifest, image = tmp_path / "a.yaml", tmp_path / "a.img"
    manifest.write_text(
        "ntfsbuild: 1\n"
        "tree: {a: {text: x, streams: {s: {size: 100000, sparse: true}}}}\n"
        "steps: [{delete: a, stream: s}]\n"
    )
    assert run("build", "-q", manifest, "-o", image).returncode == 0
    [note] = captured(image, tmp_path / "captured")["notes"]
    assert note["path"] == "/a" and "sparse" in note["why"]
