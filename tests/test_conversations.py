from __future__ import annotations

import json
from typing import Any

import pytest
from datasets import Dataset

from hfllm.conversations import oasst_threads, to_messages
from hfllm.errors import UserMistake
from hfllm.untrusted import neutralise

CHAT = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]


def read(rows: list[dict[str, Any]], special_tokens: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    return list(to_messages(Dataset.from_list(rows), "mine.jsonl [train]", special_tokens))


def refused(rows: list[dict[str, Any]]) -> str:
    with pytest.raises(UserMistake) as mistake:
        read(rows)
    return str(mistake.value)


def test_messages_are_kept_and_other_columns_go() -> None:
    assert read([{"messages": CHAT, "id": 7, "tools": "[]"}]) == [{"messages": CHAT, "tools": "[]"}]


def test_sharegpt_roles_are_mapped() -> None:
    turns = [("system", "Be kind"), ("human", "Hi"), ("gpt", "Hello"), ("user", "Bye"), ("chatgpt", "See you")]
    rows = read([{"conversations": [{"from": name, "value": text} for name, text in turns], "id": "a"}])
    roles = ["system", "user", "assistant", "user", "assistant"]
    contents = [text for _, text in turns]
    assert rows == [{"messages": [{"role": r, "content": c} for r, c in zip(roles, contents, strict=True)]}]


def test_sharegpt_with_role_and_content() -> None:
    assert read([{"conversations": CHAT}]) == [{"messages": CHAT}]


def test_sharegpt_tool_calls_become_tool_calls() -> None:
    call = {"name": "add", "arguments": {"numbers": [1, 2]}}
    other = {"name": "search", "arguments": {"query": "x"}}
    turns = [("human", "1+2?"), ("function_call", json.dumps(call)), ("observation", "3"), ("gpt", "3")]
    second = [("human", "?"), ("function_call", json.dumps([other, call])), ("observation", "y"), ("gpt", "y")]
    rows = read(
        [{"conversations": [{"from": a, "value": b} for a, b in one], "tools": "[]"} for one in (turns, second)]
    )
    assert rows[0]["messages"][1] == {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"type": "function", "function": call}],
    }
    assert rows[0]["messages"][2] == {"role": "tool", "content": "3"}
    # arguments of other tools are not filled in with None
    assert [c["function"] for c in rows[1]["messages"][1]["tool_calls"]] == [other, call]


@pytest.mark.parametrize("names", [("input", "output"), ("context", "response")])
def test_alpaca_and_dolly(names: tuple[str, str]) -> None:
    more, answer = names
    rows = read([{"instruction": "Add", more: "1 2", answer: "3"}, {"instruction": "Hi", more: "", answer: "Hello"}])
    assert rows[0]["messages"][0]["content"] == "Add\n\n1 2"
    assert rows[1]["messages"] == CHAT


def test_of_an_answer_in_the_layout_of_triviaqa_the_value_is_read() -> None:
    answer = {"value": "Oslo", "aliases": ["Oslo, Norway", "Christiania"]}
    [row] = read([{"instruction": "What is the capital of Norway?", "output": answer}])
    assert row["messages"][1] == {"role": "assistant", "content": "Oslo"}


def test_prompt_and_completion_and_text_are_kept() -> None:
    assert read([{"prompt": "a", "completion": "b", "id": 1}]) == [{"prompt": "a", "completion": "b"}]
    assert read([{"text": "<|im_end|>", "id": 1}], ("<|im_end|>",)) == [{"text": "<|im_end|>"}]
    chat = {"prompt": [{"role": "human", "content": "Hi"}], "completion": CHAT[1:]}
    assert read([chat]) == [{"prompt": CHAT[:1], "completion": CHAT[1:]}]


def test_parts_of_text_are_joined_and_other_parts_named() -> None:
    def say(role: str, *parts: tuple[str, str]) -> dict[str, Any]:
        return {"role": role, "content": [{"type": kind, "text": text} for kind, text in parts]}

    hello = say("assistant", ("text", "Hel"), ("text", "lo"))
    assert read([{"messages": [say("user", ("text", "Hi")), hello]}]) == [{"messages": CHAT}]
    assert "content has parts of type image" in refused([{"messages": [say("user", ("image", "a.png")), hello]}])


def test_unknown_columns_say_what_to_write() -> None:
    assert refused([{"question": "1+1?", "answer": "2"}]) == (
        "mine.jsonl [train] has the columns question, answer; the stage sft reads one of\n"
        "    messages  |  conversations (ShareGPT)  |  instruction + output (Alpaca)  |  prompt + completion  |  text\n"
        "  to mend it, rename columns in the recipe:   columns: {question: prompt, answer: completion}"
    )


