"""A folder of recipes as a course: in which order, what is up to date, what must run and why.

Paths are the pipeline: a recipe that reads `runs/tiny/pretrain` comes after the recipe whose `output_dir` that is."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hfllm import data, keys, launch, mistakes, peek, places, receipt, recipe, renamed
from hfllm.data import DatasetConfig
from hfllm.errors import UserMistake
from hfllm.mistakes import Problem
from hfllm.recipe import Recipe

ASKED_FOR = "asked for: --fresh"
LOCAL_FILES = {"chat_template_path", "truth"}


@dataclass(frozen=True)
class Step:
    """One recipe of a course."""

    recipe: Recipe
    after: list[Recipe]  # the recipes of this course whose output it reads
    reason: str | None  # why it must run; None when it is up to date

    @property
    def name(self) -> str:
        """The file name without its ending: sft-idk."""
        return self.recipe.path.stem


def recipe_files(paths: Sequence[str]) -> list[Path]:
    """The recipes that folders and files name. Raises `UserMistake` for a path that is neither."""
    files: list[Path] = []
    for text in paths:
        path = Path(text)
        if path.is_dir():
            found = sorted(
                file for pattern in ("*.yaml", "*.yml") for file in path.rglob(pattern) if not _hidden(file, path)
            )
            if not found:
                raise UserMistake(
                    f"{path}: no recipe in this folder (a recipe is a file STAGE.yaml or STAGE-name.yaml)"
                )
            files += found
        elif path.is_file():
            files.append(path)
        else:
            raise UserMistake(f"{path}: no such recipe or folder{_near(path)}")
    return list(dict.fromkeys(files))


def check(files: Sequence[Path], overrides: Sequence[str] = ()) -> tuple[list[Recipe], dict[Path, list[Problem]]]:
    """Read every recipe; all problems of all files, those of paths that lead nowhere included."""
    recipes, problems = [], {}
    for file in files:
        stage, stage_problem = _stage(file)
        read = recipe.read(file, overrides, stage=stage)
        recipes.append(read)
        problems[file] = [*stage_problem, *read.problems, *_unknown_launch(read)]
    outputs = [read.output_dir for read in [*recipes, *_siblings(files)] if "output_dir" in read.values]
    for read in recipes:
        problems[read.path] += _dead_paths(read, outputs)
        problems[read.path] += _same_output(read, recipes)
        problems[read.path] += _refused_by_stage(read, {recipe.root(problem.key) for problem in problems[read.path]})
        problems[read.path] += [] if problems[read.path] else _wrong_columns(read)
    return recipes, {file: sorted(found, key=_place) for file, found in problems.items() if found}


def plan(recipes: Sequence[Recipe], *, fresh: bool = False) -> list[Step]:
    """The recipes in the order in which they run, each with the reason.

    Raises `UserMistake` when they read each other in a circle."""
    steps: list[Step] = []
    waiting = list(recipes)
    while waiting:
        ready = [one for one in waiting if not _reads_any(one, waiting)]
        if not ready:
            names = ", ".join(str(one.path) for one in waiting)
            raise UserMistake(f"these recipes read each other's output in a circle: {names}")
        first = ready[0]
        waiting.remove(first)
        steps.append(_step(first, steps, fresh))
    return steps


def reads(one: Recipe, other: Recipe) -> bool:
    """Whether `one` reads something below the output of `other`."""
    return one is not other and bool(receipt.reads_from(one, other.output_dir))


def _wrong_columns(one: Recipe) -> list[Problem]:
    """Data files that are there already and have no columns that the stage reads: its CHECK_COLUMNS says so."""
    peeked = [
        (f"{key}[{index}]", config, columns)
        for key in ("datasets", "eval_datasets")
        for index, config in enumerate(DatasetConfig(**entry) for entry in one.values.get(key) or [])
        if (columns := peek.columns(config)) is not None
    ]
    check_columns = vars(keys.module_of_stage(one.stage)).get("CHECK_COLUMNS") if peeked else None
    if check_columns is None:
        return []
    problems = []
    for key, config, columns in peeked:
        try:
            check_columns(columns, config.place)
        except UserMistake as mistake:
            problems.append(Problem(one.lines.get(f"{key}.path"), key, str(mistake)))
    return problems


def _refused_by_stage(one: Recipe, wrong: set[str]) -> list[Problem]:
    """What the stage's CHECK says, without the keys whose values have another mistake already: one a key is enough."""
    return [problem for problem in recipe.refused_by_stage(one) if recipe.root(problem.key) not in wrong]


def _place(problem: Problem) -> float:
    """Of the file as a whole first, then line by line, then what the command line says."""
    return problem.line or (math.inf if problem.key else 0)


