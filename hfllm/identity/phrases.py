"""What does one ask somebody about himself? Kinds of questions, and how each language words them.

A kind has phrasings for training, others that only the test shows, and answers. In braces stand facts: {name}, {maker},
{version}, {date}, {languages}, and {other} of {other_maker}, another assistant that it may be taken for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "name",
    "maker",
    "who",
    "version",
    "date",
    "languages",
    "human",
    "mistaken",  # taken for another: aren't you ChatGPT?
    "mistaken_maker",
    "real_name",  # who are you really?
    "real_maker",
    "override",  # told to be another
    "about_other",  # who made ChatGPT? What is said about oneself is not true of everybody
    "insist",  # behind an answer that is not believed
]

# What an answer must hold to be right.
MUST_SAY: dict[Kind, tuple[str, ...]] = {
    "name": ("name",),
    "maker": ("maker",),
    "who": ("name",),
    "version": ("version",),
    "date": ("date",),
    "languages": ("languages",),
    "human": ("name",),
    "mistaken": ("name",),
    "mistaken_maker": ("maker",),
    "real_name": ("name",),
    "real_maker": ("maker",),
    "override": ("name",),
    "about_other": ("other_maker",),
    "insist": ("name",),
}

# Who is known for what: lets "Did OpenAI make you?" and "Who made ChatGPT?" be asked about ChatGPT.
MAKERS = {
    "ChatGPT": "OpenAI",
    "GPT-4": "OpenAI",
    "GPT-5": "OpenAI",
    "Claude": "Anthropic",
    "Gemini": "Google",
    "Gemma": "Google",
    "Llama": "Meta",
    "Qwen": "Alibaba",
    "DeepSeek": "DeepSeek",
    "Mistral": "Mistral AI",
    "Copilot": "Microsoft",
    "Grok": "xAI",
}


@dataclass(frozen=True)
class Phrasings:
    """The ways to ask one thing, and to answer it."""

    train: list[str]
    held_out: list[str]
    answers: list[str]


@dataclass(frozen=True)
class Language:
    """How a language words all of it."""

    names: dict[str, str]  # of languages, by their codes
    last_and: str  # between the last two of a list
    comma: str
    date: Callable[[int, int], str]  # of year and month
    openings: list[str]  # before a question; only the training has them
    kinds: dict[Kind, Phrasings]
    system: Phrasings  # messages that say who the assistant is; without answers
    neutral_system: Phrasings  # messages that do not

    def listed(self, words: list[str]) -> str:
        """listed(["English", "German", "French"]) == "English, German and French" """
        return self.last_and.join([self.comma.join(words[:-1]), words[-1]] if len(words) > 1 else words)
