"""Which rewards does a recipe mean, and do they fit the data? Every slip is told before a model is loaded.

    find({"accuracy": None, "mine.py:shout": {"loud": 2, "weight": 0.1}, "runs/tiny/reward": {}})

A name is that of a function of hfllm/rewards.py, of one in a file of the user, or (known by its slash) the folder or
Hub id of a reward model. `weight` is 1 unless given; with weight 0 a reward is measured and never trained on."""

from __future__ import annotations

import importlib
import inspect
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, get_args

from hfllm import user_file
from hfllm.errors import UserMistake
from hfllm.mistakes import near
from hfllm.reward_model import RewardModel, scorer
from hfllm.reward_model.scorer import Aggregate

# what TRL gives every reward, beside the columns of the data
GIVEN = {"prompts", "completions", "completion_ids", "trainer_state", "log_extra", "log_metric", "environments"}
RENAMED = {"prompt": "prompts", "completion": "completions"}  # columns that TRL gives under another name
NUMBERS = {int, float, bool, str, "int", "float", "bool", "str"}  # no column of lists is annotated so: it is an option

MODEL_OPTIONS = ("aggregate", "normalised")  # of a reward model, beside its weight
POSITIVE = {"target_tokens", "max_tokens", "buffer_tokens", "ngram_size", "timeout_seconds"}

Function = Callable[..., Any]


@dataclass(frozen=True)
class Reward:
    """`function` is a `RewardModel` where a reward model judges: it is called like any other."""

    name: str
    function: Function
    weight: float = 1.0

    @property
    def is_model(self) -> bool:
        """Whether a reward model judges: its scores have no zero, and it reads no column but the prompt."""
        return isinstance(self.function, RewardModel)


def find(rewards: Mapping[str, Mapping[str, Any] | None]) -> list[Reward]:
    """The rewards of a recipe, their options bound. Raises `UserMistake` for unknown names, options and files."""
    found = [one(name, options) for name, options in rewards.items()]
    for reward in found:
        if isinstance(reward.function, RewardModel):
            scorer.check(reward.name, normalised=reward.function.normalised)
    if not any(reward.weight for reward in found):
        raise UserMistake(
            "rewards: none has a weight, so there is nothing to learn from; write  rewards: {accuracy: {}}"
        )
    labels = Counter(_label(reward) for reward in found)
    twice = [label for label, count in labels.items() if count > 1]
    if twice:
        raise UserMistake(
            f"rewards: two are logged as rewards/{twice[0]}; rename the function or folder of one of them"
        )
    return found


def one(name: str, given: Mapping[str, Any] | None) -> Reward:
    """The reward of a name, its options bound. Raises `UserMistake` for an unknown name, option or file.

    That a reward model is there, only `find` asks: another recipe of the course may make it."""
    options = dict(given or {})
    weight = options.pop("weight", 1.0)
    if isinstance(weight, bool) or not isinstance(weight, int | float):
        raise UserMistake(f"reward {name}: weight: {weight!r} is not a number")
    if "/" in name and not user_file.is_named_by(name):
        return Reward(name, _model(name, options), weight)
    if user_file.is_named_by(name):
        function = user_file.told(f"reward {name}", user_file.function(name))
    else:
        function = _shipped_function(name)
    if not user_file.is_named_by(name):
        _check_options(name, options)
    _check_signature(name, function)
    return Reward(name, _bound(name, function, options), weight)


def loaded(reward: Reward) -> Function:
    return reward.function


def _model(name: str, options: dict[str, Any]) -> RewardModel:
    """The reward model of a folder or Hub id; its weights are loaded when it is first asked."""
    aggregate, normalised = options.get("aggregate", "mean"), options.get("normalised", False)
    wrong = [option for option in options if option not in MODEL_OPTIONS]
    if wrong:
        known = ", ".join(MODEL_OPTIONS)
        raise UserMistake(f"reward {name}: no such option: {wrong[0]}; a reward model has weight, {known}")
    if aggregate not in get_args(Aggregate):
        raise UserMistake(f"reward {name}: aggregate: {aggregate!r} is none of {', '.join(get_args(Aggregate))}")
    if not isinstance(normalised, bool):
        raise UserMistake(f"reward {name}: normalised: {normalised!r} is not true or false")
    return RewardModel(name, aggregate, normalised=normalised)


