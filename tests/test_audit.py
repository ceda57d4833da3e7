"""audit.py: which recipes are refused, which pass, and what is said."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from datasets import Dataset
from rich.console import Console

from hfllm import audit, chosen_rewards
from hfllm.auditing import texts
from hfllm.auditing.report import Report
from hfllm.cli import main
from hfllm.errors import UserMistake
from tests import stand_in

MINE = """
def long_text(completions, **columns):
    return [float(len(completion[0]["content"])) for completion in completions]

def first_line(completions, *, answer, **columns):
    pairs = zip([completion[0]["content"] for completion in completions], answer)
    return [float(text.splitlines()[:1] == gold.splitlines()[:1]) for text, gold in pairs]

def zipped_lines(completions, *, answer, **columns):
    pairs = zip([completion[0]["content"] for completion in completions], answer)
    return [float(all(a == b for a, b in zip(text.splitlines(), gold.splitlines()))) for text, gold in pairs]

def calm(completions, **columns):
    return [float("!" not in completion[0]["content"]) for completion in completions]

def thinks(completions, **columns):
    return [float("</think>" in completion[0]["content"]) for completion in completions]

async def later(completions, *, answer, trainer_state, log_metric, **columns):
    log_metric("steps", trainer_state.global_step)
    return [float(gold in text[0]["content"]) for text, gold in zip(completions, answer)]

def too_few(completions, **columns):
    return [1.0]
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(MINE)


def problems(count: int = 20) -> Dataset:
    """What is 3 + 10? and so on, with the steps and the answer."""
    return Dataset.from_list(
        [
            {
                "prompt": [{"role": "user", "content": f"Add {number + 10} to {number * 3} apples."}],
                "answer": str(number * 4 + 10),
                "solution": f"There are {number + 10} and then {number * 3} more.\nThe answer is {number * 4 + 10}.",
            }
            for number in range(count)
        ]
    )


def programs() -> list[dict]:
    """What a program prints, in several lines."""
    return [
        {"prompt": [{"role": "user", "content": "Print."}], "answer": "\n".join(f"line {n} {k}" for k in range(6))}
        for n in range(8)
    ]


def report_on(wanted: dict, rows=None) -> Report:
    return audit.audit(chosen_rewards.find(wanted), rows or problems())


@pytest.mark.parametrize(
    "wanted",
    [
        {"accuracy": {}},
        {"number": {}},
        {"accuracy": {}, "format": {"weight": 0.2}},
        {"accuracy": {}, "format": {"weight": 0.5, "opening": "[", "closing": "]"}},
        {"accuracy": {}, "tags": {"weight": 0.3}},
        {"accuracy": {}, "format": {"weight": 0.2, "opening": None}},
        {"accuracy": {}, "repetition": {"weight": 0.5}},
        {"accuracy": {}, "overlong": {"max_tokens": 100, "buffer_tokens": 20}},
        {"accuracy": {}, "tool_use": {"weight": 0.2}},
        {"cosine": {"max_tokens": 200}},
        {"length": {"target_tokens": 200, "only_correct": True}},
        {"accuracy": {}, "length": {"target_tokens": 200, "only_correct": True, "weight": 0.5}},
        {"accuracy": {}, "length": {"target_tokens": 200, "weight": -0.1}},
        {"accuracy": {}, "length": {"target_tokens": 200, "weight": 0}},
        {"accuracy": {}, "tags": {}, "cosine": {"max_tokens": 200}},
        {"mine.py:later": {}},
    ],
)
def test_a_sane_recipe_passes(wanted):
    assert report_on(wanted).refusals == []


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"length": {"target_tokens": 200}}, "reward 'length' pays 1.00 for 'English looped' (and 6 other texts"),
        ({"accuracy": {}, "length": {"target_tokens": 200, "weight": 0.1}}, "only_correct: true"),
        ({"mine.py:long_text": {}}, "reward 'mine.py:long_text' pays 1200.00 for "),
        ({"accuracy": {}, "mine.py:calm": {"weight": 0.1}}, "reward 'mine.py:calm' pays 0.10 for 'empty'"),
        ({"format": {}}, "in all the rewards pay 1.00 for 'loop in tags', and 1.00 for right answers"),
        ({"tags": {}}, "for 'loop in tags'"),
        ({"repetition": {}}, "there is nothing to learn"),
        ({"tool_use": {}}, "there is nothing to learn"),
        ({"accuracy": {"weight": -1}}, "right answers are paid -1.00 in all"),
    ],
)
def test_a_reward_that_pays_for_nonsense_is_refused(wanted, message):
    found = report_on(wanted).refusals
    assert len(found) == 1
    assert message in found[0]
    assert "\n  to mend it, " in found[0]


