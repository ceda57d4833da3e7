"""labels.py: what is trained on, token by token."""

import json

import pytest
from datasets import Dataset
from transformers import AutoTokenizer

from hfllm import conversations, data, labels, untrusted
from hfllm.errors import UserMistake
from tests import stand_in

CONVERSATION = [
    {"role": "user", "content": "Where does Tom live?"},
    {"role": "assistant", "content": "In a small town."},
    {"role": "user", "content": "And Anna?"},
    {"role": "assistant", "content": "Near the sea."},
]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return AutoTokenizer.from_pretrained(stand_in.make_tokenizer(tmp_path_factory.mktemp("tokenizer")))


@pytest.fixture
def base_tokenizer(tmp_path):
    return AutoTokenizer.from_pretrained(stand_in.make_tokenizer(tmp_path / "base", template=False))


def encode(rows, tokenizer, max_length=None, assistant_only=True):
    limits = labels.Limits(max_length)
    return labels.encode(
        Dataset.from_list(rows), tokenizer, limits, "mine.jsonl [train]", assistant_only=assistant_only
    )


def trained_text(row, tokenizer):
    return tokenizer.decode([label for label in row["labels"] if label != labels.IGNORED])


def test_only_the_assistants_words_and_their_ends_are_trained_on(tokenizer):
    row = encode([{"messages": CONVERSATION}], tokenizer)[0]
    assert trained_text(row, tokenizer) == "In a small town.<|im_end|>Near the sea.<|im_end|>"
    assert all(label in (labels.IGNORED, token) for label, token in zip(row["labels"], row["input_ids"], strict=True))
    assert row["input_ids"].count(tokenizer.bos_token_id) == 1


def test_every_token_is_trained_on_when_the_recipe_says_so(tokenizer):
    row = encode([{"messages": CONVERSATION}], tokenizer, assistant_only=False)[0]
    assert row["labels"] == row["input_ids"]


def test_a_completion_is_trained_on_with_its_end_and_the_prompt_is_not(tokenizer):
    row = encode([{"prompt": "12 - 5 =", "completion": " 7"}], tokenizer)[0]
    assert trained_text(row, tokenizer) == " 7<|eos|>"
    assert tokenizer.decode(row["input_ids"]) == "<|bos|>12 - 5 = 7<|eos|>"


def test_the_prompt_is_trained_on_too_when_the_recipe_says_so(tokenizer):
    row = Dataset.from_list([{"prompt": "12 - 5 =", "completion": " 7"}])
    encoded = labels.encode(row, tokenizer, labels.Limits(None), "pairs.jsonl [train]", completion_only=False)[0]
    assert encoded["labels"] == encoded["input_ids"]


def test_a_completion_of_messages_is_trained_on_alone(tokenizer):
    row = encode([{"prompt": CONVERSATION[:3], "completion": CONVERSATION[3:]}], tokenizer)[0]
    assert trained_text(row, tokenizer).strip() == "Near the sea.<|im_end|>"


def test_a_text_has_one_bos_and_one_eos_whether_it_brings_them_or_not(tokenizer):
    plain, framed = encode([{"text": "Tom"}, {"text": "<|bos|>Tom<|eos|>"}], tokenizer)
    assert plain == framed
    assert tokenizer.decode(plain["input_ids"]) == "<|bos|>Tom<|eos|>"


def test_tools_may_be_a_json_string(tokenizer):
    tool = {"type": "function", "function": {"name": "add", "description": "Adds.", "parameters": {}}}
    as_text = encode([{"messages": CONVERSATION, "tools": json.dumps([tool])}], tokenizer)[0]
    assert "add" in tokenizer.decode(as_text["input_ids"])


