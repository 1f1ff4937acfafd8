"""Command lines of `ntfsbuild` as processes that are born with everything imported.

To start Python takes most of the time that a small command takes.  `run` therefore asks a process that has
imported all of ntfsbuild to fork itself: arguments, folder, environment, the three streams and the exit code
are those of a process of its own.  Only what is about the start itself, or about what Python does with the
environment before it runs anything, needs `start`.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).parents[1]
OF_PYTHON = ("PYTHON", "LC_", "LANG")  # What it reads of the environment when it starts.
Done = subprocess.CompletedProcess[Any]


def environment(**changes: str) -> dict[str, str]:
    """That of a user who has set nothing for ntfsbuild."""
    kept = {
        name: value for name, value in os.environ.items() if name not in ("SOURCE_DATE_EPOCH", "NO_COLOR")
    }
    return kept | {"PYTHONPATH": str(ROOT)} | changes


def run(
    *arguments: object,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    input: str = "",
    text: bool = True,
) -> Done:
    """Run `ntfsbuild` to its end, with `env` changed in its environment; its output as text, or as bytes."""
    if any(name.startswith(OF_PYTHON) for name in env or {}):
        return start(*arguments, cwd=cwd, env=environment(**env or {}), input=input, text=text)
    words = [os.fspath(one) if isinstance(one, os.PathLike) else str(one) for one in arguments]
    request = {"arguments": words, "cwd": str(cwd or Path.cwd()), "env": environment(**env or {})}
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(input.encode())
        given.seek(0)
        code = _server().ask(request, given.fileno(), out.fileno(), err.fileno())
        for stream in (out, err):
            stream.seek(0)
        output, errors = out.read(), err.read()
    if text:
        return subprocess.CompletedProcess(words, code, output.decode("utf-8"), errors.decode("utf-8"))
    return subprocess.CompletedProcess(words, code, output, errors)


def start(*arguments: object, **options: Any) -> Done:
    """The same from the start of Python on, with the options of `subprocess.run`."""
    command = [sys.executable, "-m", "ntfsbuild", *map(str, arguments)]
    options = {"env": environment(), "text": True} | options
    if "stdout" not in options and "stderr" not in options:
        options["capture_output"] = True
    if options["text"]:
        options["encoding"] = "utf-8"
    return subprocess.run(command, check=False, **options)


class _Server:
    def __init__(self) -> None:
        self.socket, other = socket.socketpair()
        with other:
            command = [sys.executable, "-m", "tests.command", str(other.fileno())]
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=environment(), pass_fds=[other.fileno()], stdin=subprocess.DEVNULL
            )
        atexit.register(self.close)

    def ask(self, request: dict[str, Any], *streams: int) -> int:
        data = json.dumps(request).encode()
        header = len(data).to_bytes(8, "little")
        self.socket.sendmsg([header], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", streams))])
        self.socket.sendall(data)
        answer = self.socket.recv(8)
        assert answer, "the server of commands is gone"
        return int.from_bytes(answer, "little", signed=True)

    def close(self) -> None:
        self.socket.close()
        self.process.wait()


@functools.cache
def _server() -> _Server:
    """One for each process of the tests."""
    return _Server()


# ---- inside of it


def _serve(connection: socket.socket) -> None:
    _import_all()
    while True:
        header, streams, _, _ = socket.recv_fds(connection, 8, 3)
        if not header:
            return
        left, data = int.from_bytes(header, "little"), b""
        while left > len(data):
            data += connection.recv(left - len(data))
        child = os.fork()
        if not child:
            connection.close()
            _be(json.loads(data), streams)
        for one in streams:
            os.close(one)
        _, status = os.waitpid(child, 0)
        connection.sendall(os.waitstatus_to_exitcode(status).to_bytes(8, "little", signed=True))


def _import_all() -> None:
    import importlib
    import pkgutil

    import ntfsbuild

    for found in pkgutil.walk_packages(ntfsbuild.__path__, "ntfsbuild."):
        if not found.name.endswith("__main__"):
            with contextlib.suppress(ImportError):  # An extra that is not installed.
                importlib.import_module(found.name)


def _be(request: dict[str, Any], streams: list[int]) -> NoReturn:
    """Become a process that has just started `python -m ntfsbuild`."""
    code = 1
    try:
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.chdir(request["cwd"])
        os.environ.clear()
        os.environ.update(request["env"])
        sys.stdin = os.fdopen(0, closefd=False)
        sys.stdout = os.fdopen(1, "w", closefd=False)
        sys.stderr = os.fdopen(2, "w", errors="backslashreplace", closefd=False)
        sys.argv = ["ntfsbuild", *request["arguments"]]
        from ntfsbuild.cli import main

        code = main()
    except SystemExit as stopped:
        code = stopped.code if isinstance(stopped.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            atexit._run_exitfuncs()
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Whoever stops the tests closes the connection.
    with socket.socket(fileno=int(sys.argv[1])) as own:
        _serve(own)
