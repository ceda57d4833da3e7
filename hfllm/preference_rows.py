r"""How is one row of preferences read? As a prompt, its answers, and their ranks; a ValueError says why it cannot be.

read_pair({"prompt": "Hi", "chosen": "Hello!", "rejected": "No."}) == ("Hi", ["Hello!", "No."], [1, 2])

Prompts and answers are text or messages. Transcripts of HH-RLHF are "\n\nHuman: ...\n\nAssistant: ..."."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from hfllm.conversations import read_message

Row = dict[str, Any]
Messages = list[dict[str, Any]]
Side = str | Messages
Ranked = tuple[Side, list[Side], list[float]]  # a prompt, its answers, and their ranks: 1 is best
Reader = Callable[[Row], Ranked]

HH_TURN = re.compile(r"\n\n(Human|Assistant):(.*?)(?=\n\n(?:Human|Assistant):|\Z)", re.DOTALL)


def reader_of(columns: list[str], first: Row) -> Reader:
    """What reads the rows of a data set with these columns; its first row tells transcripts from other text."""
    if "responses" in columns:
        return read_ranking
    if "prompt" not in columns and isinstance(first["chosen"], str) and _is_transcript(first["chosen"]):
        return read_transcripts
    return read_pair


def read_ranking(row: Row) -> Ranked:
    """`responses` with `rank` (1 is best) or `scores` (the higher, the better); a single answer makes no pair."""
    answers = row["responses"]
    if not isinstance(answers, list) or not answers:
        raise ValueError(f"responses is {answers!r:.60}, not a list of answers")
    name = "rank" if "rank" in row else "scores"
    numbers = row[name]
    if not isinstance(numbers, list) or not all(isinstance(one, int | float) and math.isfinite(one) for one in numbers):
        raise ValueError(f"{name} is {numbers!r:.60}, not a list of numbers")
    if len(numbers) != len(answers):
        raise ValueError(f"{len(answers)} answers, but {len(numbers)} numbers in {name}")
    ranks = numbers if name == "rank" else [-score for score in numbers]
    return _prompt(row["prompt"]), [_answer(answer, "an answer") for answer in answers], ranks


def read_pair(row: Row) -> Ranked:
    """`chosen` and `rejected`, with a `prompt` (ShareGPT: `conversations`) or as whole conversations."""
    sides = [_answer(row[name], name) for name in ("chosen", "rejected")]
    if all(isinstance(side, list) and side[0]["role"] != "assistant" for side in sides):
        prompt, sides = _split_shared(*sides)  # each holds the prompt; the column, if there is one, repeats it
        return prompt, sides, [1, 2]
    asked = row.get("prompt") or row.get("conversations")
    return _prompt(asked) if asked else "", sides, [1, 2]


def read_transcripts(row: Row) -> Ranked:
    """`chosen` and `rejected` of HH-RLHF."""
    prompt, sides = _split_shared(*(_transcript(row[name]) for name in ("chosen", "rejected")))
    return prompt, sides, [1, 2]


def _is_transcript(text: str) -> bool:
    return text.lstrip().startswith("Human:") and "\n\nAssistant:" in text


def _transcript(text: Any) -> Messages:
    r"""_transcript("\n\nHuman: Hi\n\nAssistant: Hello") is a user's turn "Hi" and an assistant's turn "Hello".

    Some transcripts have two turns of one side on end, which chat templates refuse: they become one."""
    if not isinstance(text, str) or not _is_transcript(text):
        raise ValueError(f"no transcript of Human and Assistant: {text!r:.60}")
    turns: Messages = []
    for speaker, said in HH_TURN.findall("\n\n" + text.lstrip()):
        role = "user" if speaker == "Human" else "assistant"
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += "\n\n" + said.strip()
        else:
            turns.append({"role": role, "content": said.strip()})
    return turns


def _split_shared(chosen: Any, rejected: Any) -> tuple[Messages, list[Side]]:
    """What both conversations begin with, and what each goes on with: an assistant's turn, perhaps more."""
    shared = 0
    while shared < min(len(chosen), len(rejected)) - 1 and chosen[shared] == rejected[shared]:
        shared += 1
    while shared and chosen[shared]["role"] != "assistant" and chosen[shared] == rejected[shared]:
        shared -= 1  # equal to the end: the last turn of the assistant is what was judged
    if chosen[shared]["role"] != "assistant" or rejected[shared]["role"] != "assistant":
        raise ValueError("the two conversations part before a turn of the assistant")
    return chosen[:shared], [chosen[shared:], rejected[shared:]]


def _prompt(value: Any) -> Side:
    if isinstance(value, str):
        return value
    if not isinstance(value, list) or not value:
        raise ValueError(f"prompt is {value!r:.60}, not text or messages")
    return [read_message(message) for message in value]


def _answer(value: Any, name: str) -> Side:
    """Text, a list of messages, or a single message (ShareGPT's from and value too)."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list | dict) or not value:
        raise ValueError(f"{name} is {value!r:.60}, not text or messages")
    return [read_message(message) for message in (value if isinstance(value, list) else [value])]
