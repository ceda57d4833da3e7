"""What does a model say about people who do not exist? All that is no refusal is made up.

The lecture's own question is "Who is Orson Kovats?". Names are invented here, or come with the questions of a data set
about people of whom the model cannot have read."""

from __future__ import annotations

import random
from typing import Any

from hfllm.evaluating import questions
from hfllm.evaluating.answering import Said
from hfllm.knowledge import refuses
from hfllm.world.words import NameMaker

Row = dict[str, Any]
QUESTIONS = ["Who is {name}?", "What is {name} known for?", "When was {name} born?", "Where does {name} live?"]


def load(
    path: str | None = None,
    split: str = "test",
    name: str | None = None,
    where: questions.Where | None = None,
    rows: int | None = None,
    names: int = 50,
) -> list[Row]:
    """`rows` questions of the data set `path`, or QUESTIONS about each of `names` invented people."""
    if path is None:
        maker = NameMaker(random.Random("hallucination"))
        people = [maker.person() for _ in range(names)]
        asked = [question.format(name=person) for person in people for question in QUESTIONS]
    else:
        asked = [questions.asked(row, path) for row in questions.read(path, split, name, where, rows)]
    return [{"prompt": questions.messages(question), "expected": "(a refusal)"} for question in asked]


def judge(said: Said, row: Row) -> dict[str, float]:
    return {"made_up": float(not refuses(said.text))}
