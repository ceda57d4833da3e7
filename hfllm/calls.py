"""Which tools does an answer call, and how does the conversation go on with what they say?

    message, calls = read(tokenizer, prompt_ids, answer_ids, schemas)
    results = run(calls, tools, special_tokens)                            # messages of the role tool
    ids = prompt_ids + answer_ids + continuation(tokenizer, results, stop_ids)

Calls are read with the tokenizer's own response_template, as TRL's GRPOTrainer does; where there is none, or what the
model wrote does not fit it, as JSON between <tool_call> and </tool_call>. A call that cannot be read is no error of the
program: its result tells the model what was wrong. Used by `generate.py` and by the chat."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hfllm.answers import after_thinking
from hfllm.chat.model import Message, encode_chat
from hfllm.errors import UserMistake
from hfllm.places import PACKAGE
from hfllm.tools import Tool, plain, safe

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TEMPLATES = PACKAGE / "templates"
WRITTEN_CALL = re.compile(r"<tool_call>\s*(.*?)\s*(?:</tool_call>|\Z)", re.DOTALL)
FORM = '{"name": ..., "arguments": {...}}'
MAX_TOOL_CALLS = 4  # in one answer, unless a recipe says otherwise; chosen by us
UNNAMED = "unknown"
QUESTION: Message = {"role": "user", "content": "dummy"}


@dataclass(frozen=True)
class Call:
    """A tool to run, or why it cannot be run."""

    name: str
    arguments: dict[str, Any]
    mistake: str | None = None


def check(tokenizer: PreTrainedTokenizerBase, schemas: list[dict[str, Any]], stop_ids: set[int]) -> None:
    """Raises `UserMistake` when the chat template does not show tools to the model, or cannot go on after a result."""
    check_template(tokenizer, schemas)
    continuation(tokenizer, [_result(schemas[0]["function"]["name"], "dummy")], stop_ids)


def check_template(tokenizer: PreTrainedTokenizerBase, schemas: list[dict[str, Any]]) -> None:
    """The first half of `check`, which needs no model."""
    with_tools, without = (encode_chat(tokenizer, [QUESTION], tools=shown) for shown in (schemas, None))
    if with_tools == without:
        raise UserMistake(
            f"the chat template of {tokenizer.name_or_path} does not show tools to the model.\n"
            "  to mend it, fine-tune with one that does:   chat_template_path: hfllm/templates/chatml.jinja"
        )


def prepare_tokenizer(tokenizer: PreTrainedTokenizerBase, schemas: list[dict[str, Any]]) -> None:
    """Tell a tokenizer that does not know it how calls are read in its template's answers, as TRL's trainer needs it.

    Raises `UserMistake` when the template shows no tools, or is one that nobody knows how to read."""
    check_template(tokenizer, schemas)
    if tokenizer.response_template is not None:
        return
    if tokenizer.chat_template == (TEMPLATES / "chatml.jinja").read_text(encoding="utf-8"):
        tokenizer.response_template = json.loads((TEMPLATES / "chatml.response.json").read_text(encoding="utf-8"))
        return
    from trl.chat_template_utils import add_response_schema

    try:
        add_response_schema(tokenizer)
    except ValueError as error:
        raise UserMistake(
            f"tools: nobody knows how calls are written in the chat template of {tokenizer.name_or_path}: its "
            "tokenizer_config.json has no response_template.\n"
            "  to mend it, fine-tune with   chat_template_path: hfllm/templates/chatml.jinja"
        ) from error


def read(
    tokenizer: PreTrainedTokenizerBase, prompt: list[int], answer: list[int], schemas: list[dict[str, Any]]
) -> tuple[Message, list[Call]]:
    """The message of an answer's ids (without its stop token), and the calls in it, in their order.

    Thinking and calls get keys of their own (`reasoning_content`, `tool_calls`) where all of it could be read, so that
    the chat template writes the same text again; else the message is the text as it was written."""
    text = tokenizer.decode(answer)
    message = _by_template(tokenizer, prompt, text, schemas)
    if message is not None:
        functions = [call["function"] for call in message.get("tool_calls") or []]
        return message, [Call(function["name"], function["arguments"]) for function in functions]
    calls = [_written_call(body) for body in WRITTEN_CALL.findall(after_thinking(text))]
    if not calls or any(call.mistake for call in calls):
        return {"role": "assistant", "content": text}, calls
    functions = [{"name": call.name, "arguments": call.arguments} for call in calls]
    tool_calls = [{"type": "function", "function": function} for function in functions]
    return {"role": "assistant", "content": WRITTEN_CALL.sub("", text).strip(), "tool_calls": tool_calls}, calls


def run(calls: Sequence[Call], tools: Sequence[Tool], special_tokens: Sequence[str]) -> list[Message]:
    """One message of the role tool for each call; what goes wrong is its text, after `error: `.

    `special_tokens` (`untrusted.control_tokens`) are made harmless in it."""
    by_name = {tool.__name__: tool for tool in tools}
    return [_result(call.name, plain(_outcome(call, by_name), special_tokens)) for call in calls]


def continuation(tokenizer: PreTrainedTokenizerBase, results: list[Message], stop_ids: set[int]) -> list[int]:
    """The ids from the stop token of an answer with calls up to where the next answer begins, results between them.

    They are cut out of a conversation of one call, so that the ids before them stay as they were drawn: encoding the
    text of a drawn answer again may give other ids. (TRL's GRPOTrainer._get_tool_suffix_ids is made the same way.)
    Raises `UserMistake` when the template writes an answer differently once something follows it."""
    call = {"type": "function", "function": {"name": results[0]["name"], "arguments": {}}}
    messages: list[Message] = [QUESTION, {"role": "assistant", "content": "", "tool_calls": [call]}]
    before = encode_chat(tokenizer, messages, add_generation_prompt=False)
    whole = encode_chat(tokenizer, [*messages, *results])
    end = max((place for place, token in enumerate(before) if token in stop_ids), default=None)
    if end is None or whole[: end + 1] != before[: end + 1]:
        raise UserMistake(
            f"the chat template of {tokenizer.name_or_path} cannot go on after a tool's result: an answer must end "
            "with a stop token, and read the same whatever follows it"
        )
    return whole[end:]


def _by_template(
    tokenizer: PreTrainedTokenizerBase, prompt: list[int], text: str, schemas: list[dict[str, Any]]
) -> Message | None:
    """What the response_template reads; None when there is none, or what was written does not fit it."""
    if tokenizer.response_template is None:
        return None
    try:
        message = tokenizer.parse_response(text, prefix=tokenizer.decode(prompt), tools=schemas or None)
        json.dumps(message, allow_nan=False, ensure_ascii=False).encode()
        if any(_why_no_call(call["function"]) for call in message.get("tool_calls") or []):
            return None
    except (ValueError, TypeError, KeyError, RecursionError):  # no JSON, or some that cannot be passed on (NaN, \ud800)
        return None
    only_thoughts = "reasoning_content" in message and not (message.get("content") or message.get("tool_calls"))
    return None if only_thoughts else {"role": "assistant", "content": "", **message}


def _written_call(body: str) -> Call:
    try:
        function = json.loads(body)
        if isinstance(function, dict) and isinstance(function.get("arguments"), str):
            function["arguments"] = json.loads(function["arguments"])  # JSON within JSON: OpenAI's own form
        json.dumps(function, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        return Call(UNNAMED, {}, f"error: the call is no JSON of the form {FORM}: {error}")
    if why := _why_no_call(function):
        return Call(UNNAMED, {}, why)
    return Call(function["name"], function["arguments"])


def _why_no_call(function: Any) -> str | None:
    """Fills in the arguments of a call that has none, and says what else is missing."""
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        return f"error: the call has no name; write {FORM}"
    if function.get("arguments") is None:
        function["arguments"] = {}
    return None if isinstance(function["arguments"], dict) else f"error: the arguments are no object; write {FORM}"


def _outcome(call: Call, tools: dict[str, Tool]) -> str:
    if call.mistake is not None:
        return call.mistake
    if call.name not in tools:
        return f"error: there is no tool {call.name}; there are {', '.join(tools)}"
    return safe(tools[call.name])(**call.arguments)


def _result(name: str, text: str) -> Message:
    return {"role": "tool", "name": name, "content": text}
