"""What does a data set of conversations look like? Whatever it is, TRL's SFTTrainer gets one of its own formats.

    to_messages(load(config), place=config.place, special_tokens=control_tokens(tokenizer))

Known layouts, told apart by their columns: `messages`; ShareGPT `conversations` (from/value or role/content); Alpaca
`instruction` (+ `input` or `context`) + `output` or `response`; `prompt` + `completion`; `text`; OpenAssistant's
message trees. TRL renames ShareGPT's keys but not its roles (human, gpt), and a template that skips unknown roles
then yields empty rows that vanish without a word; here each row is read or named."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from hfllm.errors import UserMistake
from hfllm.untrusted import neutral_message

if TYPE_CHECKING:
    from datasets import Dataset

Row = dict[str, Any]
Message = dict[str, Any]

ROLES = {
    "system": "system",
    "user": "user",
    "human": "user",
    "prompter": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bing": "assistant",
    "function_call": "assistant",
    "tool": "tool",
    "observation": "tool",
}
KEPT_BESIDE_MESSAGES = ("tools", "chat_template_kwargs")  # columns that SFTTrainer reads too
MOST_MISTAKES = 10
TREE_COLUMNS = {"message_id", "parent_id", "role", "text"}  # OpenAssistant


class _RowError(ValueError):
    """Why one row cannot be read; never leaves this module."""


def to_messages(dataset: Dataset, place: str, special_tokens: Sequence[str] = ()) -> Dataset:
    """`dataset` in a format of SFTTrainer: `messages` (+ `tools`), `prompt` + `completion`, or `text`.

    `place` names the data set in messages ("data/mine.jsonl [train]"). `special_tokens` (`untrusted.control_tokens`)
    are neutralised in every message, but an answer may think and call tools; `text` and plain `prompt`/`completion`
    strings are kept as they are, because they may hold a template already.
    Raises UserMistake for unknown columns, and for rows that are no conversation (the first ten, with reasons)."""
    columns = set(dataset.column_names)
    if columns >= TREE_COLUMNS and "messages" not in columns:
        dataset = _from_trees(dataset)
    reader = _reader(set(dataset.column_names))
    if reader is not None:
        return _converted(dataset, place, reader, tuple(special_tokens))
    for kept in (["prompt", "completion"], ["text"]):
        if columns >= set(kept):
            return _with_text_only(dataset.select_columns(kept), place, tuple(special_tokens))
    raise UserMistake(_unknown_columns(dataset.column_names, place))


def check_columns(columns: list[str], place: str) -> None:
    """Raises `UserMistake` when the columns are those of no known layout."""
    known = (TREE_COLUMNS, {"prompt", "completion"}, {"text"})
    if _reader(set(columns)) is None and not any(set(columns) >= layout for layout in known):
        raise UserMistake(_unknown_columns(columns, place))


def _reader(columns: set[str]) -> Callable[[Row], list[Message]] | None:
    if "messages" in columns:
        return partial(_read_list, column="messages")
    if "conversations" in columns:
        return partial(_read_list, column="conversations")
    answer = next((name for name in ("output", "response") if name in columns), None)
    if "instruction" in columns and answer:
        return partial(_read_alpaca, answer=answer)
    return None


def _read_list(row: Row, column: str) -> list[Message]:
    if not row[column]:
        raise _RowError("empty conversation")
    messages = [read_message(message) for message in row[column]]
    if all(message["role"] != "assistant" for message in messages):
        raise _RowError("no assistant turn")
    return messages


def read_message(message: Message) -> Message:
    """read_message({"from": "human", "value": "Hi"}) == {"role": "user", "content": "Hi"}"""
    if not isinstance(message, dict):
        raise _RowError(f"a message is {message!r:.60}, not a mapping with role and content")
    name = message.get("role") or message.get("from")
    if name not in ROLES:
        raise _RowError(f"unknown role {name!r}; known are {', '.join(ROLES)}")
    content = message["content"] if "content" in message else message.get("value")
    if name == "function_call":
        return {"role": "assistant", "content": "", "tool_calls": _tool_calls(content)}
    calls = message.get("tool_calls")
    read = {"role": ROLES[name], "content": "" if content is None and calls else _plain_text(content)}
    thoughts = message.get("reasoning_content")
    if thoughts:
        read["reasoning_content"] = _plain_text(thoughts)
    if calls:
        read["tool_calls"] = calls
    # some templates name the tool beside its result, or the call that it answers
    return read | {key: message[key] for key in ("name", "tool_call_id") if ROLES[name] == "tool" and message.get(key)}


def _plain_text(content: Any) -> str:
    """The text of a message: a string, or a list of parts that are all text."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise _RowError(f"content is {content!r}, not a string")
    kinds = [part.get("type", "text") if isinstance(part, dict) else type(part).__name__ for part in content]
    if strange := sorted({str(kind) for kind in kinds if kind != "text"}):
        raise _RowError(f"content has parts of type {', '.join(strange)}; only text is read")
    return "".join(part.get("text") or part.get("value") or "" for part in content)


