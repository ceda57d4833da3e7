"""YAML in, typed arguments of a stage's `main` out; every mistake at once, before anything heavy is imported.

A recipe is flat YAML whose keys are the fields of the dataclasses that `main` is annotated with. A stage ends with

    if __name__ == "__main__":
        recipe.run(main)

and is then started by hand, on one device or many, with overrides behind the recipe:

    accelerate launch -m hfllm.stages.sft recipes/tiny/sft.yaml --learning_rate 1e-4"""

from __future__ import annotations

import logging
import os
import re
import sys
import types
import typing
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, NoReturn

import yaml

from hfllm import keys, mistakes, processes, receipt
from hfllm.errors import EXIT_INTERRUPTED, EXIT_MISTAKE, UserMistake
from hfllm.mistakes import Problem

USAGE = "usage: accelerate launch -m {module} RECIPE.yaml [--key value ...] [--fresh]"
LAUNCHER_KEYS = {"launch"}  # say how a stage is started: no argument of its `main`


@dataclass(frozen=True)
class Recipe:
    """A recipe file with its overrides, read and checked."""

    path: Path
    stage: str
    values: dict[str, Any]
    overrides: dict[str, Any]
    problems: list[Problem]
    lines: dict[str, int] = field(default_factory=dict)  # of every key, as in datasets[0].path

    @property
    def output_dir(self) -> Path:
        return Path(str(self.values["output_dir"]))

    def complain(self) -> None:
        """Raises `UserMistake` with all problems, if there are any."""
        if self.problems:
            raise UserMistake(report(self.path, self.problems))


def stage_of(path: Path) -> str:
    """The name before `-` in a recipe's file name: stage_of(Path("sft-idk.yaml")) == "sft"."""
    return path.stem.split("-")[0]


def read(path: Path, overrides: Sequence[str] = (), stage: str | None = None) -> Recipe:
    """The recipe of a file; `overrides` are words such as `--learning_rate 1e-4`. Mistakes are in `problems`."""
    stage = stage or stage_of(path)
    schema = keys.schema_of_stage(stage)
    try:
        node = mistakes.compose(path.read_text(encoding="utf-8"))
        values: Any = mistakes.value_of(node) if node else None
    except FileNotFoundError:
        return Recipe(path, stage, {}, {}, [Problem(None, "", f"no such file{_near_file(path)}")])
    except IsADirectoryError:
        return Recipe(path, stage, {}, {}, [Problem(None, "", f"a folder, not a recipe; write  hfllm run {path}")])
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        return Recipe(path, stage, {}, {}, [_not_yaml(error)])
    if not isinstance(node, yaml.MappingNode):
        return Recipe(path, stage, {}, {}, [Problem(1, "", "a recipe is made of lines  key: value")])
    changed, override_problems = _apply(values, overrides, schema)
    found = [problem for problem in mistakes.problems(node, schema) if not _mended(problem, changed)]
    found = [*sorted(found, key=lambda problem: problem.line or 0), *override_problems]
    one = Recipe(path, stage, values, changed, found, mistakes.lines(node))
    found += _own_output(one)
    return one


def refused_by_stage(recipe: Recipe) -> list[Problem]:
    """What the stage says of its recipe's values, such as a reward that there is not: its CHECK yields it.

    It is asked about values that could be read."""
    check = vars(keys.module_of_stage(recipe.stage)).get("CHECK")
    unread = {root(problem.key) for problem in recipe.problems}
    values = {key: value for key, value in recipe.values.items() if key not in unread}
    return [_place_of(recipe, key, message) for key, message in check(values)] if check else []


def _place_of(recipe: Recipe, key: str, message: str) -> Problem:
    """In the file, or, where the command line says otherwise, there."""
    overridden = key in recipe.overrides
    return Problem(None if overridden else recipe.lines.get(key), f"--{key}" if overridden else key, message)


def root(key: str) -> str:
    """root("tasks[0].name") == "tasks" """
    return re.split(r"[.\[]", key.removeprefix("--"), maxsplit=1)[0]


