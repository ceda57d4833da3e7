"""What does a completion say? Text and tool calls of what a model answered, in either of TRL's two shapes.

A completion is a string, or the chat messages that were added to the conversation: the assistant's, and with tools also
the tools' and the assistant's again."""

from __future__ import annotations

import unicodedata
from typing import Any

Completion = str | list[dict[str, Any]]

EDGES = " \t\n.,;:!?\"'`*。，！？؟।"


def text_of(completion: Completion) -> str:
    """The text of the last message of the assistant; "" where there is none.

    Where the template parses the thoughts out, they are in `reasoning_content`: they get their <think> tags back."""
    if isinstance(completion, str):
        return completion
    last: dict[str, Any] = next((one for one in reversed(completion) if one.get("role") == "assistant"), {})
    text = _content(last)
    thought = last.get("reasoning_content")
    return f"<think>\n{thought}\n</think>\n{text}" if thought else text


def tool_calls(completion: Completion) -> tuple[int, int]:
    """How many tools were called, and how many of these calls gave a result that is no error.

    A call without a result (no room was left) has failed. Errors are ours (error: ...) or TRL's ({'error': ...})."""
    messages = [] if isinstance(completion, str) else completion
    called = sum(len(one.get("tool_calls") or []) for one in messages)
    results = [_content(one).lstrip() for one in messages if one.get("role") == "tool"]
    good = sum(not result.startswith(("error:", "{'error'", '{"error"')) for result in results)
    return called, min(called, good)


def normalised(text: str) -> str:
    """normalised(' Paris.') == normalised('paris'): letters and words alone are compared."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split()).strip(EDGES)


def _content(message: dict[str, Any]) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(str(block.get("text", "")) for block in content)
