"""The stage sft on a stand-in model: what it trains on, what it refuses, what it leaves behind."""

import json
import warnings

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import ModelConfig, SFTConfig

from hfllm.data import DatasetConfig, DatasetMixtureConfig
from hfllm.errors import UserMistake
from hfllm.stages import sft
from tests import stand_in

ROWS = [
    {"messages": [{"role": "user", "content": f"What is {n} + 1?"}, {"role": "assistant", "content": f"{n + 1}"}]}
    for n in range(40)
]
SETTINGS = {
    **{"use_cpu": True, "bf16": False, "gradient_checkpointing": False, "dataloader_pin_memory": False},
    **{"max_steps": 2, "per_device_train_batch_size": 4, "max_length": 64, "logging_steps": 1},
    **{"assistant_only_loss": True, "chat_template_path": "hfllm/templates/chatml.jinja"},
}


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return str(stand_in.make(tmp_path_factory.mktemp("base"), template=False))


@pytest.fixture
def run(tmp_path, base):
    """Run the stage on rows for a few steps; returns its numbers and its folder."""

    def start(rows=ROWS, evaluation=None, peft=False, datasets=None, folder="out", **values):
        configs = datasets or [DatasetConfig(write(tmp_path / "train.jsonl", rows))]
        held_out = [DatasetConfig(write(tmp_path / "test.jsonl", evaluation))] if evaluation else []
        with warnings.catch_warnings(action="ignore"):
            arguments = SFTConfig(str(tmp_path / folder), **(SETTINGS | values))
        model = ModelConfig(base, use_peft=peft, lora_r=4, lora_target_modules=["q_proj", "v_proj"] if peft else None)
        return sft.main(DatasetMixtureConfig(configs, held_out), arguments, model), tmp_path / folder

    return start


def test_a_model_folder_that_stops_at_the_end_of_its_turn(run):
    numbers, folder = run(evaluation=ROWS[:4])
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    assert numbers["steps"] == 2
    assert "eval_loss" in numbers
    assert tokenizer.eos_token == "<|im_end|>"
    assert tokenizer.chat_template
    assert tokenizer.eos_token_id in model.generation_config.eos_token_id
    assert not (folder / "training_args.bin").exists()  # a pickle: nobody should have to open one


def test_packed_rows_give_the_loss_of_unpacked_rows(run):
    """The same eight conversations in one step: as eight rows, or packed into as few as fit."""
    rows = ROWS[:8]
    settings = {"max_steps": 1, "learning_rate": 0.0, "shuffle_dataset": False}
    apart, _ = run(rows, folder="apart", per_device_train_batch_size=8, **settings)
    packed, _ = run(rows, folder="packed", packing=True, per_device_train_batch_size=8, **settings)
    assert packed["train_loss"] == pytest.approx(apart["train_loss"], rel=1e-5)


def test_accumulated_batches_equal_one_large_batch(run):
    settings = {"max_steps": 2, "optim": "sgd", "learning_rate": 0.1}
    _, large = run(folder="large", per_device_train_batch_size=4, **settings)
    _, small = run(folder="small", per_device_train_batch_size=1, gradient_accumulation_steps=4, **settings)
    for one, other in zip(weights(large), weights(small), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def weights(folder):
    return [parameter.detach() for parameter in AutoModelForCausalLM.from_pretrained(folder).parameters()]


def test_an_adapter_folder_loads_on_its_base(run):
    _, folder = run(peft=True)
    assert (folder / "adapter_model.safetensors").exists()
    assert not (folder / "model.safetensors").exists()
    assert AutoModelForCausalLM.from_pretrained(folder).num_parameters() > 0


def test_layouts_mix(run, tmp_path):
    alpaca = write(tmp_path / "alpaca.jsonl", [{"instruction": "Say hello.", "output": "Hello!"}] * 4)
    pairs = write(tmp_path / "pairs.jsonl", [{"question": "1 + 1 =", "answer": " 2"}] * 4)
    columns = {"question": "prompt", "answer": "completion"}
    datasets = [DatasetConfig(alpaca, rows=3), DatasetConfig(pairs, columns=columns)]
    numbers, _ = run(datasets=datasets)
    assert [counts["rows"] for counts in numbers["data"].values()] == [3, 4]


def test_columns_that_are_no_conversation_are_named(run):
    with pytest.raises(UserMistake, match=r"train\.jsonl \[train\] has the columns question, answer"):
        run([{"question": "1 + 1?", "answer": "2"}])


def test_a_base_model_without_template_is_told_of_before_its_weights_load(run, base):
    with pytest.raises(UserMistake, match="has no chat template, but the data has 'messages'"):
        run(chat_template_path=None)


def test_a_misspelled_model_names_its_neighbours(tmp_path):
    with pytest.raises(UserMistake, match="no such folder"):
        sft.main(
            DatasetMixtureConfig([DatasetConfig("x.jsonl")]),
            SFTConfig(str(tmp_path), use_cpu=True, bf16=False),
            ModelConfig("runs/tiny/pretran"),
        )


def test_data_and_model_must_be_given(tmp_path):
    with pytest.raises(UserMistake, match="needs  model_name_or_path:  and  datasets:"):
        sft.main(DatasetMixtureConfig(), SFTConfig(str(tmp_path), use_cpu=True, bf16=False), ModelConfig())


def test_four_bit_weights_with_an_adapter(run, base, tmp_path):
    pytest.importorskip("bitsandbytes")
    model = ModelConfig(
        base, use_peft=True, lora_r=4, lora_target_modules="all-linear", load_in_4bit=True, dtype="float32"
    )
    with warnings.catch_warnings(action="ignore"):
        arguments = SFTConfig(
            str(tmp_path / "qlora"),
            **SETTINGS,
        )
    data = DatasetMixtureConfig([DatasetConfig(write(tmp_path / "q.jsonl", ROWS))])
    sft.main(data, arguments, model)
    assert (tmp_path / "qlora" / "adapter_model.safetensors").exists()


def test_data_sets_of_one_place_are_all_read(run, tmp_path):
    file = write(tmp_path / "train.jsonl", ROWS)
    halves = [DatasetConfig(file, split=split) for split in ("train", "train", "train[:50%]")]
    numbers, _ = run(datasets=halves)
    assert [counts["rows"] for counts in numbers["data"].values()] == [40, 40, 20]


def test_a_prompt_and_completion_of_messages_get_the_template_of_the_recipe(run):
    rows = [{"prompt": row["messages"][:1], "completion": row["messages"][1:]} for row in ROWS]
    _, folder = run(rows)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer.chat_template
    assert tokenizer.eos_token == "<|im_end|>"


def test_packing_that_lets_rows_see_each_other_is_refused(run):
    with pytest.raises(UserMistake, match="packing_strategy: bfd"):
        run(packing=True, packing_strategy="wrapped")


def test_a_misspelled_adapter_target_is_told_of(run, base, tmp_path):
    model = ModelConfig(base, use_peft=True, lora_r=4, lora_target_modules=["q_proj", "v_prj"])
    with warnings.catch_warnings(action="ignore"):
        arguments = SFTConfig(str(tmp_path / "slip"), **SETTINGS)
    data = DatasetMixtureConfig([DatasetConfig(write(tmp_path / "slip.jsonl", ROWS))])
    with pytest.raises(UserMistake, match="lora_target_modules: the model has no module v_prj"):
        sft.main(data, arguments, model)