def test_a_reward_that_lets_the_first_line_pass_is_refused():
    (half,) = report_on({"mine.py:first_line": {}}, programs()).refusals
    assert "pay 1.00 for 'half the right answer', and 1.00 for right answers" in half
    (empty,) = report_on({"mine.py:zipped_lines": {}}, programs()).refusals
    assert "'mine.py:zipped_lines' pays 1.00 for 'empty'" in empty
    assert report_on({"accuracy": {}}, programs()).refusals == []


def test_gold_is_the_best_paid_way_of_writing_what_is_right():
    report = report_on({"accuracy": {}, "format": {"weight": 0.2}})
    # gold 1 + .2, without tags 1, tags around nothing 1, a loop in tags .2, and nothing for the rest
    wanted = {texts.GOLD: 1.2, texts.NO_TAGS: 1.0, texts.EMPTY_TAGS: 1.0, texts.LOOP_IN_TAGS: 0.2}
    paid = {kind: report.mean(kind) for kind in report.paid}
    assert paid == pytest.approx(dict.fromkeys(paid, 0.0) | {texts.ANSWER: 1.0} | wanted)
    assert report.notes == []


def test_what_is_no_reason_to_stop_is_told():
    (note,) = report_on({"length": {"target_tokens": 200, "only_correct": True}}).notes
    assert "a right answer said over and over is paid 1.00" in note
    (note,) = report_on({"accuracy": {}, "mine.py:thinks": {"weight": 0.2}}).notes
    assert "'mine.py:thinks' pays empty tags like full ones" in note


def test_luck_is_not_pay():
    # each question repeated ends in a letter that is the answer of one row in two
    rows = [
        {"prompt": [{"role": "user", "content": f"{number % 3} or 1"}], "answer": str(number % 2)}
        for number in range(16)
    ]
    report = report_on({"accuracy": {}}, rows)
    assert report.mean(texts.QUESTION) == 0.5
    assert report.refusals == []


def test_rows_without_right_answers_are_shown_and_not_judged():
    rows = [{"prompt": [{"role": "user", "content": "Write a joke."}]}] * 3
    report = report_on({"mine.py:long_text": {}}, rows)
    assert report.refusals == []
    assert "no right answers to compare with" in report.notes[0]
    assert texts.GOLD not in report.paid


def test_rows_without_a_right_answer_are_left_out():
    rows = [*problems(3), {"prompt": problems(1)[0]["prompt"], "answer": None}, {**problems(1)[0], "answer": ""}]
    rows[-1]["solution"] = None
    report = report_on({"accuracy": {}}, rows)
    assert report.paid[texts.GOLD]["accuracy"] == [1.0, 1.0, 1.0]


def test_prompts_that_are_text_get_completions_that_are_text():
    rows = [{"prompt": "What is 8 * 9?", "answer": "72"}]
    report = report_on({"accuracy": {}, "repetition": {}}, rows)
    assert report.refusals == []


def test_the_table_adds_up():
    out = io.StringIO()
    table = report_on({"accuracy": {}, "format": {"weight": 0.2}, "length": {"target_tokens": 9, "weight": 0}}).table()
    Console(file=out, width=200).print(table)
    assert "only measured" in out.getvalue()
    cells = next(line.split("│") for line in out.getvalue().splitlines() if " loop in tags " in line)
    assert [cell.strip() for cell in cells[2:6]] == ["0.00", "0.20", "1.00", "0.20"]


def test_a_reward_must_give_one_number_a_completion():
    with pytest.raises(UserMistake, match="it must return a list of"):
        report_on({"mine.py:too_few": {}})


