"""Is all there that a recipe of the stage `data` needs? Asked before a crawl is touched.

    hfllm data doctor recipes/gpt2/data.yaml [--fetch]

Looks for what each step asks for (packages, models, lists), for the input files, for space on the disk, and for what
the executor starts its tasks with. Reads no page, makes nothing; only `--fetch` gets the language model."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hfllm import keys, recipe, web
from hfllm.errors import EXIT_MISTAKE, UserMistake
from hfllm.mistakes import Problem
from hfllm.web.config import DataConfig, check, workers
from hfllm.web.reading import units
from hfllm.web.step import Need

FILE_WIDTH = 250  # columns, where nobody looks at a terminal
PACKAGES = ("datatrove", "pyarrow", "warcio")


class Checked(NamedTuple):
    """What something of the run needs: a step by its key, or the run itself."""

    whose: str
    need: Need


def main(path: str, overrides: Sequence[str] = (), *, fetch: bool = False) -> int:
    """Print what is needed and whether it is there. 0 when all is there, 2 otherwise."""
    config = read(Path(path), overrides)
    if fetch:
        from hfllm.web.text import language_models

        print(f"language model: {language_models.fetch()}")
        if not find_spec("fasttext"):
            print("it is read by fastText, which is not installed:  pip install 'hfllm[lid]'")
    return show(list(checked(config)))


def read(path: Path, overrides: Sequence[str]) -> DataConfig:
    """The configuration in a recipe. Raises `UserMistake` for its mistakes, and for a recipe of another stage."""
    if recipe.stage_of(path) != "data":
        raise UserMistake(
            f"{path}: a recipe of the stage {recipe.stage_of(path)}; the doctor reads data.yaml, data-*.yaml"
        )
    one = recipe.read(path, overrides)
    one.complain()
    problems = [Problem(one.lines.get(key), key, message) for key, message in web.problems(one.values)]
    if problems:
        raise UserMistake(recipe.report(path, problems))
    [config] = recipe.arguments(keys.module_of_stage("data").main, one).values()
    return config


def checked(config: DataConfig) -> Iterator[Checked]:
    """All needs: those of the run, then those of each step in the order of the recipe."""
    check(config)
    for need in (*map(package, PACKAGES), *inputs(config), *executor(config), *tokenizer(config), *truth(config)):
        yield Checked("the run", need)
    for key, step in web.chain(config.steps, word_tokenizer=config.word_tokenizer).items():
        for need in step.needs():
            yield Checked(key, need)


def refuse_missing(config: DataConfig) -> None:
    """Raises `UserMistake` when something is not there that the run cannot do without."""
    missing = [one for one in checked(config) if one.need.found is None]
    if missing:
        lines = [f"  {whose}: {need.what} is missing.\n    {need.mend}" for whose, need in missing]
        raise UserMistake("\n".join(["this cannot run here; hfllm data doctor RECIPE shows all it needs:", *lines]))


def show(found: Sequence[Checked]) -> int:
    """A table of all, then a line for each that is missing with what to type."""
    table = Table("for", "what", "found", box=None, pad_edge=False, header_style="bold")
    for whose, need in found:
        table.add_row(whose, escape(need.what), escape(need.found or "missing"), style=None if need.found else "red")
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = FILE_WIDTH  # a path in two pieces could not be found again
    console.print(table)
    missing = [one for one in found if one.need.found is None]
    for whose, need in missing:
        console.print(f"\n{whose}: {need.what}: missing.\n  {need.mend}", soft_wrap=True, markup=False)
    if not missing:
        console.print(f"\nAll {len(found)} are there.")
    return EXIT_MISTAKE if missing else 0


def package(name: str, extra: str | None = None) -> Need:
    """An installed package by its name on PyPI; `extra` is the one of hfllm that brings it."""
    wanted = f"'hfllm[{extra}]'" if extra else name
    try:
        return Need(f"package {name}", version(name))
    except PackageNotFoundError:
        return Need(f"package {name}", None, f"pip install {wanted}")


def inputs(config: DataConfig) -> list[Need]:
    """What reads each kind of address among the inputs, the files themselves, and room for what is made of them."""
    addresses = [*config.inputs, config.paths_file or "", config.paths_prefix]
    systems = [file_system(name) for name in sorted({one.partition("://")[0] for one in addresses if "://" in one})]
    if any(need.found is None for need in systems):
        return [*systems, disk(config, 0)]
    try:
        found = units.find(config.inputs, config.paths_file, config.paths_prefix, config.max_files)
    except (UserMistake, OSError) as error:  # no such file, or no network
        return [*systems, Need("input files", None, str(error)), disk(config, 0)]
    here = [os.path.getsize(unit.path) for unit in found if "://" not in unit.path]
    told = f"{len(found)}, {size(sum(here))}" if len(here) == len(found) else f"{len(found)}, {len(here)} of them here"
    return [*systems, Need("input files", told), disk(config, sum(here))]


def file_system(protocol: str) -> Need:
    """The package that reads s3:// or https://."""
    from fsspec import get_filesystem_class

    try:
        return Need(f"reading {protocol}://", get_filesystem_class(protocol).__module__)
    except (ImportError, ValueError) as error:
        return Need(f"reading {protocol}://", None, f"pip install 'hfllm[crawl]'    ({error})")


def disk(config: DataConfig, input_bytes: int) -> Need:
    """A folder that can be written, with room for as much as the inputs: chosen by us, filtered text needs less."""
    wanted = Path(config.work_dir or config.output_dir).absolute()
    folder = next(path for path in (wanted, *wanted.parents) if path.exists())
    if not os.access(folder, os.W_OK):
        return Need("disk", None, f"{folder} cannot be written; write another output_dir")
    free = shutil.disk_usage(folder).free
    if free < input_bytes:
        return Need("disk", None, f"{folder} has {size(free)} free, the inputs have {size(input_bytes)}; make room")
    return Need("disk", f"{size(free)} free in {folder}")


def executor(config: DataConfig) -> list[Need]:
    """What starts the tasks."""
    here = f"; {os.cpu_count()} processors here" if config.executor == "local" else ""
    tasks = Need("workers", f"{workers(config)} at the same time{here}")
    match config.executor:
        case "ray":
            return [tasks, package("ray", extra="ray")]
        case "slurm":
            mend = "start the run where Slurm's commands are: on a login node of the cluster"
            return [tasks, *(Need(command, shutil.which(command), mend) for command in ("sbatch", "squeue"))]
    return [tasks]


def tokenizer(config: DataConfig) -> list[Need]:
    """What counts tokens, where the recipe names it."""
    if config.tokenizer is None:
        return []
    from hfllm.tokenizing import bpe

    try:
        bpe.load(config.tokenizer)
    except UserMistake as mistake:
        return [Need("tokenizer", None, f"{mistake} Run the recipe that makes it, or write  tokenizer: null")]
    return [Need("tokenizer", config.tokenizer)]


def truth(config: DataConfig) -> list[Need]:
    """What the small world knows of its pages, where the recipe names it."""
    if config.truth is None:
        return []
    there = Path(config.truth).is_file()
    return [
        Need("truth", config.truth if there else None, f"{config.truth}: no such file; run the recipe that makes it")
    ]


def size(count: int) -> str:
    """size(1_234_567) == "1.2 MB"."""
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count / 1e3:.1f} kB" if count >= 1e3 else f"{count} bytes"
