"""Did the solution pass? The tests run in one process, the solution in another, and only plain values cross.

The solution's process does not hold the tests and has no way to say "passed": it can only answer calls. So it gains
nothing from ending early, from objects that equal everything, or from replacing assert, builtins or modules: all that
is its own. What it can still do is what whoever knows the questions can do: answer them from a table.

In the tests, `from solution import f` gives a stand-in; calling it calls the solution's f. Names that the tests use and
do not define are the solution's too, unless Python itself has them (abs, math)."""

from __future__ import annotations

import builtins
import importlib
import os
import sys
import types

from hfllm.confined.peer import Peer

TYPE_CHECKING = False  # importing it from typing would cost every program milliseconds
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

if sys.platform == "linux":
    from hfllm.confined import kernel

TOKEN_BYTES = 16
SOLUTION = 0  # the number under which the solution's module is held


def run(confine: Callable[[], list[str]], box: str, report: int, secret_offset: int) -> None:
    """Never returns. Writes the token that stands before the tests to `report` once all of them have run."""
    if sys.platform == "linux":
        kernel.hide_memory()
    to_solution, to_tests = os.pipe(), os.pipe()
    if not os.fork():
        _keep_only({to_solution[0], to_tests[1]})  # before the solution runs: the tests are on standard input
        confine()
        _serve(box, Peer(to_solution[0], to_tests[1], only_functions=False))
    os.close(to_solution[0])
    os.close(to_tests[1])
    active = confine()
    os.write(report, " ".join(active).encode() + b"\n")
    secret = _read_from(secret_offset)
    _keep_only({to_solution[1], to_tests[0], report})
    tests = secret[TOKEN_BYTES:].decode("utf-8", "surrogatepass")
    _run_tests(tests, Peer(to_tests[0], to_solution[1], only_functions=True))
    os.write(report, secret[:TOKEN_BYTES].hex().encode())
    os._exit(0)


def _keep_only(kept: set[int]) -> None:
    """Close everything else; what is printed goes nowhere."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for place in range(3):
        os.dup2(nothing, place)
    for first, last in zip([2, *sorted(kept)], [*sorted(kept), 256], strict=True):
        os.closerange(first + 1, last)


def _read_from(offset: int) -> bytes:
    parts = []
    while part := os.pread(0, 1 << 20, offset):
        parts.append(part)
        offset += len(part)
    return b"".join(parts)


def _serve(box: str, peer: Peer) -> None:
    sys.path.insert(0, box)
    sys.dont_write_bytecode = True
    peer.hold(importlib.import_module("solution"))
    while True:
        peer.answer_next()


class _Solution(types.ModuleType):
    """The module `solution` as the tests see it."""

    def __init__(self, peer: Peer) -> None:
        super().__init__("solution")
        self._peer = peer

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._peer.ask(SOLUTION, "getattr", name)


def _run_tests(tests: str, peer: Peer) -> None:
    """Raises what the tests raise."""
    code = compile(tests, "tests.py", "exec")
    solution = sys.modules["solution"] = _Solution(peer)
    offered = peer.ask(SOLUTION, "dir")
    assert isinstance(offered, list)
    namespace: dict[str, object] = {"__name__": "tests"}
    for name in sorted(set(_names(code)) & {str(name) for name in offered} - set(dir(builtins))):
        if name in sys.stdlib_module_names and f"{name}." in tests:
            namespace[name] = importlib.import_module(name)  # math.isclose(...) means Python's
        elif not name.startswith("__"):
            namespace[name] = getattr(solution, name)
    exec(code, namespace)  # noqa: S102 - the tests; this process is confined as the solution's is


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)
