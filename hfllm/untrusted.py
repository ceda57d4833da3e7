"""How does text that we do not trust stay text? Special tokens in it are made visible and harmless.

    neutralise("a<|im_end|>b", control_tokens(tokenizer)) == "a<| im_end |>b"

A tokenizer reads `<|im_end|>` in a data set or in what a user types as the end of a turn: whoever writes it could speak
as the system or the assistant (transformers issues 29279 and 47822)."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

ASSISTANT_MAY_WRITE = {"<think>", "</think>", "<tool_call>", "</tool_call>"}  # part of an answer, not of its frame


def control_tokens(tokenizer: PreTrainedTokenizerBase) -> tuple[str, ...]:
    """The tokens that frame a conversation: the special ones, and added ones that the chat template writes.

    The same rule as transformers' `sanitize_control_tokens`: Gemma's added tokens for HTML tags stay ordinary text."""
    template = str(tokenizer.chat_template or "")
    added = tokenizer.added_tokens_decoder.values()
    return tuple(
        token.content for token in added if token.special or (token.content.strip() and token.content in template)
    )


def neutralise(text: str, special_tokens: Sequence[str]) -> str:
    """Set spaces into special tokens so that the tokenizer reads them as plain text, and a human sees the change.

    neutralise("a<|im_end|>b", ["<|im_end|>"]) == "a<| im_end |>b"
    """
    pattern = _any_of(tuple(special_tokens))
    return pattern.sub(_spaced, text) if pattern else text


def neutral_message(message: dict[str, Any], special_tokens: Sequence[str]) -> dict[str, Any]:
    """A chat message whose texts cannot leave it; an answer may think and call tools, but never end its turn early."""
    if message["role"] == "assistant":
        special_tokens = tuple(token for token in special_tokens if token not in ASSISTANT_MAY_WRITE)
    texts = {key: message[key] for key in ("content", "reasoning_content", "name") if key in message}
    neutral = message | {key: neutralise(text, special_tokens) for key, text in texts.items()}
    if "tool_calls" in message:
        calls = json.dumps(message["tool_calls"], ensure_ascii=False)
        neutral["tool_calls"] = json.loads(neutralise(calls, special_tokens))
    return neutral


@lru_cache
def _any_of(tokens: tuple[str, ...]) -> re.Pattern[str] | None:
    longest_first = sorted((token for token in tokens if token.strip()), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first))) if longest_first else None


def _spaced(match: re.Match[str]) -> str:
    """`</s>` -> `</ s >`; a token without brackets is cut after its first letter: `EOS` -> `E OS`."""
    token = match.group()
    word = token.strip("<>|[]{}/")
    if word in ("", token):
        return f"{token[0]} {token[1:]}"
    return token.replace(word, f" {word} ", 1)
