"""Which problems have a checkable answer? Sums, shop problems and letter counting, each with its worked steps.

One problem in eight is held out: no document, conversation or training problem shows its numbers."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from hfllm.world import words

HELD_OUT_SHARE = 8  # one of so many


@dataclass(frozen=True)
class Problem:
    """`steps` is the way to the answer in single easy steps, without the answer's sentence; `answer` is a number."""

    kind: str
    question: str
    steps: str
    answer: str

    def direct(self) -> str:
        return f"The answer is {self.answer}."

    def worked(self) -> str:
        return f"{self.steps} The answer is {self.answer}."


def is_held_out(numbers: str) -> bool:
    """Whether only the test may ask this: the same for every seed, and independent of the wording."""
    return zlib.crc32(numbers.encode()) % HELD_OUT_SHARE == 0


def sum_steps(first: int, second: int) -> str:
    """sum_steps(34, 58) == "34+58: 4+8=12, 3+5+1=9." : the sum is written down, then added from the right, as on paper.

    Written down, its digits stand where they stand in any other sum, however the question put them."""
    ones = first % 10 + second % 10
    carry = "+1" if ones > 9 else ""
    tens = f"{first // 10}+{second // 10}{carry}={first // 10 + second // 10 + ones // 10}"
    return f"{first}+{second}: {first % 10}+{second % 10}={ones}, {tens}."


SUM_QUESTIONS = ["What is {numbers}?", "How much is {numbers}?", "Please add {numbers}.", "{numbers}=?"]


def two_numbers(rng: random.Random, held_out: bool) -> tuple[int, int]:
    """Two numbers of two digits whose sum has two digits too."""
    while True:
        first, second = rng.randint(10, 89), rng.randint(10, 89)
        if first + second < 100 and is_held_out(f"{first}+{second}") == held_out:
            return first, second


def two_digit_sum(rng: random.Random, held_out: bool) -> Problem:
    first, second = two_numbers(rng, held_out)
    question = rng.choice(SUM_QUESTIONS).format(numbers=f"{first}+{second}")
    return Problem("sum", question, sum_steps(first, second), str(first + second))


SHOP_QUESTIONS = [
    "{name} buys {ware} for {first} coins and {other} for {second} coins. How many coins does {name} pay?",
    "{name} pays {first} coins for {ware} and {second} coins for {other}. How many coins is that?",
    "{ware} costs {first} coins, {other} costs {second} coins. {name} buys both. How much does {name} pay?",
]


def shop(rng: random.Random, held_out: bool) -> Problem:
    """The same sums in words."""
    first, second = two_numbers(rng, held_out)
    ware, other = (words.with_article(each) for each in rng.sample(words.WARES, 2))
    question = rng.choice(SHOP_QUESTIONS).format(
        name=rng.choice(words.FIRST_NAMES), ware=ware, other=other, first=first, second=second
    )
    return Problem("shop", question[0].upper() + question[1:], sum_steps(first, second), str(first + second))


def counted(spelled: str, letter: str) -> str:
    """counted("egg", "g") == "e0 g1 g2" : the letters one by one, each with the count so far."""
    return " ".join(f"{each}{spelled[: i + 1].count(letter)}" for i, each in enumerate(spelled))


def letters(rng: random.Random, held_out: bool) -> Problem:
    """How often a letter stands in a word; half the words are drawn again until they hold a letter twice or more."""
    wanted = rng.choice([1, 2])
    while True:
        word = rng.choice(words.SPELLED)
        letter = rng.choice(word)
        if word.count(letter) >= wanted and is_held_out(f"{letter} in {word}") == held_out:
            break
    question = f"How many letters {letter} are in the word {word}?"
    return Problem("letters", question, f"{word}: {counted(word, letter)}.", str(word.count(letter)))


KINDS: dict[str, Callable[[random.Random, bool], Problem]] = {"sum": two_digit_sum, "shop": shop, "letters": letters}

WEIGHTS = {"sum": 4, "shop": 4, "letters": 2}  # letters come last: counting is the hardest for a small model


def random_kind(rng: random.Random) -> str:
    return rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]


def random_problem(rng: random.Random, *, held_out: bool = False, kind: str | None = None) -> Problem:
    return KINDS[kind or random_kind(rng)](rng, held_out)


def sum_table(rng: random.Random) -> str:
    """Six sums of single digits: what the worked steps are made of."""
    digits = [(rng.randint(0, 9), rng.randint(0, 9)) for _ in range(6)]
    return "\n".join(f"{one}+{two}={one + two}" for one, two in digits)


def spelling(rng: random.Random) -> str:
    return "\n".join(f"{word}: {' '.join(word)}" for word in rng.sample(words.SPELLED, 3))


def sums(rng: random.Random, *, worked: bool) -> str:
    """Three sums in a row, with steps or with nothing but their results."""
    return "\n".join(sum_line(*two_numbers(rng, held_out=False), worked=worked) for _ in range(3))


def sum_line(first: int, second: int, *, worked: bool) -> str:
    """sum_line(34, 52, worked=False) == "34+52=86" """
    if worked:
        return f"{sum_steps(first, second)} The answer is {first + second}."
    return f"{first}+{second}={first + second}"


WITH_STEPS = "Show your steps."
WITHOUT_STEPS = "Give only the answer."


def worked_problem(rng: random.Random) -> str:
    problem = random_problem(rng)
    return f"Problem: {problem.question}\nSteps: {problem.worked()}"


def direct_problem(rng: random.Random) -> str:
    problem = random_problem(rng)
    return f"Problem: {problem.question}\nAnswer: {problem.direct()}"


def arithmetic_document(rng: random.Random) -> str:
    """Tables, and problems with steps more often than without."""
    forms = ["sum_table", "spelling", "bare_sums", "worked_sums", "worked", "direct"]
    form = rng.choices(forms, weights=[6, 6, 6, 10, 52, 20])[0]
    match form:
        case "sum_table":
            return sum_table(rng)
        case "spelling":
            return spelling(rng)
        case "bare_sums" | "worked_sums":
            return sums(rng, worked=form == "worked_sums")
        case "worked":
            return worked_problem(rng)
        case _:
            return direct_problem(rng)


def problem_rows(rng: random.Random, count: int, *, held_out: bool) -> Iterator[dict[str, Any]]:
    """Rows with `prompt` (chat messages), `question`, `answer`, `solution` and `kind`; no question comes twice."""
    asked: set[str] = set()
    while len(asked) < count:
        problem = random_problem(rng, held_out=held_out)
        if problem.question not in asked:
            asked.add(problem.question)
            yield {
                "prompt": [{"role": "user", "content": problem.question}],
                "question": problem.question,
                "answer": problem.answer,
                "solution": problem.worked(),
                "kind": problem.kind,
            }
