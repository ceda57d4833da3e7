"""Where the rows of a task come from: a data set on the Hub, what the recipe names instead, or a list of words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from hfllm import data
from hfllm.errors import UserMistake
from hfllm.world.problems import is_held_out
from hfllm.world.words import SPELLED

if TYPE_CHECKING:
    from datasets import Dataset

Row = dict[str, Any]


def read(task: str, config: data.DatasetConfig, columns: list[str]) -> Dataset:
    """The rows of a data set that has these columns.

    Raises `UserMistake` when it cannot be read, or lacks one of them."""
    dataset = data.load(config)
    missing = [column for column in columns if column not in dataset.column_names]
    if missing:
        raise UserMistake(
            f"{config.place} has the columns {', '.join(dataset.column_names)}; "
            f"the task {task} reads {', '.join(columns)}."
        )
    return dataset


def problems(dataset: Dataset, problem: Callable[[Row], Row]) -> Dataset:
    """problem(row) for each row.

    Features are told, because `map` would give a column of an old name its old type: 33 for the answer "33"."""
    from datasets import Dataset

    first = dataset.select(range(min(len(dataset), 100)))
    features = Dataset.from_list([problem(row) for row in first]).features
    return dataset.map(problem, remove_columns=dataset.column_names, features=features)


def question(content: str) -> list[dict[str, str]]:
    """A prompt of one message: what the user asks."""
    return [{"role": "user", "content": content}]


def words(task: str, path: str | None) -> list[str]:
    """Different words of three letters or more, in lower case: the rows of the column `word` or `text` of a data set.

    Without a `path`, the words of the small world."""
    if path is None:
        return SPELLED
    config = data.DatasetConfig(path=path)
    dataset = data.load(config)
    column = next((name for name in ("word", "text") if name in dataset.column_names), None)
    if column is None:
        raise UserMistake(
            f"{config.place} has the columns {', '.join(dataset.column_names)}; the task {task} reads word or text."
        )
    lower = (word.strip().lower() for word in dataset[column])
    return list(dict.fromkeys(word for word in lower if word.isalpha() and len(word) > 2))


def held_out_or_not(task: str, split: str, keys: Iterable[tuple[str, ...]], problem: Callable[..., Row]) -> Dataset:
    """One row `problem(*key)` for every key of the split: one key in eight is in `test`, all others in `train`."""
    from datasets import Dataset

    if split not in ("train", "test"):
        raise UserMistake(f"task {task}: split: {split}: its splits are train and test")
    wanted = [problem(*key) for key in keys if is_held_out(" in ".join(key)) == (split == "test")]
    return Dataset.from_list(wanted)
