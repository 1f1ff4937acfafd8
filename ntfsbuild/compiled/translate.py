"""Translates functions of numbers and byte arrays from Python to LLVM assembly.

What is understood is a small part of Python: parameters that are `int`, `bytes`, `bytearray` or `Shorts`;
assignments to names and array elements; `while`, `if`, `break`, `continue`, `return`; arithmetic, bits,
comparisons, `and`, `or`, `not`; constants of the module, tables of numbers among them; calls of functions
that are translated, too.  All else is a TypeError, so a function is translated whole or not at all.
Every number is a signed integer of 64 bits: the functions must not need more.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Mapping
from textwrap import dedent
from typing import Any

from ntfsbuild.compiled import Function

_ELEMENT = {"bytes": "i8", "bytearray": "i8", "Shorts": "i16"}
_TABLE_ELEMENT = "i32"
_BINARY: dict[type[ast.operator], str] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.LShift: "shl", ast.RShift: "ashr",
    ast.BitAnd: "and", ast.BitOr: "or", ast.BitXor: "xor",
}  # fmt: skip
_COMPARED: dict[type[ast.cmpop], str] = {
    ast.Eq: "eq", ast.NotEq: "ne", ast.Lt: "slt", ast.LtE: "sle", ast.Gt: "sgt", ast.GtE: "sge",
}  # fmt: skip


def translate(function: Function, instead: Mapping[str, Function] | None = None) -> str:
    """LLVM assembly of a function, visible from outside, and of all that it calls.

    `instead` names functions that are called, and what is called in their place: where Python has a step in
    C (`bytes.find`), machine code needs the loop.
    """
    texts: dict[str, str] = {}
    tables: dict[str, str] = {}
    waiting = [function]
    while waiting:
        one = waiting.pop()
        if one.__name__ not in texts:
            made = _Function(one, dict(instead or {}), tables, visible=one is function)
            texts[one.__name__] = made.text()
            waiting += made.called
    return "\n".join([*tables.values(), *texts.values()])


class _Function:
    """One function as text; each number that is computed has a name of its own."""

    def __init__(
        self, function: Function, instead: Mapping[str, Function], tables: dict[str, str], *, visible: bool
    ) -> None:
        tree = ast.parse(dedent(inspect.getsource(function))).body[0]
        assert isinstance(tree, ast.FunctionDef)
        self._tree, self._tables = tree, tables
        self._globals = {**getattr(function, "__globals__", {}), **instead}
        self._linkage = "" if visible else "internal "
        self._kinds = {one.arg: ast.unparse(one.annotation or ast.Constant(None)) for one in tree.args.args}
        self._local: set[str] = set()
        self._lines: list[str] = []
        self._count = 0
        self._loops: list[tuple[str, str]] = []  # Where `continue` and `break` go.
        self.called: list[Function] = []

    def text(self) -> str:
        """The definition, its locals on the stack: LLVM puts them into registers."""
        kinds = self._kinds
        given = ", ".join(f"{_type_of(kind)} %{name}.given" for name, kind in kinds.items())
        stored = {
            node.id
            for node in ast.walk(self._tree)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
        local = sorted(stored | {name for name, kind in kinds.items() if kind == "int"})
        for name in local:
            if name in kinds and kinds[name] != "int":
                raise self._refusal(self._tree, f"{name} is an array and cannot be assigned")
            self._put(f"%{name} = alloca i64")
            self._put(f"store i64 {f'%{name}.given' if name in kinds else '0'}, ptr %{name}")
        self._local = set(local)
        if not self._block(self._tree.body):
            self._put("ret i64 0")
        body = "\n".join(self._lines)
        # Only one statement is inlined: more makes code that is hardly faster and takes longer to compile.
        inlined = "alwaysinline" if len(_statements_of(self._tree)) == 1 else "noinline"
        return f"define {self._linkage}i64 @{self._tree.name}({given}) {inlined} {{\n{body}\n}}"

    # ------------------------------------------------------------------ statements

    def _block(self, statements: Iterable[ast.stmt]) -> bool:
        """The statements one after the other; says whether the last of them leads elsewhere."""
        return any(self._statement(statement) for statement in statements)

    def _statement(self, node: ast.stmt) -> bool:
        match node:
            case ast.Assign(targets=[target]):
                self._store(target, self._value(node.value))
            case ast.AugAssign():
                self._store(node.target, self._binary(node, node.op, _loaded(node.target), node.value))
            case ast.Return(value=ast.expr() as value):
                self._put(f"ret i64 {self._value(value)}")
                return True
            case ast.Break() | ast.Continue():
                self._put(f"br label %{self._loops[-1][isinstance(node, ast.Break)]}")
                return True
            case ast.While(orelse=[]):
                self._while(node)
            case ast.If():
                return self._if(node)
            case ast.Expr(value=ast.Constant(value=str())):
                pass  # The docstring.
            case ast.Expr(value=ast.Call() as call):
                self._value(call)
            case _:
                raise self._refusal(node, "no such statement")
        return False

    def _while(self, node: ast.While) -> None:
        head, body, done = self._label(), self._label(), self._label()
        self._put(f"br label %{head}")
        self._put(f"{head}:")
        self._branch(node.test, body, done)
        self._put(f"{body}:")
        self._loops.append((head, done))
        if not self._block(node.body):
            self._put(f"br label %{head}")
        self._loops.pop()
        self._put(f"{done}:")

    def _if(self, node: ast.If) -> bool:
        then, other, done = self._label(), self._label(), self._label()
        self._branch(node.test, then, other)
        self._put(f"{then}:")
        left = self._block(node.body)
        if not left:
            self._put(f"br label %{done}")
        self._put(f"{other}:")
        right = self._block(node.orelse)
        if not right:
            self._put(f"br label %{done}")
        if left and right:
            return True
        self._put(f"{done}:")
        return False

    def _store(self, target: ast.expr, value: str) -> None:
        match target:
            case ast.Name(id=name) if name in self._local:
                self._put(f"store i64 {value}, ptr %{name}")
            case ast.Subscript(value=ast.Name(id=name)) if self._kinds.get(name) in ("bytearray", "Shorts"):
                element, place = self._place(target)
                self._put(f"store {element} {self._new(f'trunc i64 {value} to {element}')}, ptr {place}")
            case _:
                raise self._refusal(target, "cannot be assigned")

    # ------------------------------------------------------------------ expressions

    def _branch(self, test: ast.expr, then: str, other: str) -> None:
        """Go to `then` where the test holds; `and` and `or` look no further than they must."""
        match test:
            case ast.BoolOp(op=op, values=[*firsts, last]):
                for one in firsts:
                    on = self._label()
                    self._branch(one, *((on, other) if isinstance(op, ast.And) else (then, on)))
                    self._put(f"{on}:")
                self._branch(last, then, other)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                self._branch(operand, other, then)
            case ast.Constant(value=True):
                self._put(f"br label %{then}")
            case ast.Compare(left=left, ops=[compared], comparators=[right]) if type(compared) in _COMPARED:
                first, second = self._value(left), self._value(right)
                held = self._new(f"icmp {_COMPARED[type(compared)]} i64 {first}, {second}")
                self._put(f"br i1 {held}, label %{then}, label %{other}")
            case _:
                held = self._new(f"icmp ne i64 {self._value(test)}, 0")
                self._put(f"br i1 {held}, label %{then}, label %{other}")

    def _value(self, node: ast.expr) -> str:
        match node:
            case ast.Constant(value=int(value)):
                return str(int(value))
            case ast.Name(id=name) if name in self._local:
                return self._new(f"load i64, ptr %{name}")
            case ast.Name(id=name) if isinstance(self._globals.get(name), int):
                return str(self._globals[name])
            case ast.BinOp():
                return self._binary(node, node.op, node.left, node.right)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self._new(f"sub i64 0, {self._value(operand)}")
            case ast.Subscript():
                element, place = self._place(node)
                return self._new(f"zext {element} {self._new(f'load {element}, ptr {place}')} to i64")
            case ast.Call(func=ast.Name(id=name), keywords=[]):
                return self._call(node, name)
        raise self._refusal(node, "no such expression")

    def _binary(self, node: ast.AST, op: ast.operator, left: ast.expr, right: ast.expr) -> str:
        if type(op) not in _BINARY:
            raise self._refusal(node, "no such operator")
        one, two = self._value(left), self._value(right)
        return self._new(f"{_BINARY[type(op)]} i64 {one}, {two}")

    def _call(self, node: ast.Call, name: str) -> str:
        function = self._globals.get(name)
        if not inspect.isfunction(function):
            raise self._refusal(node, f"{name} is not a function of a module")
        self.called.append(function)
        wanted = list(inspect.signature(function).parameters.values())
        if len(wanted) != len(node.args):
            raise self._refusal(node, f"{name} takes {len(wanted)} arguments")
        given = []
        for parameter, argument in zip(wanted, node.args, strict=True):
            kind = str(parameter.annotation)
            if kind == "int":
                given.append(f"i64 {self._value(argument)}")
            elif isinstance(argument, ast.Name) and _element_of(kind) == _element_of(
                self._kinds[argument.id]
            ):
                given.append(f"ptr %{argument.id}.given")
            else:
                raise self._refusal(argument, f"is not {kind}")
        return self._new(f"call i64 @{function.__name__}({', '.join(given)})")

    def _place(self, node: ast.Subscript) -> tuple[str, str]:
        """The element type and the address of an array's element."""
        if not isinstance(node.value, ast.Name):
            raise self._refusal(node, "is no array")
        name, at = node.value.id, self._value(node.slice)
        if name in self._kinds:
            element, base = _element_of(self._kinds[name]), f"%{name}.given"
        else:
            element, base = _TABLE_ELEMENT, self._table(node, name)
        return element, self._new(f"getelementptr {element}, ptr {base}, i64 {at}")

    def _table(self, node: ast.AST, name: str) -> str:
        values: Any = self._globals.get(name)
        if not isinstance(values, (list, tuple)) or not all(type(one) is int for one in values):
            raise self._refusal(node, f"{name} is no table of numbers")
        listed = ", ".join(f"{_TABLE_ELEMENT} {one}" for one in values)
        text = f"@{name} = internal constant [{len(values)} x {_TABLE_ELEMENT}] [{listed}]"
        assert self._tables.setdefault(name, text) == text, f"two tables are called {name}"
        return f"@{name}"

    # ------------------------------------------------------------------ text

    def _put(self, line: str) -> None:
        self._lines.append(line)

    def _new(self, computed: str) -> str:
        self._count += 1
        self._put(f"%.{self._count} = {computed}")
        return f"%.{self._count}"

    def _label(self) -> str:
        self._count += 1
        return f"to.{self._count}"

    def _refusal(self, node: ast.AST, why: str) -> TypeError:
        return TypeError(f"{self._tree.name}: {ast.unparse(node)}: {why}")


def _statements_of(function: ast.FunctionDef) -> list[ast.stmt]:
    """The statements of a function without its docstring."""
    return function.body[1:] if ast.get_docstring(function) is not None else function.body


def _loaded(target: ast.expr) -> ast.expr:
    """The target of an assignment as a value."""
    if isinstance(target, ast.Subscript):
        return ast.Subscript(target.value, target.slice, ast.Load())
    return target


def _element_of(kind: str) -> str:
    if kind not in _ELEMENT:
        raise TypeError(f"{kind} is no array that can be translated")
    return _ELEMENT[kind]


def _type_of(kind: str) -> str:
    """The LLVM type of a parameter; two arrays never share bytes."""
    if kind == "int":
        return "i64"
    _element_of(kind)
    return "ptr noalias"
