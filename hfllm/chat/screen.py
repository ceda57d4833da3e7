"""What does the user see? Colours on a terminal, plain text elsewhere, and the bars of --show-probabilities.

Answers go to stdout, everything else to stderr, so that `hfllm chat ... --prompt ... > file` keeps the answer only."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence

BOLD, DIM, RED, GREEN = "1", "2", "31", "32"
BAR_WIDTH = 24
TEXT_WIDTH = 18
EIGHTHS = " ▏▎▍▌▋▊▉█"
# control characters of a model's text could rewrite the screen: show them as symbols; newline and tab stay
VISIBLE = {code: chr(0x2400 + code) for code in range(32) if chr(code) not in "\n\t"}
VISIBLE |= {0x7F: "\u2421"} | dict.fromkeys(range(0x80, 0xA0), "\ufffd")


def is_terminal() -> bool:
    """Somebody types and reads: stdin and stdout are both a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def coloured(text: str, code: str) -> str:
    """`text` in a colour, when stdout is a terminal and NO_COLOR (no-color.org) is not set."""
    colours = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return f"\x1b[{code}m{text}\x1b[0m" if colours else text


def answer(text: str) -> None:
    """Write a piece of the model's text to stdout at once."""
    sys.stdout.write(text.translate(VISIBLE))
    sys.stdout.flush()


def answer_prompt(text: str) -> None:
    """The text that a base model goes on with, set apart from what it adds."""
    sys.stdout.write(coloured(text.translate(VISIBLE), DIM))


def notice(text: str) -> None:
    """A line about the chat, not of it."""
    print(coloured(text, DIM), file=sys.stderr, flush=True)


def tool_result(name: str, text: str) -> None:
    """What a tool said."""
    notice(f"[{name}] {text}".translate(VISIBLE))


def complaint(text: str) -> None:
    """A line about something that did not work."""
    print(coloured(text, RED), file=sys.stderr, flush=True)


def bar(share: float, width: int = BAR_WIDTH) -> str:
    """bar(0.5, width=4) == '██  '; the last cell is drawn in eighths."""
    eighths = round(share * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (EIGHTHS[rest] if rest else "")).ljust(width)


def quoted(text: str) -> str:
    """A token's text in one line with visible blanks: `' Paris'`, `'\\n'`."""
    shown = repr(text.translate(VISIBLE))
    return shown if len(shown) <= TEXT_WIDTH else f"{shown[: TEXT_WIDTH - 2]}…{shown[0]}"


def probability_table(candidates: Sequence[tuple[str, float, bool]]) -> str:
    """One line a candidate (text, probability, was it drawn), with a bar; the drawn one is marked."""
    return "\n".join(_line(*candidate) for candidate in candidates)


def _line(text: str, share: float, drawn: bool) -> str:
    line = f"  {'>' if drawn else ' '} {_padded(quoted(text))} {share:7.2%}  {bar(share)}".rstrip()
    return coloured(line, GREEN if drawn else DIM)


def _padded(text: str) -> str:
    """Left-justified to TEXT_WIDTH columns; Chinese characters and emoji are two columns wide."""
    from rich.cells import cell_len

    return text + " " * (TEXT_WIDTH - cell_len(text))


def answer_table(candidates: Sequence[tuple[str, float, bool]]) -> None:
    """Write the table of one token to stdout."""
    sys.stdout.write("\n" + probability_table(candidates) + "\n")
    sys.stdout.flush()


def input_prompt() -> str:
    """What stands before the cursor; readline must be told which characters take no room."""
    return re.sub(r"(\x1b\[\d*m)", "\x01\\1\x02", "\n" + coloured("> ", BOLD))
