"""Every rule is broken once, and is what is found; nothing is found where nothing is broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from ntfsbuild.checks.checker import check_volume
from ntfsbuild.checks.rules import RULES
from tests.check import base, matrix_files, matrix_records, matrix_volume
from tests.check.mutating import Image

ID_LENGTH = 3  # Of a rule; what follows it in the name of a case says which side of the rule is meant.
MATRIX = matrix_volume.MATRIX | matrix_records.MATRIX | matrix_files.MATRIX


@pytest.fixture(scope="module", name="sound")
def _sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, dict[str, int]]:
    return base.build(tmp_path_factory.mktemp("matrix"))


def test_every_rule_has_a_mutation() -> None:
    assert {case[:ID_LENGTH] for case in MATRIX} == set(RULES)


def test_nothing_is_found_where_nothing_is_broken(sound: tuple[bytes, dict[str, int]]) -> None:
    assert not check_volume(Image(*sound)).findings
    image = Image(*sound)
    matrix_volume.log()(image)
    assert not check_volume(image).findings
    matrix_volume.journal()(image)
    rules = {one.rule for one in check_volume(image).findings}
    assert not {rule for rule in rules if rule[0] == "Y"}, "the journal itself is sound"


@pytest.mark.parametrize("case", sorted(MATRIX))
def test_what_is_broken_is_found(sound: tuple[bytes, dict[str, int]], case: str) -> None:
    image, rule = Image(*sound), case[:ID_LENGTH]
    MATRIX[case](image)
    assert bytes(image.data) != sound[0], "the mutation changes nothing"
    found = check_volume(image)
    assert rule in found.counts, f"found only {found.counts}"
    assert all(one.rule in RULES for one in found.findings)


def test_no_page_of_the_project_is_older_than_the_rules() -> None:
    from tests.check.page import PAGE, text

    assert PAGE.read_text(encoding="utf-8") == text(), "run python -m tests.check.page"


def test_what_is_said_is_a_rule() -> None:
    import re

    folder = Path(__file__).parents[2] / "ntfsbuild" / "checks"
    said = {
        rule
        for file in folder.glob("*.py")
        for rule in re.findall(r'"([A-Z]\d\d)"', file.read_text(encoding="utf-8"))
    }
    assert said == set(RULES)
