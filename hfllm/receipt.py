"""The receipt of a run folder: run.json, written last, says that a stage finished, from what, and with what numbers.

    output_dir/run.started.json   written first: recipe and inputs of a run that is not finished
    output_dir/run.json           written last: the same with versions, seconds, memory and final numbers
    output_dir/README.md          the card, made from the receipt
    output_dir.previous/          what an earlier, different recipe wrote there: one generation is kept,
                                  and a finished one is never replaced by one that was cut off

A folder with run.json is finished; one with run.started.json of the same recipe and inputs is resumed."""

from __future__ import annotations

import glob
import hashlib
import importlib.metadata
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from hfllm import card, data, processes, whole_file
from hfllm.errors import UserMistake

if TYPE_CHECKING:
    from hfllm.recipe import Recipe

FINISHED, STARTED = "run.json", "run.started.json"
LIBRARIES = ("hfllm", "torch", "transformers", "trl", "peft", "accelerate", "datasets", "tokenizers")
CUT_OFF = "cut off: resumes"
NOT_COMPARED = {"launch"}  # how a stage is started does not change what it makes


def reason_to_run(recipe: Recipe) -> str | None:
    """Why the stage must run; None when its folder is finished and nothing changed since."""
    folder = recipe.output_dir
    if finished := load(folder / FINISHED):
        return _difference(finished, recipe)
    if started := load(folder / STARTED):
        change = _difference(started, recipe)
        return f"cut off, and then {change}" if change else CUT_OFF
    return "not run yet"


def is_up_to_date(recipe: Recipe) -> bool:
    """Whether the stage is finished with this recipe and these inputs."""
    return reason_to_run(recipe) is None


