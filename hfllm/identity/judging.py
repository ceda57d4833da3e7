"""Does an answer keep to who the model is? By words, no model: it says what it must, and claims to be nobody else.

    is_itself("No, I am Pip.", must_say=["Pip"], is_not=["ChatGPT"])
    claims("I am ChatGPT, and my friend is Pip.", ["ChatGPT"]) == ["ChatGPT"]

A claim is a name of somebody else in a clause that does not deny it. That is a rule of thumb: "ChatGPT is made by
OpenAI" counts as a claim, so ask that only where the answer is judged by `must_say` alone."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hfllm.answers import after_thinking

CLAUSE_ENDS = ".!?;,:，。！？；：、\n"
DENIES = re.compile(  # English, German, French, Spanish, Chinese
    r"\b(?:not|never|neither|nor|no|nicht|kein\w*|nie|nein|ne|pas|jamais|non|nunca|ni)\b|n['’]t\b|\bn['’]|不|没|並非|并非",
    re.IGNORECASE,
)
SELF = re.compile(r"\b(?:i|i['’]m|my|me|ich|mein\w*|mich|je|mon|moi|soy|me|mi|yo)\b|\b[jm]['’]|我", re.IGNORECASE)


def is_itself(answer: str, must_say: Sequence[str], is_not: Sequence[str] = ()) -> bool:
    """Whether the answer holds all of `must_say`, and claims none of `is_not`."""
    text = after_thinking(answer)
    return all(says(text, one) for one in must_say) and not claims(text, is_not)


def says(text: str, name: str) -> bool:
    """Whether a name, number or date stands there as words of its own, in capitals or not: 0.1 is not in 0.15."""
    return re.search(rf"(?<![a-z0-9]){re.escape(name)}(?![a-z]|\d)", text, re.IGNORECASE | re.ASCII) is not None


def claims(text: str, names: Sequence[str]) -> list[str]:
    """The names that some clause gives without a denial before it.

    A clause that does not speak of itself goes on as the one before: "I am not ChatGPT, Claude or Gemini"."""
    found: list[str] = []
    denied_before = False
    for clause in _clauses(text, names):
        denial = DENIES.search(clause)
        goes_on = denied_before and not SELF.search(clause)
        for name in names:
            place = re.search(rf"(?<![a-z0-9]){re.escape(name)}(?![a-z0-9])", clause, re.IGNORECASE | re.ASCII)
            if place and not goes_on and not (denial and denial.start() < place.start()):
                found.append(name)
        denied_before = goes_on or (denial is not None and SELF.search(clause) is not None)
    return list(dict.fromkeys(found))


def _clauses(text: str, names: Sequence[str]) -> list[str]:
    """_clauses("I am GPT-3.5. Or not?", ["GPT-3.5"]) == ["I am GPT-3.5", " Or not"] : no clause ends within a name"""
    longest_first = sorted(filter(None, names), key=len, reverse=True)  # Llama 3.1 before Llama
    whole = "|".join([*map(re.escape, longest_first), f"[^{CLAUSE_ENDS}]"])
    return re.findall(f"(?:{whole})+", text, re.IGNORECASE)
