"""A calculator: reads an expression and never runs it. Whole numbers and decimals are exact.

    calculator("12.5 * (3 + 1)") == "50"        calculator("2/3") == "0.666666666667"

Numbers stay below 10 ** 100 on the way, so that 9**9**9 is refused at once instead of filling the memory."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from decimal import Context, Decimal, Inexact
from fractions import Fraction

LONGEST = 200  # characters of an expression: a model that loops writes longer ones; Python nests expressions 200 deep
UNREADABLE = "error: this is no complete expression"
DIGITS = 100  # of a numerator and of a denominator; chosen by us
DECIMALS = 12  # shown of a number that has no end, such as 2/3
READABLE = re.compile(r"[0-9.+\-*/%() ]+")
TYPED = str.maketrans({"×": "*", "÷": "/", "−": "-", "\t": " ", "\n": " "})

OPERATIONS: dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction | int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}


def calculator(expression: str) -> str:
    """Compute an arithmetic expression.

    Args:
        expression: for example 12*(3+4)
    """
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", str(expression).translate(TYPED).strip())  # 1,234 -> 1234
    if len(text) > LONGEST:
        return f"error: the expression has more than {LONGEST} characters"
    if not READABLE.fullmatch(text):
        return "error: an expression has numbers, + - * / // % ** and parentheses only"
    try:
        return _written(_value(ast.parse(text, mode="eval").body, text))
    except (SyntaxError, RecursionError):  # 200 signs one behind the other are nested as deep
        return UNREADABLE
    except ZeroDivisionError:
        return "error: division by zero"
    except ValueError as error:
        return f"error: {error}"


def _value(node: ast.expr, text: str) -> Fraction:
    match node:
        case ast.Constant(value=int() | float()):  # 0.1 as it is written, not as the nearest binary number
            return _checked(Fraction(text[node.col_offset : node.end_col_offset]))
        case ast.UnaryOp(op=ast.UAdd() | ast.USub() as sign, operand=operand):
            return -_value(operand, text) if isinstance(sign, ast.USub) else _value(operand, text)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return _power(_value(left, text), _value(right, text))
        case ast.BinOp(left=left, op=sign, right=right):
            return _checked(Fraction(OPERATIONS[type(sign)](_value(left, text), _value(right, text))))
    raise SyntaxError(text)  # 2(3) is a call to Python, () a tuple, ... an ellipsis


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator != 1:
        raise ValueError("only whole exponents can be computed")
    longest = max(base.numerator.bit_length(), base.denominator.bit_length()) - 1
    if longest * abs(exponent.numerator) > DIGITS * 4:  # a digit has 3.3 bits; `_checked` is exact, afterwards
        raise ValueError("the number is too large")
    if abs(base) in (0, 1):  # these have no length, so any exponent came this far
        exponent = exponent if base == 0 and exponent < 1 else Fraction(exponent.numerator % 2 or 2)
    return _checked(Fraction(base**exponent.numerator))


def _checked(number: Fraction) -> Fraction:
    if max(abs(number.numerator), number.denominator) >= 10**DIGITS:
        raise ValueError("the number is too large")
    return number


def _written(number: Fraction) -> str:
    """As a plain number: 50, -0.125; without an end, to DECIMALS places behind the leading zeros."""
    if number.denominator == 1:
        return str(number.numerator)
    context = Context(prec=2 * DIGITS)
    value = context.divide(Decimal(number.numerator), Decimal(number.denominator))
    if context.flags[Inexact]:
        zeros = max(0, -value.adjusted() - 1)
        value = value.quantize(Decimal(1).scaleb(-DECIMALS - zeros), context=context)
    return f"{value:f}".rstrip("0").rstrip(".")
