"""Which keys a stage's recipe may hold: a JSON schema read off the annotations of the stage's `main`.

    hfllm keys sft learning        # the keys whose name or help has the word
    hfllm keys sft --json-schema   # for the YAML language server of an editor

Importing the libraries that define the keys takes seconds, so each stage's schema is kept in a cache file named after
the installed versions; reading it takes milliseconds."""

from __future__ import annotations

import ast
import enum
import hashlib
import importlib
import importlib.metadata
import inspect
import json
import os
import sys
import types
import typing
from collections.abc import Callable
from contextlib import suppress
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, Union

STAGES_FOLDER = Path(__file__).parent / "stages"
LIBRARIES = ("transformers", "trl", "peft", "accelerate", "datasets", "torch")
LAUNCH = {
    "type": ["string", "null"],
    "description": "An accelerate config: a name in accelerate_configs/ or a path; default: by the devices found.",
    "default": None,
    "x-owner": "hfllm",
}
SIMPLE = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    type(None): "null",
    dict: "object",
    list: "array",
}

Schema = dict[str, Any]


def stages() -> list[str]:
    """The names of all stages: the modules of `hfllm.stages`."""
    return sorted(file.stem for file in STAGES_FOLDER.glob("*.py") if not file.stem.startswith("_"))


def trains(stage: str) -> bool:
    """Whether the stage is one of those that several processes share: its recipe has a batch per device."""
    return "per_device_train_batch_size" in schema_of_stage(stage)["properties"]


def module_of_stage(stage: str) -> types.ModuleType:
    """The module of a stage; importing it imports none of the heavy libraries."""
    return importlib.import_module(f"hfllm.stages.{stage}")


def schema_of_stage(stage: str) -> Schema:
    """The JSON schema of the recipes of `stage`: from the cache, or made now by importing the stage's libraries."""
    file = cache_folder() / f"{stage}-{_version_tag()}.json"
    if file.exists():
        cached = json.loads(file.read_text())
        if cached["sources"] == {name: _digest(name) for name in cached["sources"]}:
            return cached["schema"]
    main = module_of_stage(stage).main
    schema, sources = schema_of_main(main), _sources(main)
    with suppress(OSError):  # a read-only home: slow every time, but it works
        _write(file, json.dumps({"schema": schema, "sources": sources}))
    return schema


def cache_folder() -> Path:
    """HFLLM_CACHE, or the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    return Path(os.environ.get("HFLLM_CACHE", f"{base}/hfllm")).expanduser() / "keys"


def schema_of_main(main: Callable[..., Any]) -> Schema:
    """One object schema with the fields of all dataclasses that `main` is annotated with."""
    properties: dict[str, Schema] = {"launch": LAUNCH}
    changed = defaults_of(main)
    required = {"output_dir"}  # upstream has a default for it; a pipeline of paths cannot
    for owner in configs_of(main).values():
        for name, schema in properties_of(owner).items():
            if name in properties:
                raise TypeError(
                    f"{main.__module__}: two configurations have the key {name}: {owner.__name__} and another"
                )
            properties[name] = schema | ({"default": changed[name]} if name in changed else {})
        required |= set(required_of(owner))
    properties["output_dir"] = _without_null(properties["output_dir"])
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": f"A recipe of the stage {main.__module__.rpartition('.')[2]}",
        "type": "object",
        "properties": properties,
        "required": sorted(required),
        "additionalProperties": False,
    }


def presets_of(main: Callable[..., Any], values: dict[str, Any]) -> dict[str, Any]:
    """What the named sets stand for that `values` choose: the PRESETS of the stage's module, {key: {name: {...}}}."""
    presets = main.__globals__.get("PRESETS", {})
    chosen = [named[values[key]] for key, named in presets.items() if values.get(key) is not None]
    return {key: value for one in chosen for key, value in one.items()}


def defaults_of(main: Callable[..., Any]) -> dict[str, Any]:
    """What a stage sets differently from upstream: the DEFAULTS of its module."""
    return main.__globals__.get("DEFAULTS", {})


def configs_of(main: Callable[..., Any]) -> dict[str, type]:
    """The dataclass of each parameter of `main`.

    Names imported under `if TYPE_CHECKING:` are imported here: a stage file stays cheap to import."""
    module = inspect.getmodule(main)
    assert module is not None
    hints = typing.get_type_hints(main, localns=_type_checking_imports(module))
    return {name: hint for name, hint in hints.items() if name != "return"}


