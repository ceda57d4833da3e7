"""Reach a number from given ones, each used exactly once, with + - * / ; right when the expression does.

Hub id Jiayi-Pan/Countdown-Tasks-3to4 (490,364 problems, one split `train`; columns `target` and `nums`), from TinyZero,
github.com/Jiayi-Pan/TinyZero, Apache-2.0. The expression is read with `ast` and reckoned in fractions, never run."""

from __future__ import annotations

import ast
import operator
import re
from fractions import Fraction
from typing import TYPE_CHECKING

from hfllm import task_rows
from hfllm.answers import after_thinking, boxed, last_match
from hfllm.data import DatasetConfig
from hfllm.task_rows import Row

if TYPE_CHECKING:
    from datasets import Dataset

OPERATORS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
NODES = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
EXPRESSION = re.compile(r"[0-9+\-*/() ]{1,200}")  # six numbers take 30 characters
TAGGED = re.compile(r"<answer>([^<>]{1,400})</answer>")
ANSWER_IS = re.compile(r"\banswer is:?([^\n=]{1,400})", re.IGNORECASE)
SIGNS = str.maketrans({"\u00d7": "*", "\u00f7": "/", "\u2212": "-", "\u00b7": "*", "[": "(", "]": ")"})
LATEX = {r"\times": "*", r"\cdot": "*", r"\div": "/", r"\left": "", r"\right": ""}
Sum = tuple[Fraction, str]  # a value, and how it was reached


def load(split: str, path: str | None = None) -> Dataset:
    """Columns `prompt`, `answer` (the target, as text), `target`, `nums`."""
    config = DatasetConfig(path=path or "Jiayi-Pan/Countdown-Tasks-3to4", split=split)
    dataset = task_rows.read("countdown", config, ["target", "nums"])
    return task_rows.problems(dataset, _problem)


def score(completion: str, row: Row) -> float | None:
    """1.0 when the expression in <answer>, in the last box, behind "the answer is" or on the last line fits."""
    expression = stated(after_thinking(completion))
    if reckon(expression) != row["target"]:
        return 0.0
    return float(sorted(map(int, re.findall(r"[0-9]+", expression))) == sorted(row["nums"]))


def gold(row: Row) -> str:
    found = solve(row["nums"], row["target"])
    return f"The answer is {found}." if found else "There is no answer."


def stated(text: str) -> str:
    """stated("5*4 = 20. The answer is 5*4-1 = 19.") == "5*4-1" : no more than the expression, in plain signs."""
    found = last_match(TAGGED, text) or last_match(ANSWER_IS, text)
    expression = found[1] if found else boxed(text) or text.rstrip().rpartition("\n")[2]
    expression = expression[:400].translate(SIGNS)
    for latex, sign in LATEX.items():
        expression = expression.replace(latex, sign)
    sides = [side for side in expression.split("=") if any(sign in side for sign in OPERATORS)]
    return sides[0].strip(" $.*`:") if sides else ""


def reckon(expression: str) -> Fraction | None:
    """reckon("(1 + 2) / 2") == Fraction(3, 2) : None when it is no expression over whole numbers."""
    if not EXPRESSION.fullmatch(expression):
        return None
    try:
        return _value(ast.parse(expression.strip(), mode="eval").body)
    except (SyntaxError, ZeroDivisionError, MemoryError):  # MemoryError: the parser's word for too many brackets
        return None


def solve(numbers: list[int], target: int) -> str | None:
    """An expression that uses each number once and gives `target`; None when there is none.

    solve([3, 5, 2], 4) == "(5-3)*2" : two numbers are joined in every way, until one is left."""
    return _search([(Fraction(number), str(number)) for number in numbers], Fraction(target))


def _problem(row: Row) -> Row:
    numbers = ", ".join(str(number) for number in row["nums"])
    content = (
        f"Using the numbers {numbers}, each exactly once, with + - * / and brackets, write an expression that equals "
        f'{row["target"]}. End with "The answer is" and the expression.'
    )
    return {
        "prompt": task_rows.question(content),
        "answer": str(row["target"]),
        "target": row["target"],
        "nums": row["nums"],
    }


def _value(node: ast.expr) -> Fraction | None:
    match node:
        case ast.Constant(value=int(number)):
            return Fraction(number)
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in NODES:
            first, second = _value(left), _value(right)
            return None if first is None or second is None else OPERATORS[NODES[type(sign)]](first, second)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            value = _value(operand)
            return None if value is None else -value
    return None


def _search(sums: list[Sum], target: Fraction) -> str | None:
    if len(sums) == 1:
        return sums[0][1].removeprefix("(").removesuffix(")") if sums[0][0] == target else None
    for i, first in enumerate(sums):
        for j, second in enumerate(sums):
            rest = [each for k, each in enumerate(sums) if k not in (i, j)]
            for joined in _joined(first, second, ordered=i < j) if i != j else ():
                if found := _search([*rest, joined], target):
                    return found
    return None


def _joined(first: Sum, second: Sum, *, ordered: bool) -> list[Sum]:
    """Every result of two numbers; + and * only once for the pair."""
    signs = "+-*/" if ordered else "-/"
    return [
        (OPERATORS[sign](first[0], second[0]), f"({first[1]}{sign}{second[1]})")
        for sign in signs
        if sign != "/" or second[0] != 0
    ]