def _check_options(name: str, options: dict[str, Any]) -> None:
    """What no reward can work with, whatever its type says."""
    for option in POSITIVE & set(options):
        if not isinstance(options[option], int | float) or options[option] <= 0:
            raise UserMistake(f"reward {name}: {option}: {options[option]!r} is no number above 0")
    if name == "matches":
        try:
            re.compile(str(options.get("pattern")))
        except re.error as error:
            raise UserMistake(f"reward matches: pattern: no regular expression: {error}") from error


def missing_columns(reward: Reward, column_names: list[str]) -> list[str]:
    """The columns that a reward reads and the data does not have."""
    if reward.is_model:
        return []
    parameters = inspect.signature(reward.function).parameters
    needed = [name for name, parameter in parameters.items() if _is_needed(parameter) and name not in GIVEN]
    if "only_correct" in parameters and parameters["only_correct"].default:
        needed.append("answer")  # it asks `accuracy`
    return [name for name in needed if name not in column_names]


def check_columns(reward: Reward, column_names: list[str], place: str = "the data") -> None:
    """Raises `UserMistake` when a column is missing, or has the name of an option that the recipe gives."""
    missing = missing_columns(reward, column_names)
    if missing:
        columns = "column" if len(missing) == 1 else "columns"
        wanted = ", ".join(f"'{name}'" for name in missing)
        has = ", ".join(dict.fromkeys(column_names))
        old = next((name for name in column_names if name not in ("prompt", "task")), "NAME")
        raise UserMistake(
            f"reward '{reward.name}' reads the {columns} {wanted}; {place} has: {has}.\n"
            f"  to mend it, rename columns in the recipe:   columns: {{{old}: {missing[0]}}}"
        )
    options = reward.function.keywords if isinstance(reward.function, partial) else {}
    for name in options:
        if name in column_names:  # TRL would put the column in the option's place
            raise UserMistake(
                f"reward '{reward.name}': {place} has a column '{name}', like its option; rename the column"
            )


def names() -> list[str]:
    """The rewards of hfllm/rewards.py: its public functions of `completions`."""
    return sorted(_shipped())


def _shipped() -> dict[str, Function]:
    module = importlib.import_module("hfllm.rewards")  # which imports this module
    functions = {name: value for name, value in vars(module).items() if inspect.isfunction(value) and name[0] != "_"}
    return {name: value for name, value in functions.items() if "completions" in inspect.signature(value).parameters}


def _label(reward: Reward) -> str:
    """What TRL calls it in its logs."""
    return reward.function.__name__ if reward.is_model else reward.name.rpartition(":")[2]


def _shipped_function(name: str) -> Function:
    shipped = _shipped()
    if name not in shipped:
        known = ", ".join(sorted(shipped))
        raise UserMistake(
            f"reward {name}: no such reward; there are {known}{near(name, list(shipped))}\n"
            "  a function of your own is written  mine.py:f  , a reward model with a slash:  ./folder  or  owner/name"
        )
    return shipped[name]


def _check_signature(name: str, function: Function) -> None:
    """TRL calls with keywords only, and with every column of the data."""
    parameters = inspect.signature(function).parameters
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        raise UserMistake(f"reward {name}: it is called with every column; write  def f(completions, **columns):")
    for given, instead in RENAMED.items():
        if given in parameters:
            raise UserMistake(f"reward {name}: it reads '{given}', which comes as the list '{instead}'")


def _bound(name: str, function: Function, options: dict[str, Any]) -> Function:
    """The function with its options. Raises `UserMistake` for unknown ones, and for those it cannot do without."""
    parameters = inspect.signature(function).parameters.values()
    own = [one for one in parameters if one.kind is not one.VAR_KEYWORD and one.name not in GIVEN]
    known = [one.name for one in own if not str(one.annotation).startswith("list")]  # a list is a column
    for option in options:
        if option not in known:
            have = f"; it has {', '.join(known)}" if known else "; it has none"
            raise UserMistake(f"reward {name}: no such option: {option}{have}{near(option, known)}")
    for one in own:
        if _is_needed(one) and one.annotation in NUMBERS and one.name not in options:
            raise UserMistake(f"reward {name}: needs the option {one.name}; write  {name}: {{{one.name}: ...}}")
    if not options:
        return function
    bound = partial(function, **options)
    bound.__name__ = function.__name__  # type: ignore[attr-defined]
    return bound


def _is_needed(parameter: inspect.Parameter) -> bool:
    return parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD
