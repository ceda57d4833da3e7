"""Do two mathematical answers say the same? math-verify is asked, in a process that can be killed.

    same(gold=r"\\frac{1}{2}", answer="0.5")  ->  True

`\\boxed{9^{9^{9}}}` computes for ever, and math-verify's own time limits rest on SIGALRM, which only a main thread has.
So it runs in a worker that is killed at the time limit and may not take more than `MEMORY_BYTES`. The worker starts at
the first question and ends with the program, or with `stop()`. Not a security boundary: it reads mathematics, not code.
A script of your own that asks needs `if __name__ == "__main__":`, as always where Python starts processes."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import sys
from concurrent.futures import TimeoutError
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pebble import ProcessPool

TIME_LIMIT_SECONDS = 5.0  # as math-verify's own; an answer to a MATH problem takes 0.01 to 0.5
MEMORY_BYTES = 2 * 2**30  # of address space; a worker that has SymPy loaded has 0.2
MAX_CHARACTERS = 500  # the longest answer of MATH has 81, of Minerva 210: what is longer is none, and costs no worker
ORPHAN_SECONDS = 2  # how much longer than the limit a worker lives whose parent was killed

_pools: dict[int, ProcessPool] = {}  # by process id: a fork of this process must not use its parent's workers
_starting, _asking = Lock(), Lock()


class WorkerLost(Exception):  # noqa: N818 - what happened, not whose error it is
    """The worker was killed at the time limit, or died of what it was asked."""


def same(gold: str, answer: str) -> bool | None:
    """Whether `answer` equals `gold`, both LaTeX or plain text without surrounding dollars.

    An answer that is too long, cannot be read, or takes longer than `TIME_LIMIT_SECONDS` is False. None when the same
    holds of `gold`: then nobody can tell."""
    if len(gold) > MAX_CHARACTERS:
        return None
    if len(answer) > MAX_CHARACTERS:
        return False
    return _same(gold, answer, TIME_LIMIT_SECONDS)


def stop() -> None:
    """End the worker of this process; the next question starts a new one."""
    with _starting:
        pool = _pools.pop(os.getpid(), None)
    if pool is not None:
        pool.stop()
        pool.join()


@lru_cache(maxsize=4096)  # a group of completions gives few different answers, and a slow one often
def _same(gold: str, answer: str, limit: float) -> bool | None:
    try:
        return _ask(gold, answer, limit)
    except WorkerLost:
        return False if _can_be_judged(gold, limit) else None


@lru_cache(maxsize=4096)
def _can_be_judged(gold: str, limit: float) -> bool:
    """Whether a harmless answer gets a verdict: if not, it is `gold` that takes for ever."""
    try:
        return _ask(gold, "0", limit) is not None
    except WorkerLost:
        return False


def _ask(gold: str, answer: str, limit: float) -> bool | None:
    from pebble import ProcessExpired

    for _ in range(2):  # a worker that dies while idle (memory of the machine, a stray signal) breaks its pool for good
        try:
            with _asking:  # rewards ask from several threads, and the one worker answers one after the other
                return _pool().schedule(_judge, args=(gold, answer, limit), timeout=limit).result()
        except (TimeoutError, ProcessExpired, MemoryError, RecursionError) as error:
            raise WorkerLost from error
        except (BrokenProcessPool, RuntimeError):  # RuntimeError: the pool says that it is broken
            stop()
    raise WorkerLost


def _pool() -> ProcessPool:
    """One worker for this process, as answers come one at a time.

    From a fork server, which has no copy of the parent's threads, GPU or memory, and has SymPy loaded: a worker that
    replaces a killed one is there in milliseconds."""
    from pebble import ProcessPool

    with _starting:
        if os.getpid() not in _pools:
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload(["math_verify"])
            _pools[os.getpid()] = ProcessPool(max_workers=1, initializer=_prepare, context=context)
            atexit.register(stop)
        return _pools[os.getpid()]


def _prepare() -> None:
    """In the worker: end at once when told to, take no more memory than allowed, and keep quiet."""
    import logging
    import resource
    import warnings

    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # pebble's handler would wait for the end of 9**9**9
    if sys.platform == "linux":  # macOS refuses the limit
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    logging.disable()
    warnings.simplefilter("ignore")
    _parse("x + 1")  # what math-verify does only the first time takes no question's time


def _judge(gold: str, answer: str, limit: float) -> bool | None:
    """In the worker. The timer kills it in the midst of any computation, for when the parent is gone and cannot."""
    from math_verify import verify

    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, limit + ORPHAN_SECONDS)
    try:
        expected = _parse(gold)
        return bool(verify(expected, _parse(answer), timeout_seconds=None)) if expected else None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _parse(answer: str) -> list[Any]:
    """The expression, and the text itself. Only the whole answer is read: by default math-verify takes the first part
    that it understands, 1/5 for 7/5 + 1/5 i."""
    from math_verify import LatexExtractionConfig, parse

    whole = [LatexExtractionConfig(boxed_match_priority=0)]
    return parse(f"\\boxed{{{answer}}}", whole, extraction_mode="first_match", parsing_timeout=None)