def test_bad_rows_are_all_named() -> None:
    message = refused(
        [
            {"messages": CHAT},
            {"messages": [{"role": "bot", "content": "Hi"}]},
            {"messages": []},
            {"messages": [CHAT[0]]},
            {"messages": [CHAT[0], {"role": "assistant", "content": None}]},
        ]
    )
    head, *lines = message.splitlines()
    assert head == "mine.jsonl [train]: 4 rows of 5 cannot be read (counted from 0)"
    assert lines[0].startswith("    row 1      unknown role 'bot'; known are ")
    assert lines[1:] == [
        "    row 2      empty conversation",
        "    row 3      no assistant turn",
        "    row 4      content is None, not a string",
    ]


def test_only_ten_bad_rows_are_shown() -> None:
    lines = refused([{"messages": []}] * 13).splitlines()
    assert len(lines) == 12
    assert lines[-1] == "    and 3 more"


def test_text_that_is_not_a_string_is_named() -> None:
    assert "row 1      text is None" in refused([{"text": "a"}, {"text": None}])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a<|im_end|>b", "a<| im_end |>b"),
        ("</s>", "</ s >"),
        ("[INST]", "[ INST ]"),
        ("<|im_<|im_end|>end|>", "<|im_<| im_end |>end|>"),
        ("x <b>bold</b>", "x <b>bold</b>"),
        ("ENDEND", "E NDE ND"),
        ("  two", "  two"),
    ],
)
def test_neutralise(text: str, expected: str) -> None:
    tokens = ("<|im_end|>", "</s>", "[INST]", "END", "  ")
    assert neutralise(text, tokens) == expected
    assert not any(token in expected for token in tokens if token.strip())


def test_special_tokens_in_messages_are_neutralised_but_answers_may_think() -> None:
    chat = [
        {"role": "user", "content": "<think>Hi<|im_end|>"},
        {"role": "assistant", "content": "<think>hm</think>Hello<|im_end|>"},
    ]
    read_chat = read([{"messages": chat}], ("<|im_end|>", "<think>", "</think>"))[0]["messages"]
    assert [m["content"] for m in read_chat] == ["< think >Hi<| im_end |>", "<think>hm</think>Hello<| im_end |>"]


def test_special_tokens_in_tool_calls_are_neutralised() -> None:
    call = json.dumps({"name": "say", "arguments": {"text": "<|im_end|>"}})
    turns = [{"from": "human", "value": "Hi"}, {"from": "function_call", "value": call}]
    message = read([{"conversations": turns}], ("<|im_end|>",))[0]["messages"][1]
    assert message["tool_calls"][0]["function"]["arguments"] == {"text": "<| im_end |>"}


def tree(*rows: tuple[str, str | None, str, int | None]) -> list[dict[str, Any]]:
    """Messages of one tree; the text of each is its id."""
    return [{"message_id": i, "parent_id": p, "role": r, "text": i, "rank": rank} for i, p, r, rank in rows]


def test_oasst_takes_the_best_ranked_reply_at_every_message() -> None:
    rows = tree(
        ("ask", None, "prompter", None),
        ("second", "ask", "assistant", 1),
        ("best", "ask", "assistant", 0),
        ("unranked", "ask", "assistant", None),
        ("more", "best", "prompter", None),  # the thread ends on an answer: this one has none
        ("lonely", None, "prompter", None),  # a tree without an answer gives no thread
    )
    thread = [{"role": "user", "content": "ask"}, {"role": "assistant", "content": "best"}]
    assert oasst_threads(rows) == [{"messages": thread}]
    assert read(rows) == [{"messages": thread}]


def test_the_thoughts_of_an_answer_are_kept() -> None:
    answer = {"role": "assistant", "content": "4", "reasoning_content": "2 + 2"}
    assert read([{"messages": [CHAT[0], answer]}])[0]["messages"][1] == answer


@pytest.mark.parametrize("messages", [["Hi", "Hello"], "Hi"])
def test_what_is_no_message_is_named(messages: Any) -> None:
    assert "not a mapping with role and content" in refused([{"messages": messages}])


def test_a_part_without_a_type_is_text() -> None:
    parts = [{"role": message["role"], "content": [{"text": message["content"]}]} for message in CHAT]
    assert read([{"messages": parts}]) == [{"messages": CHAT}]
