"""Does a base model learn a pattern from its context? Translating words with no example, with one, with several.

    sun : felgal
    tree :                   -> drasnor

Source: Brown et al., arXiv 2005.14165, section 2 (few-shot learning). A chat model continues the bare list, too."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from hfllm.errors import UserMistake
from hfllm.evaluating import questions
from hfllm.evaluating.answering import Said
from hfllm.world.lists import RELATIONS, pair

Row = dict[str, Any]


def load(
    path: str,
    split: str = "test",
    shots: list[int] | None = None,
    relations: list[str] | None = None,
    rows: int | None = None,
) -> list[Row]:
    """`shots`: how many pairs stand before the asked one; [0, 1, 4].

    `path` is a data set with `source`, `target` and perhaps `relation`, or the truth.json of a small world, whose words
    have the relations language, plural and first_letter. Raises `UserMistake` for an unknown relation."""
    pairs = (
        _of_world(path) if path.endswith("truth.json") else questions.read(path, split, columns=["source", "target"])
    )
    by_relation: dict[str, list[Row]] = {}
    for one in pairs:
        by_relation.setdefault(one.get("relation") or "", []).append(one)
    unknown = set(relations or ()) - set(by_relation)
    if unknown:
        raise UserMistake(f"probe few_shot: relations: {path} has {', '.join(by_relation)}; no {', '.join(unknown)}")
    asked = [one for name, some in by_relation.items() if not relations or name in relations for one in some]
    chosen = questions.sample(asked, rows)
    return [_row(one, by_relation[one.get("relation") or ""], n) for n in shots or [0, 1, 4] for one in chosen]


def judge(said: Said, row: Row) -> dict[str, float]:
    return {"right": float(said.text.strip().partition("\n")[0].strip() == row["expected"])}


def _of_world(path: str) -> list[Row]:
    if not Path(path).is_file():
        raise UserMistake(f"probe few_shot: path: there is no file {path}")
    language = json.loads(Path(path).read_text(encoding="utf-8"))["language"]
    pairs = [(relation, pair(language, relation, word)) for relation in RELATIONS for word in language]
    return [{"relation": relation, **dict(zip(("source", "target"), text.split(" : "), strict=True))}
            for relation, text in pairs]  # fmt: skip


def _row(asked: Row, pairs: list[Row], shots: int) -> Row:
    others = [one for one in pairs if one["source"] != asked["source"]]
    shown = random.Random(f"{asked['source']}/{shots}").sample(others, min(shots, len(others)))
    lines = [f"{one['source']} : {one['target']}" for one in shown]
    return {
        "prompt": "\n".join([*lines, f"{asked['source']} :"]),
        "question": f"{asked.get('relation') or ''} {asked['source']}".strip(),
        "expected": asked["target"],
        "group": f"{shots} shot" if shots == 1 else f"{shots} shots",
    }
