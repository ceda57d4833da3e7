"""Who decides? The judge of a recipe: a reward model, a function, a task's score, a chat model, or a person.

    judge = find("runs/tiny/reward-careful", rows, options)    # "person", "mine.py:f", "accuracy", None: the tasks

The first three give each answer points, and the higher wins. The last two see both answers side by side: a chat model
in both orders, a person in an order drawn at random. No judge is asked about two equal texts: that is a tie."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hfllm import chosen_rewards, models, tasks, user_file
from hfllm.battles import by_model, by_person
from hfllm.battles.answers import Answer, said
from hfllm.battles.fights import Fight, Judge, Row, Verdict
from hfllm.completion import text_of
from hfllm.errors import UserMistake
from hfllm.reward_model import RewardModel, scorer

PERSON = "person"

Score = Callable[[Sequence[Row], Sequence[Answer]], Sequence[float | None]]


@dataclass(frozen=True)
class Options:
    """Of the judges that have any."""

    tie_margin: float = 0.0  # points
    max_new_tokens: int = 512  # of a chat model's verdict
    batch_size: int = 64
    seed: int = 0  # of the order that a person sees


def find(name: str | None, rows: Sequence[Row], options: Options) -> Judge:
    """The judge, no weights loaded yet. Raises `UserMistake` for one that is not there or cannot judge these rows."""
    if name == PERSON:
        by_person.check()
        return by_person.judge(options.seed)
    if name is not None and is_chat_model(name):
        by_model.check(name)
        return by_model.judge(models.find_model(name), options.max_new_tokens, options.batch_size)
    score = _task_score if name is None else _reward_score(name, rows)
    return lambda fights: _by_points(fights, score, options.tie_margin)


def check_name(name: str) -> None:
    """Raises `UserMistake` for a function that there is not; whether a model is there, only `find` asks."""
    if _is_function(name):
        chosen_rewards.one(name, {})


def is_chat_model(name: str) -> bool:
    """Told from a reward model by the architecture. Raises `UserMistake` where there is neither."""
    if name == PERSON or _is_function(name):
        return False
    folder = models.find_model(scorer.folders(name)[0])
    adapter = Path(folder, "adapter_config.json")
    if adapter.is_file():
        return json.loads(adapter.read_text(encoding="utf-8")).get("task_type") != "SEQ_CLS"
    from transformers import AutoConfig

    architectures = AutoConfig.from_pretrained(folder).architectures or []
    return not any(one.endswith("ForSequenceClassification") for one in architectures)


def _is_function(name: str) -> bool:
    return user_file.is_named_by(name) or name in chosen_rewards.names()


def _by_points(fights: Sequence[Fight], score: Score, tie_margin: float) -> Iterator[Verdict]:
    """Every answer gets its points once, however many battles it fights."""
    found = {(fight.number, answer["model"]): (fight.row, answer) for fight in fights for answer in fight.answers}
    points = score([row for row, _ in found.values()], [answer for _, answer in found.values()])
    table = dict(zip(found, points, strict=True))
    for fight in fights:
        ours, theirs = (table[fight.number, answer["model"]] for answer in fight.answers)
        yield Verdict(_higher(fight, ours, theirs, tie_margin), (ours, theirs))


def _higher(fight: Fight, ours: float | None, theirs: float | None, tie_margin: float) -> Any:
    if ours is None or theirs is None:
        return None
    if abs(ours - theirs) <= tie_margin or same(fight):
        return "tie"
    return "model_a" if ours > theirs else "model_b"


def same(fight: Fight) -> bool:
    """Whether both models said the same."""
    return said(fight.answers[0]) == said(fight.answers[1])


def _task_score(rows: Sequence[Row], answers: Sequence[Answer]) -> list[float | None]:
    return [tasks.score(text_of(one["messages"]), row) for row, one in zip(rows, answers, strict=True)]


def _reward_score(name: str, rows: Sequence[Row]) -> Score:
    """A reward model, or a reward function with TRL's signature, asked about all answers at once."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    function: Callable[..., Sequence[float | None]] = RewardModel(name)
    if _is_function(name):
        reward = chosen_rewards.one(name, {})
        chosen_rewards.check_columns(reward, columns)
        function = reward.function
    else:
        scorer.check(name)

    def score(asked: Sequence[Row], answers: Sequence[Answer]) -> Sequence[float | None]:
        values = {column: [row.get(column) for row in asked] for column in columns if column != "prompt"}
        prompts, completions = [row["prompt"] for row in asked], [one["messages"] for one in answers]
        given = function(prompts=prompts, completions=completions, **values)
        if not isinstance(given, Sequence) or len(given) != len(answers):
            raise UserMistake(f"judge {name}: it was asked about {len(answers)} answers and gave {given!r:.60}")
        if strange := [points for points in given if not isinstance(points, (int, float, type(None)))]:
            raise UserMistake(f"judge {name}: it gave {strange[0]!r:.60}; points are numbers, more is better, or None")
        return given

    return score
