"""Do a recipe's rewards pay for nonsense? Asked before any training, because training finds every hole.

    hfllm rewards audit recipes/tiny/grpo.yaml

Puts right answers, empty and looping texts, cut answers and empty tags through the rewards of a few rows, each alone
and all together. The rule by which rewards are refused is in hfllm/auditing/report.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hfllm import models, processes, tasks
from hfllm.auditing.payment import pay
from hfllm.auditing.report import Report
from hfllm.auditing.texts import GOLD, frame_of, right_answers, wrong_texts
from hfllm.chosen_rewards import Reward, check_columns, find
from hfllm.data import DatasetConfig
from hfllm.errors import UserMistake
from hfllm.grpo.problems import own
from hfllm.tasks import TaskConfig

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

Row = dict[str, Any]

ROWS = 16  # problems that are tried: with fewer, luck looks like pay


def audit(
    rewards: Sequence[Reward], rows: Sequence[Row] | Dataset, tokenizer: PreTrainedTokenizerBase | None = None
) -> Report:
    """Try the rewards on ROWS rows, evenly taken from `rows`, which have the column `prompt` (text or messages)."""
    some = _sample(rows, ROWS)
    frame = frame_of(rewards)
    judged = [row for row in some if right_answers(row, frame)]
    if not judged:
        return Report(list(rewards), _paid(rewards, some, [wrong_texts(row, "", frame) for row in some], tokenizer))
    gold = _best_paid(rewards, judged, [right_answers(row, frame) for row in judged], tokenizer)
    texts = [{GOLD: best, **wrong_texts(row, best, frame)} for row, best in zip(judged, gold, strict=True)]
    return Report(list(rewards), _paid(rewards, judged, texts, tokenizer))


def refuse(
    rewards: Sequence[Reward], rows: Sequence[Row] | Dataset, tokenizer: PreTrainedTokenizerBase | None = None
) -> None:
    """Raises `UserMistake` for rewards that pay for nonsense; the first process shows what each pays."""
    from rich.console import Console

    report = audit(rewards, rows, tokenizer)
    console = Console(highlight=False)
    if processes.is_first() and report.refusals:
        console.print(report.table())
    if processes.is_first():
        for note in report.notes:
            console.print(f"audit of the rewards: {note}", soft_wrap=True, markup=False)
    if report.refusals:
        raise UserMistake("\n".join([*report.refusals, "  to start all the same:   audit_rewards: false"]))


def main(recipe_file: str, overrides: Sequence[str] = ()) -> None:
    """`hfllm rewards audit RECIPE`: print the table; raises `UserMistake` for rewards that pay for nonsense."""
    from rich.console import Console

    values = _values(recipe_file, overrides)
    rewards = find(values.get("rewards") or {"accuracy": None})
    rows = _rows_of(values, rewards)
    tokenizer = _tokenizer(values)
    report = audit(rewards, rows, tokenizer)
    console = Console(highlight=False)
    console.print(report.table())
    guessed = ["the model is not there yet, so the lengths in tokens are guessed."] if tokenizer is None else []
    for note in [*guessed, *report.notes]:
        console.print(note, soft_wrap=True, markup=False)
    if report.refusals:
        raise UserMistake("\n".join(report.refusals))
    console.print("no reward pays for nonsense")


def _values(recipe_file: str, overrides: Sequence[str]) -> dict[str, Any]:
    """The keys of a recipe that has rewards. Raises `UserMistake` with every mistake in it."""
    from hfllm import course, keys, recipe

    if Path(recipe_file).is_dir():
        raise UserMistake(f"{recipe_file} is a folder; name one recipe, as in  {recipe_file}/grpo.yaml")
    (one,), problems = course.check(course.recipe_files([recipe_file]), overrides)
    if problems:
        raise UserMistake("\n".join(recipe.report(file, found) for file, found in problems.items()))
    if "rewards" not in keys.schema_of_stage(one.stage)["properties"]:
        raise UserMistake(f"{recipe_file}: the stage {one.stage} has no rewards; name a recipe such as grpo.yaml")
    return one.values


def _sample(rows: Sequence[Row] | Dataset, count: int) -> list[Row]:
    """At most `count` rows, evenly taken: problems of several tasks lie one behind the other."""
    return [rows[number] for number in range(0, len(rows), max(1, len(rows) // count))][:count]


def _best_paid(
    rewards: Sequence[Reward], rows: list[Row], choices: list[list[str]], tokenizer: PreTrainedTokenizerBase | None
) -> list[str]:
    """Of each row's choices the one with the highest total."""
    cases = [(row, text) for row, texts in zip(rows, choices, strict=True) for text in texts]
    paid = [[reward.weight * (value or 0.0) for value in pay(reward, cases, tokenizer)] for reward in rewards]
    totals = iter(map(sum, zip(*paid, strict=True)))
    ranked = [[(next(totals), text) for text in texts] for texts in choices]
    return [max(some, key=itemgetter(0))[1] for some in ranked]


def _paid(
    rewards: Sequence[Reward], rows: list[Row], texts: list[dict[str, str]], tokenizer: PreTrainedTokenizerBase | None
) -> dict[str, dict[str, list[float | None]]]:
    """[kind][reward][row]: what each reward pays for each row's text of that kind."""
    kinds = list(texts[0])
    cases = [(row, by_kind[kind]) for kind in kinds for row, by_kind in zip(rows, texts, strict=True)]
    paid = {reward.name: pay(reward, cases, tokenizer) for reward in rewards}
    part = {kind: slice(index * len(rows), (index + 1) * len(rows)) for index, kind in enumerate(kinds)}
    return {kind: {name: values[part[kind]] for name, values in paid.items()} for kind in kinds}


def _rows_of(values: Mapping[str, Any], rewards: Sequence[Reward]) -> list[Row]:
    """Some rows of every task and data set of a recipe. Raises `UserMistake` when a reward misses a column."""
    task_configs = [TaskConfig(**one) for one in values.get("tasks") or []]
    configs = [DatasetConfig(**one) for one in values.get("datasets") or []]
    sources = {config.place: tasks.load(config) for config in task_configs}
    plain = bool(values.get("continue_text"))
    sources |= {config.place: own(config, plain=plain) for config in configs}
    if not sources:
        raise UserMistake("the recipe names no problems; write  tasks: [{name: gsm8k}]")
    columns = list(dict.fromkeys(name for rows in sources.values() for name in rows.column_names))
    for reward in rewards:
        check_columns(reward, columns, ", ".join(sources))
    share = max(4, ROWS // len(sources))
    return [row for rows in sources.values() for row in _sample(rows, share)]


def _tokenizer(values: Mapping[str, Any]) -> PreTrainedTokenizerBase | None:
    """That of the recipe's model; None where an earlier stage has not made it yet."""
    try:
        path = models.find_model(str(values.get("model_name_or_path")))
    except UserMistake:
        return None
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(path, revision=values.get("model_revision") or "main")
