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
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hfllm import user_file
from hfllm.errors import UserMistake
from hfllm.mistakes import near

Row = dict[str, Any]


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
    known = list(inspect.signature(module.load).parameters)
    for option in options:
        if option not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise UserMistake(f"probe {name}: no such option: {option}{near(option, known)}; {has}")
    try:
        inspect.signature(module.load).bind(**options)
    except TypeError as error:
        raise UserMistake(f"probe {name}: {error}; write  {name}: {{{known[0]}: ...}}") from None
    return module


def load(name: str, options: Mapping[str, Any]) -> list[Row]:
    """The rows of a probe. Raises `UserMistake` when there are none."""
    rows = find(name, options).load(**options)
    if not rows:
        raise UserMistake(f"probe {name}: its options leave no question")
    return rows
