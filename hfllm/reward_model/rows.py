"""What does a reward model train on? Rankings as token ids: one row is one prompt with all its answers and pairs.

rows.encode(pairs, tokenizer, max_length=512, place="data/mine.jsonl [train]")

The pairs of a ranking are correlated: spread over batches they overfit, and each answer is read k - 1 times. Here they
stay in one row, each answer is read once, and each ranking weighs the same (InstructGPT, arXiv 2203.02155, 3.5)."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from hfllm import processes
from hfllm.errors import UserMistake
from hfllm.reward_model.layout import joined, length, token_ids

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

Row = dict[str, Any]
Pair = tuple[int, int]  # numbers of the better and the worse answer

MOST_ANSWERS = 9  # in a row: InstructGPT's largest ranking; a prompt with more is cut into rows that share its weight


def encode(
    pairs: Dataset, tokenizer: PreTrainedTokenizerBase, max_length: int | None, place: str, workers: int | None = None
) -> Dataset:
    """Pairs (columns prompt, chosen, rejected, ranking) as rows of `answers` (token ids), `lengths` (tokens of the
    answer alone), `better` and `worse` (numbers of answers), `weight`, and `length` (tokens in all).

    A pair is left out, and told of, when a side is longer than `max_length`: cut off it would be judged for nothing.
    Raises UserMistake when no pair is left."""
    answers, sides = _answers(pairs)
    encoded = answers.map(
        partial(_encode_answer, tokenizer=tokenizer),
        remove_columns=answers.column_names,
        num_proc=workers,
        desc=f"Encoding {place}",
    )
    ids, lengths = encoded["ids"][:], encoded["length"][:]
    fits = [max_length is None or len(one) <= max_length for one in ids]
    kept = [number for number, both in enumerate(sides) if all(fits[side] for side in both)]
    if lost := len(sides) - len(kept):
        told = f"{place}: {lost} of {len(sides)} pairs have a side longer than max_length {max_length}"
        if not kept:
            raise UserMistake(f"{told}.\n  Raise max_length.")
        if processes.is_first():
            print(f"{told}; they are left out.")
    from datasets import Dataset

    rankings: dict[int, list[Pair]] = defaultdict(list)
    numbers = pairs["ranking"][:]
    for number in kept:
        rankings[numbers[number]].append(sides[number])
    return Dataset.from_list([row for ranking in rankings.values() for row in _rows(ranking, ids, lengths)])


def count_pairs(rows: Dataset) -> int:
    """Pairs in all rows."""
    return sum(map(len, rows["better"]))


def hold_out(pairs: Dataset, share: float, seed: int, place: str) -> tuple[Dataset, Dataset]:
    """Training and held-out pairs: `share` of the prompts, drawn at random, with all their pairs.

    Raises UserMistake when either part would be empty."""
    keys = prompt_keys(pairs)
    prompts = sorted(set(keys))
    chosen = set(random.Random(seed).sample(prompts, round(share * len(prompts))))
    held_out = [number for number, key in enumerate(keys) if key in chosen]
    if not 0 < len(held_out) < len(keys):
        raise UserMistake(
            f"{place}: held_out_share: {share} of {len(prompts)} prompts leaves nothing to train on or to be measured "
            "on.\n"
            "  to mend it, give data to be measured on:   eval_datasets: [{path: ...}]"
        )
    return pairs.select([number for number, key in enumerate(keys) if key not in chosen]), pairs.select(held_out)


def without_prompts_of(pairs: Dataset, held_out: list[Dataset], place: str) -> Dataset:
    """The pairs whose prompt no held-out pair has; those left out are told of. Raises UserMistake when none is left."""
    theirs = {key for part in held_out for key in prompt_keys(part)}
    keys = prompt_keys(pairs)
    kept = [number for number, key in enumerate(keys) if key not in theirs]
    if len(kept) < len(keys):
        told = f"{place}: {len(keys) - len(kept)} of {len(keys)} pairs have a prompt of the held-out data"
        if not kept:
            raise UserMistake(f"{told}: nothing is left to train on.\n  to mend it, give other eval_datasets")
        if processes.is_first():
            print(f"{told}; they are left out.")
    return pairs.select(kept)


def prompt_keys(pairs: Dataset) -> list[str]:
    """What says that two pairs have the same prompt; without a prompt, that they are the same texts."""
    asked = pairs["prompt"][:]
    if all(asked):
        return [json.dumps(prompt, sort_keys=True) for prompt in asked]
    sides = zip(asked, pairs["chosen"], pairs["rejected"], strict=True)
    return [json.dumps(prompt or sorted(map(str, both))) for prompt, *both in sides]


def _answers(pairs: Dataset) -> tuple[Dataset, list[Pair]]:
    """Each different answer to each prompt once (columns prompt and answer), and each pair as two of their numbers."""
    first: dict[str, int] = {}
    found: Row = {"prompt": [], "answer": []}
    sides: list[Pair] = []
    for pair in pairs.select_columns(["prompt", "chosen", "rejected"]):
        both = []
        for name in ("chosen", "rejected"):
            key = json.dumps([pair["prompt"], pair[name]])
            both.append(first.setdefault(key, len(first)))
            if both[-1] == len(found["answer"]):
                found["prompt"].append(pair["prompt"])
                found["answer"].append(pair[name])
        sides.append((both[0], both[1]))
    from datasets import Dataset, Features

    kind = pairs.features["chosen"]
    return Dataset.from_dict(found, features=Features({"prompt": kind, "answer": kind})), sides


def _encode_answer(row: Row, tokenizer: PreTrainedTokenizerBase) -> Row:
    whole = joined(row["prompt"], row["answer"])
    return {"ids": token_ids(whole, tokenizer), "length": length(row["answer"], tokenizer)}


def _rows(ranking: list[Pair], ids: list[list[int]], lengths: list[int]) -> Iterator[Row]:
    """The pairs of one ranking (numbers of answers) in rows of at most MOST_ANSWERS answers."""
    for part in _parts(ranking):
        numbers = list(dict.fromkeys(side for pair in part for side in pair))
        place = {number: position for position, number in enumerate(numbers)}
        yield {
            "answers": [ids[number] for number in numbers],
            "lengths": [lengths[number] for number in numbers],
            "better": [place[better] for better, _ in part],
            "worse": [place[worse] for _, worse in part],
            "weight": len(part) / len(ranking),
            "length": sum(len(ids[number]) for number in numbers),
        }


def _parts(ranking: list[Pair]) -> Iterator[list[Pair]]:
    """_parts([(0, 1), (0, 2), (1, 2)]) is one part; a part ends where it would have more than MOST_ANSWERS answers."""
    part: list[Pair] = []
    answers: set[int] = set()
    for pair in ranking:
        if part and len(answers | set(pair)) > MOST_ANSWERS:
            yield part
            part, answers = [], set()
        part.append(pair)
        answers |= set(pair)
    yield part
