"""How does a passage become a question? A chat model writes it, with an answer that the passage must have.

Llama 3 (arXiv 2407.21783, 4.3.6) asks about snippets of the training data in the same way."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hfllm import data, json_lines, knowledge, progress
from hfllm.answers import after_thinking
from hfllm.chat.sampling import Sampling
from hfllm.data import DatasetConfig
from hfllm.errors import UserMistake
from hfllm.generate import generate
from hfllm.probing.questions import plain_columns

if TYPE_CHECKING:
    from hfllm.chat.model import Talker

Row = dict[str, Any]
QUESTIONS = "questions.jsonl"
MAX_CHARACTERS = 2_000  # of a passage that the model reads
MAX_NEW_TOKENS = 100
PROMPT = """Here is a text:

{text}

Ask one short question about a fact that this text states. The question must be understood without the text, so name \
what it is about. Then give the answer in as few words as possible. Write exactly two lines:
Question: ...
Answer: ..."""
_PAIR = re.compile(r"\bquestion:\W*(?P<question>[^\n]*\?)\W*\banswer:\W*(?P<answer>[^\n]+)", re.IGNORECASE)


def passages(configs: Sequence[DatasetConfig]) -> list[Row]:
    """The rows of all data sets; raises `UserMistake` when one has no column `text`."""
    datasets = [(config, data.load(config)) for config in configs]
    for config, dataset in datasets:
        data.check_text_column(dataset.column_names, config.place)
    return [row for _, dataset in datasets for row in dataset]


def write(writer: Talker, rows: Sequence[Row], folder: Path, batch_size: int) -> list[Row]:
    """Questions as `questions.read` gives them, about the passages for which the model wrote a good one.

    What it wrote stands in questions.jsonl, one line a passage, good or not; a second call goes on behind the
    last whole batch."""
    file = folder / QUESTIONS
    folder.mkdir(parents=True, exist_ok=True)
    # whole batches: what a model writes depends a little on what is written beside it
    written = json_lines.whole_steps(json_lines.read(file), batch_size, len(rows))
    json_lines.write(file, written)
    for start in range(len(written), len(rows), batch_size):
        some = rows[start : start + batch_size]
        replies = generate(
            writer.model,
            writer.tokenizer,
            [[{"role": "user", "content": PROMPT.format(text=row["text"][:MAX_CHARACTERS])}] for row in some],
            sampling=Sampling(temperature=0.0),
            max_new_tokens=MAX_NEW_TOKENS,
            batch_size=batch_size,
        )
        new = [
            {"wrote": reply.text, **_judged(reply.text, row["text"])} for reply, row in zip(replies, some, strict=True)
        ]
        json_lines.append(file, new)
        written += new
        progress.report(len(written), len(rows), "questions")
    asked = [
        {"question": one["question"], "answers": [one["answer"]], "row": plain_columns(row)}
        for one, row in zip(written, rows, strict=True)
        if one["question"]
    ]
    if not asked:
        raise UserMistake(f"question_model: none of {len(rows)} passages got a question; see {file}")
    return asked


def _judged(reply: str, passage: str) -> Row:
    """`question` and `answer`, None where the reply is no such pair, or the passage does not have the answer."""
    found = pair(reply)
    if found is None or not knowledge.is_right(passage, found[1]) or knowledge.is_right(found[0], found[1]):
        return {"question": None, "answer": None}
    return {"question": found[0], "answer": found[1]}


def pair(text: str) -> tuple[str, str] | None:
    """pair("Question: Who wrote it?\\nAnswer: Ada.") == ("Who wrote it?", "Ada")"""
    match = _PAIR.search(after_thinking(text))
    return (match["question"].strip(), match["answer"].strip(" .*")) if match else None
