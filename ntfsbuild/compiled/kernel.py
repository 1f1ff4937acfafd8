"""The door to llvmlite, the compiler of the extra `fast`: functions become machine code in memory."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from ntfsbuild.compiled import Function

_OPTIMIZE = 2


@cache
def available() -> bool:
    """Whether functions can be compiled here."""
    import importlib.util

    return importlib.util.find_spec("llvmlite") is not None


def compile_function(function: Function, instead: Mapping[str, Function] | None = None) -> Function | None:
    """A function and all that it calls as machine code (see `translate`); None without the extra `fast`.

    The machine code takes `bytes` where the function says `bytes`, and addresses for all other arrays.  It
    runs without the lock of the interpreter, so threads run at once.  Nothing is kept on disk: compiling
    takes a tenth of a second.
    """
    if not available():
        return None
    import ctypes  # Imported late, all of them: they take as long to load as a small build takes.

    import llvmlite.binding as llvm

    from ntfsbuild.compiled.translate import translate

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=_OPTIMIZE
    )
    module = llvm.parse_assembly(translate(function, instead))
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=_OPTIMIZE)
    options.loop_vectorization = options.loop_unrolling = False  # Costs more time here than it wins.
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    types: dict[str, Any] = {"int": ctypes.c_int64, "bytes": ctypes.c_char_p}
    *kinds, _ = [types.get(kind, ctypes.c_void_p) for kind in function.__annotations__.values()]
    address = engine.get_function_address(function.__name__)
    compiled: Any = ctypes.CFUNCTYPE(ctypes.c_int64, *kinds)(address)
    compiled.engine = engine  # The code lives as long as the engine.
    return compiled  # type: ignore[no-any-return]
