"""The steps of the stage `data` and their options, for the terminal: `hfllm data steps pii`."""

from __future__ import annotations

import inspect
from dataclasses import MISSING, fields
from typing import Any

import yaml
from rich.console import Console
from rich.text import Text

from hfllm import key_table, keys, web
from hfllm.web.step import Step


def show(name: str | None) -> int:
    """Print one step or all of them: what it does, and type, default and help of each option.

    Raises `UserMistake` for a step that there is not."""
    kinds = {one: web.class_of(one) for one in ([name] if name else web.names())}
    console = Console(highlight=False)
    for one, kind in kinds.items():
        text = inspect.getdoc(kind) or ""
        told = text if name else text.splitlines()[0]
        console.print(Text.assemble((one, "bold"), f"  {told}"), soft_wrap=True)
        _show_options(console, kind, common=name is not None)
    if name is None:
        [common] = _options(Step)
        console.print(f"Each step also has {common}:  hfllm data steps {web.names()[0]}", soft_wrap=True)
    return 0


def _show_options(console: Console, kind: type[Step], *, common: bool) -> None:
    options = {option: entry for option, entry in _options(kind).items() if common or option not in _options(Step)}
    for option, entry in sorted(options.items(), key=lambda pair: pair[0] in _options(Step)):
        key_table.show_key(console, option, entry, default=_default(kind, option), indent=4)


def _options(kind: type[Step]) -> dict[str, keys.Schema]:
    return {option: entry | {"x-owner": ""} for option, entry in keys.properties_of(kind).items()}


def _default(kind: type[Step], option: str) -> str:
    """As a recipe would write it: [email, ip], null."""
    [field] = [one for one in fields(kind) if one.name == option]
    value: Any = field.default_factory() if field.default_factory is not MISSING else field.default
    if value is MISSING:
        return "must be given"
    return yaml.safe_dump(value, default_flow_style=True, width=10_000, sort_keys=False).partition("\n")[0]
