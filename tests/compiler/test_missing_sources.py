"""Sources that cannot be used: the problem stands at the path, and names the file without needless dots."""

from __future__ import annotations

from pathlib import Path

import pytest

from ntfsbuild import builder
from ntfsbuild.errors import ManifestError

MANIFEST = """\
ntfsbuild: 1
tree:
  a.txt: {source: ./none.txt}
  b/: {.: {source: ./none}}
  c.txt:
    times: source
    source: x/./././none
  d.txt: {attributes: [hidden], valid_data: 3, source: ../outside, unix: source}
  e.txt: {source: there.txt}
steps:
  - write: z
    source: ./nil
"""


@pytest.mark.parametrize("defaults", ["", "defaults: {security: read_only, short_names: true}\n"])
def test_a_missing_source_is_a_problem_of_its_path(tmp_path: Path, defaults: str) -> None:
    (tmp_path / "there.txt").write_text("hi")
    (tmp_path / "m.yaml").write_text(MANIFEST + defaults)

    with pytest.raises(ManifestError) as caught:
        builder.make_plan(builder.load(tmp_path / "m.yaml"))

    outside = "leaves the manifest's folder; allow it with --allow-outside DIR"
    assert str(caught.value).replace(f"{tmp_path}/", "") == "\n".join(
        [
            "m.yaml:3:19: tree/a.txt: none.txt does not exist",
            "m.yaml:4:20: tree/b: none does not exist",
            "m.yaml:7:13: tree/c.txt: x/none does not exist",
            f"m.yaml:8:56: tree/d.txt: ../outside {outside}",
            "m.yaml:12:13: steps[0]: source: nil does not exist",
        ]
    )


@pytest.mark.parametrize("path", ["./.", "./", ".", "././here/.", "./here"])
def test_dots_in_the_path_of_a_directory(tmp_path: Path, path: str) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here/a.txt").write_text("hi")
    (tmp_path / "m.yaml").write_text(f"ntfsbuild: 1\ntree: {{.: {{source: {path}}}}}\n")

    plan = builder.make_plan(builder.load(tmp_path / "m.yaml"))

    assert any(str(getattr(one, "path", "")).endswith("a.txt") for one in plan.operations)
