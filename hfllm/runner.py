"""Runs the steps of a course: the plan, a bar per stage, and the first failure ends it.

One after another, or several at a time (`jobs`), each as soon as all that it reads is there."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from hfllm import card, launch, progress, receipt, threads
from hfllm.course import ASKED_FOR, Step
from hfllm.errors import EXIT_MISTAKE

# what a stage's process sees: its bar is drawn here, and the libraries' own bars would cut through it
ENVIRONMENT = {
    "HFLLM_PROGRESS": "1",
    "PYTHONUNBUFFERED": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    # GNU OpenMP's threads spin while they wait; when another program takes a core, two that spin are slower than one
    "GOMP_SPINCOUNT": os.environ.get("GOMP_SPINCOUNT", "1000"),
}
NUMBERS_SHOWN = 6
EXIT_NOT_STARTED = 126  # as of a shell


def show_plan(steps: Sequence[Step], launcher: str | None, console: Console) -> None:
    """Two lines a stage: name, launcher, and why it runs or not; then its recipe, what it reads and what it writes."""
    name_width = max(len(step.name) for step in steps)
    for number, step in enumerate(steps, start=1):
        console.print(
            Text.assemble(
                f"{number:>2} ",
                (f"{step.name:<{name_width}}", "bold"),
                f"  {launch.name(step.recipe, launcher)}  ",
                (step.reason or "up to date", "yellow" if step.reason else "green"),
            ),
            Text(f"   {' + '.join(_read_by(step))}  ->  {step.recipe.output_dir}", style="dim"),
            sep="\n",
            soft_wrap=True,
        )


def _read_by(step: Step) -> list[str]:
    return [str(step.recipe.path), *(str(recipe.output_dir) for recipe in step.after)]


@dataclass
class _Run:
    """What the stages of one call share. `jobs`: how many may run at a time."""

    overrides: list[str]
    launcher: str | None
    console: Console
    jobs: int
    total: int
    begun: int = 0
    children: set[subprocess.Popen[str]] = field(default_factory=set)
    signals: list[int] = field(default_factory=list)  # received so far


def run(steps: Sequence[Step], overrides: list[str], launcher: str | None, console: Console, jobs: int = 1) -> int:
    """Run what has a reason to; the exit status of the first stage that fails, else 0.

    After a failure nothing else begins, and what runs beside it comes to its end."""
    begun = time.monotonic()
    waiting = [step for step in steps if step.reason]
    shared = _Run(overrides, launcher, console, jobs, len(waiting))
    with _passing_on_signals(shared), _bars(console) as bars:
        failed = _run_all(waiting, shared, bars)
    if failed:
        return failed
    if waiting:
        return 128 + shared.signals[0]
    if shared.total:
        console.print(f"\n{shared.total} of {len(steps)} stages run in {time.monotonic() - begun:.0f} s.")
    else:
        console.print("\nEverything is up to date.")
    return 0


def _run_all(waiting: list[Step], shared: _Run, bars: Progress) -> int:
    """What begins is taken out of `waiting`; returns the exit status of the first failure."""
    running: dict[Future[int], Step] = {}
    failed = 0
    with ThreadPoolExecutor(shared.jobs) as pool:
        while running or (waiting and not failed and not shared.signals):
            stop = failed or shared.signals
            ready = [] if stop else _ready(waiting, running.values())
            begin = (ready if shared.jobs == 1 else _most_waited_for(ready, waiting))[: shared.jobs - len(running)]
            beside = len(running) + len(begin)
            for step in begin:
                waiting.remove(step)
                running[pool.submit(_run_stage, step, shared, bars, _begin(step, shared), beside)] = step
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                status = _finish(running.pop(future), future.result(), shared.console)
                failed = failed or status
    return failed


def _ready(waiting: Sequence[Step], running: Iterable[Step]) -> list[Step]:
    """Those that read nothing of a step that is still to end."""
    unfinished = {step.recipe.path for step in (*waiting, *running)}
    return [step for step in waiting if not unfinished & {recipe.path for recipe in step.after}]


def _most_waited_for(ready: Sequence[Step], waiting: Sequence[Step]) -> list[Step]:
    """First those for which the longest row of others waits: whoever begins them last waits for that row alone."""
    return sorted(ready, key=lambda step: -_waiting_behind(step, waiting))


def _waiting_behind(step: Step, waiting: Sequence[Step]) -> int:
    """How many steps, at most, wait for this one in a row."""
    behind = [other for other in waiting if any(recipe.path == step.recipe.path for recipe in other.after)]
    return max((1 + _waiting_behind(other, waiting) for other in behind), default=0)


def _begin(step: Step, shared: _Run) -> list[str]:
    """The command of a stage, which is shown."""
    shared.begun += 1
    words = launch.command(step.recipe, shared.overrides, shared.launcher)
    words += ["--fresh"] if step.reason == ASKED_FOR else []
    head = (f"\n[{shared.begun}/{shared.total}] {step.name}", "bold")
    shared.console.print(Text.assemble(head, f"  {shlex.join(_readable(words))}"), soft_wrap=True)
    return words


def _finish(step: Step, status: int, console: Console) -> int:
    if status:
        first = "Mend it; then the" if status == EXIT_MISTAKE else "The"
        same = "same command without --fresh" if step.reason == ASKED_FOR else "same command"
        failure = f"\n{step.name} ended with exit status {status}. {first} {same} goes on from here."
        console.print(failure, markup=False, soft_wrap=True)
    else:
        _show_numbers(step, console)
    return status


def _bars(console: Console) -> Progress:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.fields[name]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, TextColumn("{task.description}"), console=console, transient=True)


def _run_stage(step: Step, shared: _Run, bars: Progress, words: list[str], beside: int) -> int:
    """The exit status of one stage, whose lines are shown; `beside`: how many share the cores, itself included."""
    try:
        child = subprocess.Popen(
            words,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, **ENVIRONMENT, threads.SHARED_BY: str(beside)},
        )
    except OSError as error:
        bars.console.print(Text(f"  {step.name}: cannot be started: {error}"), soft_wrap=True)
        return EXIT_NOT_STARTED
    bar = bars.add_task("starting", total=None, name=step.name)
    with _heard_of_signals(child, shared):
        _show_lines(child, step.name if shared.jobs > 1 else "", bars, bar)
        status = _exit_status(child.wait())
    bars.remove_task(bar)
    return status


def _show_lines(child: subprocess.Popen[str], name: str, bars: Progress, bar: TaskID) -> None:
    assert child.stdout is not None
    said_by = f"  {name}: " if name else "  "
    for line in child.stdout:
        if (state := progress.read(line)) is None:
            bars.console.print(Text(said_by + line.rstrip("\n")), soft_wrap=True)
        else:
            bars.update(bar, completed=state[0], total=state[1], description=state[2])


@contextmanager
def _heard_of_signals(child: subprocess.Popen[str], shared: _Run) -> Iterator[None]:
    """A signal that came while the child was starting is passed on, too; one that nobody reads any more is ended."""
    shared.children.add(child)
    if shared.signals:
        child.send_signal(shared.signals[-1])
    try:
        yield
    finally:
        if child.poll() is None:
            child.terminate()
        shared.children.discard(child)


@contextmanager
def _passing_on_signals(shared: _Run) -> Iterator[None]:
    """A terminal's Ctrl-C reaches the stages by itself, a `kill` only us. Either way they save first: we wait.

    A first SIGINT is not passed on: from a terminal it would be the stages' second, on which they stop at once."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def pass_on(number: int, _: object) -> None:
        shared.signals.append(number)
        if number == signal.SIGTERM or len(shared.signals) > 1:
            for child in tuple(shared.children):
                child.send_signal(number)

    for number in before:
        signal.signal(number, pass_on)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _exit_status(returncode: int) -> int:
    """A process that died of signal N ends a shell with 128 + N."""
    return returncode if returncode >= 0 else 128 - returncode


def _show_numbers(step: Step, console: Console) -> None:
    done = receipt.load(step.recipe.output_dir / receipt.FINISHED)
    assert done is not None, "a stage that ends with exit status 0 has written its receipt"
    numbers = [
        f"{name} {card.number(value)}"
        for name, value in done["numbers"].items()
        if isinstance(value, (int, float, str))
    ]
    shown = ", ".join(numbers[:NUMBERS_SHOWN])
    console.print(
        Text(f"  {step.name}: {done['seconds']:.0f} s, {done['peak_memory_bytes'] / 2**20:.0f} MiB. {shown}"),
        style="green",
        soft_wrap=True,
    )


def _readable(words: list[str]) -> list[str]:
    """The command as one would type it: `accelerate launch` for the module behind it."""
    if words[1:3] == ["-m", "accelerate.commands.launch"]:
        return ["accelerate", "launch", *words[3:]]
    return ["python", *words[1:]]
