"""Which run folders are there, and which came after which? Their receipts say it, as hfllm/receipt.py wrote them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from hfllm import receipt
from hfllm.errors import UserMistake
from hfllm.mistakes import near
from hfllm.report import story
from hfllm.report.files import Reader, number, some_number, text

WHAT_IT_IS = "a run folder is what a stage wrote, with a receipt run.json in it; make some:  hfllm run recipes/tiny"


@dataclass(frozen=True)
class Run:
    """A finished run folder and what its receipt says."""

    folder: Path
    name: str  # told apart from all others of the page
    stage: str
    recipe: str
    values: dict[str, Any]
    overrides: dict[str, Any]
    inputs: list[str]
    numbers: dict[str, Any]
    seconds: float
    memory_bytes: float | None
    processes: float
    finished: str
    machine: str
    git: str | None
    versions: dict[str, str]
    after: tuple[str, ...] = ()  # names of the runs that it read

    @property
    def output(self) -> str:
        """The folder as recipes name it."""
        return str(self.values["output_dir"])

    @property
    def data_paths(self) -> list[str]:
        """The data sets that its recipe names."""
        entries = self.values.get("datasets")
        return [str(one.get("path")) for one in entries if isinstance(one, dict)] if isinstance(entries, list) else []


@dataclass
class Course:
    """All runs of a page, those that others read first."""

    name: str
    runs: list[Run]
    reader: Reader = field(default_factory=Reader)

    def of(self, *stages: str) -> list[Run]:
        return [run for run in self.runs if run.stage in stages]


def find(paths: Sequence[Path]) -> Course:
    """The runs in these folders. Raises `UserMistake` where there is no folder, or no finished run in any."""
    reader = Reader()
    found: list[Run] = []
    folders = list(dict.fromkeys(folder for path in paths for folder in _run_folders(path)))
    reader.notes += [f"the runs in {one.name}:  hfllm report {one}" for path in paths for one in _courses(path)]
    for folder in folders:
        if not (folder / receipt.FINISHED).exists():
            reader.notes.append(f"{folder.name} is not finished:  hfllm run  goes on with it")
        elif run := reader.json(folder / receipt.FINISHED, partial(_run, folder)):
            found.append(run)
    if not found:
        told = "".join(f"\n  {note}" for note in reader.notes)
        raise UserMistake(f"{', '.join(map(str, paths))}: no finished run there;{told}\n  {WHAT_IT_IS}")
    return Course(_name(paths), _in_order(_told_apart(found)), reader)


def _run_folders(path: Path) -> list[Path]:
    """The folder itself, or those in it; not what an earlier recipe wrote there."""
    if not path.exists():
        beside = path.parent if path.parent.is_dir() else Path(".")
        raise UserMistake(f"{path}: no such folder{near(path.name, [one.name for one in beside.iterdir()])}")
    if not path.is_dir():
        raise UserMistake(f"{path}: is a file; name the folder of a run, or a folder of run folders")
    if _is_run(path):
        return [path]
    inside = [one for one in sorted(path.iterdir()) if _is_run(one) and one.suffix != ".previous"]
    if not inside and (deeper := _courses(path)):
        raise UserMistake(f"{path}: no run folder; there are some one folder deeper:  hfllm report {deeper[0]}")
    return inside


def _courses(path: Path) -> list[Path]:
    """Folders in this one that are no runs and hold some."""
    return sorted(
        {file.parent.parent for file in path.glob(f"*/*/{receipt.FINISHED}")} - {*filter(_is_run, path.iterdir())}
    )


def _is_run(folder: Path) -> bool:
    return any((folder / name).is_file() for name in (receipt.FINISHED, receipt.STARTED))


def _run(folder: Path, content: Any) -> Run:
    return Run(
        folder=folder,
        name=folder.resolve().name if folder.name in ("", ".", "..") else folder.name,
        stage=text(content["stage"]),
        recipe=text(content["recipe"]),
        values={"output_dir": text(content["values"]["output_dir"])} | content["values"],
        overrides=dict(content["overrides"]),
        inputs=[text(path) for path in content["inputs"]],
        numbers=dict(content["numbers"]),
        seconds=number(content["seconds"]),
        memory_bytes=some_number(content.get("peak_memory_bytes")),
        processes=number(content["num_processes"]),
        finished=text(content["finished"]),
        machine=text(content["machine"]),
        git=content["git"] and text(content["git"]),
        versions={name: text(version) for name, version in content["versions"].items()},
    )


def _told_apart(found: Sequence[Run]) -> list[Run]:
    """By the folder above, where two have one name: a/sft and b/sft."""
    names = [run.name for run in found]
    return [
        replace(run, name=f"{run.folder.resolve().parent.name}/{run.name}") if names.count(run.name) > 1 else run
        for run in found
    ]


def _in_order(found: Sequence[Run]) -> list[Run]:
    """Each behind all that it read; of those that are ready the one that is told of first, or else ended first."""
    waiting = sorted(found, key=lambda run: (_place(run), run.finished))
    ordered: list[Run] = []
    while waiting:
        ready = [run for run in waiting if not any(_read(run, waiting))]
        first = (ready or waiting)[0]  # receipts that name each other were edited: any order will do
        waiting.remove(first)
        ordered.append(replace(first, after=tuple(other.name for other in _read(first, ordered))))
    return ordered


def _place(run: Run) -> int:
    return story.ORDER.index(run.stage) if run.stage in story.ORDER else len(story.ORDER)


def _read(run: Run, others: Sequence[Run]) -> Iterator[Run]:
    for other in others:
        if other.folder != run.folder and any(receipt.is_below(path, Path(other.output)) for path in run.inputs):
            yield other


def _name(paths: Sequence[Path]) -> str:
    """The last two parts of a path: the page is for others, who need not know where it was made."""
    names = ["/".join(path.resolve().parts[-2:] if path.is_absolute() else path.parts[-2:]) for path in paths]
    return ", ".join(name or path.resolve().name for name, path in zip(names, paths, strict=True))