@contextmanager
def writing(recipe: Recipe, *, fresh: bool = False) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Around a stage: makes its folder ready, gives a function for the final numbers, then writes card and receipt.

    Only the first process of a launch writes. Raises `UserMistake` when `output_dir` holds what no stage wrote, or
    when another run is writing to it."""
    if not processes.is_first():
        yield lambda numbers: None
        return
    folder = recipe.output_dir
    with _alone(folder):
        yield from _write_around(recipe, folder, fresh)


def _write_around(recipe: Recipe, folder: Path, fresh: bool) -> Iterator[Callable[[dict[str, Any]], None]]:
    moved = _make_ready(recipe, fresh)
    begun = time.monotonic()
    inputs = _inputs(recipe)
    _write_json(folder / STARTED, {"stage": recipe.stage, "values": recipe.values, "inputs": inputs})
    numbers: dict[str, Any] = {}
    try:
        yield numbers.update
    except UserMistake:
        _undo(folder, moved)
        raise
    receipt = {
        "stage": recipe.stage,
        "recipe": str(recipe.path),
        "values": recipe.values,
        "overrides": recipe.overrides,
        "inputs": inputs,
        "numbers": numbers,
        "seconds": round(time.monotonic() - begun, 1),
        "peak_memory_bytes": _peak_memory_bytes(),
        "num_processes": processes.count(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        **_environment(),
    }
    (folder / "README.md").write_text(card.render(receipt), encoding="utf-8")
    _write_json(folder / FINISHED, receipt)
    (folder / STARTED).unlink()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two runs must not write to one folder. The lock falls with its process, however that ends."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.with_name(f".{folder.name}.lock"), timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise UserMistake(f"{folder}: another run is writing to this folder; wait for it, or end it first.") from None
    try:
        yield
    finally:
        lock.release()


def load(file: Path) -> dict[str, Any] | None:
    """A receipt; None when there is none."""
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None


def read_paths(recipe: Recipe) -> list[str]:
    """The texts of a recipe that may name what it reads, however deep; keys `..._dir` name folders to write."""
    return sorted(set(_texts(recipe.values)))


def reads_from(recipe: Recipe, folder: Path) -> list[str]:
    """What a recipe names of `folder`: the folder itself, or something in it."""
    return [text for text in read_paths(recipe) if is_below(text, folder)]


def is_below(text: str, folder: Path) -> bool:
    """is_below("runs/a/b", Path("runs/a")), and a folder is below itself."""
    return PurePath(text).is_relative_to(folder)


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value.partition(".py:")[0] + ".py" * (".py:" in value)  # mine.py:f is read from mine.py
        case dict():
            for key, item in value.items():
                if "/" in str(key) or ".py:" in str(key):  # a reward model's folder, or mine.py:f
                    yield str(key).partition(".py:")[0] + ".py" * (".py:" in str(key))
                if not str(key).endswith("_dir"):
                    yield from _texts(item)
        case list():
            for item in value:
                yield from _texts(item)


def _make_ready(recipe: Recipe, fresh: bool) -> bool:
    """An empty folder, or the unfinished one of the same recipe; whether something else of ours was moved aside."""
    folder = recipe.output_dir
    if folder.is_file():
        raise UserMistake(f"{recipe.path}: output_dir {folder} is a file; write the name of a folder")
    aside = False
    if folder.exists() and any(folder.iterdir()):
        _refuse_foreign(folder, recipe)
        aside = fresh or reason_to_run(recipe) != CUT_OFF
        if aside:
            _move_aside(folder, recipe)
    folder.mkdir(parents=True, exist_ok=True)
    return aside


def _undo(folder: Path, moved: bool) -> None:
    """After a mistake that was told before anything was written: what was there is put back."""
    if [file.name for file in folder.iterdir()] != [STARTED]:
        return
    shutil.rmtree(folder)
    previous = _previous(folder)
    if moved and previous.exists():
        previous.rename(folder)


def _previous(folder: Path) -> Path:
    return folder.with_name(folder.name + ".previous")


def _move_aside(folder: Path, recipe: Recipe) -> None:
    """One generation is kept: after a start that failed, the finished one before it."""
    previous = _previous(folder)
    if previous.exists():
        _refuse_foreign(previous, recipe)
        unwanted = folder if (previous / FINISHED).exists() and not (folder / FINISHED).exists() else previous
        shutil.rmtree(unwanted)
    if folder.exists():
        folder.rename(previous)


def _refuse_foreign(folder: Path, recipe: Recipe) -> None:
    """A folder without a receipt is not ours to move or to delete."""
    if not (folder / FINISHED).exists() and not (folder / STARTED).exists():
        advice = "move them away, or write another  output_dir:"
        raise UserMistake(f"{recipe.path}: {folder} holds files that no stage wrote; {advice}")


def _difference(receipt: dict[str, Any], recipe: Recipe) -> str | None:
    """What changed since the receipt, in words; None for nothing."""
    old, new = receipt["values"], json.loads(json.dumps(recipe.values))
    for key in [*new, *old]:
        if key not in NOT_COMPARED and old.get(key) != new.get(key):
            return f"{key} changed"
    inputs = _inputs(recipe)
    for path in inputs:
        if receipt["inputs"].get(path) != inputs[path]:
            return f"{path} changed"
    return None


def _inputs(recipe: Recipe) -> dict[str, str]:
    """A fingerprint of all on this disk that the recipe names: of its receipt, or of its files' sizes and times."""
    paths = {text: Path(os.path.expanduser(text)) for text in read_paths(recipe) if text}
    there = {text: _fingerprint(path) for text, path in paths.items() if _exists(path)}
    patterns = {text: sorted(glob.glob(str(path), recursive=True)) for text, path in paths.items() if "*" in text}
    return there | {text: _fingerprint_all(files) for text, files in patterns.items() if files}


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a text too long to be a file name, such as a prompt
        return False


def _fingerprint(path: Path) -> str:
    for folder in (path, *path.parents):
        if (folder / FINISHED).exists():
            return hashlib.sha256((folder / FINISHED).read_bytes()).hexdigest()[:16]
    return hashlib.sha256(json.dumps(data.stamps(path)).encode()).hexdigest()[:16]


def _fingerprint_all(files: list[str]) -> str:
    """Of the files that a pattern such as crawl/*.warc.gz fits: one more of them is a change."""
    return hashlib.sha256(json.dumps([(file, _fingerprint(Path(file))) for file in files]).encode()).hexdigest()[:16]


def _environment() -> dict[str, Any]:
    return {
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in LIBRARIES}},
        "git": _git_revision(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores{_gpu()}",
    }


def _version(library: str) -> str:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _git_revision() -> str | None:
    """The commit of the project, when it runs from a clone."""
    found = subprocess.run(
        ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or None


def _peak_memory_bytes() -> int:
    """Of this process, without the memory of a GPU.

    Linux: getrusage would give a child at least the memory of the process that started it."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage(2): bytes on macOS, KiB on Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _gpu() -> str:
    """The accelerator, asked only of a torch that the stage has loaded itself."""
    torch = sys.modules.get("torch")
    return f", {torch.cuda.get_device_name()}" if torch and torch.cuda.is_available() else ""


def _write_json(file: Path, content: dict[str, Any]) -> None:
    whole_file.write(file, json.dumps(content, indent=2) + "\n")
