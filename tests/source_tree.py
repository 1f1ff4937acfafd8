"""The sources of the package, each parsed once: what they import, and which classes they have."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).parents[1]
ROOT = PROJECT / "ntfsbuild"


class Class(NamedTuple):
    """A class of the package, with the names of its bases in full where they are ours."""

    module: str
    node: ast.ClassDef
    bases: tuple[str, ...]

    @property
    def lines(self) -> int:
        return (self.node.end_lineno or 0) - self.node.lineno + 1

    @property
    def methods(self) -> set[str]:
        functions = (ast.FunctionDef, ast.AsyncFunctionDef)
        return {one.name for one in self.node.body if isinstance(one, functions)}


class Source:
    """One file of the package."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.shown = str(path.relative_to(PROJECT))
        self.module = ".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__")
        self.place = path.relative_to(ROOT).parts[0].removesuffix(".py")
        self.text = path.read_text()
        self.tree = ast.parse(self.text)
        self.nodes = list(ast.walk(self.tree))

    @functools.cached_property
    def imports(self) -> list[str]:
        """What it imports, in full, names of modules and of what is in them; also inside of functions."""
        names: list[str] = []
        for node in self.nodes:
            if isinstance(node, ast.Import):
                names += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.shown}: imports are written in full"
                assert node.module
                names += [f"{node.module}.{alias.name}" for alias in node.names]
        return names

    @functools.cached_property
    def late_imports(self) -> set[str]:
        """Texts that may name a module, where one is imported by its name."""
        if not any(isinstance(one, ast.Attribute) and one.attr == "import_module" for one in self.nodes):
            return set()
        texts = {one.value for one in self.nodes if isinstance(one, ast.Constant) and type(one.value) is str}
        package = self.module if self.path.name == "__init__.py" else self.module.rpartition(".")[0]
        return texts | {f"{package}.{text}" for text in texts}


@functools.cache
def sources() -> dict[str, Source]:
    """All files of the package, by module."""
    found = (Source(path) for path in sorted(ROOT.rglob("*.py")))
    return {one.module: one for one in found}


def imported_modules(source: Source) -> set[str]:
    """The modules of the package that a file imports; of a package, only what its `__init__` defines."""
    everything = sources()
    found = {name if name in everything else name.rpartition(".")[0] for name in source.imports}
    return ((found | source.late_imports) & everything.keys()) - {source.module}


def circles() -> list[list[str]]:
    """The sets of modules that import each other, directly or through others."""
    graph = {module: imported_modules(source) for module, source in sources().items()}
    reached = {module: _reachable(graph, module) for module in graph}
    found = {
        tuple(sorted(other for other in reached[module] if module in reached[other]))
        for module in graph
        if module in reached[module]
    }
    return sorted(map(list, found))


def _reachable(graph: dict[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    pending = [start]
    while pending:
        for module in graph[pending.pop()] - seen:
            seen.add(module)
            pending.append(module)
    return seen


@functools.cache
def classes() -> dict[str, Class]:
    """All classes of the package, by their full names."""
    return {f"{one.module}.{one.node.name}": one for source in sources().values() for one in _classes(source)}


def _classes(source: Source) -> Iterator[Class]:
    imported = {name.rpartition(".")[2]: name for name in source.imports}
    for node in source.nodes:
        if isinstance(node, ast.ClassDef):
            bases = (_base_name(base) for base in node.bases)
            full = (imported.get(base, f"{source.module}.{base}") for base in bases)
            yield Class(source.module, node, tuple(full))


def _base_name(base: ast.expr) -> str:
    return ast.unparse(base.value if isinstance(base, ast.Subscript) else base).rpartition(".")[2]


def ancestors(full_name: str) -> list[str]:
    """The classes of the package that a class is derived from, however far."""
    found = [base for base in classes()[full_name].bases if base in classes()]
    return list(dict.fromkeys([*found, *(further for base in found for further in ancestors(base))]))
