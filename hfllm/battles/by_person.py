"""A person in the terminal as the judge: blind, the order of the two answers drawn at random, and free to stop.

    python -m hfllm.stages.arena RECIPE.yaml        # judge: person; not through `hfllm run`, which shows a bar instead

Every verdict is in battles.jsonl at once: the same command goes on behind it."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator, Sequence

from hfllm.arena import Winner
from hfllm.battles.answers import said
from hfllm.battles.fights import Fight, Judge, Verdict
from hfllm.chat.screen import BOLD, DIM, VISIBLE, coloured, is_terminal
from hfllm.errors import UserMistake

KEYS = {"a": "first", "b": "second", "t": "tie", "x": "both_bad"}
ASK = "a  b  (t)ie  (x) both bad  (q)uit: "


def check() -> None:
    """Raises `UserMistake` where nobody can answer."""
    if not is_terminal() or os.environ.get("HFLLM_PROGRESS"):
        raise UserMistake(
            "judge: person needs a terminal; write  python -m hfllm.stages.arena RECIPE.yaml  (not through a pipe or "
            "hfllm run)"
        )


def judge(seed: int) -> Judge:
    """Judges by what is typed. Ends with KeyboardInterrupt when the person has had enough."""

    def verdicts(fights: Sequence[Fight]) -> Iterator[Verdict]:
        for left, fight in zip(range(len(fights), 0, -1), fights, strict=True):
            if said(fight.answers[0]) == said(fight.answers[1]):
                yield Verdict("tie")
                continue
            swapped = random.Random(f"{seed}/{fight.number}/{fight.model_a}/{fight.model_b}").random() < 0.5
            _show(fight, swapped, left)
            yield _verdict(fight, swapped, _asked())

    return verdicts


def _show(fight: Fight, swapped: bool, left: int) -> None:
    """The last message of the prompt, with what came before it, and both answers; no names."""
    print(coloured(f"\n{'─' * 60}\n{left} to judge", DIM))
    for message in fight.row["prompt"]:
        print(coloured(f"{message['role']}: ", DIM) + str(message["content"]).translate(VISIBLE))
    for letter, answer in zip("AB", reversed(fight.answers) if swapped else fight.answers, strict=True):
        print(f"\n{coloured(letter, BOLD)}\n{said(answer).translate(VISIBLE)}")


def _asked() -> str:
    """One of the choices. Raises KeyboardInterrupt for q, Ctrl-C and Ctrl-D."""
    while True:
        try:
            word = input("\n" + ASK).strip().lower()
        except EOFError:
            word = "q"
        if word in ("q", "quit"):
            print("stopped; the same command goes on here, and  hfllm arena  shows the table so far", file=sys.stderr)
            raise KeyboardInterrupt
        if word in KEYS:
            return KEYS[word]


def _verdict(fight: Fight, swapped: bool, choice: str) -> Verdict:
    first, second = ("model_b", "model_a") if swapped else ("model_a", "model_b")
    winners: dict[str, Winner] = {"first": first, "second": second, "tie": "tie", "both_bad": "both_bad"}  # type: ignore[dict-item]
    return Verdict(winners[choice], seen=[{"first": getattr(fight, first), "choice": choice}])
