"""The user's own Python: a file named in a recipe, loaded by its path.

function("mine.py:shout")     a reward or a tool of three lines, without a package around it"""

from __future__ import annotations

import functools
import importlib.util
import inspect
import sys
import traceback
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from hfllm import places
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
    file = places.find(path)  # hfllm/world/gold.py is the project's own, wherever a recipe is started
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
        with blamed(file, file.name):
            spec.loader.exec_module(module)
    except SyntaxError as error:
        raise UserMistake(f"{file.name}: line {error.lineno}: {error.msg}") from error
    return module


@contextmanager
def blamed(file: Path, what: str) -> Iterator[None]:
    """Around the user's own code: whatever it raises is told with its line, as `UserMistake`."""
    try:
        yield
    except (UserMistake, SyntaxError):
        raise
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if Path(frame.filename).resolve() == file.resolve()]
        place = f" ({file.name} line {lines[-1]})" if lines else ""
        raise UserMistake(f"{what} raised {type(error).__name__}: {error}{place}") from error


def told(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, with its signature, whose mistakes are told as those of `name`."""
    file = Path(inspect.getsourcefile(function) or name)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with blamed(file, name):
            return function(*args, **kwargs)

    return function if inspect.iscoroutinefunction(function) else call