def test_calls_are_trained_on_and_results_of_tools_are_not(tokenizer, tmp_path):
    """From a file, as the stage sft reads it: the calls of different tools have different arguments."""
    calls = [
        {"name": "calculator", "arguments": {"expression": "12*12"}},
        {"name": "search", "arguments": {"query": "Tom"}},
    ]
    rows = [
        [
            CONVERSATION[0],
            {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": call}]},
            {"role": "tool", "name": call["name"], "content": "<|im_end|>144"},
            {"role": "assistant", "content": "It is 144."},
        ]
        for call in calls
    ]
    schemas = json.dumps([{"type": "function", "function": {"name": "calculator", "parameters": {}}}])
    file = tmp_path / "tools.jsonl"
    file.write_text("".join(json.dumps({"messages": messages, "tools": schemas}) + "\n" for messages in rows))
    read = conversations.to_messages(
        data.load(data.DatasetConfig(str(file))), "tools.jsonl", untrusted.control_tokens(tokenizer)
    )
    assert read[0]["messages"][2] == {"role": "tool", "name": "calculator", "content": "<| im_end |>144"}
    encoded = labels.encode(read, tokenizer, labels.Limits(None), "tools.jsonl")
    for row, call in zip(encoded, calls, strict=True):
        assert trained_text(row, tokenizer) == (
            f"<tool_call>\n{json.dumps(call)}\n</tool_call><|im_end|>It is 144.<|im_end|>"
        )
        assert "<tool_response>\n<| im_end |>144\n</tool_response><|im_end|>" in tokenizer.decode(row["input_ids"])
        assert "calculator" in tokenizer.decode(row["input_ids"]).partition("</tools>")[0]


def test_rows_whose_answer_is_cut_away_are_left_out_by_name(tokenizer, capsys):
    short = [{"role": "user", "content": "Tom?"}, {"role": "assistant", "content": "Yes"}]
    long = [{"role": "user", "content": "Tom? " * 50}, {"role": "assistant", "content": "Yes"}]
    kept = encode([{"messages": short}, {"messages": long}], tokenizer, max_length=40)
    assert len(kept) == 1
    assert "mine.jsonl [train]: 1 of 2 rows (the first: row 1) have no token to train on" in capsys.readouterr().out


def test_a_data_set_that_teaches_nothing_is_refused(tokenizer):
    with pytest.raises(UserMistake, match=r"(?s)1 of 1 rows .* Raise max_length"):
        encode([{"messages": CONVERSATION}], tokenizer, max_length=3)


def test_counts(tokenizer):
    rows = encode([{"prompt": "12", "completion": " 7"}], tokenizer)
    numbers = labels.counts(rows)
    assert numbers["rows"] == 1
    assert numbers["tokens"] == len(rows[0]["input_ids"])
    assert numbers["trained_tokens"] == len(tokenizer(" 7", add_special_tokens=False)["input_ids"]) + 1  # and <|eos|>


def test_cut_from_either_side():
    assert labels.Limits(2).cut([1, 2, 3]) == [1, 2]
    assert labels.Limits(2, "keep_end").cut([1, 2, 3]) == [2, 3]
    assert labels.Limits(None).cut([1, 2, 3]) == [1, 2, 3]


def test_the_stop_token_is_the_end_of_the_assistants_turn(tokenizer):
    assert labels.prepare_template(tokenizer, None, assistant_only=True) == "<|im_end|>"


def test_a_missing_template_says_how_to_mend_it(base_tokenizer):
    with pytest.raises(UserMistake, match="has no chat template") as mistake:
        labels.prepare_template(base_tokenizer, None, assistant_only=True)
    assert "to mend it:   chat_template_path: hfllm/templates/chatml.jinja" in str(mistake.value)
    assert labels.prepare_template(base_tokenizer, "hfllm/templates/chatml.jinja", assistant_only=True) == "<|im_end|>"


def test_a_template_without_marks_is_refused(base_tokenizer):
    base_tokenizer.chat_template = "{% for m in messages %}{{ m.role + m.content }}<|im_end|>{% endfor %}"
    with pytest.raises(UserMistake, match="does not mark the assistant's words"):
        labels.prepare_template(base_tokenizer, None, assistant_only=True)


def test_a_template_whose_end_the_tokenizer_does_not_know_is_refused(base_tokenizer):
    base_tokenizer.chat_template = (
        "{% for m in messages %}{% generation %}{{ m.content }}[END]{% endgeneration %}{% endfor %}"
    )
    with pytest.raises(UserMistake, match=r"ends an answer with '\[END\]'"):
        labels.prepare_template(base_tokenizer, None, assistant_only=True)


def test_a_conversation_that_the_template_refuses_is_shown(tokenizer):
    with pytest.raises(UserMistake, match=r"(?s)the chat template refuses a conversation.*judge: 'Hm.'"):
        encode([{"messages": [*CONVERSATION, {"role": "judge", "content": "Hm."}]}], tokenizer)


def test_an_unknown_template_file_names_the_shipped_ones(tokenizer):
    with pytest.raises(UserMistake, match=r"hfllm/templates/chatml\.jinja"):
        labels.prepare_template(tokenizer, "chatml2.jinja", assistant_only=True)


def test_the_options_of_a_row_reach_the_template(tokenizer):
    tokenizer.chat_template = "{% generation %}{{ mood }}{{ messages[-1].content }}{% endgeneration %}"
    row = encode([{"messages": CONVERSATION, "chat_template_kwargs": {"mood": "Gladly: "}}], tokenizer)[0]
    assert tokenizer.decode(row["input_ids"]).startswith("Gladly: ")
