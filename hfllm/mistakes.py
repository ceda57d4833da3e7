"""What is wrong with a recipe's YAML: every mistake at once, each with its line and what to write instead.

Works on YAML nodes, which keep their lines and their duplicates, and on the JSON schema of the stage (`keys.py`)."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from hfllm import refused, renamed
from hfllm.keys import Schema

KIND = {
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}
CHOICES_SHOWN = 6
TEXT = "tag:yaml.org,2002:str"


class Loader(yaml.SafeLoader):
    """YAML 1.2's plain scalars: PyYAML reads 2e-5 as text, `no` as false, 1:30 as ninety and 010 as eight."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()
        if not isinstance(event, yaml.AliasEvent) and event.tag not in (None, TEXT):
            raise yaml.composer.ComposerError(None, None, f"the tag {event.tag} is not read", event.start_mark)
        node = super().compose_node(parent, index)
        if node is not None and node.end_mark is None:  # not composed to its end yet: it was reached from inside
            raise yaml.composer.ComposerError(None, None, "an anchor that holds itself", event.start_mark)
        return node

    def construct_whole_number(self, node: yaml.ScalarNode) -> int:
        text = node.value.replace("_", "")
        return int(text, 16 if text.startswith("0x") else 10)


Loader.add_constructor("tag:yaml.org,2002:int", Loader.construct_whole_number)
Loader.yaml_implicit_resolvers = {}
for tag, pattern, first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9][0-9_]*|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+0123456789.",
    ),
    ("null", r"~|null|Null|NULL|", "~nN\0"),
):
    Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), [*first.replace("\0", ""), ""]
    )


@dataclass(frozen=True)
class Problem:
    """One mistake: where (a line of the recipe; None for an override), which key, and what to do."""

    line: int | None
    key: str
    message: str


def compose(text: str) -> yaml.Node | None:
    """The node tree of a YAML text; None when it is empty. Raises yaml.YAMLError."""
    loader = Loader(text)
    try:
        return loader.get_single_node()
    finally:
        loader.dispose()


def value_of(node: yaml.Node) -> Any:
    """The Python value of a node. A key given twice has its last value, but `problems` has told of it."""
    loader = Loader("")
    try:
        return loader.construct_document(node)
    finally:
        loader.dispose()


def problems(node: yaml.Node, schema: Schema, key: str = "") -> Iterator[Problem]:
    """Every mistake in `node` under `schema`, in the order of the lines."""
    if "anyOf" in schema:
        schema = _fitting(node, schema["anyOf"])
    if "enum" in schema:
        yield from _choice(node, schema["enum"], key)
    elif not _has_type(node, schema):
        yield Problem(_line(node), key, f"{_shown(node)} is not {_wanted(schema)}{_as_list(node, schema)}")
    elif isinstance(node, yaml.MappingNode):
        yield from _mapping(node, schema, key)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from problems(item, schema.get("items", {}), f"{key}[{index}]")


def lines(node: yaml.Node, prefix: str = "") -> dict[str, int]:
    """The line of every key of a recipe, however deep: {"datasets": 3, "datasets[0].path": 4}."""
    found: dict[str, int] = {}
    if isinstance(node, yaml.MappingNode):
        for key_node, value_node in node.value:
            key = f"{prefix}.{key_node.value}" if prefix else str(key_node.value)
            found |= {key: _line(key_node)} | lines(value_node, key)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            found |= lines(item, f"{prefix}[{index}]")
    return found


def near(word: str, known: list[str]) -> str:
    """'; did you mean X?' or nothing."""
    found = difflib.get_close_matches(word, known, n=1, cutoff=0.65)
    return f"; did you mean {found[0]}?" if found else ""


def _mapping(node: yaml.MappingNode, schema: Schema, prefix: str) -> Iterator[Problem]:
    first_lines: dict[str, int] = {}
    known = schema.get("properties")
    for key_node, value_node in node.value:
        name, line = str(key_node.value), _line(key_node)
        key = f"{prefix}.{name}" if prefix else name
        if name in first_lines:
            yield Problem(first_lines[name], key, f"given twice (line {first_lines[name]} and line {line})")
        first_lines.setdefault(name, line)
        extra = _extra(schema)
        if known is not None:
            yield from _known_key(name, key, value_node, known, line)
        elif not extra and (refusal := refused.forbidden(name, value_of(value_node))):
            yield Problem(line, key, refusal)  # in a mapping with free keys, such as model_init_kwargs
        else:
            yield from problems(value_node, extra, key)
    for name in schema.get("required", []):
        if name not in first_lines:
            yield Problem(_line(node), f"{prefix}.{name}" if prefix else name, _missing(name))


