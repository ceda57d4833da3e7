"""What does each model answer? Every prompt once, kept in answers.jsonl, so that a run that was cut off goes on.

    answers = of_all(names, rows, folder, asked)     # {"runs/tiny/sft": [answer to row 0, ...], ...}

An answer: model, number (of its prompt), prompt, messages, tokens (their number), ended (by itself, not cut off)."""

from __future__ import annotations

import gc
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hfllm import answers as texts
from hfllm import json_lines, progress
from hfllm.chat.model import load
from hfllm.chat.sampling import Sampling
from hfllm.completion import text_of
from hfllm.generate import generate

FILE = "answers.jsonl"
BATCHES_AT_ONCE = 4  # drawn before they are written down

Answer = dict[str, Any]
Row = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """How the answers are drawn."""

    temperature: float
    top_p: float | None
    max_new_tokens: int
    batch_size: int
    seed: int


def of_all(names: Mapping[str, str], rows: Sequence[Row], folder: Path, asked: Asked) -> dict[str, list[Answer]]:
    """The answers of each model, in the order of the rows; `names`: what a model is called, and what is loaded."""
    file, step = folder / FILE, BATCHES_AT_ONCE * asked.batch_size
    found = {name: json_lines.whole_steps(answers, step, len(rows)) for name, answers in _by_model(file, names).items()}
    json_lines.write(file, [answer for answers in found.values() for answer in answers])
    for place, (name, answers) in enumerate(found.items()):
        if len(answers) < len(rows):
            _ask(names[name], name, rows, answers, file, asked, place)
    return found


def said(answer: Answer) -> str:
    """What a judge reads of an answer: the text behind the thoughts."""
    return texts.after_thinking(text_of(answer["messages"]))


def _by_model(file: Path, names: Mapping[str, str]) -> dict[str, list[Answer]]:
    found: dict[str, list[Answer]] = {name: [] for name in names}
    for answer in json_lines.read(file):
        found[answer["model"]].append(answer)
    return found


def _ask(
    path: str, name: str, rows: Sequence[Row], answers: list[Answer], file: Path, asked: Asked, place: int
) -> None:
    """Draw what is missing in `answers`, and write it down part by part."""
    talker, step = load(path, base=False), BATCHES_AT_ONCE * asked.batch_size
    for start in range(len(answers), len(rows), step):
        some = rows[start : start + step]
        drawn = generate(
            talker.model,
            talker.tokenizer,
            [row["prompt"] for row in some],
            sampling=Sampling(asked.temperature, None, asked.top_p, seed=_seed(asked.seed, place, start)),
            max_new_tokens=asked.max_new_tokens,
            batch_size=asked.batch_size,
        )
        new = [
            {
                "model": name,
                "number": start + number,
                "prompt": row["prompt"],
                "messages": answer.messages,
                "tokens": len(answer.ids),
                "ended": answer.ended,
            }
            for number, (row, answer) in enumerate(zip(some, drawn, strict=True))
        ]
        json_lines.append(file, new)
        answers += new
        progress.report(len(answers), len(rows), f"answers of {name}")
    del talker  # the next model needs its memory
    _free()


def _free() -> None:
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _seed(seed: int, place: int, start: int) -> int:
    """Other answers for each model and each part of the prompts; the name of a folder says nothing."""
    return random.Random(f"{seed}/{place}/{start}").getrandbits(62)
