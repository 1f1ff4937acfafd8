"""Features laid over a base: what was done once need not be done again; and room for steps with features."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import ntfsbuild
from ntfsbuild.builder import Applied
from ntfsbuild.errors import ManifestError
from ntfsbuild.ondisk.file_attributes import FileAttributes
from ntfsbuild.volume.opening import Volume
from tests.oracle.accounting import faults


def manifest(folder: Path, **said: Any) -> Path:
    path = folder / "manifest.json"
    path.write_text(json.dumps({"ntfsbuild": 1, **said}))
    return path


def built(folder: Path, tree: dict[str, Any], **more: Any) -> Path:
    image = folder / "disk.img"
    volume = {"size": "auto+2MiB"}
    ntfsbuild.build(manifest(folder, **{"volume": volume, "tree": tree, **more}), image)
    assert faults(image) == []
    return image


def applied(image: Path, tree: dict[str, Any]) -> Applied:
    done = ntfsbuild.apply(manifest(image.parent, tree=tree), image)
    assert faults(image) == []
    return done


FULL = "O:BAG:BAD:PAI(A;OICI;FA;;;BA)"
READ = "O:BAG:BAD:PAI(A;OICI;FR;;;WD)"
AUTO = "O:SYG:SYD:AI(A;;FA;;;SY)"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            {"d/": {".": {"security": FULL}}, "d/e/": {".": {"security": AUTO}}, "d/e/f": {"security": AUTO}},
            {"d/": {".": {"security": READ}}, "d/e/": {".": {"security": AUTO}}, "d/e/f": {"security": AUTO}},
            id="what is inherited from what changes, too",
        ),
        pytest.param({}, {".": {"security": "D:(A;OICI;FA;;;BA)"}}, id="a root without an owner"),
        pytest.param({}, {".": {"attributes": ["pinned"]}}, id="the root, which is a system directory"),
        pytest.param(
            {},
            {
                "d/": {".": {"times": "2021-01-01"}},
                "d/b": {"hardlink": "a"},
                "a": {"times": "2020-01-01", "entry_times": "2019-01-01", "name_times": "2018-01-01"},
            },
            id="times of a file with two names",
        ),
        pytest.param(
            {"a": {"entry_times": "2019-01-01"}},
            {"a": {"entry_times": "2019-01-01"}, "b": {"hardlink": "a"}},
            id="times in the entry of a file that gets a name",
        ),
        pytest.param(
            {"d/": {".": {"entry_times": "2015-01-01"}}, "d/a": "a"},
            {"d/": {".": {"entry_times": "2015-01-01"}}, "d/b": "b"},
            id="times in the entry of a directory that gets a file",
        ),
        pytest.param(
            {"d/": {".": {"entry_times": "2015-01-01"}}, "d/a": "a"},
            {"d/": {".": {"entry_times": "2015-01-01"}}, "d/a": {"text": "a", "short_name": "B"}},
            id="or a short name",
        ),
        pytest.param(
            {"a": "a", "b": {"hardlink": "a", "short_name": "B1"}},
            {"a": "a", "b": {"hardlink": "a", "short_name": "B2"}},
            id="another short name of a link",
        ),
        pytest.param(
            {"a": {"text": "a", "ea": {"x": "1"}}, "b": {"hardlink": "a"}},
            {"a": {"text": "other", "ea": {"x": "1"}}, "b": {"hardlink": "a"}},
            id="a special file with two names",
        ),
        pytest.param(
            {"a": {"text": "a"}, "d/": {".": {"security": FULL}}, "d/b": {"hardlink": "a"}},
            {"d/b": {"text": "a", "security": AUTO}},
            id="the directory of the name that is said hands down",
        ),
    ],
)
def test_once_is_enough(tmp_path: Path, before: dict[str, Any], after: dict[str, Any]) -> None:
    image = built(tmp_path, before)
    assert applied(image, after).changed
    assert not applied(image, after).changed


def test_what_is_kept_keeps_the_times_of_its_entry(tmp_path: Path) -> None:
    image = built(tmp_path, {"d/": {".": {"entry_times": "2015-01-01"}}, "a": "a"})
    assert applied(image, {"d/": {}, "a": "b"}).changed
    with Volume.open(image) as volume:
        assert volume.traits("/d").entry_times is not None


def test_both_names_of_a_special_file_have_what_is_written(tmp_path: Path) -> None:
    image = built(
        tmp_path, {"a": {"text": "a", "ea": {"x": "1"}, "short_name": "A1"}, "b": {"hardlink": "a"}}
    )
    applied(image, {"b": "new"})
    with Volume.open(image) as volume:
        assert volume.read("/a") == volume.read("/b") == b"new"
        assert volume.stat("/a").record == volume.stat("/b").record
        assert volume.traits("/a").ea is None
        assert volume.traits("/a").short_name == "A1"


def test_two_names_cannot_have_different_contents(tmp_path: Path) -> None:
    """Even where the one that comes first has its content already."""
    image = built(tmp_path, {"a": "a", "b": {"hardlink": "a"}})
    with pytest.raises(ManifestError, match="the same file as /a"):
        applied(image, {"a": "a", "b": "other"})


def test_two_names_of_one_file_that_is_replaced(tmp_path: Path) -> None:
    image = built(tmp_path, {"a": "a", "b": {"hardlink": "a"}})
    tree = {"a": {"text": "new", "ea": {"x": "1"}}, "b": {"text": "new"}}
    applied(image, tree)
    assert not applied(image, tree).changed


@pytest.mark.parametrize("cluster", [512, 4096])
@pytest.mark.parametrize(
    ("tree", "steps"),
    [
        ({"a": {"size": 300000, "fill": "random"}}, [{"set": "a", "sparse": True}]),
        ({"a": {"size": 3000000, "sparse": True}}, [{"set": "a", "compressed": False}]),
        (
            {"a": {"size": 300000, "fill": "random"}},
            [{"rename": "a", "to": "b"}, {"set": "b", "compressed": True}],
        ),
        (
            {f"f{k}": "x" for k in range(60)},
            [
                {"set": f"f{k}", "security": "D:" + "".join(f"(A;;FA;;;S-1-5-{k}-{j})" for j in range(300))}
                for k in range(60)
            ],
        ),
    ],
)
def test_room_for_steps(
    tmp_path: Path, cluster: int, tree: dict[str, Any], steps: list[dict[str, Any]]
) -> None:
    built(tmp_path, tree, volume={"cluster": cluster}, steps=steps)


def test_extended_attributes_and_those_of_wsl_change_together(tmp_path: Path) -> None:
    """They are one value on the disk: where one of them changes, the other stays."""
    old, new = ({"user.a": "old"}, {"uid": 1}), ({"user.a": "new"}, {"uid": 2})
    for name, (ea, unix) in {"ea": (new[0], old[1]), "unix": (old[0], new[1])}.items():
        folder = tmp_path / name
        folder.mkdir()
        image = built(folder, {"f": {"text": "x", "ea": old[0], "unix": old[1]}})
        tree = {"f": {"text": "x", "ea": ea, "unix": unix}}
        assert applied(image, tree).changed
        expected = built(tmp_path, tree)
        with Volume.open(image) as volume, Volume.open(expected) as fresh:
            assert volume.traits("/f").ea == fresh.traits("/f").ea
        assert not applied(image, tree).changed


KEPT = {"hex": "00" * 40}
CIPHER = {"size": 1024, "fill": "random", "seed": 1, "encrypted": {"efs": KEPT, "size": 1000}}
CIPHER["streams"] = {"s": {"size": 512, "fill": "random", "seed": 2, "encrypted": {"size": 5}}}


def test_ciphertext_is_kept_as_it_is(tmp_path: Path) -> None:
    image = built(tmp_path, {"a": CIPHER, "d/": {".": {"encrypted": {"efs": KEPT}}, "plain.txt": "x"}})
    with Volume.open(image) as volume:
        assert [one.form for one in volume.stat("/a").streams] == ["encrypted", "encrypted"]
        assert [one.size_bytes for one in volume.stat("/a").streams] == [1000, 5]
        assert volume.traits("/d").efs == bytes(40)
        assert volume.stat("/d").attributes & FileAttributes.ENCRYPTED
        assert volume.read("/d/plain.txt") == b"x"
    assert not applied(image, {"a": CIPHER, "d/": {".": {"encrypted": {"efs": KEPT}}}}).changed
    other = CIPHER | {"seed": 3}
    assert applied(image, {"a": other}).changed
    assert not applied(image, {"a": other}).changed


def test_steps_encrypt_all_streams_and_limit_valid_data(tmp_path: Path) -> None:
    source = Path(__file__).parents[2] / "specs/images/files/alice.pem"
    (tmp_path / "alice.pem").write_bytes(source.read_bytes())
    to = {"to": "alice.pem"}
    tree = {"a": {"size": 600000, "fill": "random", "streams": {"s": {"size": 300000, "fill": "random"}}}}
    tree |= {"c": {"text": "valid"}, "d/": {}, "e": {"text": "e", "encrypted": to}}
    steps = [{"set": "a", "encrypted": to, "streams": {"t": "new"}}, {"set": "c", "valid_data": 3}]
    steps += [{"set": "d", "encrypted": to}, {"write": "d/f", "text": "plain"}]
    image = built(tmp_path, tree, steps=steps)
    with Volume.open(image) as volume:
        assert {(one.form, one.initialized_bytes) for one in volume.stat("/a").streams} == {
            ("encrypted", 600000),
            ("encrypted", 300000),
            ("encrypted", 3),
        }
        assert volume.traits("/a").efs and volume.traits("/d").efs
        assert volume.read("/c") == b"val\0\0"
        assert volume.read("/d/f") == b"plain"
    plain = built(tmp_path, {"d/": {".": {"encrypted": to}}}, steps=[{"set": "d", "compressed": False}])
    with Volume.open(plain) as volume:
        assert volume.traits("/d").efs is None
    with pytest.raises(ManifestError, match="it is encrypted already"):
        built(tmp_path, tree, steps=[{"set": "e", "encrypted": to}])
    with pytest.raises(ManifestError, match="valid_data is 6, and it has 5 bytes"):
        built(tmp_path, tree, steps=[{"set": "c", "valid_data": 6}])


def test_too_many_certificates_are_refused(tmp_path: Path) -> None:
    source = Path(__file__).parents[2] / "specs/images/files/alice.pem"
    (tmp_path / "alice.pem").write_bytes(source.read_bytes())
    with pytest.raises(ManifestError, match="encrypted: the keys for all of them take"):
        built(tmp_path, {"a": {"text": "a", "encrypted": {"to": ["alice.pem"] * 3000}}})


def test_too_many_streams_are_refused_with_their_place(tmp_path: Path) -> None:
    streams = {f"{'n' * 200}{k}": "x" for k in range(700)}
    with pytest.raises(ManifestError, match=r"manifest\.json:\d+:\d+: tree/a: a file needs a list"):
        built(tmp_path, {"a": {"streams": streams}})