def report(path: Path, problems: Sequence[Problem]) -> str:
    """The problems of one recipe as lines for a terminal, aligned."""
    parts = [(f"line {problem.line}" if problem.line else "", problem.key, problem.message) for problem in problems]
    if len(parts) == 1:
        return f"{path}: " + "  ".join(part for part in parts[0] if part)
    line_width, key_width = (max(len(part[column]) for part in parts) for column in (0, 1))
    rows = [f"{line:<{line_width}}  {key:<{key_width}}  {text}" if line or key else text for line, key, text in parts]
    return "\n".join([f"{path}: {len(rows)} problems", *(f"  {row}" for row in rows)])


def arguments(main: Callable[..., Any], recipe: Recipe) -> dict[str, Any]:
    """The dataclasses for the parameters of `main`, filled from the recipe.

    Raises `UserMistake` when a configuration refuses its values (its own checks, in its `__post_init__`)."""
    given = {key: value for key, value in recipe.values.items() if key not in LAUNCHER_KEYS}
    arguments = {}
    for name, config in keys.configs_of(main).items():
        names = {field.name for field in fields(config) if field.init}
        values = _device_defaults(names) | keys.defaults_of(main) | keys.presets_of(main, given) | given
        chosen = {key: value for key, value in values.items() if key in names}
        try:
            arguments[name] = _filled(config, chosen)
        except (ValueError, ImportError) as error:
            raise UserMistake(f"{recipe.path}: {config.__name__} refuses these values.\n  {error}") from error
    return arguments


def run(main: Callable[..., dict[str, Any]]) -> NoReturn:
    """Start a stage from the command line: check the recipe, fill `main`, write the receipt when it returns.

    The exit statuses are in hfllm/errors.py."""
    module = sys.modules["__main__"].__spec__.name  # type: ignore[union-attr]
    try:
        sys.exit(_run(main, module, sys.argv[1:]))
    except UserMistake as mistake:
        if processes.is_first():
            print(mistake, file=sys.stderr)
        sys.exit(EXIT_MISTAKE)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)


def _run(main: Callable[..., dict[str, Any]], module: str, words: list[str]) -> int:
    if not words or words[0] in {"-h", "--help"} or words[0].startswith("--"):
        print(USAGE.format(module=module), f"\nkeys: hfllm keys {module.rpartition('.')[2]}", file=sys.stderr)
        return 0 if words and words[0] in {"-h", "--help"} else EXIT_MISTAKE
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    # the name that upstream's own defaults still use
    warnings.filterwarnings("ignore", message="`(is_)?gradient_checkpointing", category=FutureWarning)
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # tells every stage which optional kernels it lacks
    stage, fresh = module.rpartition(".")[2], "--fresh" in words
    if not processes.is_first() and not keys.trains(stage):
        return 0  # one process does all of it; a second one would write the same files at the same time
    recipe = read(Path(words[0]), [word for word in words[1:] if word != "--fresh"], stage=stage)
    recipe.complain()
    if receipt.is_up_to_date(recipe) and not fresh:
        if processes.is_first():
            print(f"{recipe.output_dir} is up to date: nothing to do (--fresh runs it again)")
        return 0
    if refused := refused_by_stage(recipe):  # before a folder is made, and a receipt in it holds the recipe's values
        raise UserMistake(report(recipe.path, refused))
    with receipt.writing(recipe, fresh=fresh) as record:
        record(main(**arguments(main, recipe)))
    return 0


def _filled(config: type, values: dict[str, Any]) -> Any:
    """A dataclass from plain values, nested dataclasses and lists of them included."""
    hints = typing.get_type_hints(config)
    return config(**{key: _typed(hints[key], value) for key, value in values.items()})


def _typed(hint: Any, value: Any) -> Any:
    alternatives = [choice for choice in typing.get_args(hint) if choice is not type(None)]
    if typing.get_origin(hint) in (typing.Union, types.UnionType) and len(alternatives) == 1:
        return None if value is None else _typed(alternatives[0], value)
    if is_dataclass(hint) and isinstance(hint, type) and isinstance(value, dict):
        return _filled(hint, value)
    if typing.get_origin(hint) is list and isinstance(value, list):
        return [_typed(typing.get_args(hint)[0], item) for item in value]
    return float(value) if hint is float and isinstance(value, int) else value


