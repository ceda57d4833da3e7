"""The keys of a stage as a list for the terminal: `hfllm keys sft learning`."""

from __future__ import annotations

import json

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from hfllm import mistakes
from hfllm.errors import UserMistake
from hfllm.keys import Schema

SHOWN_DEFAULT = 40


def show(stage: str, schema: Schema, word: str | None) -> int:
    """Print the keys whose name or help has `word`: type, default, owner, help. Raises `UserMistake` for none."""
    properties = with_inner(schema["properties"]) if word else schema["properties"]
    found = {key: entry for key, entry in properties.items() if not word or _has(word, key, entry)}
    if not found:
        near = mistakes.near(str(word), list(properties))
        raise UserMistake(f"stage {stage}: no key has {word!r} in its name or help{near}")
    console = Console(highlight=False)
    for key, entry in sorted(found.items()):
        show_key(console, key, entry, default="must be given" if key in schema["required"] else default_of(entry))
    return 0


def show_key(console: Console, key: str, entry: Schema, *, default: str, indent: int = 0) -> None:
    """A line with the key's type, default and owner, and its help below."""
    facts = [kind(entry), f"default {default}" if default else "", entry.get("x-owner", "")]
    line = Text.assemble((key, "bold"), f"  {', '.join(filter(None, facts))}")
    console.print(Text(" " * indent) + line, soft_wrap=True)
    help_text = Text(entry.get("description", "").replace("%%", "%"))  # argparse's way to write a per cent sign
    if console.is_terminal:
        console.print(Padding(help_text, (0, 0, 1, indent + 4)))
    else:  # one line, so that grep finds all of it
        console.print(Text(" " * (indent + 4)) + help_text, soft_wrap=True)


def with_inner(properties: dict[str, Schema]) -> dict[str, Schema]:
    """Also the keys inside a key, as watch.fall; of a list of mappings as eval_tasks.name."""
    found: dict[str, Schema] = {}
    for key, entry in properties.items():
        found[key] = entry
        for choice in (entry, *entry.get("anyOf", [])):
            inner = choice if "properties" in choice else choice.get("items") or {}
            found |= {f"{key}.{name}": value for name, value in inner.get("properties", {}).items()}
    return found


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


def default_of(entry: Schema) -> str:
    """The default as a recipe would write it, cut to SHOWN_DEFAULT characters; nothing where there is none."""
    text = json.dumps(entry["default"]).strip('"') if "default" in entry else ""
    return text if len(text) <= SHOWN_DEFAULT else text[:SHOWN_DEFAULT] + "…"