def _known_key(name: str, key: str, node: yaml.Node, known: dict[str, Schema], line: int) -> Iterator[Problem]:
    value = value_of(node)
    if refusal := refused.forbidden(name, value):
        yield Problem(line, key, refusal)
    elif name in known:
        yield from problems(node, known[name], key)
    else:
        advice = renamed.advice(name, value, known)
        yield Problem(line, key, advice or f"no such key{near(name, list(known))}")


def _missing(name: str) -> str:
    if name == "output_dir":
        return "missing: the folder that this stage writes, e.g.  output_dir: runs/mine/sft"
    return "missing: this key has no default"


def _extra(schema: Schema) -> Schema:
    extra = schema.get("additionalProperties", {})
    return extra if isinstance(extra, dict) else {}


def _choice(node: yaml.Node, choices: list[Any], key: str) -> Iterator[Problem]:
    value = value_of(node)
    if any(value == choice and type(value) is type(choice) for choice in choices):
        return
    names = [str(choice) for choice in choices if choice is not None]
    guess = near(str(value), names)
    listed = ", ".join(names) if len(names) <= CHOICES_SHOWN or not guess else f"its {len(names)} choices"
    yield Problem(_line(node), key, f"{_shown(node)} is not one of {listed}{guess}")


def _fitting(node: yaml.Node, choices: list[Schema]) -> Schema:
    """The first alternative that takes the node; else the one to measure it by: of the node's own kind, or all."""
    for schema in choices:
        if not list(problems(node, schema)):
            return schema
    kind = _type_names(node) & {"object", "array"}
    same_kind = [schema for schema in choices if schema.get("type") in kind]
    if same_kind:
        return same_kind[0]
    enums = _enums(choices)
    return {"type": _types(choices), "enum": enums} if enums else {"type": _types(choices)}


def _types(choices: list[Schema]) -> list[str]:
    return [schema["type"] for schema in choices if "type" in schema]


def _enums(choices: list[Schema]) -> list[Any]:
    values = [value for schema in choices for value in schema.get("enum", [])]
    return [*values, None] if values and "null" in _types(choices) else values


def _has_type(node: yaml.Node, schema: Schema) -> bool:
    wanted = schema.get("type")
    if wanted is None:
        return True
    wanted = wanted if isinstance(wanted, list) else [wanted]
    return bool(_type_names(node) & set(wanted))


def _type_names(node: yaml.Node) -> set[str]:
    if isinstance(node, yaml.MappingNode):
        return {"object"}
    if isinstance(node, yaml.SequenceNode):
        return {"array"}
    return {
        "tag:yaml.org,2002:bool": {"boolean"},
        "tag:yaml.org,2002:int": {"integer", "number"},
        "tag:yaml.org,2002:float": {"number"},
        "tag:yaml.org,2002:null": {"null"},
    }.get(node.tag, {"string"})


def _wanted(schema: Schema) -> str:
    wanted = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return " or ".join(KIND[name] for name in wanted if name != "null" or len(wanted) == 1)


def _as_list(node: yaml.Node, schema: Schema) -> str:
    """What to write where only a list is wanted and a single word or null was given."""
    if _wanted(schema) != KIND["array"] or not isinstance(node, yaml.ScalarNode):
        return ""
    if _type_names(node) == {"null"}:
        return ": write  []  for none"
    if set(node.value) & set("[]{},:\"'#"):
        return ""
    files = "path" in schema.get("items", {}).get("properties", {})
    return f": write  [{{path: {node.value}}}]" if files else f": write  [{node.value}]"


def _shown(node: yaml.Node) -> str:
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    return repr(node.value) if _type_names(node) == {"string"} else str(node.value or "null")


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1
