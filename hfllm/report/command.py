"""The verb: `hfllm report RUNS`. Which run folders does it read, which file does it write, and what can be wrong?

hfllm report runs/tiny                                 # writes runs/tiny/report.html
hfllm report runs/tiny/sft runs/tiny/grpo -o two.html"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from hfllm.errors import UserMistake
from hfllm.report import page, runs

FILE = "report.html"


def main(words: Sequence[str]) -> int:
    """Write the page. Raises `UserMistake` where there is no run, or no place to write to."""
    parser = argparse.ArgumentParser(
        "hfllm report", description="One page of what came of a course: numbers, charts, texts.", allow_abbrev=False
    )
    parser.add_argument("runs", nargs="+", metavar="RUNS", help="run folders, or a folder of them: runs/tiny")
    parser.add_argument("-o", "--output", metavar="FILE", help=f"the page; default: RUNS/{FILE}")
    options = parser.parse_args(words)
    folders = [Path(os.path.expanduser(name)) for name in options.runs]
    file = Path(os.path.expanduser(options.output)) if options.output else folders[0] / FILE
    if options.output is None and len(folders) > 1:
        raise UserMistake(f"hfllm report: of several folders, say where the page goes:  -o {FILE}")
    course = runs.find(folders)
    _check(file)
    write(file, page.page(course))
    print(f"wrote {file}")
    return 0


def _check(file: Path) -> None:
    if file.is_dir():
        raise UserMistake(f"{file}: is a folder; write the name of a file, such as  -o {file / FILE}")
    if not file.parent.is_dir():
        raise UserMistake(f"{file}: there is no folder {file.parent}; make it, or write another name behind -o")


def write(file: Path, text: str) -> None:
    """Whole or not at all. Raises `UserMistake` where nothing can be written."""
    part = file.with_name(f".{file.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(file)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise UserMistake(f"{file}: cannot be written: {error.strerror}; name another file:  -o {FILE}") from None
