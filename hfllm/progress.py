"""How far a stage is: one bar, drawn by `hfllm run` or, when the stage is started by hand, by the stage itself.

A stage calls `report(done, total, note)` as often as it likes. Under `hfllm run` (environment variable HFLLM_PROGRESS)
the call writes a marked line to standard output, which survives any launcher in between; by hand it draws a bar."""

import json
import os
import sys
import time
from typing import Any

from hfllm import processes

MARK = "\x1ehfllm "  # ASCII record separator: no library prints it, so a stage's own words are not mistaken for it
SECONDS_BETWEEN = 0.2


class _Bar:
    """The state of the bar of this process."""

    def __init__(self) -> None:
        self.drawn: Any = None  # a tqdm bar while one is shown
        self.last_time = 0.0

    def write(self, done: int, total: int, note: str) -> None:
        now = time.monotonic()
        if now - self.last_time < SECONDS_BETWEEN and done < total:
            return
        self.last_time = now
        if os.environ.get("HFLLM_PROGRESS"):
            print(MARK + json.dumps({"done": done, "total": total, "note": note}), flush=True)
        elif sys.stderr.isatty():
            self.draw(done, total, note)

    def draw(self, done: int, total: int, note: str) -> None:
        from tqdm import tqdm

        if self.drawn is None or self.drawn.total != total:
            self.drawn = tqdm(total=total, leave=False)
        self.drawn.n = done
        self.drawn.set_postfix_str(note)
        if done >= total:
            self.drawn.close()
            self.drawn = None


_bar = _Bar()


def report(done: int, total: int, note: str = "") -> None:
    """Show that `done` of `total` units (the stage's own: documents, steps) are finished."""
    if processes.is_first():
        _bar.write(done, total, note)


def read(line: str) -> tuple[int, int, str] | None:
    """What `report` wrote on this line of a stage's output; None for the stage's own words."""
    if not line.startswith(MARK):
        return None
    fields = json.loads(line[len(MARK) :])
    return fields["done"], fields["total"], fields["note"]
