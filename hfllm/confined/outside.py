"""The side of the sandbox that is not confined: it starts the first process, watches it, and ends all it started.

Every run has its own empty folder, and leaves nothing behind."""

from __future__ import annotations

import marshal
import os
import selectors
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cache
from math import ceil
from pathlib import Path
from typing import Any, Literal

Status = Literal["ok", "error", "timeout", "memory", "output", "files"]

SYSTEM = ("/bin", "/etc/alternatives", "/etc/ld.so.cache", "/lib", "/lib32", "/lib64", "/nix/store", "/sbin", "/usr")
DEVICES = ("/dev/null", "/dev/random", "/dev/urandom", "/dev/zero")
SAME_EVERY_TIME = {
    "PYTHONHASHSEED": "0",  # sets print in the same order, so that a reward is the same
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
}
PACKAGE_PARENT = Path(__file__).parents[2]
LOOK_SECONDS = 0.05  # how often folder and memory are measured where the kernel does not count them
SIGNALLED = 128  # an exit status above it stands for a signal


@dataclass(frozen=True)
class Limits:
    """What one program may use. Chosen by us: every solution of HumanEval and MBPP stays far below."""

    timeout_seconds: float = 5.0
    memory_bytes: int = 2**30  # address space of each process
    disk_bytes: int = 2**26  # all files together
    files: int = 1000
    open_files: int = 64
    processes: int = 16  # threads count too
    output_bytes: int = 2**20  # of stdout, and of stderr


@dataclass(frozen=True)
class Walls:
    """Which walls are tried: namespaces, and a user of its own."""

    namespaces: bool
    drop_user: bool


@dataclass(frozen=True)
class Finished:
    """One run: the limit that ended it from outside, its exit status (128 + n by signal n), and what it wrote."""

    limit: Status | None
    code: int
    stdout: bytes
    stderr: bytes
    report: bytes
    seconds: float

    @property
    def walls_stood(self) -> bool:
        """The first process says so in one line, before anything untrusted runs."""
        return self.limit is not None or b"\n" in self.report


def execute(walls: Walls, job: dict[str, Any], limits: Limits, *, secret: bytes = b"") -> Finished:
    """Run a job (see confined/start.py); its keys are file, code, input, and command: None for the judge."""
    begun = time.monotonic()
    with _folder() as folder, tempfile.TemporaryFile() as job_file:
        places = {"folder": folder, "readable": readable(), "devices": _existing(DEVICES), "packages": packages()}
        numbers = asdict(limits) | asdict(walls) | {"cpu_seconds": ceil(limits.timeout_seconds) + 1}
        data = marshal.dumps(job | places | numbers)
        job_file.write(len(data).to_bytes(8, "big") + data + secret)
        job_file.flush()
        with _first_process(job_file.fileno(), walls) as (process, pipes):
            texts = {name: bytearray() for name in pipes}
            ends = {end: texts[name] for name, end in pipes.items()}
            deadline = begun + limits.timeout_seconds
            limit = _watch(process, ends, deadline, limits, None if walls.namespaces else folder)
    code = process.returncode if process.returncode >= 0 else SIGNALLED - process.returncode
    stdout, stderr, report = (bytes(texts[name]) for name in ("stdout", "stderr", "report"))
    return Finished(limit, code, stdout, stderr, report, time.monotonic() - begun)


def python() -> str:
    """The interpreter itself; the one of a virtual environment is a link to it."""
    return os.path.realpath(sys.executable)


@cache
def packages() -> list[str]:
    """Where installed packages lie."""
    return sorted({os.path.realpath(sysconfig.get_path(name)) for name in ("purelib", "platlib")})


@cache
def library_paths() -> dict[str, str]:
    """On some clusters Python does not find its own library without it; the rest of the environment stays outside."""
    return {name: value for name, value in os.environ.items() if name == "LD_LIBRARY_PATH"}