def _device_defaults(names: set[str]) -> dict[str, Any]:
    """Upstream's defaults suit a GPU: a CPU's bf16 is slow, and without `use_cpu` each process trains alone."""
    if "use_cpu" not in names:
        return {}
    import torch

    defaults = {"ddp_find_unused_parameters": False}
    if not torch.accelerator.is_available():
        defaults |= {"use_cpu": True, "bf16": False, "gradient_checkpointing": False, "dataloader_pin_memory": False}
    return defaults


def _apply(values: dict[str, Any], words: Sequence[str], schema: keys.Schema) -> tuple[dict[str, Any], list[Problem]]:
    """Put the overrides `--key value`, `--key=value`, `--key` (true) into `values`; what changed and what is wrong."""
    changed: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, text in _pairs(words, problems):
        node = _override_node(text, schema, name)
        found = list(mistakes.problems(_nested(name, node), {**schema, "required": []}))
        problems += [Problem(None, f"--{problem.key}", problem.message) for problem in found]
        if not found:
            _set(values, name.split("."), mistakes.value_of(node))
            changed[name] = mistakes.value_of(node)
    return changed, problems


def _pairs(words: Sequence[str], problems: list[Problem]) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    waiting: str | None = None
    for word in words:
        if word.startswith("--"):
            pairs += [(waiting, "true")] if waiting is not None else []
            name, equals, text = word[2:].partition("=")
            pairs += [(name, text)] if equals else []
            waiting = None if equals else name
        elif waiting is not None:
            pairs.append((waiting, word))
            waiting = None
        else:
            problems.append(Problem(None, word, "an override is written  --key value"))
    return pairs + ([(waiting, "true")] if waiting is not None else [])


def _override_node(text: str, schema: keys.Schema, name: str) -> yaml.Node:
    """The value of an override as YAML; as text where only that fits the key (--run_name 7)."""
    as_text = yaml.ScalarNode("tag:yaml.org,2002:str", text, yaml.Mark("", 0, 0, 0, None, 0))
    try:
        node = mistakes.compose(text) or as_text
    except yaml.YAMLError:
        return as_text
    target = schema["properties"].get(name, {})
    fits, fits_as_text = (not list(mistakes.problems(option, target)) for option in (node, as_text))
    return as_text if fits_as_text and not fits else node


def _nested(name: str, node: yaml.Node) -> yaml.MappingNode:
    """--model_config.num_layers 2 stands for  model_config: {num_layers: 2}."""
    for part in reversed(name.split(".")):
        key = yaml.ScalarNode("tag:yaml.org,2002:str", part, node.start_mark)
        node = yaml.MappingNode("tag:yaml.org,2002:map", [(key, node)], node.start_mark)
    return typing.cast(yaml.MappingNode, node)


def _set(values: dict[str, Any], parts: list[str], value: Any) -> None:
    for part in parts[:-1]:
        if not isinstance(values.get(part), dict):
            values[part] = {}
        values = values[part]
    values[parts[-1]] = value


def _mended(problem: Problem, changed: dict[str, Any]) -> bool:
    """An override that gives a missing or wrong value its right one leaves nothing to complain of, nor inside it."""
    return any(re.match(rf"{re.escape(key)}($|[.\[])", problem.key) for key in changed)


def _own_output(recipe: Recipe) -> list[Problem]:
    """The folder is made anew before the stage starts, and what it held is moved away."""
    if "output_dir" not in recipe.values:
        return []
    read_there = receipt.reads_from(recipe, recipe.output_dir)
    message = "the recipe reads {} from the folder that it writes; write another folder"
    return [Problem(recipe.lines.get("output_dir"), "output_dir", message.format(text)) for text in read_there]


def _not_yaml(error: yaml.YAMLError | UnicodeDecodeError) -> Problem:
    if not isinstance(error, yaml.MarkedYAMLError):
        return Problem(None, "", f"not YAML: {str(error).splitlines()[0]}")
    what = ", ".join(part for part in (error.context, error.problem) if part)
    return Problem(error.problem_mark.line + 1 if error.problem_mark else None, "", f"not YAML: {what}")


def _near_file(path: Path) -> str:
    folder = path.parent if path.parent.is_dir() else Path(".")
    return mistakes.near(path.name, [file.name for file in folder.glob("*.yaml")])
