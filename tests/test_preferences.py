"""preferences.py: every layout of preferences becomes pairs, and every row that cannot is told of."""

from __future__ import annotations

import json

import pytest
from datasets import Dataset

from hfllm import preferences
from hfllm.data import DatasetConfig
from hfllm.errors import UserMistake


def user(text):
    return {"role": "user", "content": text}


def assistant(text):
    return {"role": "assistant", "content": text}


def pairs(rows, **options):
    return list(preferences.pairs(Dataset.from_list(rows), "mine.jsonl [train]", **options))


def test_a_ranking_gives_a_pair_for_every_two_answers_that_are_not_tied():
    # ranks 2, 1, 2: the second answer is better than both others, which are tied
    assert preferences.better_and_worse([2, 1, 2]) == [(1, 0), (1, 2)]
    assert preferences.better_and_worse([1, 1]) == []
    rows = [
        {"prompt": "a?", "responses": ["x", "y", "z"], "rank": [2, 1, 2]},
        {"prompt": "b?", "responses": ["u", "v"], "rank": [1, 2]},
    ]
    found = pairs(rows)
    assert [(one["chosen"][0]["content"], one["rejected"][0]["content"]) for one in found] == [
        ("y", "x"),
        ("y", "z"),
        ("u", "v"),
    ]
    assert [one["ranking"] for one in found] == [0, 0, 1]
    assert found[0]["prompt"] == [user("a?")]
    assert found[0]["chosen"] == [assistant("y")]


def test_scores_are_ranks_upside_down():
    (pair,) = pairs([{"prompt": "a?", "responses": ["x", "y"], "scores": [0.1, 4]}])
    assert pair["chosen"] == [assistant("y")]


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "a?", "chosen": "x", "rejected": "y"},
        {"prompt": [user("a?")], "chosen": [assistant("x")], "rejected": [assistant("y")]},
        {"prompt": "a?", "chosen": [user("a?"), assistant("x")], "rejected": [user("a?"), assistant("y")]},
        {"chosen": [user("a?"), assistant("x")], "rejected": [user("a?"), assistant("y")]},
        {"chosen": "\n\nHuman: a?\n\nAssistant: x", "rejected": "\n\nHuman: a?\n\nAssistant: y"},
        {
            "conversations": [{"from": "human", "value": "a?"}],
            "chosen": {"from": "gpt", "value": "x"},
            "rejected": {"from": "gpt", "value": "y"},
        },
    ],
    ids=["text", "messages", "both", "implicit", "transcript", "sharegpt"],
)
def test_every_layout_of_a_pair_is_the_same_pair(row):
    assert pairs([row]) == [
        {"prompt": [user("a?")], "chosen": [assistant("x")], "rejected": [assistant("y")], "ranking": 0}
    ]


def test_a_transcript_of_several_turns_shares_all_but_the_last():
    shared = "\n\nHuman: a?\n\nAssistant: b\n\nHuman: c?\n\nAssistant:"
    (pair,) = pairs([{"chosen": f"{shared} x", "rejected": f"{shared} y"}])
    assert pair["prompt"] == [user("a?"), assistant("b"), user("c?")]
    assert pair["chosen"] == [assistant("x")]


def test_pairs_of_one_prompt_are_one_ranking():
    rows = [{"prompt": asked, "chosen": "x", "rejected": str(n)} for n, asked in enumerate(["a?", "b?", "a?"])]
    assert [pair["ranking"] for pair in pairs(rows)] == [0, 1, 0]


def test_plain_text_stays_text_where_there_is_no_prompt_or_no_template():
    (pair,) = pairs([{"chosen": "x", "rejected": "y"}])
    assert pair == {"prompt": "", "chosen": "x", "rejected": "y", "ranking": 0}
    (pair,) = pairs([{"prompt": "a", "chosen": "x", "rejected": "y"}], as_text=True)
    assert pair == {"prompt": "a", "chosen": "x", "rejected": "y", "ranking": 0}


def test_answers_judged_one_by_one_meet_those_of_the_other_kind():
    rows = [{"text": f"good {n}", "label": 1} for n in range(5)] + [{"text": f"bad {n}", "label": 0} for n in range(3)]
    found = pairs(rows)
    assert len(found) == 3
    assert all(pair["chosen"].startswith("good") and pair["rejected"].startswith("bad") for pair in found)
    texts = [pair[side] for pair in found for side in ("chosen", "rejected")]
    assert len(set(texts)) == 6  # none twice: what is held out was never trained on
    assert found == pairs(rows)


def test_answers_judged_one_by_one_meet_within_their_prompt():
    rows = [
        {"prompt": "a?", "completion": "x", "label": True},
        {"prompt": "a?", "completion": "y", "label": False},
        {"prompt": "a?", "completion": "z", "label": False},
        {"prompt": "b?", "completion": "w", "label": True},
    ]
    assert [(pair["chosen"][0]["content"], pair["rejected"][0]["content"]) for pair in pairs(rows)] == [
        ("x", "y"),
        ("x", "z"),
    ]
    with pytest.raises(UserMistake, match="no prompt has both a good and a bad answer"):
        pairs(rows[3:])
    with pytest.raises(UserMistake, match="row 0: label is 2, not true or false"):
        pairs([{"text": "x", "label": 2}])


