"""Battles between models: each answers the same prompts, a judge compares every two answers, and ratings come out.

    python -m hfllm.stages.arena recipes/tiny/arena.yaml

Reads models (`models`), prompts (`datasets`, `tasks`) and the `judge`. Writes to `output_dir` answers.jsonl,
battles.jsonl, ratings.json and arena.md; `hfllm arena RUN` shows the table. Started again after a crash it asks no
model, judge or person twice. Ratings: Bradley and Terry, as in Chatbot Arena, arXiv 2403.04132 (hfllm/arena.py)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hfllm import limits, models, named, recipe, threads, whole_file
from hfllm.battles import answers, fights, judges, prompts, table
from hfllm.chat.model import is_base, load_tokenizer
from hfllm.chat.sampling import check_options
from hfllm.data import DatasetConfig
from hfllm.errors import UserMistake, refuse
from hfllm.mistakes import near
from hfllm.tasks import TaskConfig

SCORE_OF_TASK = "the task's score"
AT_LEAST_ONE = ("batch_size", "judge_max_new_tokens")


@dataclass
class ArenaConfig:
    """Who fights on which prompts, and who decides."""

    models: list[str] = field(metadata={"help": "Chat models: folders, adapter folders, or Hub ids; two or more."})
    output_dir: str = field(metadata={"help": "Folder to write."})
    datasets: list[DatasetConfig] = field(
        default_factory=list, metadata={"help": "Prompts: columns `prompt` (text or messages), or `messages`."}
    )
    tasks: list[TaskConfig] = field(
        default_factory=list, metadata={"help": "Tasks whose problems are prompts too; without a judge they judge."}
    )
    judge: str | None = field(
        default=None,
        metadata={
            "help": "Folder or Hub id of a reward model or a chat model; a reward function such as mine.py:f; person: "
            "you, in the terminal; null: the score of `tasks`."
        },
    )
    judge_max_new_tokens: int = field(default=512, metadata={"help": "Longest verdict of a chat model that judges."})
    tie_margin: float = field(
        default=0.0, metadata={"help": "Scores that differ by no more are a tie, for judges that give points."}
    )
    anchor: str | None = field(
        default=None, metadata={"help": "The model whose rating is 1000; null: the mean of all is 1000."}
    )
    bootstrap: int = field(
        default=1000, metadata={"help": "Resamples of the prompts for the 95 % intervals; 0: no intervals."}
    )
    temperature: float = field(default=0.0, metadata={"help": "Of the answers; 0 is greedy."})
    top_p: float | None = field(
        default=None, metadata={"help": "Draw among the likeliest tokens that make up this share; null: among all."}
    )
    max_new_tokens: int = field(default=512, metadata={"help": "Longest answer, in tokens."})
    batch_size: int = field(default=64, metadata={"help": "Answers or verdicts drawn at the same time."})
    seed: int = field(default=0, metadata={"help": "Of the answers, the order that a person sees, and the resamples."})


def main(config: ArenaConfig) -> dict[str, Any]:
    """Ask, judge and rate; returns the rating of each model, battles, ties, and the judge's position bias."""
    check(config)
    paths = {name: models.find_model(name) for name in config.models}
    for name, path in paths.items():
        if is_base(path, load_tokenizer(path)):
            raise UserMistake(f"models: {name} has not learned to answer; leave it out, or run the stage sft first")
    rows = asked(config)
    options = judges.Options(config.tie_margin, config.judge_max_new_tokens, config.batch_size, config.seed)
    judge = judges.find(config.judge, rows, options)

    from transformers.utils import logging

    logging.disable_progress_bar()  # of loading weights
    threads.choose(None)
    folder = Path(config.output_dir)
    how = answers.Asked(config.temperature, config.top_p, config.max_new_tokens, config.batch_size, config.seed)
    found = answers.of_all(paths, rows, folder, how)
    battles = fights.judged(fights.all_against_all(rows, found), judge, config.judge or SCORE_OF_TASK, folder)
    if all(row["winner"] is None for row in battles):
        raise UserMistake(f"judge: none of {len(battles)} battles could be judged; see {folder / fights.FILE}")
    rated = table.result(battles, anchor=config.anchor, bootstrap=config.bootstrap, seed=config.seed)
    lengths = {name: told(some) for name, some in found.items()}
    write(folder, rated | {"answers": lengths}, table.page(rated, battles, lengths))
    return numbers(rated, len(rows))


