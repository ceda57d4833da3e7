"""Which program does a completion hold? The code between fences, or the text itself when there are none.

program("Sure:\\n```python\\ndef f(): ...\\n```", "f") == "def f(): ...\\n"
"""

from __future__ import annotations

import re

from hfllm.answers import after_thinking

FENCE = re.compile(r"^[ \t]*(?:```|~~~)[^\n]*$", re.MULTILINE)


def program(completion: str, name: str) -> str:
    """The last fenced block that defines `name`; else the last block; else the whole text after the thinking.

    A fence that is not closed lasts to the end: the model ran out of room."""
    text = after_thinking(completion)
    blocks = fenced(text)
    defining = [block for block in blocks if defines(block, name)]
    return (defining or blocks or [text])[-1]


def fenced(text: str) -> list[str]:
    """fenced("a\\n```python\\nb\\n```\\nc") == ["b\\n"]"""
    marks = [(match.start(), match.end() + 1) for match in FENCE.finditer(text)]
    ends = [start for start, _ in marks[1::2]] + [len(text)]
    return [text[start:end] for (_, start), end in zip(marks[::2], ends, strict=False)]


def defines(code: str, name: str) -> bool:
    """Whether a function or class of that name stands at the left margin."""
    return re.search(rf"^(?:async +def|def|class) +{re.escape(name)}\b", code, re.MULTILINE) is not None
