"""From a web crawl to training text: the steps of the stage `data`, found by the names that a recipe gives them.

    steps = chain([{"url_lists": {}}, "extract", {"gopher_quality": {"min_doc_words": 40}}, {"mine.py:shouts": {}}])

A step of ours is a file in hfllm/web/steps. One of the user's own is a function in any file, `(text, *, option=...)`,
that returns the reason to drop a page, or None to keep it."""

from __future__ import annotations

import importlib
import inspect
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from hfllm import keys, mistakes, user_file
from hfllm.errors import UserMistake
from hfllm.mistakes import near
from hfllm.web.own_filter import OwnFilter
from hfllm.web.step import Step

NUMBER = re.compile(r"-\d+$")
Entry = str | Mapping[str, Mapping[str, Any] | None]


def names() -> list[str]:
    """The names of all steps: the modules of hfllm/web/steps."""
    return sorted(file.stem for file in Path(__file__).parent.glob("steps/*.py") if file.stem != "__init__")


def find(name: str, options: Mapping[str, Any] | None = None) -> Step:
    """One step with its options. Raises `UserMistake` for an unknown name or option, or one that makes no sense."""
    step = _own(name, dict(options or {})) if user_file.is_named_by(name) else _built_in(name, dict(options or {}))
    step.check()
    return step


def chain(entries: Sequence[Entry], **common: Any) -> dict[str, Step]:
    """The `steps` of a recipe by their keys, a repeated one numbered: pii, pii-2.

    `common` are options for all steps that have them and whose entry does not say otherwise. Raises `UserMistake`."""
    steps: dict[str, Step] = {}
    times: Counter[str] = Counter()
    for entry in entries:
        name, options = _name_and_options(entry)
        times[name] += 1
        given = {option: value for option, value in common.items() if option in option_names(name)} | options
        steps[f"{name}-{times[name]}" if times[name] > 1 else name] = find(name, given)
    return steps


def name_of(key: str) -> str:
    """The name of the step with this key: name_of("pii-2") == "pii"."""
    return NUMBER.sub("", key)


def problems(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Key and message of every step of a recipe that there is not, or that takes no such option."""
    for index, entry in enumerate(values.get("steps") or []):
        try:
            chain([entry])
        except UserMistake as mistake:
            name = f".{next(iter(entry))}" if isinstance(entry, Mapping) and entry else ""
            yield f"steps[{index}]{name}", str(mistake)


def option_names(name: str) -> list[str]:
    """The options of a built-in step; none for the user's own, whose function says which it has."""
    return [] if name not in names() else [field.name for field in fields(_class_of(name))]


def class_of(name: str) -> type[Step]:
    """The class of a built-in step: class_of("c4_quality") is C4Quality of c4_quality.py."""
    if name not in names():
        own = "; one of your own is written  mine.py:NAME"
        raise UserMistake(f"step {name}: no such step{near(name, names())}; there are {', '.join(names())}{own}")
    return _class_of(name)


def _class_of(name: str) -> type[Step]:
    module = importlib.import_module(f"{__name__}.steps.{name}")
    return vars(module)["".join(part.capitalize() for part in name.split("_"))]


def _built_in(name: str, options: dict[str, Any]) -> Step:
    kind = class_of(name)
    schema = {"properties": keys.properties_of(kind), "required": keys.required_of(kind), "additionalProperties": False}
    node = mistakes.compose(yaml.safe_dump(options))
    assert node is not None
    wrong = [f"step {name}: {one.key}: {one.message}" for one in mistakes.problems(node, {"type": "object"} | schema)]
    if wrong:
        raise UserMistake("\n".join(wrong))
    return kind(**options)


def _own(name: str, options: dict[str, Any]) -> Step:
    function = user_file.function(name)
    max_lost = options.pop("max_lost", Step.max_lost)
    try:
        inspect.signature(function).bind("text", **options)
    except TypeError as error:
        raise UserMistake(
            f"step {name}: {error}; a filter is a function  (text, *, option=...) -> reason to drop, or None"
        ) from None
    file = Path(str(inspect.getsourcefile(function))).resolve()
    return OwnFilter(name=name, function_name=f"{file}:{name.rpartition(':')[2]}", options=options, max_lost=max_lost)


def _name_and_options(entry: Entry) -> tuple[str, dict[str, Any]]:
    """The two ways to write a step: `extract`, and `extract: {favor: recall}`."""
    match entry:
        case str():
            return entry, {}
        case Mapping() if len(entry) == 1:
            [(name, options)] = entry.items()
            if options is None or isinstance(options, Mapping):
                return name, dict(options or {})
        case Mapping() if entry and next(iter(entry.values())) is None:
            name, option = [*entry][:2]
            raise UserMistake(f"steps: {option} stands beside {name}; as its option it must be indented further")
    raise UserMistake(f"steps: {entry!r} is no step; write  - NAME  or  - NAME: {{option: value}}")
