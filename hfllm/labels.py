"""Which tokens is a model trained on? Conversations become token ids, and labels: -100 outside the assistant's words.

Done before any weight is loaded, so that a template without marks, or rows that teach nothing, are found at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hfllm import places, processes
from hfllm.errors import UserMistake

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

IGNORED = -100  # torch's cross entropy skips this label
Row = dict[str, Any]
RowEncoder = Callable[[Row], tuple[list[int], list[int]]]  # input_ids and labels of one row


@dataclass(frozen=True)
class Limits:
    """How long a row may be, and from which side it is cut."""

    max_length: int | None
    truncation_mode: Literal["keep_start", "keep_end"] = "keep_start"

    def cut(self, values: list[int]) -> list[int]:
        """Limits(2).cut([1, 2, 3]) == [1, 2]"""
        if self.max_length is None:
            return values
        return values[: self.max_length] if self.truncation_mode == "keep_start" else values[-self.max_length :]


def prepare_template(
    tokenizer: PreTrainedTokenizerBase, chat_template_path: str | None, *, assistant_only: bool
) -> str:
    """Give the tokenizer the template it is to train with; returns the token that ends an assistant's turn.

    `chat_template_path`: a .jinja file, or a shipped one such as hfllm/templates/chatml.jinja; None keeps the
    tokenizer's own. Raises `UserMistake` when there is none, it lacks marks, or ends a turn with no special token."""
    if chat_template_path is not None:
        tokenizer.chat_template = _template_file(chat_template_path).read_text(encoding="utf-8")
    if tokenizer.chat_template is None:
        raise UserMistake(
            f"the tokenizer in {tokenizer.name_or_path} has no chat template, but the data has 'messages'.\n"
            "  to mend it:   chat_template_path: hfllm/templates/chatml.jinja"
        )
    if assistant_only:
        tokenizer.chat_template = _with_marks(tokenizer)
    return _stop_token(tokenizer)


def needs_template(dataset: Dataset) -> bool:
    """Whether the rows are conversations, which a chat template must lay out, and not plain text."""
    return "messages" in dataset.column_names or (
        "prompt" in dataset.column_names and isinstance(dataset[0]["prompt"], list)
    )


def _template_file(chat_template_path: str) -> Path:
    file = places.find(chat_template_path)
    if not file.is_file():
        shipped = sorted((places.PACKAGE / "templates").glob("*.jinja"))
        known = ", ".join(f"hfllm/templates/{template.name}" for template in shipped)
        raise UserMistake(f"chat_template_path: {chat_template_path}: no such file; shipped are {known}")
    return file


def _with_marks(tokenizer: PreTrainedTokenizerBase) -> str:
    """The template with marks around the assistant's words: TRL knows marked versions for well-known models."""
    from trl.chat_template_utils import get_training_chat_template, has_generation_markers

    if has_generation_markers(tokenizer.chat_template):
        return tokenizer.chat_template
    try:
        return get_training_chat_template(tokenizer)
    except ValueError as error:
        raise UserMistake(
            f"the chat template of {tokenizer.name_or_path} does not mark the assistant's words with "
            "{% generation %} ... {% endgeneration %}, so the loss cannot be limited to them.\n"
            "  to mend it:   chat_template_path: hfllm/templates/chatml.jinja   (or another template with marks)\n"
            "  or train on every token:   assistant_only_loss: false"
        ) from error


def _stop_token(tokenizer: PreTrainedTokenizerBase) -> str:
    """What stands behind an answer, found by rendering one: with another end the model would never learn to stop."""
    probe = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    text = tokenizer.apply_chat_template(probe, tokenize=False)
    end = text[text.rindex("b") + 1 :].strip()
    special = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
    stop = max((token for token in special if end.startswith(token)), key=len, default=None)
    if stop is None:
        raise UserMistake(
            f"the chat template ends an answer with {end!r}, which is no special token of {tokenizer.name_or_path}: "
            "the model would never learn to stop.\n"
            "  to mend it, take a template whose end of turn the tokenizer knows:   chat_template_path: ..."
        )
    return stop


def encode(
    dataset: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    limits: Limits,
    place: str,
    *,
    assistant_only: bool = True,
    completion_only: bool = True,
    processes: int | None = None,
) -> Dataset:
    """Rows of `messages`, `prompt` + `completion` or `text` as `input_ids` and `labels` (lists of equal length).

    Rows without a trained token (an answer beyond `max_length`) are left out and told of.
    Raises `UserMistake` when no row is left."""
    row_encoder = _row_encoder(dataset.column_names, tokenizer, assistant_only, completion_only)
    encoded = dataset.map(
        partial(_encode_row, row_encoder=row_encoder, limits=limits),
        remove_columns=dataset.column_names,
        num_proc=processes,
        desc=f"Encoding {place}",
    )
    kept = encoded.filter(_teaches, num_proc=processes, desc=f"Checking {place}")
    if lost := len(encoded) - len(kept):
        _tell_of_lost(encoded, lost, place, limits)
    return kept


