"""A battle: two answers to one prompt, and what a judge says of them. One line of battles.jsonl each.

model_a, model_b, winner (model_a, model_b, tie, both_bad; null: nobody could judge), number and prompt, judge,
answers (two texts), and of a judge who gives points `scores`, of one who sees both side by side `seen`"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

from hfllm import json_lines, progress
from hfllm.arena import POINTS, Battle, Winner
from hfllm.battles.answers import Answer, said
from hfllm.errors import UserMistake

FILE = "battles.jsonl"
OTHERS_WORDS = {"tie (bothbad)": "both_bad"}  # Chatbot Arena's data

Row = dict[str, Any]


@dataclass(frozen=True)
class Fight:
    """Two answers to one row, not judged yet."""

    number: int  # of the row
    row: Row
    model_a: str
    model_b: str
    answers: tuple[Answer, Answer]


@dataclass(frozen=True)
class Verdict:
    """`seen`: for each time that a judge saw both answers, which came `first`, and the `choice`: first, second, ..."""

    winner: Winner | None
    scores: tuple[float | None, float | None] | None = None
    seen: list[dict[str, Any]] = field(default_factory=list)


Judge = Callable[[Sequence[Fight]], Iterable[Verdict]]


def all_against_all(rows: Sequence[Row], answers: Mapping[str, list[Answer]]) -> list[Fight]:
    """Every two models on every prompt: with 3 models, three battles a prompt."""
    return [
        Fight(number, row, one, other, (answers[one][number], answers[other][number]))
        for number, row in enumerate(rows)
        for one, other in combinations(answers, 2)
    ]


def judged(fights: Sequence[Fight], judge: Judge, name: str, folder: Path) -> list[Row]:
    """The rows of battles.jsonl: those that an earlier call wrote, then each as soon as it is judged."""
    file = folder / FILE
    rows = json_lines.read(file)
    json_lines.write(file, rows)  # without half a line
    waiting = fights[len(rows) :]
    with file.open("a", encoding="utf-8") as out:
        for fight, verdict in zip(waiting, judge(waiting) if waiting else [], strict=True):
            rows.append(_row(fight, verdict, name))
            out.write(json_lines.line(rows[-1]))
            out.flush()
            progress.report(len(rows), len(fights), f"judged by {name}")
    return rows


def _row(fight: Fight, verdict: Verdict, judge: str) -> Row:
    return {
        "number": fight.number,
        "model_a": fight.model_a,
        "model_b": fight.model_b,
        "winner": verdict.winner,
        "judge": judge,
        "prompt": fight.row["prompt"],
        "answers": [said(answer) for answer in fight.answers],
        **({"scores": list(verdict.scores)} if verdict.scores else {}),
        **({"seen": verdict.seen} if verdict.seen else {}),
    }


def as_battles(rows: Iterable[Row]) -> list[Battle]:
    """What `hfllm.arena` rates; battles on one prompt are drawn together, because they share answers."""
    return [Battle(row["model_a"], row["model_b"], row["winner"], row.get("number")) for row in rows]


def choices(rows: Iterable[Row]) -> list[str | None]:
    """What judges chose who saw two answers in an order."""
    return [seen["choice"] for row in rows for seen in row.get("seen", [])]


def read(file: Path) -> list[Row]:
    """The battles of any file of such lines: ours, or others' with the same three keys.

    Raises `UserMistake` when a row has no model_a, model_b and winner, or another winner."""
    rows = []
    for number, row in enumerate(_rows(file), start=1):
        known = isinstance(row, dict) and {"model_a", "model_b", "winner"} <= set(row)
        winner = OTHERS_WORDS.get(str(row["winner"]), row["winner"]) if known else ""
        if winner not in (*POINTS, None):
            raise UserMistake(
                f"{file}: battle {number}: a line has model_a, model_b and winner ({', '.join(POINTS)} or null)"
            )
        rows.append(row | {"winner": winner})
    return rows


def _rows(file: Path) -> list[Any]:
    """A last line without its end may be half a line of a run that was cut off, or a whole one of another's file."""
    try:
        whole, _, rest = file.read_bytes().rpartition(b"\n")  # bytes: the cut may go through a character
        rows = [json.loads(text.decode("utf-8")) for text in whole.split(b"\n") if text.strip()]
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserMistake(f"{file}: no JSON Lines: {error}") from error
    with suppress(json.JSONDecodeError, UnicodeDecodeError):
        rows += [json.loads(rest.decode("utf-8"))] if rest.strip() else []
    return rows
