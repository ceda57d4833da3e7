"""The keys of a stage as a table for the terminal: `hfllm keys sft learning`."""

from __future__ import annotations

import json

from rich.console import Console
from rich.table import Table

from hfllm import mistakes
from hfllm.errors import UserMistake
from hfllm.keys import Schema

SHOWN_DEFAULT = 40


def show(stage: str, schema: Schema, word: str | None) -> int:
    """Print the keys whose name or help has `word`: type, default, owner, help. Raises `UserMistake` for none."""
    found = {key: entry for key, entry in schema["properties"].items() if not word or _has(word, key, entry)}
    if not found:
        near = mistakes.near(str(word), list(schema["properties"]))
        raise UserMistake(f"stage {stage}: no key has {word!r} in its name or help{near}")
    table = Table(box=None, padding=(0, 2, 1, 0), header_style="bold")
    for head in ("key", "type", "default", "from", "help"):
        table.add_column(head, overflow="fold", no_wrap=head == "key")
    for key, entry in sorted(found.items()):
        table.add_row(
            key, kind(entry), _default(key, entry, schema), entry.get("x-owner", ""), entry.get("description", "")
        )
    Console(highlight=False).print(table)
    return 0


def kind(entry: Schema) -> str:
    """The type of a key in words: kind({"type": "integer"}) == "whole number"."""
    if "anyOf" in entry:
        return " or ".join(dict.fromkeys(kind(choice) for choice in entry["anyOf"]))
    if "enum" in entry:
        return " | ".join(json.dumps(choice).strip('"') for choice in entry["enum"])
    name = entry.get("type")
    if name == "array":
        return f"list of {kind(entry['items'])}" if entry.get("items") else "list"
    if name == "object" and "properties" in entry:
        return "{" + ", ".join(entry["properties"]) + "}"
    names = name if isinstance(name, list) else [name or "anything"]
    return " or ".join(mistakes.KIND.get(one, one).removeprefix("a ") for one in names)


def _has(word: str, key: str, entry: Schema) -> bool:
    return word.lower() in key.lower() or word.lower() in entry.get("description", "").lower()


def _default(key: str, entry: Schema, schema: Schema) -> str:
    if key in schema["required"]:
        return "must be given"
    text = json.dumps(entry["default"]).strip('"') if "default" in entry else ""
    return text if len(text) <= SHOWN_DEFAULT else text[:SHOWN_DEFAULT] + "…"
