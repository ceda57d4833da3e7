"""calls.py: whatever a model writes, its calls are read or the model is told what was wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest
import tool_model
from tool_model import CALL, MISTAKE, calling, result, says, user

from hfllm import calls, tools
from hfllm.chat import model
from hfllm.chat.model import Message, Talker, encode_chat

CALCULATOR = tools.find({"calculator": {}})


@pytest.fixture(scope="module")
def caller(tool_folder: Path) -> Talker:
    return model.load(str(tool_folder), base=False)


def read(caller: Talker, text: str) -> tuple[Message, list[calls.Call]]:
    prompt = encode_chat(caller.tokenizer, [user("Hi")], tools=tool_model.SCHEMAS)
    ids = caller.tokenizer(text, add_special_tokens=False).input_ids
    return calls.read(caller.tokenizer, prompt, ids, tool_model.SCHEMAS)


@pytest.fixture(params=["response_template", "text"])
def reader(request: pytest.FixtureRequest, caller: Talker, monkeypatch: pytest.MonkeyPatch) -> Talker:
    if request.param == "text":
        monkeypatch.setattr(caller.tokenizer, "response_template", None)
    return caller


def test_words_before_a_call_are_kept(reader: Talker) -> None:
    message, found = read(reader, f"Let me see.\n{CALL}\n{CALL}")
    assert message == calling("1+1", "1+1") | {"content": "Let me see."}
    assert found == [calls.Call("calculator", {"expression": "1+1"})] * 2


def test_a_call_in_a_thought_is_not_run(reader: Talker) -> None:
    message, found = read(reader, f"<think>\nI could write {CALL}\n</think>\n\nNo.")
    assert found == []
    assert message["content"].endswith("No.")


def test_a_call_after_a_thought_is_run(reader: Talker) -> None:
    assert len(read(reader, f"<think>\nHm.\n</think>\n\n{CALL}")[1]) == 1


def test_a_thought_without_an_end_is_kept_as_it_was_written(reader: Talker) -> None:
    assert read(reader, "<think>\nHm") == (says("<think>\nHm"), [])


@pytest.mark.parametrize(
    ("body", "mistake"),
    [
        ('{"name": calculator}', "the call is no JSON"),
        ('{"name": "calculator", "arguments": {"expression": "1', "the call is no JSON"),
        ("", "the call is no JSON"),
        ("[" * 100_000, "the call is no JSON"),
        ('{"name": "calculator", "arguments": {"expression": NaN}}', "the call is no JSON"),
        ('{"name": "calculator", "arguments": {"expression": "\\ud800"}}', "the call is no JSON"),
        ('{"name": "calculator", "arguments": "1+1"}', "the call is no JSON"),
        ('{"name": "calculator", "arguments": "7"}', "the arguments are no object"),
        ('{"name": "calculator", "arguments": [1]}', "the arguments are no object"),
        ('{"arguments": {"expression": "1+1"}}', "the call has no name"),
        ('{"name": 7, "arguments": {}}', "the call has no name"),
        ("[1, 2]", "the call has no name"),
        ("9" * 5000, "the call is no JSON"),
        ('{"name": "calcluator", "arguments": {}}', "there is no tool calcluator; there are calculator"),
        ('{"name": "calculator"}', "calculator: missing a required argument: 'expression'"),
        ('{"name": "calculator", "arguments": {"expr": "1"}}', "calculator: missing a required argument: 'expression'"),
        ('{"name": "calculator", "arguments": {"expression": "1", "x": 2}}', "got an unexpected keyword argument 'x'"),
        ('{"name": "<|im_end|>", "arguments": {}}', "there is no tool <| im_end |>"),
    ],
)
def test_a_malformed_call_tells_the_model_what_was_wrong(reader: Talker, body: str, mistake: str) -> None:
    message, found = read(reader, f"<tool_call>\n{body}\n</tool_call>")
    said = calls.run(found, CALCULATOR, ("<|im_end|>",))
    assert [one["role"] for one in said] == ["tool"]
    assert said[0]["content"].startswith("error: ")
    assert mistake in said[0]["content"]
    assert message["role"] == "assistant"
    encode_chat(reader.tokenizer, [user("Hi"), message, *said], tools=tool_model.SCHEMAS)


def test_arguments_may_be_json_within_json_numbers_or_missing(reader: Talker) -> None:
    for body in (
        '{"name": "calculator", "arguments": "{\\"expression\\": \\"2\\"}"}',
        CALL[12:-13].replace('"1+1"', "2"),
    ):
        _, found = read(reader, f"<tool_call>\n{body}\n</tool_call>")
        assert calls.run(found, CALCULATOR, ()) == [result("2")]


def test_a_good_call_beside_a_broken_one_is_run(reader: Talker) -> None:
    _, found = read(reader, f"{CALL}\n{tool_model.BROKEN}")
    assert calls.run(found, CALCULATOR, ()) == [result("2"), result(MISTAKE, "unknown")]


def test_stop_tokens_inside_a_result_do_not_end_it(caller: Talker) -> None:
    said = [result("a<|im_end|>b")]
    ids = calls.continuation(caller.tokenizer, said, caller.stop_ids)
    assert [token for token in ids if token in caller.stop_ids] == [
        ids[0],
        caller.tokenizer.convert_tokens_to_ids("<|im_end|>"),
    ]
    assert caller.tokenizer.decode(ids).endswith("b\n</tool_response><|im_end|>\n<|im_start|>assistant\n")
