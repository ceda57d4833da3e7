"""How do two roles make a conversation? One writes what a person says, the other answers, turn by turn.

    talk = dialogue(Seed("volcanoes"), turns=3)
    prompt = next(talk)                     # chat messages for whoever writes next
    prompt = talk.send(reply)               # ... until StopIteration, whose value is the Draft

After UltraChat (arXiv 2305.14233, section 3): two instances of a chat model, one of which plays the user, and materials
in the first message. A generator, so that one endpoint call at a time drives it, or a whole batch."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

from hfllm.answers import after_thinking

Message = dict[str, Any]
Talk = Generator[list[Message], "Reply", "Draft"]

# Who asks: of the same topic they ask different things. Chosen by us.
PERSONS = [
    *("a curious beginner", "an expert who wants details", "someone in a hurry", "a pupil who prepares for an exam"),
    *("a sceptic who doubts what is commonly said", "someone who has a practical problem to solve", "a writer"),
    *("someone who mixed up two things", "a parent who must explain it to a child", "someone who makes a plan"),
]
FIRST = (
    "Write what a person says to a helpful assistant. The person is {person}. {about}\n\n"
    "Write the person's first message: one concrete question or request, as such a person would type it. "
    "{style}Write the message and nothing else."
)
NEXT = (
    "Write what a person says to a helpful assistant. The person is {person}. {about}\n\n"
    "The conversation so far:\n\n{conversation}\n\n"
    "Write the person's next message: a follow-up question, a doubt, a wish for an example, or a related request; "
    "nothing that was asked already, and no mere thanks. {style}Write the message and nothing else."
)
LABEL = re.compile(r"^\s*(?:\*\*)?(?:person|user|human)(?:\*\*)?\s*:\s*(?:\*\*)?\s*", re.IGNORECASE)
QUOTES = [('"', '"'), ("\u201c", "\u201d"), ("\u201e", "\u201c"), ("\u00ab", "\u00bb")]


@dataclass(frozen=True)
class Seed:
    """What a conversation is about: a topic, or a document that its first message holds."""

    source: str
    document: str | None = None
    person: str = PERSONS[0]
    opening: str | None = None  # the first message itself, which nobody has to write then


@dataclass(frozen=True)
class Reply:
    """What a model wrote, whether it came to an end by itself, and what that took."""

    text: str
    ended: bool = True
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass
class Draft:
    """A conversation as it was written; the first `quoted` characters of its first message are the document."""

    messages: list[Message] = field(default_factory=list)
    quoted: int = 0
    cut_off: bool = False
    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    def read(self, reply: Reply) -> str:
        self.requests += 1
        self.input_tokens += reply.input_tokens
        self.output_tokens += reply.output_tokens
        self.cut_off |= not reply.ended
        return after_thinking(reply.text).strip()


def dialogue(seed: Seed, turns: int, user_style: str = "", assistant_style: str = "") -> Talk:
    """`turns` messages of the person, each with its answer; fewer when one of the two falls silent.

    `user_style` is added to what the person's side is told, `assistant_style` is the other's system message."""
    draft = Draft()
    system = [{"role": "system", "content": assistant_style}] if assistant_style else []
    for _ in range(turns):
        if seed.opening and not draft.messages:
            said = seed.opening
        else:
            said = plain_message(draft.read((yield [user(request(seed, draft, user_style))])))
        if not said:
            break
        if seed.document and not seed.opening and not draft.messages:
            draft.quoted = len(seed.document) + 2
            said = f"{seed.document}\n\n{said}"
        answer = draft.read((yield [*system, *draft.messages, user(said)]))
        if not answer:
            break
        draft.messages += [user(said), {"role": "assistant", "content": answer}]
    return draft


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def request(seed: Seed, draft: Draft, style: str) -> str:
    """What the model that plays the person is told."""
    about = f"They have this text before them:\n\n{seed.document}" if seed.document else f"Topic: {seed.source}."
    words = {"person": seed.person, "about": about, "style": f"{style.strip()} " if style else ""}
    if not draft.messages:
        return FIRST.format(**words)
    texts = [message["content"] for message in draft.messages]
    texts[0] = texts[0][draft.quoted :]
    names = ["Person", "Assistant"] * len(texts)
    return NEXT.format(
        **words, conversation="\n\n".join(f"{name}: {text}" for name, text in zip(names, texts, strict=False))
    )


def plain_message(text: str) -> str:
    """plain_message('User: "What is lava?"') == "What is lava?" """
    text = LABEL.sub("", text).strip()
    for opening, closing in QUOTES:
        if len(text) > 2 and text.startswith(opening) and text.endswith(closing) and opening not in text[1:-1]:
            return text[1:-1].strip()
    return text


def pick(
    topics: list[str], documents: Callable[[int], str], document_count: int, number: int, seed: int, given: bool = False
) -> Seed:
    """What conversation `number` is about: all topics and documents once in a random order, then again, in another.

    `given`: they are first messages."""
    count = len(topics) + document_count
    order = list(range(count))
    random.Random(f"{seed}/{number // count}").shuffle(order)
    place = order[number % count]
    person = random.Random(f"{seed}/person/{number}").choice(PERSONS)
    if place < len(topics):
        return Seed(topics[place], None, person, topics[place] if given else None)
    text = documents(place - len(topics))
    return Seed(f"document {place - len(topics)}", text, person, text if given else None)