def _tool_calls(content: Any) -> list[dict[str, Any]]:
    """ShareGPT's function_call turn: one JSON object or a list of them, in the form that chat templates read."""
    try:
        calls = json.loads(content)
        calls = calls if isinstance(calls, list) else [calls]
        functions = [{"name": call["name"], "arguments": call["arguments"]} for call in calls]
    except (ValueError, TypeError, KeyError):
        raise _RowError(f"function_call is not JSON with name and arguments: {content!r:.60}") from None
    return [{"type": "function", "function": function} for function in functions]


def _read_alpaca(row: Row, answer: str) -> list[Message]:
    """Alpaca's input (Dolly calls it context) follows the instruction after an empty line."""
    more = row.get("input") or row.get("context")
    question = f"{_plain_text(row['instruction'])}\n\n{_plain_text(more)}" if more else _plain_text(row["instruction"])
    said = row[answer]["value"] if isinstance(row[answer], dict) and "value" in row[answer] else row[answer]
    return [{"role": "user", "content": question}, {"role": "assistant", "content": _plain_text(said)}]


def _converted(
    dataset: Dataset, place: str, reader: Callable[[Row], list[Message]], special_tokens: tuple[str, ...]
) -> Dataset:
    from datasets import Features, Json, List, Value

    kept = [name for name in KEPT_BESIDE_MESSAGES if name in dataset.column_names]
    converted = dataset.map(
        _convert_batch,
        fn_kwargs={"reader": reader, "special_tokens": special_tokens},
        batched=True,
        remove_columns=[name for name in dataset.column_names if name not in kept],
        # Json: messages with and without tool_calls lie side by side, and no missing key turns into None
        features=Features(
            {name: dataset.features[name] for name in kept} | {"messages": List(Json()), "mistake": Value("string")}
        ),
        desc=f"Reading {place}",
    )
    _refuse(converted["mistake"], place)
    return converted.remove_columns("mistake")


def _convert_batch(
    batch: dict[str, list[Any]], reader: Callable[[Row], list[Message]], special_tokens: tuple[str, ...]
) -> dict[str, list[Any]]:
    """Mistakes come back as a column: a list filled on the side would stay empty when `map` reads its cache."""
    results: dict[str, list[Any]] = {"messages": [], "mistake": []}
    for values in zip(*batch.values(), strict=True):
        messages: list[Message] = []
        mistake = None
        try:
            read = reader(dict(zip(batch, values, strict=True)))
            messages = [neutral_message(message, special_tokens) for message in read]
        except _RowError as reason:
            mistake = str(reason)
        results["messages"].append(messages)
        results["mistake"].append(mistake)
    return results


