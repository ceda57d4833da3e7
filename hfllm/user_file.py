"""The user's own Python: a file named in a recipe, loaded by its path.

function("mine.py:shout")     a reward or a tool of three lines, without a package around it"""

from __future__ import annotations

import importlib.util
import sys
import types
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from hfllm.errors import UserMistake
from hfllm.mistakes import near


def is_named_by(name: str) -> bool:
    """Whether a name of a recipe means a file: mine.py:shout does, accuracy and runs/tiny/reward do not."""
    return name.endswith(".py") or ".py:" in name


def function(name: str) -> Callable[..., Any]:
    """The function that `mine.py:shout` names. Raises `UserMistake` when there is no such file or function."""
    path, _, wanted = name.partition(".py:")
    module = load(f"{path}.py" if wanted else name)
    known = sorted(word for word, value in vars(module).items() if isinstance(value, types.FunctionType))
    if not wanted:
        raise UserMistake(f"{name}: name a function of the file, as in  {name}:{(known or ['f'])[0]}")
    if not callable(vars(module).get(wanted)):
        raise UserMistake(f"{name}: {path}.py has no function {wanted}{near(wanted, known)}")
    return vars(module)[wanted]


def load(path: str) -> types.ModuleType:
    """The module of a file, run once. Raises `UserMistake` when it is missing or no Python."""
    file = Path(path).expanduser()
    if not file.is_file():
        beside = [one.name for one in file.parent.glob("*.py")]
        raise UserMistake(f"{path}: no such file{near(file.name, beside)}")
    return _run(file.resolve())


@cache
def _run(file: Path) -> types.ModuleType:
    spec = importlib.util.spec_from_file_location(str(file), file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and pickle look a module up there
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise UserMistake(f"{file.name}: line {error.lineno}: {error.msg}") from error
    return module
