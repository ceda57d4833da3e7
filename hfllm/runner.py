"""Runs the steps of a course one after another: the plan, a bar per stage, and the first failure ends it."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from collections import deque
from collections.abc import Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from hfllm import card, launch, progress, receipt
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


def run(steps: Sequence[Step], overrides: list[str], launcher: str | None, console: Console) -> int:
    """Run what has a reason to; the exit status of the first stage that fails, else 0."""
    begun = time.monotonic()
    waiting = [step for step in steps if step.reason]
    for number, step in enumerate(waiting, start=1):
        words = launch.command(step.recipe, overrides, launcher)
        words += ["--fresh"] if step.reason == ASKED_FOR else []
        head = (f"\n[{number}/{len(waiting)}] {step.name}", "bold")
        console.print(Text.assemble(head, f"  {shlex.join(_readable(words))}"), soft_wrap=True)
        status = _run_stage(step, words, console)
        if status:
            first = "Mend it; then the" if status == EXIT_MISTAKE else "The"
            failure = f"\n{step.name} ended with exit status {status}. {first} same command goes on from here."
            console.print(failure, markup=False, soft_wrap=True)
            return status
        _show_numbers(step, console)
    if waiting:
        console.print(f"\n{len(waiting)} of {len(steps)} stages run in {time.monotonic() - begun:.0f} s.")
    else:
        console.print("\nEverything is up to date.")
    return 0


def _run_stage(step: Step, words: list[str], console: Console) -> int:
    columns = (
        SpinnerColumn(),
        TextColumn(step.name),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, TextColumn("{task.description}"), console=console, transient=True) as bar:
        task = bar.add_task("starting", total=None)
        child = subprocess.Popen(
            words,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, **ENVIRONMENT},
        )
        with _passing_on_signals(child):
            assert child.stdout is not None
            for line in child.stdout:
                if (state := progress.read(line)) is None:
                    bar.console.print(Text("  " + line.rstrip("\n")), soft_wrap=True)
                else:
                    bar.update(task, completed=state[0], total=state[1], description=state[2])
            return _exit_status(child.wait())


@contextmanager
def _passing_on_signals(child: subprocess.Popen[str]) -> Any:
    """A terminal's Ctrl-C reaches the stage by itself, a `kill` only us. Either way the stage saves first: we wait."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    received: deque[int] = deque()

    def pass_on(number: int, _: object) -> None:
        received.append(number)
        if number == signal.SIGTERM or len(received) > 2:
            child.send_signal(number)

    for number in before:
        signal.signal(number, pass_on)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if child.poll() is None:
            child.terminate()


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
