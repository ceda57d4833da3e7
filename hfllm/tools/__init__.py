"""Which tools may a model call? One file a tool; the user's own is a function in any file: mine.py:weather.

    calculator, look_up = find({"calculator": {}, "search": {"path": "runs/tiny/world/directory"}}, tokenizer)
    calculator("12*3") == "36"

A tool is a function with typed arguments and a Google docstring that returns text. Module NAME holds the function NAME,
or `make(**options)` that returns it. What goes wrong in a tool is text for the model to read, never an exception, and
what it returns never becomes a special token: `find` wraps each tool so."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hfllm import user_file
from hfllm.errors import UserMistake
from hfllm.mistakes import near
from hfllm.untrusted import control_tokens, neutralise

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Tool = Callable[..., str]
Options = Mapping[str, Any] | None


def names() -> list[str]:
    """The names of all tools: the modules of this folder."""
    return sorted(file.stem for file in Path(__file__).parent.glob("*.py") if file.stem != "__init__")


def find(tools: Mapping[str, Options], tokenizer: PreTrainedTokenizerBase | None = None) -> list[Tool]:
    """The tools of a recipe, by name with their options, each wrapped by `safe`.

    `tokenizer` says which tokens frame a conversation; without one they are not neutralised. Raises `UserMistake` for
    an unknown tool or option, and for one whose schema cannot be built."""
    special_tokens = control_tokens(tokenizer) if tokenizer is not None else ()
    found = [safe(_tool(name, options or {}), special_tokens) for name, options in tools.items()]
    for name, tool in zip(tools, found, strict=True):
        _check_schema(name, tool)
    called = [tool.__name__ for tool in found]
    if twice := sorted({name for name in called if called.count(name) > 1}):
        raise UserMistake(f"tools: two are called {', '.join(twice)}; the model could not tell them apart")
    return found


def schemas(tools: Sequence[Tool]) -> list[dict[str, Any]]:
    """What the chat template shows the model of each tool, as JSON schemas."""
    from transformers.utils import get_json_schema

    return [get_json_schema(tool) for tool in tools]


def safe(tool: Tool, special_tokens: Sequence[str] = ()) -> Tool:
    """`tool` with its name, signature and docstring, whose every outcome is a text that a chat template may hold."""

    @functools.wraps(tool)
    def call(*args: Any, **kwargs: Any) -> str:
        return plain(_outcome(tool, args, kwargs), special_tokens)

    return call


def plain(text: str, special_tokens: Sequence[str]) -> str:
    """Without lone surrogates, which no tokenizer encodes, and with the special tokens made harmless."""
    return neutralise(text.encode("utf-8", "replace").decode(), special_tokens)


def _outcome(tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    try:
        arguments = inspect.signature(tool).bind(*args, **kwargs)
    except TypeError as error:  # a model names arguments that the tool does not have, or forgets one
        return f"error: {tool.__name__}: {error}"
    try:
        return str(tool(*arguments.args, **arguments.kwargs))
    except Exception as error:  # noqa: BLE001 - whatever a tool of the user raises, the model reads it and goes on
        return f"error: {tool.__name__}: {type(error).__name__}: {error}"


def check_name(name: str) -> None:
    """Raises `UserMistake` when there is no such tool; it is not made ready yet, which may read a data set."""
    if user_file.is_named_by(name):
        user_file.function(name)
    elif name not in names():
        own = "; one of your own is written  mine.py:NAME"
        raise UserMistake(f"tool {name}: no such tool{near(name, names())}; there are {', '.join(names())}{own}")


def _tool(name: str, options: Mapping[str, Any]) -> Tool:
    check_name(name)
    if user_file.is_named_by(name):
        return _without(name, user_file.function(name), options)
    members = vars(importlib.import_module(f"{__name__}.{name}"))
    return _made(name, members["make"], options) if "make" in members else _without(name, members[name], options)


def _made(name: str, make: Callable[..., Tool], options: Mapping[str, Any]) -> Tool:
    known = list(inspect.signature(make).parameters)
    for option in options:
        if option not in known:
            raise UserMistake(f"tool {name}: no such option: {option}{near(option, known)}; it has {', '.join(known)}")
    try:
        inspect.signature(make).bind(**options)
    except TypeError as error:
        raise UserMistake(f"tool {name}: {error}; write  {name}: {{{known[0]}: ...}}") from None
    return make(**options)


def _without(name: str, function: Tool, options: Mapping[str, Any]) -> Tool:
    if options:
        raise UserMistake(f"tool {name}: it has no options, but the recipe gives {', '.join(options)}")
    return function


def _check_schema(name: str, tool: Tool) -> None:
    from transformers.utils import DocstringParsingException, TypeHintParsingException

    try:
        schemas([tool])
    except (DocstringParsingException, TypeHintParsingException) as error:
        raise UserMistake(
            f"tool {name}: its schema cannot be built: {error}\n"
            "  a tool has typed arguments and a Google docstring, in which `Args:` describes each of them"
        ) from error
