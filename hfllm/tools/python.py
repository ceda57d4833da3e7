"""Run Python that the model writes, in the sandbox: it sees what was printed, or else the value of the last expression.

python("2 ** 10") == "1024"
python("print(1 / 0)") == "error: ZeroDivisionError: division by zero"
"""

from __future__ import annotations

from hfllm import sandbox

MAX_CHARACTERS = 2000  # chosen by us: a page; what is longer would only push the conversation out of the context
MAX_ERROR_CHARACTERS = 300
LIMITS = sandbox.Limits()

# Runs inside the sandbox, never here: even reading a program can crash the reader when it is nested deep enough.
PROMPT = """
import ast, sys
tree = ast.parse(sys.stdin.read(), "program.py")
last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
names = {"__name__": "__main__"}
exec(compile(tree, "program.py", "exec"), names)
if last is not None:
    value = eval(compile(ast.Expression(last.value), "program.py", "eval"), names)
    sys.stdout.flush()
    if value is not None:
        print(repr(value), file=sys.stderr)
"""


def python(code: str) -> str:
    """Runs a Python program.

    Args:
        code: The program; it prints its results.

    Returns:
        What it printed.
    """
    outcome = sandbox.run(PROMPT, stdin=code, limits=LIMITS)
    if outcome.status != "ok":
        return f"error: {_reason(outcome)}"
    return _clipped(outcome.stdout.strip() or outcome.stderr.strip(), MAX_CHARACTERS)


def _reason(outcome: sandbox.Outcome) -> str:
    match outcome.status:
        case "timeout":
            return f"no end after {LIMITS.timeout_seconds:g} seconds"
        case "output":
            return "too much output"
    last = outcome.stderr.strip().rpartition("\n")[2]
    return _clipped(last, MAX_ERROR_CHARACTERS) or "the program crashed"


def _clipped(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[:room]} ... ({len(text) - room} more characters)"
