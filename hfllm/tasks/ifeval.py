"""IFEval: does the answer keep to instructions that a program can check (length, format, words, language)?

Source: Zhou et al., arXiv 2311.07911; Hub: google/IFEval (Apache-2.0), split train, which is the whole benchmark.
Judged strictly: 1 only if the answer keeps to all instructions of its prompt. Whether it is good is not asked."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from hfllm import answers, constraint_writer, constraints, task_rows
from hfllm.data import DatasetConfig
from hfllm.errors import UserMistake

if TYPE_CHECKING:
    from datasets import Dataset


def load(split: str, path: str | None = None) -> Dataset:
    """Columns key, prompt, answer (the instructions in short), instruction_id_list and kwargs (an entry each)."""
    config = DatasetConfig(path or "google/IFEval", split=split)
    dataset = task_rows.read("ifeval", config, ["key", "prompt", "instruction_id_list", "kwargs"])
    for row in dataset:
        _check(row, config.place)
    return dataset.map(_row, remove_columns=dataset.column_names, desc=f"Reading {config.place}")


def score(completion: str, row: dict[str, Any]) -> float | None:
    """1 if the text behind the thinking keeps to every instruction, else 0."""
    return float(all(followed(completion, row)))


def followed(completion: str, row: dict[str, Any]) -> list[bool]:
    """Of each instruction whether it is kept: their mean is the paper's accuracy on the level of instructions."""
    text = answers.after_thinking(completion)
    return [constraints.follows(name, text, arguments) for name, arguments in _instructions(row)]


def gold(row: dict[str, Any]) -> str:
    """A text that keeps to all instructions of the row, whatever it says."""
    return constraint_writer.write(_instructions(row))


def _instructions(row: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return list(zip(row["instruction_id_list"], row["kwargs"], strict=True))


def _row(source: dict[str, Any]) -> dict[str, Any]:
    return {
        "key": source["key"],
        "prompt": task_rows.question(source["prompt"]),
        "answer": "; ".join(_short(name, arguments) for name, arguments in _instructions(source)),
        "instruction_id_list": source["instruction_id_list"],
        "kwargs": source["kwargs"],
    }


def _short(name: str, arguments: dict[str, Any]) -> str:
    """_short("keywords:frequency", {"keyword": "war", "frequency": 8.0}) == "frequency war 8.0" """
    given = [str(value) for value in arguments.values() if value is not None]
    return " ".join([name.partition(":")[2], *given])


def _check(row: dict[str, Any], place: str) -> None:
    """Raises `UserMistake` for an instruction that is not known, or lacks an argument."""
    for name, arguments in _instructions(row):
        given = {key: value for key, value in arguments.items() if value is not None}
        try:
            inspect.signature(constraints.find(name)).bind("", **given)
        except (KeyError, TypeError) as error:
            raise UserMistake(f"{place}, key {row['key']}: instruction {name}: {error}") from error