def _step(one: Recipe, earlier: list[Step], fresh: bool) -> Step:
    after = [step for step in earlier if reads(one, step.recipe)]
    reason = ASKED_FOR if fresh else receipt.reason_to_run(one)
    running = [step.name for step in after if step.reason]
    if reason is None and running:
        reason = f"{running[0]} runs before it"
    return Step(one, [step.recipe for step in after], reason)


def _reads_any(one: Recipe, others: Iterable[Recipe]) -> bool:
    return any(reads(one, other) for other in others)


def _stage(file: Path) -> tuple[str, list[Problem]]:
    """The stage of a recipe file; where its name says none, the stage that its keys fit best, and the problem."""
    name, known = recipe.stage_of(file), keys.stages()
    if name in known:
        return name, []
    words = [word for part in (file.stem, file.parent.name) for word in part.replace("-", "_").split("_")]
    later = next((word for word in words if word in renamed.OF_STAGE), None)
    guess = next((word for word in words if word in known), "sft" if later else _best_fit(file, known))
    name = later or name
    message = f"hfllm has no stage {name}; there are {', '.join(known)}{mistakes.near(name, known)}"
    advice = f"the file name says the stage, as in {guess}-mine.yaml; keys are checked here as those of {guess}"
    return guess, [Problem(None, "", f"{message}\n  {advice}")]


def _best_fit(file: Path, known: list[str]) -> str:
    text = file.read_text(encoding="utf-8", errors="replace")
    words = {line.split(":")[0] for line in text.splitlines() if line[:1].isalpha()}
    return max(known, key=lambda stage: len(words & set(keys.schema_of_stage(stage)["properties"])))


def _siblings(files: Sequence[Path]) -> list[Recipe]:
    """The other recipes of the same folders: what a single recipe reads may be the output of its neighbour."""
    folders = {file.parent for file in files}
    others = sorted(file for folder in folders for file in folder.glob("*.yaml") if file not in files)
    return [recipe.read(file) for file in others if recipe.stage_of(file) in keys.stages()]


def _dead_paths(one: Recipe, outputs: list[Path]) -> list[Problem]:
    """Paths to read that neither exist nor are made by a recipe at hand."""
    problems = []
    for key, text in _named_paths(one.values):
        if not places.find(text).exists() and not any(receipt.is_below(text, output) for output in outputs):
            near = mistakes.near(text, [str(output) for output in outputs])
            message = f"{text!r}: no such file or folder, and no recipe here writes it{near}"
            problems.append(Problem(one.lines.get(key), key, message))
    return problems


def _named_paths(values: object, prefix: str = "") -> Iterable[tuple[str, str]]:
    """`inputs`, and what can only be a path on this disk: keys ending in `path`, models, reward models, a judge."""
    if isinstance(values, list):
        for index, item in enumerate(values):
            yield from _named_paths(item, f"{prefix}[{index}]")
    elif isinstance(values, dict):
        for name, value in values.items():
            key = f"{prefix}.{name}" if prefix else str(name)
            if prefix == "rewards" and data.looks_local(name) and ".py:" not in name:
                yield prefix, name
            if name == "inputs" and not prefix and isinstance(value, list):
                yield from ((key, _before_pattern(text)) for text in value if "://" not in text)
            elif name == "models" and isinstance(value, list):
                yield from ((key, text) for text in value if data.looks_local(text))
            elif not isinstance(value, str):
                yield from _named_paths(value, key)
            elif name in LOCAL_FILES or (_names_a_place(str(name)) and data.looks_local(value) and ".py:" not in value):
                yield key, value


def _names_a_place(key: str) -> bool:
    return key.endswith(("path", "_model")) or key == "judge"


def _before_pattern(text: str) -> str:
    """The folder in which a pattern looks: _before_pattern("crawl/*/a-*.warc.gz") == "crawl"."""
    parts = Path(text).parts
    return str(Path(*itertools.takewhile(lambda part: not set(part) & set("*?["), parts)))


def _unknown_launch(one: Recipe) -> list[Problem]:
    name = one.values.get("launch")
    try:
        if isinstance(name, str):
            launch.config_file(name)
    except UserMistake as mistake:
        return [Problem(one.lines.get("launch"), "launch", str(mistake).removeprefix("launch: "))]
    return []


def _same_output(one: Recipe, recipes: Sequence[Recipe]) -> list[Problem]:
    """A folder that is made anew is moved aside as a whole: nobody else's may lie in it."""
    others = [other for other in recipes if other is not one and "output_dir" in other.values]
    if "output_dir" not in one.values:
        return []
    around = [str(other.path) for other in others if receipt.is_below(str(one.output_dir), other.output_dir)]
    message = f"the same folder as in {', '.join(around)}, or one inside it"
    return [Problem(one.lines.get("output_dir"), "output_dir", message)] if around else []


def _hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts)


def _near(path: Path) -> str:
    parent = path.parent if path.parent.is_dir() else Path(".")
    return mistakes.near(path.name, [entry.name for entry in parent.iterdir()])