def _type_checking_imports(module: types.ModuleType) -> dict[str, Any]:
    tree = ast.parse(inspect.getsource(module))
    blocks = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    imports = [node for block in blocks for node in block.body if isinstance(node, ast.ImportFrom)]
    return {
        alias.asname or alias.name: getattr(importlib.import_module(str(node.module)), alias.name)
        for node in imports
        for alias in node.names
    }


def properties_of(owner: type) -> dict[str, Schema]:
    """The schema of each field of a dataclass."""
    hints = typing.get_type_hints(owner)
    return {field.name: _property(field, hints[field.name], owner) for field in fields(owner) if field.init}


def _property(field: Field[Any], hint: Any, owner: type) -> Schema:
    schema = _schema(hint)
    if choices := field.metadata.get("choices"):
        schema = {"enum": [*choices, *([None] if _takes_none(hint) else [])]}
    schema["description"] = " ".join(str(field.metadata.get("help", "")).split())
    schema["x-owner"] = _owner(field.name, owner)
    default = field.default_factory() if field.default_factory is not MISSING else field.default
    if default is not MISSING and _is_plain(default):
        schema["default"] = default.value if isinstance(default, enum.Enum) else default
    return schema


def _owner(name: str, config: type) -> str:
    """The library and class that first had the key: SFTConfig's learning_rate is transformers' TrainingArguments'."""
    first = [base for base in config.__mro__ if name in vars(base).get("__annotations__", {})][-1]
    return f"{first.__module__.partition('.')[0]} {first.__name__}"


def required_of(owner: type) -> list[str]:
    return [
        field.name
        for field in fields(owner)
        if field.init and field.default is MISSING and field.default_factory is MISSING
    ]


def _schema(hint: Any) -> Schema:
    """JSON schema of one annotation: _schema(list[int]) == {"type": "array", "items": {"type": "integer"}}."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return _union(arguments)
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (list, tuple):
        return {"type": "array", "items": _schema(arguments[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema(arguments[1])}
    if hint in SIMPLE:
        return {"type": SIMPLE[hint]}
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return {"enum": [member.value for member in hint]}
    if is_dataclass(hint) and isinstance(hint, type):
        return {
            "type": "object",
            "properties": properties_of(hint),
            "required": required_of(hint),
            "additionalProperties": False,
        }
    return {}


def _union(arguments: tuple[Any, ...]) -> Schema:
    if any(isinstance(argument, type) and issubclass(argument, enum.Enum) for argument in arguments):
        arguments = tuple(argument for argument in arguments if argument is not str)  # `SchedulerType | str`: the enum
    choices = [_schema(argument) for argument in arguments]
    return choices[0] if len(choices) == 1 else {"anyOf": choices}


def _without_null(schema: Schema) -> Schema:
    """Upstream's `output_dir: str | None` as plain text: null would be a folder named None."""
    return {"type": "string"} | {key: schema[key] for key in ("description", "x-owner")}


def _takes_none(hint: Any) -> bool:
    return type(None) in typing.get_args(hint)


def _is_plain(value: Any) -> bool:
    return isinstance(value, (str, int, float, bool, enum.Enum, type(None))) or value in ([], {})


def _version_tag() -> str:
    versions = [importlib.metadata.version(library) for library in LIBRARIES]
    return hashlib.sha256(" ".join([*versions, sys.version]).encode()).hexdigest()[:12]


def _sources(main: Callable[..., Any]) -> dict[str, str]:
    """The files of hfllm that the schema was made from, with a digest of each."""
    owners = {base for owner in configs_of(main).values() for base in owner.__mro__}
    modules = {main.__module__, __name__} | {owner.__module__ for owner in owners}
    ours = [f"{module.replace('.', '/')}.py" for module in sorted(modules) if module.startswith("hfllm.")]
    return {name: _digest(name) for name in ["hfllm/data.py", "hfllm/tasks/__init__.py", "hfllm/watch.py", *ours]}


def _digest(name: str) -> str:
    file = Path(__file__).parents[1] / name
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else ""


def _write(file: Path, text: str) -> None:
    """Whole or not at all: several processes of one launch may write the same cache."""
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_suffix(f".{os.getpid()}")
    temporary.write_text(text)
    temporary.replace(file)
