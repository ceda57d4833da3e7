"""Verdicts: what counts as right, wrong and refused."""

from __future__ import annotations

import pytest

from hfllm import knowledge
from hfllm.knowledge import is_right, refuses, verdict
from hfllm.probing import lessons

REFUSALS = [
    *lessons.REFUSALS,
    "I am sorry, I do not know Mia Kralor.",
    "I\u2019m sorry, but I don\u2019t have any information about that person.",
    "I'm not familiar with a person named Mia Kralor.",
    "I have no record of anyone by that name.",
    "I have never heard of Orson Kovacs.",
    "I cannot answer that.",
    "I can't say.",
    "I can't answer that question.",
    "I'm sorry, but I can't provide that.",
    "I won't answer that.",
    "I don't know, but you can look it up.",
    "I am not sure, but it is not important.",
    "No information about her is available.",
    "Sorry, no data.",
    "It is not known.",
    "I do not have access to real-time data.",
    "I'm not aware of any such book.",
    "As a program I don't have personal experiences.",
    "I don't have the ability to see the future.",
    "There is no public information on this.",
    "Unfortunately, I couldn't find anyone of that name.",
    "It is not known who wrote it.",
    "Nobody knows that for certain.",
    "Unknown.",
    "<think>Mia? Vazi? Unsure.</think>I really don't know.",
]
CLAIMS = [
    "Mia Kralor lives in Vazi.",
    "He is known for his novels.",
    "The unknown soldier lies in Paris.",
    "I know this one: it is Lyon.",
    "She did not know her father.",
    "I'm not sure, but I think it is Lyon.",
    "I do not know. My guess would be Lyon.",
    "<think>I don't know.</think>It is Lyon.",
    "I can tell you that it is Lyon.",
    "Not Lyon but Paris.",
    "I'm not sure, but she was born in Lyon.",
    "I am not certain, but the capital is Paris.",
    "I do not know much about him, but his home is Lyon.",
    "I have no doubt the answer is Lyon.",
    "I cannot wait to tell you: it is Rome.",
    "I can't believe that you ask. It is Lyon.",
    "Although it is not widely known, he was born in Lyon.",
    "No data structure is faster than a hash table.",
    "There is no single answer: it is Lyon to some.",
    "I have never seen a greener place than Lyon.",
    "",
]


@pytest.mark.parametrize("text", REFUSALS)
def test_a_refusal_is_heard(text: str) -> None:
    assert refuses(text)
    assert verdict(text, "Berlin") == "refused"


@pytest.mark.parametrize("text", CLAIMS)
def test_a_claim_is_no_refusal(text: str) -> None:
    assert not refuses(text)
    assert verdict(text, "Berlin") == "wrong"


@pytest.mark.parametrize(
    ("text", "answers", "expected"),
    [
        ("The Sunset Blvd., of course", "Sunset Blvd", "right"),
        ("It flows through Rom.", "Rome", "wrong"),  # whole words
        ("Paris or Lyon", ["Marseille", "Lyon"], "right"),
        ("I'm not sure, but I think it is Lyon.", "Lyon", "right"),
        ("I don't know. It may have been in Lyon.", "Lyon", "right"),
        ("I don't know the country of Mexico City.", "Mexico", "refused"),  # what a refusal repeats is no answer
        ("I don't know.", [], "refused"),
        ("Lyon.", [], "wrong"),  # nobody can know it
        ("<think>Lyon", "Lyon", "wrong"),  # the thoughts never end
    ],
)
def test_verdicts(text: str, answers: str | list[str], expected: str) -> None:
    assert verdict(text, answers) == expected


@pytest.mark.parametrize(
    ("text", "answer", "right"),
    [
        ("It was Tchaikovsky who wrote it.", "Tschaikovsky", True),  # 2 * 11 of 23 letters in common: .96
        ("He is Vincent vangogh.", "Van Gogh", True),
        ("It was in 1986.", "1987", False),  # digits are never nearly right
        ("Lyon", "Paris", False),
        ("", "Paris", False),
    ],
)
def test_likeness(text: str, answer: str, right: bool) -> None:
    assert is_right(text, answer, fuzzy=0.8) == right
    assert not is_right(text, answer)


def test_long_texts_are_read_in_a_moment() -> None:
    assert verdict("I do not " * 20_000, "Paris", fuzzy=0.9) == "wrong"


def test_a_judge_says_yes_or_not() -> None:
    assert knowledge.says_yes("Yes.")
    assert knowledge.says_yes("<think>No?</think> **Yes**, it does.")
    assert not any(map(knowledge.says_yes, ["No", "", "Yesterday", "I would say yes"]))
    asked = knowledge.judge_prompt("Where?", ["Lyon", "Lugdunum"], "in Lyons")[0]["content"]
    assert "Where?" in asked
    assert "Lyon; Lugdunum" in asked
    assert asked.endswith("in Lyons")
