"""What does a data set of preferences look like? Whatever it is, pairs come out: an answer and a worse one.

    load(config, special_tokens=control_tokens(tokenizer))  ->  columns prompt, chosen, rejected, ranking

Known layouts, told apart by their columns:
    chosen + rejected (+ prompt)        text or messages; the prompt may be what both conversations begin with;
                                        transcripts of HH-RLHF
    prompt + responses + rank | scores  answers ranked by people: rank 1 is best, a high score is good; ties, and
                                        answers that stand alone, say nothing
    completion | text + label (+ prompt)  answers judged one by one: good (true, 1) or bad (false, 0)

A ranking gives a pair for every two answers that are not tied (InstructGPT, arXiv 2203.02155, section 3.5). Pairs with
equal numbers in `ranking` stem from one ranking, or from one prompt: one batch should hold them together."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Any

from hfllm import data, processes
from hfllm.data import DatasetConfig
from hfllm.errors import UserMistake
from hfllm.preference_rows import Reader, Row, Side, reader_of
from hfllm.untrusted import neutral_message, neutralise

if TYPE_CHECKING:
    from datasets import Dataset

MOST_MISTAKES = 10
MOST_EQUAL = 0.1  # more pairs with equal sides than this are a slip in the recipe, fewer are what real data have
PAIRING_SEED = 0  # answers judged one by one meet the same opponents in every process


def load(config: DatasetConfig, special_tokens: Sequence[str] = (), *, as_text: bool = False) -> Dataset:
    """The pairs of one data set: messages, or plain text where there is no prompt (`prompt` is "" then).

    `as_text`: for a base model without a chat template, a prompt that is text stays text. `special_tokens`
    (`untrusted.control_tokens`) are neutralised in every text.
    Raises UserMistake for unknown columns, rows that cannot be read (the first ten, with reasons), and no pair left."""
    return pairs(data.load(config), config.place, tuple(special_tokens), as_text=as_text)


def pairs(dataset: Dataset, place: str, special_tokens: tuple[str, ...] = (), *, as_text: bool = False) -> Dataset:
    """As `load`, of a data set that was read already; `place` names it in messages."""
    check_columns(dataset.column_names, place)
    ranked = "responses" in dataset.column_names
    if "label" in dataset.column_names and not ranked and "chosen" not in dataset.column_names:
        dataset = _matched(dataset, place)
    reader = reader_of(dataset.column_names, dataset[0])
    plain = _is_plain(reader, dataset[0], as_text)
    made = _paired(dataset, place, partial(_read, reader=reader, special_tokens=special_tokens, plain=plain), plain)
    made = _without_equal_sides(made, place)
    return made if ranked else _numbered_by_prompt(made)


def check_columns(columns: list[str], place: str) -> None:
    """Raises `UserMistake` when the columns are those of no known layout."""
    have = set(columns)
    known = have >= {"chosen", "rejected"} or (have >= {"prompt", "responses"} and have & {"rank", "scores"})
    if known or ("label" in have and have & {"completion", "text"}):
        return
    found = {old: new for old, new in RENAMES.items() if old in have and new not in have}
    shown = ", ".join(f"{old}: {new}" for old, new in found.items()) or "YOURS: chosen"
    raise UserMistake(
        f"{place} has the columns {', '.join(columns)}; a data set of preferences has one of\n"
        "    chosen + rejected (+ prompt)  |  prompt + responses + rank or scores  |  completion or text + label\n"
        f"  to mend it, rename columns in the recipe:   columns: {{{shown}}}"
    )


RENAMES = {
    "question": "prompt",
    "instruction": "prompt",
    "sentence": "text",
    "answers": "responses",
    "ranks": "rank",
    "ranking": "rank",
    "score": "scores",
    "accepted": "chosen",
    "choose": "chosen",
    "reject": "rejected",
}


def better_and_worse(ranks: Sequence[float]) -> list[tuple[int, int]]:
    """better_and_worse([2, 1, 2]) == [(1, 0), (1, 2)] : every two that are not tied, the better one first."""
    both = [pair for pair in combinations(range(len(ranks)), 2) if ranks[pair[0]] != ranks[pair[1]]]
    return [(i, j) if ranks[i] < ranks[j] else (j, i) for i, j in both]


def _is_plain(reader: Reader, first: Row, as_text: bool) -> bool:
    """Whether the data set becomes plain text, not messages; what its first row says, all others must be."""
    try:
        prompt, sides, _ = reader(first)
    except ValueError:
        return False  # reading all rows tells of it, with the others
    return isinstance(sides[0], str) and (not prompt or (as_text and isinstance(prompt, str)))


def _read(row: Row, reader: Reader, special_tokens: tuple[str, ...], plain: bool) -> list[Row]:
    """The pairs of one row, their texts harmless. Raises ValueError with the reason why it cannot be read."""
    prompt, answers, ranks = reader(row)
    convert = partial(_as_text if plain else _as_messages, special_tokens=special_tokens)
    sides = [convert(answer, role="assistant") for answer in answers]
    asked = convert(prompt, role="user") if prompt or plain else []
    return [{"prompt": asked, "chosen": sides[i], "rejected": sides[j]} for i, j in better_and_worse(ranks)]


def _as_text(side: Side, role: str, special_tokens: tuple[str, ...]) -> str:
    if not isinstance(side, str):
        raise ValueError("messages, where the first row is plain text")
    return neutralise(side, special_tokens)


def _as_messages(side: Side, role: str, special_tokens: tuple[str, ...]) -> list[dict[str, Any]]:
    messages = [{"role": role, "content": side}] if isinstance(side, str) else side
    return [neutral_message(message, special_tokens) for message in messages]


def _paired(dataset: Dataset, place: str, read: Callable[[Row], list[Row]], plain: bool) -> Dataset:
    from datasets import Features, Json, List, Value

    kind = Value("string") if plain else List(Json())
    features = {"prompt": kind, "chosen": kind, "rejected": kind, "ranking": Value("int64"), "mistake": Value("string")}
    made = dataset.map(
        partial(_pair_batch, read=read),
        with_indices=True,
        batched=True,
        remove_columns=dataset.column_names,
        features=Features(features),
        desc=f"Reading {place}",
    )
    _refuse(made, place, len(dataset))
    if (lost := len(dataset) - len(made.unique("ranking"))) and processes.is_first():
        print(f"{place}: {lost} of {len(dataset)} rows give no pair: they have one answer, or all are tied.")
    return made.remove_columns("mistake")


def _pair_batch(batch: dict[str, list[Any]], indices: list[int], read: Callable[[Row], list[Row]]) -> Row:
    """Mistakes come back as a column: a list filled on the side would stay empty when `map` reads its cache."""
    made: list[Row] = []
    for number, *values in zip(indices, *batch.values(), strict=True):
        try:
            found = read(dict(zip(batch, values, strict=True)))
        except ValueError as reason:
            made.append({"prompt": None, "chosen": None, "rejected": None, "ranking": number, "mistake": str(reason)})
        else:
            made += [{**pair, "ranking": number, "mistake": None} for pair in found]
    names = ("prompt", "chosen", "rejected", "ranking", "mistake")
    return {name: [pair[name] for pair in made] for name in names}


def _refuse(made: Dataset, place: str, rows: int) -> None:
    if len(made) == 0:
        raise UserMistake(f"{place}: no pair in {rows} rows: every prompt has one answer, or all are tied")
    bad = [(number, why) for number, why in zip(made["ranking"], made["mistake"], strict=True) if why is not None]
    if not bad:
        return
    lines = [f"    row {number:<6} {reason}" for number, reason in bad[:MOST_MISTAKES]]
    lines += [f"    and {len(bad) - MOST_MISTAKES} more"] if len(bad) > MOST_MISTAKES else []
    raise UserMistake("\n".join([f"{place}: {len(bad)} of {rows} rows cannot be read (counted from 0)", *lines]))


def _without_equal_sides(made: Dataset, place: str) -> Dataset:
    """Nothing can be learned from a pair whose two sides are equal. Raises UserMistake when there are many of them."""
    differ = [_said(pair["chosen"]) != _said(pair["rejected"]) for pair in made.select_columns(["chosen", "rejected"])]
    if all(differ):
        return made
    equal = len(differ) - sum(differ)
    first = made[differ.index(False)]["ranking"]
    told = f"{place}: {equal} of {len(made)} pairs have two equal sides (the first: row {first})"
    if equal > MOST_EQUAL * len(made):
        raise UserMistake(f"{told}.\n  Look at the columns: does one text stand in both?")
    if processes.is_first():
        print(f"{told}; they are left out.")
    return made.select([number for number, differs in enumerate(differ) if differs])


def _said(side: Side) -> Side:
    """White space around an answer is no difference; another call of a tool is one."""
    if isinstance(side, str):
        return side.strip()
    return [message | {"content": message["content"].strip()} for message in side]


def _numbered_by_prompt(made: Dataset) -> Dataset:
    """Several pairs of one prompt are a ranking of its answers; without a prompt each pair stands alone."""
    firsts: dict[str, int] = {}
    asked = [json.dumps(prompt, sort_keys=True) if prompt else "" for prompt in made["prompt"]]
    numbers = [firsts.setdefault(text, row) if text else row for row, text in zip(made["ranking"], asked, strict=True)]
    return made.remove_columns("ranking").add_column("ranking", numbers)


def _matched(dataset: Dataset, place: str) -> Dataset:
    """Answers judged one by one as pairs: of one prompt each good one against each bad one; without prompts at random.

    No text stands in two pairs of the random kind, so that what is held out was never trained on."""
    from datasets import Dataset

    answer = "completion" if "completion" in dataset.column_names else "text"
    prompts = dataset["prompt"][:] if "prompt" in dataset.column_names else None
    good, bad = _judged(dataset["label"][:], prompts, place)
    if prompts is None:
        order = random.Random(PAIRING_SEED)
        order.shuffle(good[""])
        order.shuffle(bad[""])
        numbers = list(zip(good[""], bad[""], strict=False))
    else:
        numbers = [(better, worse) for prompt in good for better in good[prompt] for worse in bad[prompt]]
    if not numbers:
        raise UserMistake(f"{place}: no prompt has both a good and a bad answer, so there is no pair")
    used = len({number for pair in numbers for number in pair})
    if processes.is_first():
        print(f"{place}: {len(numbers):,} pairs of {used:,} judged answers; {len(dataset) - used:,} have no opponent")
    texts = dataset[answer][:]
    columns: Row = {"prompt": [prompts[better] for better, _ in numbers]} if prompts else {}
    columns |= {"chosen": [texts[better] for better, _ in numbers], "rejected": [texts[worse] for _, worse in numbers]}
    return Dataset.from_dict(columns)


def _judged(labels: list[Any], prompts: list[Any] | None, place: str) -> tuple[dict[str, list[int]], ...]:
    """The numbers of the good and of the bad answers of each prompt."""
    wrong = next((number for number, label in enumerate(labels) if label not in (0, 1)), None)
    if wrong is not None:
        raise UserMistake(f"{place}: row {wrong}: label is {labels[wrong]!r}, not true or false (1 or 0)")
    good: dict[str, list[int]] = defaultdict(list)
    bad: dict[str, list[int]] = defaultdict(list)
    for number, label in enumerate(labels):
        (good if label else bad)[json.dumps(prompts[number]) if prompts else ""].append(number)
    return good, bad
