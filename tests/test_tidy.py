"""The shape of the code: imports go down, libraries have one door, classes are small and named once.

Each file is parsed once for all rules (`tests/source_tree.py`).  What breaks a rule today is listed here with
the reason; an exception that is no longer one fails, so that the lists only shrink.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.source_tree import (
    PROJECT,
    ROOT,
    Source,
    ancestors,
    circles,
    classes,
    imported_modules,
    sources,
)

LAYERS = [
    "named_tuple",
    "errors collector compiled",
    "ondisk image",
    "content crypto",
    "manifest plan volume",
    "capturing compiler executor checks",
    "builder",
    "report",
    "cli",
    "__init__ __main__",
]
RANK = {name: rank for rank, row in enumerate(LAYERS) for name in row.split()}

DOORS = {
    "construct": "ondisk/layout.py",
    "llvmlite": "compiled/kernel.py",
    "yaml": "manifest/source.py",
    "jsonschema": "manifest/schema.py",
}
ONE_PACKAGE = {"click": "cli", "rich": "cli", "cryptography": "crypto"}

# Inside `volume/`: who may import whom.  A module beside the three folders is under all of them.
VOLUME_LAYERS = {"read": {"read"}, "write": {"read", "write"}, "format": {"read", "write", "format"}}
ABOVE_THE_WRITER = {"opening"}  # Puts the parts together.

MOST_METHODS, MOST_CLASS_LINES = 30, 400
MOST_FILE_LINES, MOST_FUNCTION_LINES = 450, 70

EXEMPT_FAMILIES = {"ntfsbuild.errors.NtfsBuildError", "ntfsbuild.ondisk.layout.OnDisk"}

LARGE_CLASSES: dict[str, str] = {}
NAMES_OF_SEVERAL: dict[str, str] = {}
UNTESTED_WRITER_MODULES: set[str] = set()

ASKS_THE_MACHINE = {"environ", "getenv", "getuid", "now", "utcnow", "today", "urandom"}
OF_THE_MACHINE = {"time", "random", "secrets", "uuid", "locale", "getpass", "platform"}


def test_there_are_files_to_judge() -> None:
    assert len(sources()) > 200
    assert {source.place for source in sources().values()} <= set(RANK), "a package without a rank"


# ---------------------------------------------------------------------- layers


def test_imports_only_go_down() -> None:
    assert not [wrong for source in sources().values() for wrong in _upward_imports(source)]


def _upward_imports(source: Source) -> Iterator[str]:
    here = source.place
    for name in source.imports:
        top, *rest = name.split(".")
        if top != "ntfsbuild" or not rest or rest[0] not in RANK:
            continue  # A library, or the package itself for its version.
        there = rest[0]
        if there != here and RANK[there] >= RANK[here]:
            yield f"{source.shown}: {here} may not import {there}"


def test_no_module_imports_itself_in_a_circle() -> None:
    assert not circles()


def test_inside_volume_reading_knows_no_writer_and_the_writer_no_formatter() -> None:
    wrong = []
    for module, source in sources().items():
        folder = _volume_folder(module)
        if folder is None or folder in ABOVE_THE_WRITER:
            continue
        allowed = VOLUME_LAYERS.get(folder, set())
        for other in imported_modules(source):
            there = _volume_folder(other)
            if there in ABOVE_THE_WRITER or (there in VOLUME_LAYERS and there not in allowed):
                wrong.append(f"{module} may not import {other}")
    assert not wrong


def _volume_folder(module: str) -> str | None:
    """The folder, or module, of `volume/` that a module lies in."""
    _, _, rest = module.partition("ntfsbuild.volume.")
    return rest.partition(".")[0] or None


def test_each_library_has_one_door() -> None:
    wrong = []
    for source in sources().values():
        for name in source.imports:
            top = name.split(".")[0]
            if source.path != ROOT / DOORS.get(top, source.path):
                wrong.append(f"{source.shown}: {top} has one door, {DOORS[top]}")
            if source.place != ONE_PACKAGE.get(top, source.place):
                wrong.append(f"{source.shown}: {top} belongs in {ONE_PACKAGE[top]}")
    assert not wrong


def test_nothing_below_the_command_line_asks_the_machine() -> None:
    """No clock, no randomness, no environment, no locale."""
    wrong = []
    for source in sources().values():
        if source.place in ("cli", "__main__"):
            continue
        modules = {name.split(".")[0] for name in source.imports} & OF_THE_MACHINE
        wrong += [f"{source.shown}: {module}" for module in modules]
        wrong += [
            f"{source.shown}:{node.lineno}: {node.attr}"
            for node in source.nodes
            if isinstance(node, ast.Attribute) and node.attr in ASKS_THE_MACHINE
        ]
    assert not wrong


# ---------------------------------------------------------------------- sizes


def test_files_fit_a_head() -> None:
    long = {one.shown: one.text.count("\n") for one in sources().values()}
    assert not {name: lines for name, lines in long.items() if lines > MOST_FILE_LINES}, "split by concept"


def test_functions_fit_a_screen() -> None:
    wrong = [
        f"{source.shown}:{node.lineno}: {node.name}"
        for source in sources().values()
        for node in source.nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno > MOST_FUNCTION_LINES
    ]
    assert not wrong


# ---------------------------------------------------------------------- classes


def test_classes_are_derived_once_at_most() -> None:
    """But for errors, protocols and structures, which add names and no behaviour."""
    wrong = {name: above for name in classes() if len(above := ancestors(name)) > 1 and not _is_exempt(name)}
    assert not wrong


def _is_exempt(name: str) -> bool:
    family = [name, *ancestors(name)]
    bases = {base.rpartition(".")[2] for one in family for base in classes()[one].bases}
    return "Protocol" in bases or bool(
        {"ntfsbuild.errors.NtfsBuildError", "ntfsbuild.ondisk.layout.OnDisk"} & {*family}
    )


def test_classes_stay_small_with_all_that_they_inherit() -> None:
    large = {}
    for name in classes():
        family = [classes()[one] for one in (name, *ancestors(name))]
        methods = set().union(*(one.methods for one in family))
        lines = sum(one.lines for one in family)
        if len(methods) > MOST_METHODS or lines > MOST_CLASS_LINES:
            large[name] = f"{len(methods)} methods, {lines} lines"
    assert large.keys() == LARGE_CLASSES.keys(), large


def test_a_public_class_name_stands_once() -> None:
    by_name: dict[str, list[str]] = {}
    for full_name, one in classes().items():
        if not one.node.name.startswith("_"):
            by_name.setdefault(one.node.name, []).append(full_name)
    several = {name: places for name, places in by_name.items() if len(places) > 1}
    assert several.keys() == NAMES_OF_SEVERAL.keys(), several


# ---------------------------------------------------------------------- tests


def test_every_module_of_the_writer_has_a_test_of_its_own() -> None:
    missing = set()
    for module in sources():
        if module.startswith("ntfsbuild.volume.write."):
            stem = module.rpartition(".")[2]
            test = PROJECT / "tests" / "volume" / "write" / f"test_{stem}.py"
            if not test.is_file() or not _imports(test.read_text(), module):
                missing.add(stem)
    assert missing == UNTESTED_WRITER_MODULES


def _imports(text: str, module: str) -> bool:
    package, _, name = module.rpartition(".")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and (
            node.module == module or (node.module == package and name in {alias.name for alias in node.names})
        ):
            return True
    return False