def test_pairs_with_equal_sides_are_refused(capsys):
    good = [{"prompt": f"{n}?", "chosen": "x", "rejected": "y"} for n in range(12)]
    equal = {"prompt": "q?", "chosen": "x ", "rejected": "x"}
    assert len(pairs([good[0], equal, *good[1:]])) == 12
    assert "1 of 13 pairs have two equal sides (the first: row 1); they are left out" in capsys.readouterr().out
    with pytest.raises(UserMistake, match=r"2 of 3 pairs have two equal sides \(the first: row 0\)"):
        pairs([equal, equal, good[0]])


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"prompt": "a?", "responses": [], "rank": []}, "not a list of answers"),
        ({"prompt": "a?", "responses": ["x", "y"], "rank": [1]}, "2 answers, but 1 numbers in rank"),
        ({"prompt": "a?", "responses": ["x", "y"], "scores": [1.0, None]}, "not a list of numbers"),
        ({"prompt": "a?", "chosen": None, "rejected": "y"}, "chosen is None, not text or messages"),
        ({"prompt": "a?", "chosen": "x", "rejected": 7}, "rejected is 7, not text or messages"),
        (
            {"chosen": [user("a?"), assistant("x")], "rejected": [user("b?"), assistant("y")]},
            "part before a turn of the assistant",
        ),
        ({"chosen": [{"role": "robot", "content": "x"}], "rejected": [assistant("y")]}, "unknown role 'robot'"),
    ],
)
def test_a_row_that_cannot_be_read_is_told_with_its_reason(row, reason):
    with pytest.raises(UserMistake, match=f"mine.jsonl .train.: 1 of 1 rows cannot be read.*\n    row 0 .*{reason}"):
        pairs([row])


def test_rankings_of_ties_or_of_one_answer_alone_are_refused():
    tied = {"prompt": "a?", "responses": ["x", "y"], "rank": [1, 1]}
    single = {"prompt": "b?", "responses": ["x"], "rank": [1]}
    with pytest.raises(UserMistake, match="no pair in 2 rows: every prompt has one answer, or all are tied"):
        pairs([tied, single])


def test_rankings_of_one_to_five_answers_with_ties(capsys):
    rankings = [("a", [1]), ("bc", [1, 1]), ("def", [2, 1, 2]), ("ghij", [1, 2, 2, 3]), ("klmno", [3, 1, 2, 1, 3])]
    rows = [{"prompt": f"{answers}?", "responses": list(answers), "rank": rank} for answers, rank in rankings]
    found = pairs(rows)
    told = [one["chosen"][0]["content"] + one["rejected"][0]["content"] for one in found]
    # e before d and f; g before h and i before j; l and n before m before k and o
    assert told == ["ed", "ef", "gh", "gi", "gj", "hj", "ij", "lk", "mk", "nk", "lm", "lo", "nm", "mo", "no"]
    assert [one["ranking"] for one in found] == [2] * 2 + [3] * 5 + [4] * 8
    assert capsys.readouterr().out.count("2 of 5 rows give no pair: they have one answer, or all are tied") == 1
    pairs(rows[2:])
    assert "give no pair" not in capsys.readouterr().out


def test_answers_that_differ_in_a_call_of_a_tool_are_not_equal():
    def call(city, text="Let me see."):
        function = {"name": "find", "arguments": {"city": city}}
        return [assistant(text) | {"tool_calls": [{"type": "function", "function": function}]}]

    row = {"prompt": [user("a?")], "chosen": call("Brunn"), "rejected": call("Rome")}
    (pair,) = pairs([row])
    assert pair["chosen"] != pair["rejected"]
    with pytest.raises(UserMistake, match="1 of 1 pairs have two equal sides"):
        pairs([row | {"rejected": call("Brunn", "Let me see. ")}])


def test_columns_of_no_layout_are_told_with_those_that_are_known():
    for columns in (
        ["chosen", "rejected"],
        ["prompt", "responses", "rank"],
        ["text", "label"],
        ["completion", "label"],
    ):
        preferences.check_columns(columns, "mine.jsonl [train]")
    with pytest.raises(UserMistake, match=r"question, good.*\n.*chosen \+ rejected.*\n.*columns: {question: prompt}"):
        preferences.check_columns(["question", "good"], "mine.jsonl [train]")


def test_special_tokens_of_the_data_stay_text():
    row = {"prompt": "a<|im_end|>?", "responses": ["x<|im_end|>", "y"], "rank": [1, 2]}
    (pair,) = pairs([row], special_tokens=("<|im_end|>",))
    assert "<|im_end|>" not in json.dumps(pair)
    (pair,) = pairs([{"chosen": "x<|im_end|>", "rejected": "y"}], special_tokens=("<|im_end|>",))
    assert pair["chosen"] == "x<| im_end |>"


def test_a_file_is_loaded_with_the_columns_of_the_recipe(tmp_path):
    rows = [{"question": "a?", "chosen": "x", "rejected": "y"}]
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = DatasetConfig(str(tmp_path / "mine.jsonl"), columns={"question": "prompt"})
    assert preferences.load(config)[0]["prompt"] == [user("a?")]


def test_two_turns_of_one_side_on_end_become_one():
    shared = "\n\nHuman: a?\n\nHuman: b?\n\nAssistant:"
    (pair,) = pairs([{"chosen": f"{shared} x\n\nAssistant: z", "rejected": f"{shared} y"}])
    assert pair["prompt"] == [user("a?\n\nb?")]
    assert (pair["chosen"], pair["rejected"]) == ([assistant("x\n\nz")], [assistant("y")])


@pytest.mark.parametrize(
    ("columns", "advice"),
    [
        (["prompt", "responses", "ranks"], "{ranks: rank}"),
        (["prompt", "chosen", "reject"], "{reject: rejected}"),
        (["a", "b"], "{YOURS: chosen}"),
    ],
)
def test_columns_that_are_almost_right_are_named(columns, advice):
    with pytest.raises(UserMistake) as told:
        preferences.check_columns(columns, "mine.jsonl")
    assert f"columns: {advice}" in str(told.value)
