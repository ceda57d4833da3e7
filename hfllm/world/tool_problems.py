"""Which questions need a tool? Products too large to do in the head, and owners whom nothing but a register knows.

Only numbers have to be copied into a call: recipes/tiny/README.md has what a small model did with names."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from hfllm.world import jokes, words
from hfllm.world.conversations import GREETINGS
from hfllm.world.problems import is_held_out

OWNER_QUESTIONS = ["Who has {entry}?", "Whose is {entry}?", "Please look up {entry}.", "Tell me who has {entry}."]
PRODUCT_QUESTIONS = ["What is {numbers}?", "How much is {numbers}?", "Please compute {numbers}.", "{numbers}=?"]
NEEDLESS_SHARE = 0.1  # of the conversations: a tool is at hand, but nothing calls for it


@dataclass(frozen=True)
class ToolProblem:
    """`tool` and `argument` are the call that helps; `answer` is what its result says."""

    kind: str
    question: str
    tool: str
    argument: str
    answer: str
    reply: str

    def row(self) -> dict[str, Any]:
        return {
            "prompt": [{"role": "user", "content": self.question}],
            "question": self.question,
            "answer": self.answer,
            "kind": self.kind,
        }


def register(rng: random.Random) -> dict[str, str]:
    """Who has which ticket, at random: {"ticket 471": "Hana", ...}, one for each number of three digits."""
    return {f"ticket {number}": rng.choice(words.FIRST_NAMES) for number in range(100, 1000)}


def register_rows(owners: dict[str, str]) -> list[dict[str, str]]:
    return [{"text": f"{entry}: {owner}"} for entry, owner in owners.items()]


def product(rng: random.Random, held_out: bool) -> ToolProblem:
    while True:
        first, second = rng.randint(11, 99), rng.randint(11, 99)
        if is_held_out(f"{first}*{second}") == held_out:
            break
    expression, answer = f"{first}*{second}", str(first * second)
    question = rng.choice(PRODUCT_QUESTIONS).format(numbers=expression)
    return ToolProblem("product", question, "calculator", expression, answer, f"The answer is {answer}.")


def lookup(rng: random.Random, owners: dict[str, str], held_out: bool) -> ToolProblem:
    entry = rng.choice([entry for entry in owners if is_held_out(entry) == held_out])
    question, owner = rng.choice(OWNER_QUESTIONS).format(entry=entry), owners[entry]
    return ToolProblem("lookup", question, "search", entry, owner, f"{owner} has {entry}.")


def random_problem(rng: random.Random, owners: dict[str, str], *, held_out: bool) -> ToolProblem:
    return product(rng, held_out) if rng.random() < 0.5 else lookup(rng, owners, held_out)


def problem_rows(rng: random.Random, owners: dict[str, str], count: int, *, held_out: bool) -> Iterator[dict[str, Any]]:
    """Rows with `prompt`, `question`, `answer` and `kind`; no question comes twice."""
    asked: set[str] = set()
    while len(asked) < count:
        problem = random_problem(rng, owners, held_out=held_out)
        if problem.question not in asked:
            asked.add(problem.question)
            yield problem.row()


def conversations(
    rng: random.Random,
    owners: dict[str, str],
    count: int,
    tools: dict[str, Callable[..., str]],
    schemas: dict[str, dict[str, Any]],
) -> Iterator[dict[str, Any]]:
    """`messages` with a call, the tool's own result and the reply, once or twice, and the `tools` that were at hand.

    Both tools, in either order, in about two thirds of them: the question says which one helps."""
    for _ in range(count):
        problems = [
            random_problem(rng, owners, held_out=False) for _ in range(rng.choices([1, 2], weights=[70, 30])[0])
        ]
        needed = {problem.tool for problem in problems}
        at_hand = sorted(schemas) if len(needed) > 1 or rng.random() < 0.5 else list(needed)
        rng.shuffle(at_hand)
        messages = [message for problem in problems for message in with_call(problem, tools[problem.tool])]
        needless = rng.random() < NEEDLESS_SHARE
        yield {
            "messages": small_talk(rng) if needless else messages,
            "tools": [schemas[name] for name in at_hand],
        }


def with_call(problem: ToolProblem, tool: Callable[..., str]) -> list[dict[str, Any]]:
    name = {"calculator": "expression", "search": "query"}[problem.tool]
    function = {"name": problem.tool, "arguments": {name: problem.argument}}
    return [
        {"role": "user", "content": problem.question},
        {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": function}]},
        {"role": "tool", "content": tool(problem.argument)},
        {"role": "assistant", "content": problem.reply},
    ]


def small_talk(rng: random.Random) -> list[dict[str, Any]]:
    animal = rng.choice(words.ANIMALS)
    asked, reply = rng.choice([rng.choice(GREETINGS), (jokes.request(rng, animal), jokes.random_joke(rng, animal))])
    return [{"role": "user", "content": asked}, {"role": "assistant", "content": reply}]
