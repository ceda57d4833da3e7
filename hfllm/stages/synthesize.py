"""Conversations made by a model: one side plays the person, the other answers; a person corrects what comes of it.

    accelerate launch -m hfllm.stages.synthesize recipes/mine/synthesize.yaml

Reads topics or documents, and a chat model: a folder, a Hub id, or an OpenAI-compatible endpoint. Writes train.jsonl
(`messages`), and beside it, in OUTPUT_DIR.made, every conversation as it was made: a run that was cut off, or that has
other limits, makes none of them twice. With `review` a person edits `review_file`, and the next run of the recipe
applies that. UltraChat, arXiv 2305.14233."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields
from pathlib import Path
from typing import Any

from hfllm import json_lines, recipe
from hfllm.errors import UserMistake
from hfllm.synthesis import making, quality, review
from hfllm.synthesis.config import SynthesisConfig, check, mistakes
from hfllm.synthesis.dialogue import Draft

Row = dict[str, Any]


def main(config: SynthesisConfig) -> dict[str, Any]:
    """Make what is missing, judge, apply the review; returns what was made, kept, dropped and why, and what it cost."""
    check(config)
    if config.review != "never":
        review.read(Path(str(config.review_file)))  # a slip in it is told before anything is made
    made = making.make(config)
    proposals = proposed(config, made)
    numbers = counts(config, made, proposals)
    kept, corrected = (proposals, {}) if config.review == "never" else corrected_by_hand(config, proposals)
    rows = [{"messages": one["messages"], "source": one["source"]} for one in kept if one["keep"]]
    if not rows:
        where = making.made_file(config)
        raise UserMistake(f"{len(made)} conversations, and none is kept: {numbers['dropped']}; see {where}")
    json_lines.write(Path(config.output_dir, "train.jsonl"), rows)
    return numbers | corrected | {"rows": len(rows)}


def proposed(config: SynthesisConfig, made: list[Row]) -> list[Row]:
    """A record for each conversation: what is said, whether to keep it, and if not, for which reason."""
    limits = quality.Limits(config.min_answer_words, config.max_answer_words, config.keep_refusals, config.language)
    names = [field.name for field in fields(Draft)]
    drafts = [Draft(**{name: row[name] for name in names}) for row in made]
    reasons = [
        "refused_by_server" if row["refused"] else quality.problem(draft, limits)
        for row, draft in zip(made, drafts, strict=True)
    ]
    good = [number for number, reason in enumerate(reasons) if reason is None]
    if config.similarity is not None:
        texts = [quality.own_text(drafts[number]) for number in good]
        for place in quality.duplicates(texts, config.similarity):
            reasons[good[place]] = "duplicate"
    return [
        {
            "id": f"{making.digest(config)}/{row['number']}",
            "keep": reason is None,
            "reason": reason,
            "source": row["source"],
            "messages": row["messages"],
        }
        for row, reason in zip(made, reasons, strict=True)
    ]


def counts(config: SynthesisConfig, made: list[Row], proposals: list[Row]) -> dict[str, Any]:
    """Over all conversations of the recipe; requests that failed are not in the sums, nor conversations cut off."""
    return {
        "conversations": len(made),
        "dropped": dict(Counter(one["reason"] for one in proposals if one["reason"])),
        "requests": sum(row["requests"] for row in made),
        "input_tokens": sum(row["input_tokens"] for row in made),
        "output_tokens": sum(row["output_tokens"] for row in made),
        "cost": round(making.cost(config, made), 4),
    }


def corrected_by_hand(config: SynthesisConfig, proposals: list[Row]) -> tuple[list[Row], dict[str, int]]:
    """The records as the person left them, and how many they changed; asks for the review if it is not signed.

    What has no messages is not shown."""
    file = Path(str(config.review_file))
    shown = [one for one in proposals if one["messages"]]
    found = review.complete(file, shown)
    if config.review == "required" and not found.reviewed_by:
        raise UserMistake(
            f"{len(shown)} conversations wait for a person in {file}: correct them, set keep to true or false,\n"
            "  write your name in its first line, and run the recipe again; nothing is made twice"
        )
    records = [{"source": one["source"]} | found.records[one["id"]] for one in shown]
    pairs = list(zip(shown, records, strict=True))
    return records, {
        "edited": sum(before["messages"] != after["messages"] for before, after in pairs),
        "discarded_by_hand": sum(before["keep"] and not after["keep"] for before, after in pairs),
        "rescued_by_hand": sum(after["keep"] and not before["keep"] for before, after in pairs),
    }


CHECK = mistakes  # asked by `hfllm check`, and before anything is written: a key in the recipe reaches no receipt


if __name__ == "__main__":
    recipe.run(main)
