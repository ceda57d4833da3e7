"""A chat model as the judge: which of two answers is better? Asked in both orders, because judges prefer a place.

    verdicts = judge("runs/judge", max_new_tokens=512, batch_size=64)(fights)

Only a choice that holds in both orders wins; otherwise it is a tie ("conservative", Zheng et al., arXiv 2306.05685,
section 3.4). Where one of the two says nothing that can be read, the battle is not judged. Judges also prefer long
answers and their own, and an answer can talk to its judge: nothing here prevents that."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from hfllm.answers import after_thinking
from hfllm.arena import Winner
from hfllm.battles.answers import said
from hfllm.battles.fights import Fight, Judge, Verdict
from hfllm.chat.model import Talker, is_base, load, load_tokenizer
from hfllm.chat.sampling import Sampling
from hfllm.errors import UserMistake
from hfllm.generate import generate

QUESTION = """Below are a conversation and two answers to its last message, from two assistants. Which answer is \
better? Judge whether it does what the user asked, whether it is true, and whether it is clear. Neither the order of \
the answers nor their length should matter.

[Conversation]
{conversation}

[Answer A]
{first}

[Answer B]
{second}

Give your reason in one or two sentences. Then end with your verdict in double brackets: [[A]] if answer A is better, \
[[B]] if answer B is better, [[C]] if they are equally good."""
CHOICES = {"A": "first", "B": "second", "C": "tie"}
BATCHES_AT_ONCE = 4


def check(name: str) -> None:
    """Raises `UserMistake` for a model that has not learned to answer."""
    if is_base(name, load_tokenizer(name)):
        raise UserMistake(f"judge: {name} has not learned to answer, so it cannot judge; write a chat or reward model")


def judge(name: str, max_new_tokens: int, batch_size: int) -> Judge:
    """Judges with the model of a folder or Hub id, which is loaded when it is first asked."""

    def verdicts(fights: Sequence[Fight]) -> Iterator[Verdict]:
        talker = load(name, base=False)
        step = max(1, BATCHES_AT_ONCE * batch_size // 2)
        for start in range(0, len(fights), step):
            yield from _verdicts(talker, fights[start : start + step], max_new_tokens, batch_size)

    return verdicts


def chosen(reply: str) -> str | None:
    """chosen("Both are true, but A is clearer. [[A]]") == "first"; None where there is no verdict.

    A reply that is only the letter counts too: small models leave the brackets out. Thoughts are no verdict."""
    said_last = after_thinking(reply)
    letters = re.findall(r"\[\[([ABC])\]\]", said_last) or re.findall(r"^\W*([ABC])\W*$", said_last)
    return CHOICES[letters[-1]] if letters else None


def agreed(forth: str | None, back: str | None) -> Winner | None:
    """What both orders say, model_a being first in the one and second in the other; a tie where they disagree.

    agreed("first", "second") == "model_a", agreed("first", "first") == "tie" """
    if forth is None or back is None:
        return None
    match forth, back:
        case "first", "second":
            return "model_a"
        case "second", "first":
            return "model_b"
    return "tie"


def _verdicts(talker: Talker, fights: Sequence[Fight], max_new_tokens: int, batch_size: int) -> Iterator[Verdict]:
    asked = [fight for fight in fights if said(fight.answers[0]) != said(fight.answers[1])]
    replies = iter(
        generate(
            talker.model,
            talker.tokenizer,
            [question(fight, swapped=swapped) for fight in asked for swapped in (False, True)],
            sampling=Sampling(temperature=0.0),
            max_new_tokens=max_new_tokens,
            batch_size=batch_size,
        )
    )
    for fight in fights:
        if said(fight.answers[0]) == said(fight.answers[1]):
            yield Verdict("tie")
            continue
        seen = [
            {"first": first, "choice": chosen(reply.text), "reply": reply.text}
            for first, reply in zip((fight.model_a, fight.model_b), (next(replies), next(replies)), strict=True)
        ]
        yield Verdict(agreed(seen[0]["choice"], seen[1]["choice"]), seen=seen)


def question(fight: Fight, *, swapped: bool) -> list[dict[str, Any]]:
    """What the judge is asked about a battle; `swapped`: the answer of model_b comes first."""
    first, second = reversed(fight.answers) if swapped else fight.answers
    prompt = fight.row["prompt"]
    turns = [f"{message['role']}: {message['content']}" for message in prompt]
    conversation = str(prompt[0]["content"]) if len(prompt) == 1 else "\n\n".join(turns)
    content = QUESTION.format(conversation=conversation, first=said(first), second=said(second))
    return [{"role": "user", "content": content}]
