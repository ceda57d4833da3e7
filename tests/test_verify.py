"""math-verify in a process of its own: what takes for ever is killed, and nothing is left behind."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from hfllm import verify
from hfllm.tasks import math

REPOSITORY = Path(__file__).parents[1]
fresh = itertools.count()  # a question that was asked before is answered from memory, without a worker


@pytest.fixture
def one_second(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    number = next(fresh)
    assert verify.same(f"{number}+x", f"x+{number}") is True  # the worker has started: only questions take time now
    monkeypatch.setattr(verify, "TIME_LIMIT_SECONDS", 1.0)
    yield
    verify.stop()


ENDLESS = ["9^{9^{9}}", "100000000000!", "10^{10^{10^{10}}}", "\\frac{1}{" * 40 + "2" + "}" * 40, "(x+y+z)^{3000}"]
HARD = [
    "\\sqrt{" * 80 + "2" + "}" * 80,
    "(" * 240,
    "{" * 240,
    "1e999999999",
    "\\sum_{n=1}^{10000000} \\frac{1}{n}",
    "\ud800\0",
]


@pytest.mark.parametrize("answer", [*ENDLESS, *HARD], ids=ascii)
@pytest.mark.usefixtures("one_second")
def test_an_answer_costs_at_most_the_time_limit(answer: str) -> None:
    start = time.monotonic()
    assert math.score(f"\\boxed{{{answer}}}", {"answer": "72"}) == 0.0
    assert time.monotonic() - start < 8  # a second, a new worker, and a machine with other things to do
    assert math.score("\\boxed{72.0}", {"answer": "72"}) == 1.0


@pytest.mark.usefixtures("one_second")
def test_a_gold_that_takes_for_ever_judges_nobody() -> None:
    assert math.score("\\boxed{\\sqrt{3}}", {"answer": "9^{9^{9}}"}) is None


def workers() -> list[psutil.Process]:
    """They are children of the fork server, which is a child of this process."""
    return [worker for child in psutil.Process().children() for worker in child.children()]


def test_stopping_leaves_no_worker_and_the_next_question_starts_one() -> None:
    assert verify.same("a+1", "1+a") is True
    assert len(workers()) == 1
    verify.stop()
    assert workers() == []
    assert verify.same("a+2", "2+a") is True
    verify.stop()
    assert workers() == []


def test_a_worker_that_died_is_replaced() -> None:
    assert verify.same("b+1", "1+b") is True
    workers()[0].kill()
    time.sleep(0.5)  # until the pool has noticed
    assert verify.same("b+2", "2+b") is True
    verify.stop()


PROGRAM = """
from hfllm import verify
if __name__ == "__main__":
    verify.TIME_LIMIT_SECONDS = 2.0
    print(verify.same("x+1", "1+x"), flush=True)
    verify.same("9", "9^{9^{9}}")
    verify.same("x+1", "2+x")
"""


def in_session(leader: int) -> list[int]:
    return [process.pid for process in psutil.process_iter() if session(process.pid) == leader and alive(process)]


def session(process: int) -> int | None:
    try:
        return os.getsid(process)
    except OSError:  # it has ended meanwhile
        return None


def alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("killed", [False, True], ids=["at its end", "when killed in the midst of a question"])
def test_a_program_leaves_no_process_behind(killed: bool, tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_text(PROGRAM)
    program = subprocess.Popen(
        [sys.executable, str(file)],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        start_new_session=True,
    )
    assert program.stdout is not None
    assert program.stdout.readline() == b"True\n"
    if killed:
        time.sleep(0.3)
        program.send_signal(signal.SIGKILL)
    assert program.wait(timeout=60) == (-signal.SIGKILL if killed else 0)
    patience = time.monotonic() + 15
    while in_session(program.pid) and time.monotonic() < patience:
        time.sleep(0.1)
    assert in_session(program.pid) == []
