"""Who is the model? A few facts become conversations in which it says who it is, and who it is not.

    accelerate launch -m hfllm.stages.identity recipes/tiny/identity.yaml

Reads nothing. Writes train.jsonl, which the stage sft learns from, and test.jsonl, whose phrasings the training never
shows, with what the last answer must say. The idea is that of nanochat's identity conversations, which a model writes,
and of LLaMA-Factory's identity.json; here they are put together of phrasings (hfllm/identity), so that the test can be
kept apart. Not a safeguard: whoever writes the system message decides who the model says it is."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hfllm import json_lines, limits, recipe
from hfllm.errors import refuse
from hfllm.identity.facts import LANGUAGES, Facts
from hfllm.identity.writing import Row, test_rows, training_row
from hfllm.mistakes import near

DATE = re.compile(r"(\d{4})-(\d{1,2})")


@dataclass
class IdentityConfig:
    """What the model should know about itself."""

    output_dir: str = field(metadata={"help": "Folder to write."})
    name: str = field(metadata={"help": "What the model is called."})
    maker: str = field(metadata={"help": "Who made it; as it stands in 'I was made by ...'."})
    version: str | None = field(default=None, metadata={"help": "Which version it is; null: it is not asked."})
    date: str | None = field(
        default=None, metadata={"help": "Year and month in which its knowledge ends: 2026-06; null: it is not asked."}
    )
    languages: list[str] = field(
        default_factory=lambda: ["en"],
        metadata={"help": "What it speaks and is asked in: of en, de, fr, es, zh."},
    )
    is_not: list[str] = field(
        default_factory=list, metadata={"help": "Whom it may be taken for: [ChatGPT, Claude]. It says that it is not."}
    )
    rows: int = field(default=1_000, metadata={"help": "Training conversations of each language."})
    seed: int = field(default=0, metadata={"help": "The same seed gives the same conversations."})


def main(config: IdentityConfig) -> dict[str, Any]:
    """Write the conversations; returns how many there are, by language and kind of the last question."""
    facts = facts_of(config)
    train = [
        training_row(facts, code, rng)
        for code in config.languages
        for rng in [random.Random(f"{config.seed}/train/{code}")]
        for _ in range(config.rows)
    ]
    random.Random(config.seed).shuffle(train)
    test = [
        row for code in config.languages for row in test_rows(facts, code, random.Random(f"{config.seed}/test/{code}"))
    ]
    json_lines.write(Path(config.output_dir, "train.jsonl"), train)
    json_lines.write(Path(config.output_dir, "test.jsonl"), test)
    return {"train": counts(train), "test": counts(test)}


def facts_of(config: IdentityConfig) -> Facts:
    """The facts of the recipe. Raises one `UserMistake` for all that is wrong with them."""
    refuse(mistakes(asdict(config)))
    month = month_of(config.date) if config.date else None
    languages, is_not = tuple(config.languages), tuple(config.is_not)
    return Facts(config.name, config.maker, config.version, month, languages, is_not)


def mistakes(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Key and message of what is wrong with a recipe's values."""
    yield from ((key, "is empty") for key in ("name", "maker") if key in values and not values[key].strip())
    yield from limits.too_small(values, {"rows": 1})
    for code in values.get("languages", []):
        if code not in LANGUAGES:
            yield "languages", f"{code!r} is none of {', '.join(LANGUAGES)}{near(code, list(LANGUAGES))}"
    if values.get("languages") == []:
        yield "languages", "write at least one, such as  [en]"
    if values.get("name") in values.get("is_not", []):
        yield "is_not", "the model's own name is among them"
    if (date := values.get("date")) and month_of(date) is None:
        yield "date", f"{date!r} is no year and month; write for instance  date: 2026-06"


def month_of(text: str) -> tuple[int, int] | None:
    """month_of("2026-06") == (2026, 6); None for what is no year and month."""
    date = DATE.fullmatch(text)
    return (int(date[1]), int(date[2])) if date and 1 <= int(date[2]) <= 12 else None


def counts(rows: list[Row]) -> dict[str, Any]:
    """How many conversations there are in all, with a system message that says who it is, and by language and kind."""
    by_kind = Counter((row["language"], row["kind"]) for row in rows)
    languages = dict.fromkeys(row["language"] for row in sorted(rows, key=lambda row: str(row["language"])))
    return {
        "conversations": len(rows),
        "told_by_system_message": sum(row["system"] in ("own", "other") for row in rows),
        **{code: {kind: by_kind[code, kind] for lang, kind in sorted(by_kind) if lang == code} for code in languages},
    }


CHECK = mistakes  # asked by `hfllm check`


if __name__ == "__main__":
    recipe.run(main)
