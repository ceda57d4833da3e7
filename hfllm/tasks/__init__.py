"""Which problems have answers that can be checked? One module a task; the user's own is a file of the same shape.

    load(split, path=None) -> Dataset    columns `prompt` (chat messages), `answer`, and whatever score needs
    score(completion, row) -> float      1 right, 0 wrong, None if the row cannot be judged; never raises
    gold(row) -> str                     a completion that is right

The same task is what a model practises on, is measured by, and, where rows have a `solution`, learns from."""

from __future__ import annotations

import importlib
import inspect
import types
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hfllm import data, user_file
from hfllm.errors import UserMistake
from hfllm.mistakes import near

if TYPE_CHECKING:
    from datasets import Dataset

Row = dict[str, Any]


@dataclass
class TaskConfig:
    """One task of a recipe."""

    name: str = field(metadata={"help": "A task of hfllm/tasks, such as gsm8k, or a file of your own: mine.py."})
    path: str | None = field(
        default=None, metadata={"help": "A folder, a file or a Hub id to read instead of the task's own data."}
    )
    split: str = field(default="train", metadata={"help": "Split to read."})
    rows: int | None = field(default=None, metadata={"help": "Read at most this many problems, drawn at random."})
    options: dict[str, Any] = field(
        default_factory=dict, metadata={"help": "Further arguments of the task's load, such as kinds: [sum]."}
    )

    @property
    def place(self) -> str:
        """How messages name it: `gsm8k [train]`."""
        return f"{self.name} [{self.split}]"


def names() -> list[str]:
    """The names of all tasks: the modules of this folder."""
    return sorted(file.stem for file in Path(__file__).parent.glob("*.py") if file.stem != "__init__")


def find(name: str) -> types.ModuleType:
    """The module of a task. Raises `UserMistake` when there is none, or when it lacks `load` or `score`."""
    module = user_file.load(name) if _is_own(name) else _shipped(name)
    for function, arguments in {"load": 1, "score": 2}.items():
        if not callable(vars(module).get(function)):
            raise UserMistake(f"task {name}: the file has no function {function}")
        if len(inspect.signature(vars(module)[function]).parameters) < arguments:
            raise UserMistake(f"task {name}: write  def load(split):  and  def score(completion, row):")
    return module


def load(config: TaskConfig) -> Dataset:
    """The problems of one task, with a column `task` that names it.

    Raises `UserMistake` when they cannot be read, or lack the columns `prompt` and `answer`."""
    module = find(config.name)
    _check_options(module, config)
    blame = user_file.blamed(Path(str(module.__file__)), f"task {config.name}: load")
    with blame if _is_own(config.name) else nullcontext():
        dataset = module.load(config.split, **({"path": config.path} if config.path else {}), **config.options)
    dataset = as_problems(dataset, config.place)
    missing = [column for column in ("prompt", "answer") if column not in dataset.column_names]
    if missing:
        raise UserMistake(f"task {config.place}: load gave no column {', no column '.join(missing)}")
    if len(dataset) == 0:
        raise UserMistake(f"task {config.place}: has no problems.")
    if config.rows is not None and config.rows < len(dataset):
        dataset = dataset.shuffle(seed=data.SAMPLE_SEED).select(range(config.rows))
    dataset = dataset.remove_columns([name for name in ("task",) if name in dataset.column_names])
    return dataset.add_column("task", [config.name] * len(dataset))


def load_all(configs: Sequence[TaskConfig]) -> Dataset:
    """The problems of all tasks one after another; a column that a task does not have is None in its rows."""
    from datasets import concatenate_datasets

    return concatenate_datasets([load(config) for config in configs])


def score(completion: str, row: Row) -> float | None:
    """What the row's task says of a completion."""
    module = find(row["task"])
    if not _is_own(row["task"]):
        return module.score(completion, row)
    with user_file.blamed(Path(str(module.__file__)), f"task {row['task']}: score"):
        return module.score(completion, row)


def as_problems(rows: Any, place: str, *, plain: bool = False) -> Dataset:
    """A Dataset, also of a list of rows; answers are texts, and prompts a user's messages, unless `plain` keeps texts.

    Raises `UserMistake` when it is neither, or has no column `prompt`."""
    from datasets import Dataset, Value

    if isinstance(rows, list) and all(isinstance(row, dict) for row in rows):
        rows = Dataset.from_list(rows)
    if not isinstance(rows, Dataset):
        raise UserMistake(f"{place}: load must return a Dataset or a list of rows; it returned {type(rows).__name__}")
    if "prompt" not in rows.column_names or len(rows) == 0:
        return rows
    answer = rows.features.get("answer")
    if isinstance(answer, Value) and answer.dtype != "string":
        rows = rows.cast_column("answer", Value("string"))
    if isinstance(rows[0]["prompt"], str) and not plain:
        return rows.map(lambda row: {"prompt": [{"role": "user", "content": row["prompt"]}]})
    return rows


def _is_own(name: str) -> bool:
    return name.endswith(".py")


@cache
def _shipped(name: str) -> types.ModuleType:
    if name not in names():
        raise UserMistake(f"task {name}: no such task{near(name, names())}; there are {', '.join(names())}")
    return importlib.import_module(f"{__name__}.{name}")


def _check_options(module: types.ModuleType, config: TaskConfig) -> None:
    known = [name for name in inspect.signature(module.load).parameters if name not in ("split", "path")]
    for name in config.options:
        if name not in known:
            have = f"; it has {', '.join(known)}" if known else "; it has none"
            raise UserMistake(f"task {config.name}: no such option: {name}{near(name, known)}{have}")