@cache
def readable() -> list[str]:
    """What a program may read: the system's programs and libraries, Python, and the installed packages."""
    prefixes = [os.path.realpath(sys.base_prefix), os.path.dirname(os.path.dirname(python()))]
    libraries = [path for paths in library_paths().values() for path in paths.split(":") if path.startswith("/")]
    return _existing([*SYSTEM, *prefixes, *packages(), *libraries])


def _existing(paths: Iterable[str]) -> list[str]:
    """Sorted, so that a folder comes before what lies in it."""
    return sorted({path for path in paths if os.path.exists(path) and path != "/"})


@contextmanager
def _folder() -> Iterator[str]:
    folder = tempfile.mkdtemp(prefix="hfllm-sandbox-")
    try:
        yield folder
    finally:
        _remove(folder)


def _remove(folder: str) -> None:
    """Programs make trees that shutil.rmtree cannot walk: thousands of folders deep, or closed to their owner."""
    if os.listdir(folder):
        done = subprocess.run(["rm", "-rf", folder], stderr=subprocess.DEVNULL)
        if done.returncode == 0:
            return
        subprocess.run(["chmod", "-R", "u+rwX", folder], stderr=subprocess.DEVNULL)
        subprocess.run(["rm", "-rf", folder])
    else:
        os.rmdir(folder)


@contextmanager
def _first_process(job_file: int, walls: Walls) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, int]]]:
    """The process, and our ends of its pipes. At the end it is killed with all that it started."""
    report_end, report = os.pipe()
    command = [python(), "-P", "-S", "-s", "-c", f"from hfllm.confined.start import main; main({report})"]
    environment = {"PYTHONPATH": str(PACKAGE_PARENT), **SAME_EVERY_TIME, **library_paths()}
    try:
        with subprocess.Popen(
            command,
            stdin=job_file,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[report],
            env=environment,
            start_new_session=True,
        ) as process:
            os.close(report)
            assert process.stdout is not None
            assert process.stderr is not None
            yield process, {"stdout": process.stdout.fileno(), "stderr": process.stderr.fileno(), "report": report_end}
            process.kill()
            if not walls.namespaces:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
    finally:
        os.close(report_end)


def _watch(
    process: subprocess.Popen[bytes], pipes: dict[int, bytearray], deadline: float, limits: Limits, folder: str | None
) -> Status | None:
    """Read the pipes until the process ends; the limit that it ran into before, or None. `folder` is measured."""
    next_look = 0.0
    with selectors.DefaultSelector() as selector:
        for end, text in pipes.items():
            selector.register(end, selectors.EVENT_READ, text)
        while (left := deadline - time.monotonic()) > 0:
            ready = selector.select(min(left, LOOK_SECONDS)) if selector.get_map() else []
            for key, _ in ready:
                part = os.read(key.fd, 1 << 16)
                key.data.extend(part)
                if len(key.data) > limits.output_bytes:
                    return "output"
                if not part:
                    selector.unregister(key.fd)
            if not ready and _has_ended(process, 0 if selector.get_map() else min(left, LOOK_SECONDS)):
                return None
            if folder is not None and time.monotonic() > next_look:
                next_look = time.monotonic() + LOOK_SECONDS
                if overused := _overused(process, folder, limits):
                    return overused
    return "timeout"


def _has_ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    return process.returncode is not None


def _overused(process: subprocess.Popen[bytes], folder: str, limits: Limits) -> Status | None:
    """Where the kernel counts neither all files of a program together nor, on macOS, its memory."""
    if sys.platform == "darwin" and _memory(process.pid) > limits.memory_bytes:
        return "memory"
    files = used = 0
    for place, folders, names in os.walk(folder):
        files += len(folders) + len(names)
        if files > limits.files:
            return "files"
        with suppress(OSError):  # removed meanwhile, or its name has become too long
            used += sum(os.lstat(os.path.join(place, name)).st_blocks for name in names) * 512
    return "files" if used > limits.disk_bytes else None


def _memory(process: int) -> int:
    import psutil

    try:
        return psutil.Process(process).memory_info().rss
    except psutil.Error:  # has just ended
        return 0
