"""The stage rft: what is kept, what it counts, what it refuses, and that the stage sft reads what it writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import stand_in
import tool_model
from transformers import AutoTokenizer

from hfllm import conversations, data, keys, labels, tools
from hfllm.data import DatasetConfig
from hfllm.errors import UserMistake
from hfllm.generate import Answer
from hfllm.stages import rft
from hfllm.stages.rft import RejectionSamplingConfig
from hfllm.tasks import TaskConfig

TASK = """
from datasets import Dataset

def load(split, path=None, questions=()):
    rows = [{"prompt": [{"role": "user", "content": question}], "answer": answer} for question, answer in questions]
    return Dataset.from_list(rows)

def score(completion, row):
    return None if row["answer"] == "?" else float(row["answer"] in completion)
"""


@pytest.fixture
def task(tmp_path: Path) -> str:
    (tmp_path / "mine.py").write_text(TASK)
    return str(tmp_path / "mine.py")


def config(folder: Path, task: str, questions: list[tuple[str, str]], **changed: Any) -> RejectionSamplingConfig:
    settings = {"samples": 4, "max_new_tokens": 100, "tools": {"calculator": {}}, "temperature": 0.3} | changed
    tasks = [TaskConfig(task, options={"questions": questions})]
    return RejectionSamplingConfig(str(folder), str(Path(task).parent / "rft"), tasks, **settings)


def lines(folder: str, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(folder, name).read_text().splitlines()]


QUESTIONS = [("12*12?", "144"), ("Hello", "Bye"), ("Hello", "?"), ("Hello", "Hi")]


def test_right_answers_are_kept_with_their_calls(tool_folder: Path, task: str) -> None:
    settings = config(tool_folder, task, QUESTIONS)
    numbers = rft.main(settings)
    rows = lines(settings.output_dir, "train.jsonl")
    assert [row["messages"] for row in rows] == [tool_model.CONVERSATIONS[1], tool_model.CONVERSATIONS[0]]
    assert all(json.loads(row["tools"]) == tool_model.SCHEMAS for row in rows)  # at 0.3 it says what it knows by heart
    assert numbers["rows"] == 2
    assert (numbers["problems"], numbers["not_judged"]) == (4, 1)
    assert (numbers["pass@1"], numbers["pass@4"]) == (0.6667, 0.6667)
    assert [numbers[f"{how}_solved"] for how in ("always", "sometimes", "never")] == [2, 0, 1]
    written = lines(settings.output_dir, "answers.jsonl")
    assert [[answer["right"] for answer in row["answers"]] for row in written] == [
        [right] * 4 for right in (True, False, None, True)
    ]


def test_the_stage_sft_reads_it(tool_folder: Path, task: str) -> None:
    settings = config(tool_folder, task, QUESTIONS)
    rft.main(settings)
    tokenizer = AutoTokenizer.from_pretrained(tool_folder)
    rows = conversations.to_messages(data.load(DatasetConfig(settings.output_dir)), settings.output_dir)
    encoded = labels.encode(rows, tokenizer, labels.Limits(None), settings.output_dir)
    again = [tool_model._encoded(tokenizer, tool_model.CONVERSATIONS[number]) for number in (1, 0)]
    assert [(row["input_ids"], row["labels"]) for row in encoded] == again


def test_a_run_that_was_cut_off_ends_with_the_same_answers(
    tool_folder: Path, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = config(tool_folder, task, QUESTIONS * 2, temperature=2.0, batch_size=2, samples=2)
    monkeypatch.setattr(rft, "BATCHES_AT_ONCE", 2)  # two problems at a time
    settings.tasks[0].options["questions"] = [("Hello", ".")] * 8
    rft.main(settings)
    whole = Path(settings.output_dir, "answers.jsonl").read_bytes()
    cut = whole.split(b"\n")
    Path(settings.output_dir, "answers.jsonl").write_bytes(b"\n".join(cut[:3]) + b"\n" + cut[3][:20])
    sampled = []
    generate = rft.generate
    monkeypatch.setattr(rft, "generate", lambda *args, **options: sampled.append(args[2]) or generate(*args, **options))
    rft.main(settings)
    assert Path(settings.output_dir, "answers.jsonl").read_bytes() == whole
    assert len(sampled) == 3  # the first two of eight problems were there


def test_the_seed_decides(tool_folder: Path, task: str) -> None:
    first, same, other = (
        config(tool_folder, task, [("Hello", "")] * 3, temperature=1.5, seed=seed) for seed in (1, 1, 2)
    )
    texts = []
    for settings in (first, same, other):
        rft.main(settings)
        file = Path(settings.output_dir, "answers.jsonl")
        texts.append(file.read_text())
        file.unlink()
    assert texts[0] == texts[1] != texts[2]


def problem(*answers: tuple[str, bool | None]) -> dict[str, Any]:
    """A judged problem of which these texts were said."""
    said = [
        {"messages": [tool_model.says(text)], "right": right, "ended": True, "tokens": 2} for text, right in answers
    ]
    return {"task": "t", "prompt": [tool_model.user("?")], "answer": "1", "answers": said}


def test_distinct_right_answers_are_kept_up_to_a_number() -> None:
    tried = problem(("a", True), ("b", False), ("a", True), ("c", True), ("d", True))
    kept = [row["messages"][-1]["content"] for row in rft.kept_rows(tried, 2)]
    assert kept == ["a", "c"]


def test_numbers_by_hand() -> None:
    tried = [problem(("a", True), ("b", False)), problem(("a", True), ("a", True)), problem(("a", False), ("b", False))]
    assert rft.numbers(tried, 2) == {
        "problems": 3,
        "pass@1": 0.5,  # (1/2 + 1 + 0) / 3
        "pass@2": 0.6667,  # (1 + 1 + 0) / 3
        "always_solved": 1,
        "sometimes_solved": 1,
        "never_solved": 1,
        "mean_tokens": 2.0,
        "cut_off": 0.0,
    }


def test_an_answer_that_was_cut_off_is_wrong(task: str) -> None:
    row = {"task": task, "prompt": [], "answer": "1"}
    judged = rft.judged(row, [Answer([tool_model.says("1")], [5], [True], ended) for ended in (True, False)])
    assert [answer["right"] for answer in judged["answers"]] == [True, False]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"temperature": 0.0}, "temperature: 0 gives the same answer each time"),
        ({"samples": 0}, "samples: 0 is too few"),
        ({"top_p": 1.5}, "top_p 1.5: must be above 0 and at most 1"),
        ({"tasks": [TaskConfig("gsm8")]}, r"no such task; did you mean gsm8k\?"),
        ({"tasks": []}, "the recipe needs problems"),
        ({"tools": {"calclator": {}}}, r"did you mean calculator\?"),
        ({"model_name_or_path": "runs/nowhere/x"}, "no such folder"),
    ],
)
def test_mistakes_are_found_before_anything_loads(changed: dict[str, Any], message: str, tmp_path: Path) -> None:
    folder = stand_in.make_tokenizer(tmp_path / "model")
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_text("no weights")
    settings = {"model_name_or_path": str(folder), "output_dir": str(tmp_path / "rft"), "tasks": [TaskConfig("gsm8k")]}
    with pytest.raises(UserMistake, match=message):
        rft.main(RejectionSamplingConfig(**(settings | changed)))


def test_a_model_that_cannot_answer_or_call_is_refused_before_its_weights_load(tmp_path: Path) -> None:
    base = stand_in.make_tokenizer(tmp_path / "base", template=False)
    with pytest.raises(UserMistake, match="has not learned to answer; run the stage sft first"):
        rft.check_model(str(base), [])
    (base / "chat_template.jinja").write_text("{% for m in messages %}{{ m.content }}{% endfor %}")
    rft.check_model(str(base), [])
    with pytest.raises(UserMistake, match="does not show tools to the model"):
        rft.check_model(str(base), tools.find({"calculator": {}}))


def test_nothing_right_is_told(tool_folder: Path, task: str) -> None:
    settings = config(tool_folder, task, [("Hello", "Bye")], samples=2)
    with pytest.raises(UserMistake, match=r"1 problems, 2 answers each, and none is right.*answers\.jsonl"):
        rft.main(settings)
    assert len(lines(settings.output_dir, "answers.jsonl")) == 1


def test_its_keys_are_checked() -> None:
    schema = keys.schema_of_main(rft.main)
    assert schema["required"] == ["model_name_or_path", "output_dir", "tasks"]
    assert schema["properties"]["tasks"]["items"]["properties"]["name"]["type"] == "string"
    assert all(key["description"] for key in schema["properties"].values())
