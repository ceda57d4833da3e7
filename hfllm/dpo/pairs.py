"""Which tokens of a pair are compared? Pairs of answers become token ids, before any weight is loaded.

    encode(preferences.load(config, special_tokens), tokenizer, limits, config.place)

What is compared is the answer with the token that ends it, and nothing behind that: a chat template's newline after the
end of a turn is written by no model. TRL's own encoding keeps it, and cuts answers without a word."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from hfllm import labels, processes
from hfllm.errors import UserMistake

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

    from hfllm.labels import Limits

Row = dict[str, Any]
SIDES = ("chosen", "rejected")


def encode(
    rows: Dataset, tokenizer: PreTrainedTokenizerBase, limits: Limits, place: str, num_proc: int | None = None
) -> Dataset:
    """Rows of `prompt`, `chosen`, `rejected` (messages or plain text) as `prompt_ids`, `chosen_ids`, `rejected_ids`.

    Each answer ends with the tokenizer's `eos_token`; `length` is that of the longer side (tokens). Pairs that are
    alike as far as `limits` go are left out and told of. Raises `UserMistake` when none is left."""
    from datasets import concatenate_datasets

    sides = [_side(rows, side, tokenizer, place, num_proc) for side in SIDES]
    encoded = concatenate_datasets(sides, axis=1)
    encoded = encoded.map(
        partial(_join, end=tokenizer.eos_token_id),
        remove_columns=encoded.column_names,
        num_proc=num_proc,
        desc=f"Joining {place}",
    )
    kept = encoded.filter(partial(_differs, limits=limits), num_proc=num_proc, desc=f"Checking {place}")
    _tell(encoded, kept, limits, place)
    return kept


def counts(encoded: Dataset) -> dict[str, int]:
    """Pairs, tokens of both sides, and tokens that are compared."""
    prompts, chosen, rejected = (sum(map(len, encoded[f"{part}_ids"])) for part in ("prompt", *SIDES))
    return {"pairs": len(encoded), "tokens": 2 * prompts + chosen + rejected, "compared_tokens": chosen + rejected}


def _side(rows: Dataset, side: str, tokenizer: PreTrainedTokenizerBase, place: str, num_proc: int | None) -> Dataset:
    """One answer of every pair behind its prompt: `{side}` (ids) and `{side}_labels` (-100 in the prompt)."""
    answers = rows.select_columns(["prompt", side]).rename_column(side, "completion")
    encoded = labels.encode(answers, tokenizer, labels.Limits(None), place, processes=num_proc)
    return encoded.rename_columns({"input_ids": side, "labels": f"{side}_labels"})


def _join(row: Row, end: int) -> Row:
    begin = row["chosen_labels"].count(labels.IGNORED)  # the prompt: the same tokens on both sides
    chosen, rejected = (_up_to_last(row[side][begin:], end) for side in SIDES)
    return {
        "prompt_ids": row["chosen"][:begin],
        "chosen_ids": chosen,
        "rejected_ids": rejected,
        "length": begin + max(len(chosen), len(rejected)),
    }


def _up_to_last(ids: list[int], end: int) -> list[int]:
    """_up_to_last([5, 2, 7, 2, 9], end=2) == [5, 2, 7, 2] : an answer of several messages has several ends"""
    return ids[: len(ids) - ids[::-1].index(end)] if end in ids else ids


def _differs(row: Row, limits: Limits) -> bool:
    """Whether anything is left to compare; a prompt that fills the limit leaves nothing of either answer."""
    chosen, rejected = (limits.cut(row["prompt_ids"] + row[f"{side}_ids"]) for side in SIDES)
    return chosen != rejected


def _tell(encoded: Dataset, kept: Dataset, limits: Limits, place: str) -> None:
    lost = len(encoded) - len(kept)
    alike = f"{place}: {lost} of {len(encoded)} pairs do not differ within max_length {limits.max_length}"
    if not kept:
        raise UserMistake(f"{alike}.\n  Raise max_length, or look at the pairs: is the prompt too long?")
    cut = 0 if limits.max_length is None else sum(length > limits.max_length for length in kept["length"])
    if processes.is_first() and lost:
        print(f"{alike}; they are left out.")
    if processes.is_first() and cut:
        print(f"{place}: {cut} of {len(kept)} pairs are longer than max_length {limits.max_length} and are cut.")
