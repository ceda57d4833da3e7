"""Which probes of what a model knows are there? One module a probe; the user's own is a file of the same shape.

    load(**options) -> list of rows     `prompt`: messages to answer, or a text to continue; and whatever judge needs
    judge(said, row) -> {name: share}   0 to 1, or with a name in _tokens a number; {} if the row cannot be judged

A row may have a `group`, which is counted apart, a `question`, by which rows of different groups are paired, an
`expected` answer for the page of samples, and a `text`, which a base model continues instead of answering.
DIFFERENCE = (metric, one group, another): how much higher the metric is in the one, over paired rows."""

from __future__ import annotations

import importlib
import inspect
import types
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from textwrap import shorten
from typing import Any

from hfllm import user_file
from hfllm.errors import UserMistake
from hfllm.evaluating.answering import Said
from hfllm.mistakes import near

Row = dict[str, Any]
Judge = Callable[[Said, Row], dict[str, float]]


def names() -> list[str]:
    """The names of all probes: the modules of this folder."""
    return sorted(file.stem for file in Path(__file__).parent.glob("*.py") if file.stem != "__init__")


def find(name: str, options: Mapping[str, Any]) -> types.ModuleType:
    """The module of a probe; refusals-mine is the probe refusals, which may stand in a recipe more than once.

    Raises `UserMistake` when there is none, or when it takes no such options."""
    plain = name.partition("-")[0]
    if name.endswith(".py"):
        module = user_file.load(name)
    elif plain in names():
        module = importlib.import_module(f"{__name__}.{plain}")
    else:
        raise UserMistake(f"probe {name}: no such probe{near(name, names())}; there are {', '.join(names())}")
    for function in ("load", "judge"):
        if not callable(vars(module).get(function)):
            raise UserMistake(f"probe {name}: the file has no function {function}")
    _check_options(name, inspect.signature(module.load), options)
    return module


def load(name: str, options: Mapping[str, Any]) -> list[Row]:
    """The rows of a probe. Raises `UserMistake` when there are none, or when one cannot be asked."""
    module = find(name, options)
    with _blamed(name, module, "load"):
        rows = module.load(**options)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UserMistake(f"probe {name}: load must return a list of rows; it returned {type(rows).__name__}")
    if not rows:
        raise UserMistake(f"probe {name}: its options leave no question")
    for number, row in enumerate(rows, start=1):
        if not isinstance(row.get("prompt"), (str, list)) or row["prompt"] == []:
            raise UserMistake(
                f"probe {name}: row {number} has no prompt, messages or a text: {shorten(str(row), 200)}; "
                'give it for instance  "prompt": [{"role": "user", "content": "Who are you?"}]'
            )
    return rows


def judge_of(name: str, module: types.ModuleType) -> Judge:
    """How a probe judges; what goes wrong in a file of the user's own is told as `UserMistake`."""

    def judge(said: Said, row: Row) -> dict[str, float]:
        with _blamed(name, module, "judge"):
            measures = module.judge(said, row)
        if not isinstance(measures, dict):
            raise UserMistake(
                f"probe {name}: judge must return shares by name, such as  {{'right': 1.0}}; it returned {measures!r}"
            )
        return measures

    return judge


def _check_options(name: str, signature: inspect.Signature, options: Mapping[str, Any]) -> None:
    known = list(signature.parameters)
    takes_any = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in signature.parameters.values())
    for option in options:
        if option not in known and not takes_any:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise UserMistake(f"probe {name}: no such option: {option}{near(option, known)}; {has}")
    try:
        signature.bind(**options)
    except TypeError as error:
        raise UserMistake(f"probe {name}: {error}; write  {name}: {{{known[0]}: ...}}") from None


def _blamed(name: str, module: types.ModuleType, function: str) -> AbstractContextManager[None]:
    if not name.endswith(".py"):
        return nullcontext()
    return user_file.blamed(Path(str(module.__file__)), f"probe {name}: {function}")