def mistakes(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Key and message of what is wrong with a recipe's values."""
    yield from limits.of_drawing(values)
    yield from limits.too_small(values, dict.fromkeys(AT_LEAST_ONE, 1))
    yield from ((key, f"{values[key]} is below 0") for key in ("bootstrap", "tie_margin") if values.get(key, 0) < 0)
    yield from named.problems(dict(values))
    yield from _who_fights(values)
    yield from _who_judges(values)


def _who_fights(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    names = values.get("models") or []
    twice = sorted({name for name in names if names.count(name) > 1})
    if "models" in values and (len(names) < 2 or twice):
        yield "models", f"{twice[0]} is there twice" if twice else "a battle needs two models or more"
    if values.get("anchor") is not None and values["anchor"] not in names:
        yield "anchor", f"{values['anchor']} is none of the models{near(values['anchor'], [*names])}"


def _who_judges(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    judge = values.get("judge")
    if not values.get("datasets") and not values.get("tasks"):
        yield "datasets", "the recipe needs prompts:  datasets: [{path: mine.jsonl}]  or  tasks: [{name: gsm8k}]"
    elif judge is None and values.get("datasets"):
        yield "judge", "missing: no task judges the prompts of a data set; write a reward model's folder, or person"
    if judge is not None:
        try:
            judges.check_name(judge)
        except UserMistake as mistake:
            yield "judge", str(mistake)


def check(config: ArenaConfig) -> None:
    """Raises `UserMistake` for what can be seen wrong without loading anything."""
    check_options({key: getattr(config, key) for key in limits.DRAWING})
    refuse(mistakes(asdict(config)))


def asked(config: ArenaConfig) -> list[dict[str, Any]]:
    """The prompts; greedily the same prompt would only be the same battle again."""
    rows = prompts.load(config.datasets, config.tasks)
    kept = prompts.distinct(rows) if config.temperature == 0 else rows
    if len(kept) < len(rows):
        print(f"{len(kept)} prompts: {len(rows) - len(kept)} of {len(rows)} stand there twice, and answers are greedy")
    return kept


def told(some: Sequence[answers.Answer]) -> dict[str, float]:
    """How long a model's answers are: a judge may like that, whatever they say."""
    return {
        "mean_tokens": round(sum(one["tokens"] for one in some) / len(some), 1),
        "cut_off": round(1 - sum(one["ended"] for one in some) / len(some), 4),
    }


def write(folder: Path, rated: dict[str, Any], page: str) -> None:
    """ratings.json and arena.md, each whole or not at all."""
    for name, text in ((table.RATINGS, json.dumps(rated, indent=2, ensure_ascii=False) + "\n"), (table.PAGE, page)):
        whole_file.write(folder / name, text)


def numbers(rated: dict[str, Any], count: int) -> dict[str, Any]:
    """For the receipt."""
    return {
        "prompts": count,
        "battles": rated["battles"],
        "ties": round(rated["ties"] / rated["battles"], 4),
        **({"not_judged": rated["not_judged"]} if rated["not_judged"] else {}),
        "ratings": {one["name"]: one["rating"] for one in rated["players"]},
        **({"position": rated["position"]} if rated["position"] else {}),
        **({"agreement": rated["agreement"]} if rated["agreement"] is not None else {}),
    }


CHECK, CHECK_COLUMNS = mistakes, prompts.check_columns


if __name__ == "__main__":
    recipe.run(main)
