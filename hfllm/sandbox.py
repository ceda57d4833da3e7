"""How is Python that a model wrote run? In a process of its own, inside whatever walls this system can build.

    run("print(1 + 1)").stdout == "2\\n"
    passes("def double(x):\\n    return 2 * x", "assert double(4) == 8")
    protections()      what is in force here, and by what

A program gets an empty folder, no environment, and limits of time, memory, disk, processes and output; it is killed
with all that it started. Where Linux allows namespaces (to root, or by user namespaces) it sees only a read-only folder
tree with Python and the system's libraries, and no network. Elsewhere, as in most containers, it cannot start
processes, and seccomp and Landlock refuse sockets and other files; macOS has neither.

Not a security boundary against somebody who attacks you. It does not protect against
* flaws of the kernel, or a program that reads processor caches: for hostile people take a virtual machine;
* reading what any program may read: the system's libraries, Python's packages, the kernel's version, the clock;
* much memory in many processes: `memory_bytes` counts for each of `processes`;
* whatever `protections()` calls None. Without namespaces and Landlock, a program can read and write what your user can,
  and read the environment of your processes. With Landlock alone, it sees that other files exist and how large they
  are, and files that it deletes while they are open count one by one. On macOS it has the network too."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any

from hfllm.confined import outside
from hfllm.confined.outside import Finished, Limits, Status, Walls

RUN_PROGRAMS = {"python", "python_tests", "humaneval", "mbpp"}  # the tool, the reward and the tasks

CPU_LIMIT_CODE = outside.SIGNALLED + 24  # SIGXCPU
FULL = ("OSError: [Errno 27]", "OSError: [Errno 28]")  # file too large, no space left
USUAL = Limits()
START_SECONDS = 20  # for finding out what works here


@dataclass(frozen=True)
class Outcome:
    """How a program ended: "ok", "error" (its own), or by the limit that it ran into."""

    status: Status
    stdout: str
    stderr: str
    seconds: float


def run(code: str, *, stdin: str = "", limits: Limits = USUAL) -> Outcome:
    """Run one program. Raises RuntimeError when the sandbox itself does not work, never because of the program."""
    finished = outside.execute(_walls(), _program(code, stdin), limits)
    _check(finished)
    return Outcome(_status(finished), _text(finished.stdout), _text(finished.stderr), finished.seconds)


def run_many(codes: Sequence[str], *, limits: Limits = USUAL, workers: int | None = None) -> list[Outcome]:
    """The outcomes of many programs, in their order; `workers` at a time, by default one a core."""
    _walls()  # found once, not by every thread
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        return list(pool.map(lambda code: run(code, limits=limits), codes))


def passes(solution: str, tests: str, limits: Limits = USUAL) -> bool:
    """Whether the tests run to their end without an exception; they call the solution, which is in another process.

    Tests take what they need by `from solution import f`, or just use its name unless Python has that name too.
    Numbers, texts, bytes, lists, tuples, sets, dicts, Fraction, Decimal, deque and range cross between the two, and
    arguments that were changed in place. Objects of the solution's own classes stay with it: tests can call them, read
    and set their attributes, iterate over them, and compare them with one another. What the solution prints is lost.
    confined/judge.py says what a solution can still do."""
    token = secrets.token_bytes(16)
    job = {"file": "solution.py", "code": _bytes(solution), "command": None}
    finished = outside.execute(_walls(), job, limits, secret=token + _bytes(tests))
    _check(finished)
    return finished.limit is None and finished.report.endswith(b"\n" + token.hex().encode())


def protections() -> dict[str, str | None]:
    """What programs are kept from on this system, and by what; None where nothing keeps them from it."""
    active = outside.execute(_walls(), _program("", ""), Limits(timeout_seconds=START_SECONDS)).report.decode().split()

    def by(**means: str) -> str | None:
        return next((text for name, text in means.items() if name in active), None)

    alone = dict.fromkeys(("seccomp", "no_processes"), "none can be started")
    return {
        "running on": by(cpu="clock and processor time"),
        "memory": by(memory="limit for each process") or "measured 20 times a second",
        "disk": by(namespaces="folder of limited size, in memory", file_size="limit for each file; folder measured"),
        "many processes": by(namespaces="limit", **alone),
        "children that stay": by(namespaces="process namespace", **alone),
        "signals to others": by(namespaces="process namespace", seccomp="seccomp", user="another user"),
        "environment of others": by(namespaces="process namespace", landlock="Landlock", user="another user"),
        "reading other files": by(namespaces="folder tree of its own", landlock="Landlock"),
        "writing other files": by(namespaces="folder tree of its own", landlock="Landlock", user="another user"),
        "network": by(namespaces="network namespace", seccomp="seccomp: no sockets"),
        "rare system calls": by(seccomp="seccomp"),
    }


def is_used(names: Iterable[str]) -> bool:
    """Whether one of these tools, rewards or tasks runs what a model wrote."""
    return not RUN_PROGRAMS.isdisjoint(names)


def summary() -> str:
    """`protections` as one line for the head of a run."""
    found = protections()
    open_doors = [what for what, means in found.items() if means is None]
    held = f"programs of the model run in a sandbox, kept from {len(found) - len(open_doors)} of {len(found)} dangers"
    return f"{held}; not from: {', '.join(open_doors)}" if open_doors else held


@cache
def _walls() -> Walls:
    """The strongest walls inside which a program runs on this system, found by trying."""
    linux, root = sys.platform == "linux", os.geteuid() == 0
    finished = None
    for walls in dict.fromkeys([Walls(linux, root), Walls(False, root), Walls(False, False)]):
        finished = outside.execute(walls, _program("print('here')", ""), Limits(timeout_seconds=START_SECONDS))
        if finished.stdout == b"here\n":
            return walls
    assert finished is not None
    raise RuntimeError(f"no program can be run in a sandbox on this system:\n{_text(finished.stderr)}")


def _program(code: str, stdin: str) -> dict[str, Any]:
    environment = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONPATH": ":".join(outside.packages())}
    environment |= outside.SAME_EVERY_TIME | outside.library_paths()
    command = [outside.python(), "-S", "-s", "-B", "program.py"]
    job = {"file": "program.py", "code": _bytes(code), "input": stdin.encode("utf-8", "replace")}
    return job | {"command": command, "environment": environment}


def _check(finished: Finished) -> None:
    if not finished.walls_stood:
        raise RuntimeError(f"the sandbox did not start:\n{_text(finished.stderr)}")


def _status(finished: Finished) -> Status:
    if finished.limit is not None:
        return finished.limit
    if finished.code == 0:
        return "ok"
    last = _text(finished.stderr).rstrip().rpartition("\n")[2]
    if last.startswith("MemoryError"):
        return "memory"
    if last.startswith(FULL):
        return "files"
    return "timeout" if finished.code == CPU_LIMIT_CODE else "error"


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(output: bytes) -> str:
    return output.decode("utf-8", "replace")
