"""Which texts does an audit of rewards try? Right answers, and what a model falls into that has found a hole.

Every text is made from one row of the data; a `Frame` is the tags that the recipe's rewards ask for."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hfllm import tasks
from hfllm.chosen_rewards import Reward

Row = dict[str, Any]

LOOPED_CHARACTERS = 1200  # about 300 English tokens, and 1,000 Chinese ones: as long as a completion may be
LOOPS = {
    "English looped": "I think that this is right. ",
    "Chinese looped": "我觉得这是对的。",
    "Arabic looped": "أعتقد أن هذا صحيح. ",
    "Hindi looped": "मुझे लगता है कि यह सही है। ",
    "emoji looped": "😀👍",
    "code looped": "    return value\n",
    "one letter looped": "a",
}
THOUGHT = "I work it out step by step."  # in the frame of an answer that stands alone

GOLD = "right answer"
EMPTY, QUESTION, ANSWER = "empty", "question looped", "right answer looped"
HALF, NO_TAGS, EMPTY_TAGS, LOOP_IN_TAGS = "half the right answer", "no tags", "empty tags", "loop in tags"
MEANINGLESS = [EMPTY, *LOOPS, QUESTION]  # what no reward may pay


@dataclass(frozen=True)
class Frame:
    """Where the thought and the answer stand: <think> thought </think> answer."""

    opening: str = "<think>"
    closing: str = "</think>"
    before_answer: str = ""
    after_answer: str = ""

    def around(self, thought: str, answer: str) -> str:
        return f"{self.opening}\n{thought}\n{self.closing}\n{self.before_answer}{answer}{self.after_answer}"


def frame_of(rewards: Sequence[Reward]) -> Frame:
    """The tags that `format` or `tags` asks for, with the recipe's options; else <think> tags."""
    frame = Frame()
    for reward in rewards:
        if reward.name == "format":
            frame = Frame(_option(reward, "opening") or "", _option(reward, "closing"))
        elif reward.name == "tags" and len(_option(reward, "wanted")) in (2, 4):
            return Frame(*_option(reward, "wanted"))
    return frame


def right_answers(row: Row, frame: Frame) -> list[str]:
    """Ways of writing what is right: the task's gold, the worked solution and the bare answer, plain and in the tags.

    Empty where the row has none of them."""
    plain = _plain(row)
    return [*plain, *dict.fromkeys(framed for text in plain for framed in _framed(text, frame))]


def wrong_texts(row: Row, gold: str, frame: Frame) -> dict[str, str]:
    """What must be paid less than `gold`, by kind; without a gold only what can be made without one."""
    texts = {EMPTY: "", **{kind: looped(unit) for kind, unit in LOOPS.items()}, QUESTION: looped(question(row) + "\n")}
    texts[LOOP_IN_TAGS] = frame.around(looped(LOOPS["English looped"]), LOOPS["English looped"])
    if not gold:
        return texts
    plain = _plain(row)
    last_words = plain[-1]
    return texts | {
        ANSWER: looped(last_words + "\n"),
        HALF: _half(gold, str(row.get("answer") or "")),
        NO_TAGS: plain[0],
        EMPTY_TAGS: frame.around("", last_words),
    }


def looped(unit: str) -> str:
    """`unit` over and over: about LOOPED_CHARACTERS, and at least twice."""
    return unit * max(2, LOOPED_CHARACTERS // len(unit))


def question(row: Row) -> str:
    """The text of the prompt: its last message, where it is a conversation."""
    prompt = row["prompt"]
    return prompt if isinstance(prompt, str) else str(prompt[-1]["content"])


def _plain(row: Row) -> list[str]:
    gold = vars(tasks.find(row["task"])).get("gold") if row.get("task") is not None else None
    columns = [str(row[name]) for name in ("solution", "answer") if row.get(name) is not None]
    return [text for text in dict.fromkeys([*([gold(row)] if gold else []), *columns]) if text.strip()]


def _framed(text: str, frame: Frame) -> list[str]:
    """The steps in the thought and the last line as the answer, or all of it as the answer."""
    steps, _, last_line = text.rstrip().rpartition("\n")
    parts = [frame.around(steps, last_line)] if steps.strip() else []
    return [*parts, frame.around(THOUGHT, text)]


def _half(gold: str, answer: str) -> str:
    """The first half of a right answer, cut before the answer itself: 72 stays right in "72 apples"."""
    half = gold[: len(gold) // 2]
    return half.partition(answer)[0] if answer else half


def _option(reward: Reward, name: str) -> Any:
    return inspect.signature(reward.function).parameters[name].default
