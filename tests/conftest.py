"""What tests need of this machine: foreign tools, sample volumes, and a say about what was left out.

A foreign tool that is missing skips a test loudly, and fails it where the environment has CI set.
"""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.disks import Disks
from tests.foreign.real_volumes import kept_for_all
from tests.oracle import READERS, Entry, Reader, judge_all
from tests.oracle.tools import missing

VOLUMES = Path(__file__).parents[2] / "shared" / "volumes"
LEFT_OUT: pytest.StashKey[set[str]] = pytest.StashKey()
Cases = Sequence[tuple[Path, Mapping[str, Entry]]]


def pytest_configure(config: pytest.Config) -> None:
    _hear_signals()
    keeping = contextlib.ExitStack()
    keeping.enter_context(kept_for_all())
    config.add_cleanup(keeping.close)
    config.stash[LEFT_OUT] = set()
    config.addinivalue_line("markers", "needs(*tools): foreign tools it cannot do without")


def _hear_signals() -> None:
    """Whoever runs the tests in the background ignores these, and so would every process of a test."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        leave_out(item.config, missing(marker.args), skip=True)


def leave_out(config: pytest.Config, absent: Sequence[str], *, skip: bool) -> None:
    """Fail in CI; elsewhere note what is missing, and skip the test if it makes no sense without."""
    if not absent:
        return
    if os.environ.get("CI"):
        pytest.fail("; ".join(absent), pytrace=False)
    config.stash[LEFT_OUT].update(absent)
    if skip:
        pytest.skip("; ".join(absent))


@pytest.fixture
def readers(request: pytest.FixtureRequest) -> list[Reader]:
    """The foreign readers that this machine has; in CI that is all of them, or the test fails."""
    here = []
    for reader in READERS:
        absent = missing(reader.tools)
        leave_out(request.config, absent, skip=False)
        if not absent:
            here.append(reader)
    if not here:
        pytest.skip("no foreign reader is here")
    return here


@pytest.fixture
def judged(readers: list[Reader]) -> Callable[[Cases], None]:
    """Let every reader of this machine judge a list of images, each with what it has to hold."""
    return lambda cases: judge_all(cases, readers)


@pytest.fixture(scope="session")
def volumes(request: pytest.FixtureRequest) -> Path:
    """Real volumes, which lie beside the checkout and never in it."""
    if not VOLUMES.is_dir():
        reason = f"no sample volumes at {VOLUMES}"
        request.config.stash[LEFT_OUT].add(reason)
        pytest.skip(reason)
    return VOLUMES


@pytest.fixture(scope="session")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Disks:
    """Volumes of trees that a test says: `disk({"a.txt": "a"}, size="8MiB")`."""
    return Disks(tmp_path_factory.mktemp("disks"))


@pytest.fixture(autouse=True)
def _no_large_leftovers(request: pytest.FixtureRequest) -> Iterator[None]:
    """Images are large: those of a test that passed go at once."""
    folder = request.getfixturevalue("tmp_path") if "tmp_path" in request.fixturenames else None
    failures = request.session.testsfailed
    yield
    if folder and request.session.testsfailed == failures:
        for image in folder.rglob("*.img"):
            image.unlink()


# ---- the summary; with pytest-xdist the workers hand their part to the controller


def pytest_sessionfinish(session: pytest.Session) -> None:
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        left_out: set[str] = session.config.stash[LEFT_OUT]
        output["left_out"] = sorted(left_out)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object, error: object) -> None:
    output = getattr(node, "workeroutput", {})
    node.config.stash[LEFT_OUT].update(output.get("left_out", []))  # type: ignore[attr-defined]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    left_out: set[str] = config.stash[LEFT_OUT]
    if left_out:
        terminalreporter.section("NOT PROVED: foreign tools are missing", red=True, bold=True)
    for line in sorted(left_out):
        terminalreporter.write_line(line, red=True)
