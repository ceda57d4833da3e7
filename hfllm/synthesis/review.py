"""A model proposes, a person corrects: the file in which they do, one conversation a line.

    {"reviewed_by": null, "how": "..."}
    {"id": "4f1c/0", "keep": true, "reason": null, "messages": [...]}
    {"id": "4f1c/1", "keep": false, "reason": "refusal", "messages": [...]}

What stands in it is never overwritten: a later run adds the conversations that it does not have yet."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hfllm import json_lines
from hfllm.errors import UserMistake

Row = dict[str, Any]
ROLES = ("system", "user", "assistant")
HEADER: Row = {
    "reviewed_by": None,
    "how": "Each line below is a conversation: correct its texts, set keep to true or false, change nothing else. When "
    "all are done, write your name in this line, in quotation marks in place of null, and run the recipe again.",
}


@dataclass
class Review:
    """The records by their id, in the order of the file."""

    reviewed_by: str | None
    records: dict[str, Row]


def read(file: Path) -> Review:
    """What the person left. Raises `UserMistake` naming the lines that cannot be read."""
    if not file.exists():
        return Review(None, {})
    reviewed_by, records, wrong = None, {}, []
    for number, text in enumerate(file.read_text(encoding="utf-8").split("\n"), start=1):
        if not text.strip():
            continue
        try:
            row = json.loads(text)
        except ValueError as error:
            wrong.append(f"  line {number}: no JSON: {error}")
            continue
        if isinstance(row, dict) and "reviewed_by" in row:
            reviewed_by = row["reviewed_by"] or None
        elif mistake := mistake_in(row):
            wrong.append(f"  line {number}: {mistake}")
        else:
            records[row["id"]] = row
    if wrong:
        raise UserMistake("\n".join([f"{file}: {len(wrong)} lines cannot be read", *wrong[:10]]))
    return Review(reviewed_by, records)


def mistake_in(row: Any) -> str | None:
    """Why a line is no record of a conversation."""
    if not isinstance(row, dict) or not isinstance(row.get("id"), str):
        return "has no id"
    if not isinstance(row.get("keep"), bool):
        return f"keep is {row.get('keep')!r}, not true or false"
    messages = row.get("messages")
    if not isinstance(messages, list) or not messages:
        return "has no messages"
    for message in messages:
        if not isinstance(message, dict) or message.get("role") not in ROLES:
            return f"a message has no role of {', '.join(ROLES)}"
        if not isinstance(message.get("content"), str) or not message["content"].strip():
            return "a message has no content"
    return None if messages[-1]["role"] == "assistant" else "does not end with an answer of the assistant"


def complete(file: Path, proposals: list[Row]) -> Review:
    """The review with all proposals in it; the file is written only when some are new."""
    review = read(file)
    new = [one for one in proposals if one["id"] not in review.records]
    if new or not file.exists():
        review.records |= {one["id"]: one for one in new}
        rows = [HEADER | {"reviewed_by": None if new else review.reviewed_by}, *review.records.values()]
        json_lines.write(file, rows)
        review.reviewed_by = None
    return review