def _refuse(mistakes: Sequence[str | None], place: str) -> None:
    """Raise UserMistake when there are mistakes; `mistakes` has one entry a row, None for a good row."""
    bad = [(number, reason) for number, reason in enumerate(mistakes) if reason is not None]
    if not bad:
        return
    lines = [f"    row {number:<6} {reason}" for number, reason in bad[:MOST_MISTAKES]]
    if len(bad) > MOST_MISTAKES:
        lines.append(f"    and {len(bad) - MOST_MISTAKES} more")
    rows = "1 row" if len(bad) == 1 else f"{len(bad)} rows"
    raise UserMistake("\n".join([f"{place}: {rows} of {len(mistakes)} cannot be read (counted from 0)", *lines]))


def _with_text_only(dataset: Dataset, place: str, special_tokens: tuple[str, ...]) -> Dataset:
    """Plain strings, checked; `prompt` and `completion` may be lists of messages instead, which are read as such."""
    from datasets import Features, Json, List, Value

    names = dataset.column_names
    if any(isinstance(dataset[0][name], list) for name in names):
        kinds = {name: List(Json()) for name in names}
        function = partial(_read_lists, special_tokens=special_tokens)
        dataset = dataset.map(
            function, features=Features(kinds | {"mistake": Value("string")}), desc=f"Reading {place}"
        )
        _refuse(dataset["mistake"], place)
        return dataset.remove_columns("mistake")
    mistakes: list[str | None] = [None] * len(dataset)
    for name in names:
        for number, value in enumerate(dataset[name]):
            if not isinstance(value, str):
                mistakes[number] = f"{name} is {value!r:.60}, not a string"
    _refuse(mistakes, place)
    return dataset


def _read_lists(row: Row, special_tokens: tuple[str, ...]) -> Row:
    try:
        read = {name: [neutral_message(read_message(message), special_tokens) for message in row[name]] for name in row}
    except _RowError as reason:
        return {name: [] for name in row} | {"mistake": str(reason)}
    return read | {"mistake": None}


def _unknown_columns(columns: list[str], place: str) -> str:
    question = next(
        (name for name in ("question", "query", "prompt", "problem", "instruction") if name in columns), None
    )
    answer = next((name for name in ("answer", "solution", "response", "output", "reply") if name in columns), None)
    renames = f"{{{question}: prompt, {answer}: completion}}" if question and answer else f"{{{columns[0]}: text}}"
    return (
        f"{place} has the columns {', '.join(columns)}; the stage sft reads one of\n"
        "    messages  |  conversations (ShareGPT)  |  instruction + output (Alpaca)  |  prompt + completion  |  text\n"
        f"  to mend it, rename columns in the recipe:   columns: {renames}"
    )


def _from_trees(dataset: Dataset) -> Dataset:
    from datasets import Dataset

    return Dataset.from_list(oasst_threads(dataset))


def oasst_threads(rows: Iterable[Row]) -> list[dict[str, list[Message]]]:
    """One thread a tree of OpenAssistant (arXiv 2304.07327): at every message its best-ranked reply, down to an answer.

    Rows have message_id, parent_id (None at the root), role (prompter or assistant), text and, if ranked, rank (0 is
    best; None comes last). A tree without any answer gives no thread."""
    replies: dict[str | None, list[Row]] = defaultdict(list)
    for row in rows:
        if not row.get("deleted"):
            replies[row["parent_id"]].append(row)
    threads = [_best_thread(root, replies) for root in replies[None]]
    return [{"messages": thread} for thread in threads if thread]


def _best_thread(root: Row, replies: dict[str | None, list[Row]]) -> list[Message]:
    thread: list[Message] = []
    row: Row | None = root
    while row is not None:
        thread.append({"role": ROLES[row["role"]], "content": row["text"]})
        ranked = sorted(
            replies.get(row["message_id"], []), key=lambda reply: (reply.get("rank") is None, reply.get("rank") or 0)
        )
        row = ranked[0] if ranked else None
    return thread if thread[-1]["role"] == "assistant" else thread[:-1]
