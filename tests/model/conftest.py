"""Bases, made once for each worker; and what `--hypothesis-profile thorough` means here."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.depth import by_day
from tests.model.bases import Base, make_base

QUICK, THOROUGH = "quick histories", "thorough"

settings.register_profile(
    QUICK,
    max_examples=by_day(2, 6),
    stateful_step_count=100,
    derandomize=True,
    deadline=None,
    phases=[Phase.generate],  # What fails is made smaller by ourselves: as steps, not as numbers drawn.
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
)
settings.register_profile(
    THOROUGH,
    settings.get_profile(QUICK),
    max_examples=30,
    stateful_step_count=150,
    derandomize=False,
    database=None,
)

Bases = Callable[[str], Base]


@pytest.fixture(scope="session")
def bases(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bases:
    """The base of a kind; where a volume of Windows or a tool is not here, the test is skipped."""
    made: dict[str, Base] = {}

    def samples() -> Path:
        return Path(request.getfixturevalue("volumes"))

    def base(kind: str) -> Base:
        if kind not in made:
            made[kind] = make_base(kind, tmp_path_factory.mktemp(kind), samples)
        return made[kind]

    return base
