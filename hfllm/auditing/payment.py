"""What does a reward pay for a text? Rewards are called as TRL's trainer calls them, outside a training.

pay(reward, [(row, "The answer is 72."), (row, "")], tokenizer)  ->  [1.0, 0.0]"""

from __future__ import annotations

import asyncio
import inspect
import math
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from hfllm import user_file
from hfllm.chosen_rewards import Reward
from hfllm.errors import UserMistake

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Row = dict[str, Any]
Case = tuple[Row, str]  # a row of the data, and what is answered to its prompt

PIECE = re.compile(r"[A-Za-z]+|[^A-Za-z]")  # stands for a token where there is no tokenizer
KEPT_FROM_REWARDS = {"prompt", "completion", "completion_ids"}  # TRL gives them in the plural, or its own


def pay(reward: Reward, cases: list[Case], tokenizer: PreTrainedTokenizerBase | None) -> list[float | None]:
    """One number a case; None where the reward cannot judge. Tokens are counted with `tokenizer`, else guessed."""
    names = {name for row, _ in cases for name in row} - KEPT_FROM_REWARDS
    result = reward.function(
        prompts=[row["prompt"] for row, _ in cases],
        completions=[_completion(row, text) for row, text in cases],
        completion_ids=[_token_ids(text, tokenizer) for _, text in cases],
        **{name: [row.get(name) for row, _ in cases] for name in names},
        **(_of_the_trainer() if user_file.is_named_by(reward.name) else {}),  # ours do not ask, and it imports torch
    )
    paid = asyncio.run(result) if inspect.iscoroutine(result) else result
    wanted = f"reward {reward.name}: it must return a list of {len(cases)} numbers, one a completion"
    if isinstance(paid, str) or not isinstance(paid, Iterable):
        raise UserMistake(f"{wanted}; it returned {paid!r}")
    numbers = list(paid)  # an array too
    if len(numbers) != len(cases):
        raise UserMistake(f"{wanted}; it returned {len(numbers)}")
    try:
        return [None if value is None or math.isnan(value) else float(value) for value in numbers]
    except TypeError as error:
        raise UserMistake(f"{wanted}; one of them is {numbers[0]!r}") from error


def _completion(row: Row, text: str) -> str | list[dict[str, str]]:
    return text if isinstance(row["prompt"], str) else [{"role": "assistant", "content": text}]


def _token_ids(text: str, tokenizer: PreTrainedTokenizerBase | None) -> list[int]:
    if tokenizer is not None:
        return tokenizer(text, add_special_tokens=False)["input_ids"]
    numbers: dict[str, int] = {}
    return [numbers.setdefault(piece, len(numbers)) for piece in PIECE.findall(text)]


def _of_the_trainer() -> dict[str, Any]:
    """The state and the two functions for logging that TRL gives every reward."""
    from transformers import TrainerState

    def ignore(*_: Any) -> None:
        pass

    return {"trainer_state": TrainerState(), "log_extra": ignore, "log_metric": ignore}