def counts(encoded: Dataset) -> dict[str, int]:
    """Rows, tokens, and tokens that are trained on."""
    columns = encoded.with_format("numpy")
    tokens = trained = 0
    for batch in columns.iter(1000):
        tokens += sum(len(ids) for ids in batch["input_ids"])
        trained += sum(int((labels != IGNORED).sum()) for labels in batch["labels"])
    return {"rows": len(encoded), "tokens": tokens, "trained_tokens": trained}


def _row_encoder(
    columns: list[str], tokenizer: PreTrainedTokenizerBase, assistant_only: bool, completion_only: bool
) -> RowEncoder:
    if "messages" in columns:
        return partial(_encode_messages, tokenizer=tokenizer, assistant_only=assistant_only)
    if "completion" in columns:
        return partial(_encode_completion, tokenizer=tokenizer, completion_only=completion_only)
    return partial(_encode_text, tokenizer=tokenizer)


def _encode_row(row: Row, row_encoder: RowEncoder, limits: Limits) -> Row:
    ids, labels = row_encoder(row)
    return {"input_ids": limits.cut(ids), "labels": limits.cut(labels)}


def _encode_messages(row: Row, tokenizer: PreTrainedTokenizerBase, assistant_only: bool) -> tuple[list[int], list[int]]:
    tools = row.get("tools")
    tools = json.loads(tools) if isinstance(tools, str) else tools
    options = row.get("chat_template_kwargs") or {}
    rendered = _render(
        tokenizer, row["messages"], tools=tools or None, return_assistant_tokens_mask=assistant_only, **options
    )
    ids = rendered["input_ids"]
    if not assistant_only:
        return ids, ids
    return ids, [token if trained else IGNORED for token, trained in zip(ids, rendered["assistant_masks"], strict=True)]


def _encode_completion(
    row: Row, tokenizer: PreTrainedTokenizerBase, completion_only: bool
) -> tuple[list[int], list[int]]:
    """The completion is trained on, up to the token that ends it; the prompt only when the recipe says so."""
    if isinstance(row["prompt"], list):
        prompt = _render(tokenizer, row["prompt"], add_generation_prompt=True)["input_ids"]
        whole = _render(tokenizer, row["prompt"] + row["completion"])["input_ids"]
        if whole[: len(prompt)] != prompt:
            raise UserMistake("the chat template renders a prompt differently when an answer follows: use `messages`.")
        completion = whole[len(prompt) :]
    else:
        prompt = _plain_ids(row["prompt"], tokenizer)
        completion = _with_end(tokenizer(row["completion"], add_special_tokens=False)["input_ids"], tokenizer)
    return prompt + completion, ([IGNORED] * len(prompt) if completion_only else prompt) + completion


def _encode_text(row: Row, tokenizer: PreTrainedTokenizerBase) -> tuple[list[int], list[int]]:
    ids = _with_end(_plain_ids(row["text"], tokenizer), tokenizer)
    return ids, ids


def _plain_ids(text: str, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """With one BOS, whether the text brings it or the tokenizer adds it."""
    has_bos = tokenizer.bos_token is not None and text.startswith(tokenizer.bos_token)
    return tokenizer(text, add_special_tokens=not has_bos)["input_ids"]


def _with_end(ids: list[int], tokenizer: PreTrainedTokenizerBase) -> list[int]:
    return ids if ids and ids[-1] == tokenizer.eos_token_id else [*ids, tokenizer.eos_token_id]


def _render(tokenizer: PreTrainedTokenizerBase, messages: list[Row], **options: Any) -> Row:
    from jinja2 import TemplateError

    try:
        return tokenizer.apply_chat_template(messages, return_dict=True, **options)
    except TemplateError as error:
        shown = ", ".join(f"{message['role']}: {str(message['content'])[:40]!r}" for message in messages)
        raise UserMistake(f"the chat template refuses a conversation: {error}\n  {shown}") from error


def _teaches(row: Row) -> bool:
    """The first label is never predicted, so it does not count."""
    return any(label != IGNORED for label in row["labels"][1:])


def _tell_of_lost(encoded: Dataset, lost: int, place: str, limits: Limits) -> None:
    first = next(index for index, row in enumerate(encoded) if not _teaches(row))
    rows = f"{lost} of {len(encoded)} rows (the first: row {first})"
    told = f"{place}: {rows} have no token to train on within max_length {limits.max_length}"
    if lost == len(encoded):
        raise UserMistake(f"{told}.\n  Raise max_length, or look at the conversations: is there an assistant's turn?")
    if processes.is_first():
        print(f"{told}; they are left out.")