def test_a_stage_is_stopped_and_shown_the_table(capsys):
    audit.refuse(chosen_rewards.find({"accuracy": {}}), problems())
    assert capsys.readouterr().out == ""
    with pytest.raises(UserMistake, match="reward 'length' pays"):
        audit.refuse(chosen_rewards.find({"length": {"target_tokens": 100}}), problems())
    assert "what the rewards pay" in capsys.readouterr().out


def test_tokens_are_those_of_the_tokenizer(tmp_path):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(stand_in.make_tokenizer(tmp_path / "tokenizer"))
    rows = [{"prompt": [{"role": "user", "content": "Where?"}], "answer": "Tom lives in a small town."}]
    chosen = chosen_rewards.find({"accuracy": {}, "length": {"target_tokens": 10_000, "weight": 0}})
    report = audit.audit(chosen, rows, tokenizer)
    loop = texts.looped(texts.LOOPS["Chinese looped"])
    tokens = len(tokenizer(loop, add_special_tokens=False)["input_ids"])
    assert report.paid["Chinese looped"]["length"] == [tokens / 10_000]


def test_a_reward_model_reads_the_conversation(tmp_path):
    folder = reward_model(tmp_path / "reward")
    rows = problems(2)
    (reward,) = chosen_rewards.find({str(folder): {}})
    report = audit.audit([reward], rows)
    assert set(report.paid) >= {texts.GOLD, texts.EMPTY}
    assert report.paid[texts.EMPTY][str(folder)] == pytest.approx([score(folder, row["prompt"], "") for row in rows])
    # a random model pays nonsense more than the answer somewhere
    assert "train the reward model on such texts as rejected ones" in report.refusals[0]


TASK = """
from datasets import Dataset

def load(split, path=None):
    prompts = [[{"role": "user", "content": f"Add {n} and {n}."}] for n in range(30)]
    return Dataset.from_dict({"prompt": prompts, "answer": [str(2 * n) for n in range(30)]})

def score(completion, row):
    return float(completion.endswith(f"is {row['answer']}."))

def gold(row):
    return f"The answer is {row['answer']}."
"""
RECIPE = """
model_name_or_path: model
tasks: [{name: sums.py}]
rewards: {accuracy: }
output_dir: runs/grpo
"""


def test_the_command_line_audits_a_recipe(capsys, tmp_path):
    stand_in.make(tmp_path / "model")
    Path("sums.py").write_text(TASK)
    Path("grpo.yaml").write_text(RECIPE)
    assert main(["rewards", "audit", "grpo.yaml"]) == 0
    assert capsys.readouterr().out.endswith("no reward pays for nonsense\n")
    assert main(["rewards", "audit", "grpo.yaml", "--rewards.length.target_tokens", "100"]) == 2
    captured = capsys.readouterr()
    assert "question looped" in captured.out
    assert captured.err.startswith("reward 'length' pays 1.00 for ")


def test_the_command_line_needs_a_recipe_with_rewards_and_their_columns(capsys, tmp_path):
    stand_in.make(tmp_path / "model")
    Path("world.yaml").write_text("output_dir: runs/world\n")
    Path("rows.jsonl").write_text('{"prompt": "1 + 1 =", "solution": "2"}\n')
    Path("grpo.yaml").write_text(RECIPE.replace("tasks: [{name: sums.py}]", "datasets: [{path: rows.jsonl}]"))
    for words, message in [
        (["world.yaml"], "the stage world has no rewards"),
        (["."], "name one recipe"),
        (["nowhere.yaml"], "no such recipe"),
        (["grpo.yaml"], "reward 'accuracy' reads the column 'answer'; rows.jsonl [train] has: prompt, solution.\n"),
    ]:
        assert main(["rewards", "audit", *words]) == 2
        assert message in capsys.readouterr().err


def reward_model(folder: Path) -> Path:
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification

    stand_in.make(folder, shape="llama")
    config = AutoConfig.from_pretrained(folder, num_labels=1)
    torch.manual_seed(0)
    AutoModelForSequenceClassification.from_config(config).save_pretrained(folder)
    return folder


def score(folder: Path, prompt: list[dict], text: str) -> float:
    """One conversation alone, without padding."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    messages = [*prompt, {"role": "assistant", "content": text}]
    inputs = tokenizer.apply_chat_template(messages, return_tensors="pt", return_dict=True)
    return AutoModelForSequenceClassification.from_pretrained(folder)(**inputs).logits.item()
