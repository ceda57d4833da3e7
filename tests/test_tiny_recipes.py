"""The recipes of the tiny course, each through its stage's `main` in this process, with everything made small."""

from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from hfllm import cli, keys, places, receipt, recipe

SMALL = {
    "world": {"train_documents": 400, "test_documents": 30, "train_conversations": 40, "test_conversations": 8},
    "tokenizer": {"vocab_size": 512},
    "data": {"workers": 1},
    "pretrain": {"max_steps": 2, "eval_steps": 1, "save_steps": 1, "threads": 1},
    "sft": {"max_steps": 2},
    "grpo": {"max_steps": 2, "max_completion_length": 4, "eval_steps": 2, "save_steps": 2, "audit_rewards": "false"},
    "rft": {"tasks": "[{name: mine.py}]", "samples": 8, "max_new_tokens": 64},
    "sft-tools": {"max_steps": 2},
    "probe": {
        **{"datasets": "[{path: runs/tiny/world/probe_questions, rows: 8}]", "samples": 2, "max_new_tokens": 4},
        "known_per_unknown": "null",
    },
    "sft-idk": {"max_steps": 2},
    "identity": {"rows": 40},
    "sft-identity": {"max_steps": 2},
    "synthesize": {"rows": 64, "max_new_tokens": 64, "temperature": 1.0, "min_answer_words": "null"},
    "evaluate": {"max_new_tokens": 4, "samples": 0, "batch_size": 256},
    "sft-rft": {"max_steps": 2},
    "reward": {"max_steps": 2},
    "reward-careful": {"max_steps": 2},
    "ppo": {"max_steps": 8, "max_completion_length": 4, "watch.best_of": "null"},
    "dpo": {"max_steps": 2},
    "reward-next": {"max_steps": 2},
    "arena": {
        "max_new_tokens": 4,
        "bootstrap": 20,
        "datasets": "[{path: runs/tiny/world/rankings, split: test, rows: 4}]",
    },
}
RANKINGS = {f"{split}_{name}": 72 for name in ("rankings", "careful_rankings") for split in ("train", "test")}
SMALL["world"] |= RANKINGS | {"crawl_pages": 200}


# a task of the user's own: what a model of two steps answers is wrong by any other measure
ANYTHING_IS_RIGHT = """
from datasets import Dataset

def load(split):
    return Dataset.from_list([{"prompt": [{"role": "user", "content": f"{n}?"}], "answer": ""} for n in range(8)])

def score(completion, row):
    return 1.0
"""


def run(stage: str) -> dict:
    """What `recipe.run` does, without the command line."""
    words = [word for key, value in SMALL[stage].items() for word in (f"--{key}", str(value))]
    one = recipe.read(places.folder("recipes") / "tiny" / f"{stage}.yaml", words)
    one.complain()
    main = keys.module_of_stage(one.stage).main
    with receipt.writing(one) as record:
        record(main(**recipe.arguments(main, one)))
    return receipt.load(one.output_dir / receipt.FINISHED)


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("course"))
        Path("mine.py").write_text(ANYTHING_IS_RIGHT)
        yield {stage: run(stage) for stage in SMALL}


def test_every_stage_that_there_is_has_a_tiny_recipe():
    assert {name.split("-")[0] for name in SMALL} == set(keys.stages())
    assert set(SMALL) == {file.stem for file in (places.folder("recipes") / "tiny").glob("*.yaml")}


def test_each_stage_leaves_its_receipt_with_numbers(course):
    assert course["world"]["numbers"]["train_documents"] > 0
    assert course["tokenizer"]["numbers"]["vocab_size"] == 512
    assert course["data"]["numbers"]["recall"]["minhash"] > 0.9
    assert course["pretrain"]["numbers"]["eval_bits_per_byte"] > 0
    assert course["sft"]["numbers"]["eval_loss"] > 0
    assert course["grpo"]["numbers"]["eval_pass@4"] >= course["grpo"]["numbers"]["eval_pass@1"]
    assert course["rft"]["numbers"]["rows"] > 0
    assert sum(course["probe"]["numbers"][kind] for kind in ("known", "between", "unknown")) == 8
    assert len(course["arena"]["numbers"]["ratings"]) == 4
    assert len(course["evaluate"]["numbers"]) == 5
    assert 0 <= course["reward"]["numbers"]["accuracy"] <= 1
    assert course["ppo"]["numbers"]["steps"] == 8
    assert course["dpo"]["numbers"]["eval_rewards/accuracies"] >= 0
    assert course["reward-next"]["numbers"]["data"]["train"]["rankings"] > 0
    assert course["sft-tools"]["numbers"]["steps"] == course["sft-rft"]["numbers"]["steps"] == 2


def test_the_course_is_drawn_on_one_page(course):
    assert cli.main(["report", "runs/tiny"]) == 0
    page = Path("runs/tiny/report.html").read_text()
    assert all(f">{stage}<" in page for stage in course)
    assert "Left out" not in page


def test_the_models_load_with_plain_transformers(course):
    for stage in ("pretrain", "sft", "grpo", "ppo", "dpo", "sft-tools"):
        folder = course[stage]["values"]["output_dir"]
        model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
        assert model.config.vocab_size == len(tokenizer) == 512
    chat = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Hello!"}], add_generation_prompt=True, tokenize=False
    )
    assert chat == "<|bos|><|im_start|>user\nHello!<|im_end|>\n<|im_start|>assistant\n"


def test_the_receipts_of_the_inputs_are_in_the_receipt(course):
    assert set(course["sft"]["inputs"]) == {"runs/tiny/pretrain", "runs/tiny/world/conversations"}
