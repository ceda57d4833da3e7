"""The stage `pretrain` from text to a model folder, its arithmetic by hand, and `kill -9` in the middle."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from transformers import AutoModelForCausalLM, AutoTokenizer, EvalPrediction, TrainingArguments

from hfllm.data import DatasetConfig, DatasetMixtureConfig
from hfllm.errors import UserMistake
from hfllm.pretraining import corpus, fresh_model, heldout, loss_curve, samples, speed
from hfllm.pretraining.budget import Budget
from hfllm.stages.pretrain import PretrainConfig, main
from tests import stand_in

SHAPE = {
    "model_type": "qwen3",
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
    "tie_word_embeddings": True,
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tokenizer and 300 different documents."""
    folder = tmp_path_factory.mktemp("inputs")
    stand_in.make_tokenizer(folder / "tokenizer")
    sentences = stand_in.SENTENCES
    lines = [{"text": f"{sentences[number % 4]} {number}. {sentences[(number + 1) % 4]}"} for number in range(300)]
    (folder / "texts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def configs(
    inputs: Path, output_dir: Path, **changes: Any
) -> tuple[PretrainConfig, DatasetMixtureConfig, TrainingArguments]:
    own = {"model_config": SHAPE, "block_size": 32, "held_out_share": 0.1, "muon_learning_rate": 0.01, "threads": 1}
    names = PretrainConfig.__dataclass_fields__
    config = PretrainConfig(
        str(inputs / "tokenizer"), **{**own, **{key: value for key, value in changes.items() if key in names}}
    )
    steps = {
        "max_steps": 6,
        "logging_steps": 2,
        "eval_strategy": "steps",
        "eval_steps": 3,
        "save_steps": 3,
        "use_cpu": True,
    }
    args = TrainingArguments(str(output_dir), **{**steps, **{k: v for k, v in changes.items() if k not in names}})
    return config, DatasetMixtureConfig([DatasetConfig(str(inputs / "texts.jsonl"))]), args


def test_text_becomes_a_model_folder(inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changes = {
        "lr_scheduler_type": "warmup_stable_decay",
        "sample_prompts": ["Tom lives", "Anna"],
        "mask_documents": True,
    }
    numbers = main(*configs(inputs, tmp_path, **changes))
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert model.config.vocab_size == len(tokenizer)
    end = tokenizer.convert_tokens_to_ids("<|eos|>")
    assert model.generation_config.eos_token_id in (end, [end])  # as one version of transformers or another writes it
    assert numbers["steps"] == 6
    assert numbers["tokens"] == 6 * 8 * 32
    assert 0 < numbers["eval_bits_per_byte"] < 8
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")
    page = (tmp_path / "samples.md").read_text()
    assert "## step 3" in page
    assert "## step 6" in page
    assert "**Tom lives**" in page
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [entry["tokens"] for entry in log if "loss" in entry] == [512, 1024, 1536]
    assert [entry["step"] for entry in log if "samples" in entry] == [3, 6]
    assert "8 rows x 32 tokens = 256 tokens a step; 6 steps = 1,536 tokens" in capsys.readouterr().out


def test_a_second_run_uses_the_shards_again_and_goes_on_from_a_model(inputs: Path, tmp_path: Path) -> None:
    main(*configs(inputs, tmp_path / "first"))
    stamp = (tmp_path / "first.shards/train.ds").stat().st_mtime_ns
    _config, data_args, args = configs(inputs, tmp_path / "first", packing="split")
    tokenizer = AutoTokenizer.from_pretrained(inputs / "tokenizer")
    corpus.prepare(tmp_path / "first.shards", data_args, 0.1, tokenizer, str(inputs / "tokenizer"), args)
    assert (tmp_path / "first.shards/train.ds").stat().st_mtime_ns == stamp
    corpus.prepare(tmp_path / "first.shards", data_args, 0.2, tokenizer, str(inputs / "tokenizer"), args)
    assert (tmp_path / "first.shards/train.ds").stat().st_mtime_ns > stamp

    changes = {"model_config": None, "model_name_or_path": str(tmp_path / "first"), "muon_learning_rate": None}
    numbers = main(*configs(inputs, tmp_path / "second", **changes))
    first = json.loads((tmp_path / "first/log.jsonl").read_text().splitlines()[0])
    assert numbers["train_loss"] < first["loss"]


def test_nothing_held_out_is_allowed(inputs: Path, tmp_path: Path) -> None:
    numbers = main(*configs(inputs, tmp_path, held_out_share=0.0, eval_strategy="no", eval_steps=None))
    assert "eval_bits_per_byte" not in numbers


def test_bits_per_byte_by_hand() -> None:
    # token 1 has 2 bytes, token 2 has 3, token 0 is special: (ln 2 + ln 4) / ln 2 = 3 bits for 5 bytes
    metric = heldout.BitsPerByte(np.array([0, 2, 3]))
    labels = np.array([[1, 1, 2, 0], [2, -100, -100, -100]])
    nats = np.array([[math.log(2), math.log(4), 7.0], [0.0, 0.0, 0.0]], dtype=np.float32)
    result = metric(EvalPrediction(predictions=nats, label_ids=labels))
    assert result["bytes"] == 5
    assert result["bits_per_byte"] == pytest.approx(3 / 5)


def test_nats_are_those_of_the_next_token() -> None:
    logits = torch.log(torch.tensor([[[0.5, 0.25, 0.25], [0.1, 0.1, 0.8], [1.0, 1.0, 1.0]]]))  # (1, 3, 3)
    assert torch.allclose(heldout.nats(logits, torch.tensor([[2, 1, 2]])), -torch.log(torch.tensor([[0.25, 0.8]])))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"hiden_size": 96}, "hiden_size: no such key; did you mean hidden_size?"),
        ({"vocab_size": 5}, "vocab_size: comes from the tokenizer"),
        ({"model_type": "qwen33"}, "did you mean qwen3?"),
        ({"model_type": "vit"}, "no causal language model"),
        ({"hidden_size": "wide"}, "hidden_size"),
        ({"max_position_embeddings": 16}, "max_position_embeddings: 32"),
    ],
)
def test_model_config_mistakes(inputs: Path, changes: dict[str, Any], words: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(inputs / "tokenizer")
    with pytest.raises(UserMistake, match=re.escape(words)):
        fresh_model.config(SHAPE | changes, tokenizer, block_size=32)


def test_rope_theta_reaches_the_model(inputs: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(inputs / "tokenizer")
    for key in ({"rope_theta": 100.0}, {"rope_parameters": {"rope_type": "default", "rope_theta": 100.0}}):
        model = fresh_model.build(fresh_model.config(SHAPE | key, tokenizer))
        frequencies = model.model.rotary_emb.inv_freq  # theta^(-2 i / head_dim), head_dim 16
        assert torch.allclose(frequencies, 100.0 ** (-torch.arange(0, 16, 2) / 16))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model_config": None}, "give one of"),
        ({"held_out_share": 1.5}, "no share of the documents"),
        ({"model_config": None, "model_name_or_path": "runs/nowhere"}, "runs/nowhere"),
        ({"block_size": 64_000, "model_config": SHAPE | {"max_position_embeddings": 64_000}}, "less than one row"),
    ],
)
def test_mistakes_end_before_a_model_is_built(
    inputs: Path, tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(UserMistake, match=words):
        main(*configs(inputs, tmp_path, **changes))


def test_a_vocabulary_that_does_not_fit_the_model_is_a_mistake(inputs: Path, tmp_path: Path) -> None:
    small = fresh_model.config(SHAPE, AutoTokenizer.from_pretrained(inputs / "tokenizer"))
    small.vocab_size = 100
    fresh_model.build(small).save_pretrained(tmp_path / "small")
    changes = {"model_config": None, "model_name_or_path": str(tmp_path / "small")}
    with pytest.raises(UserMistake, match="was made for 100"):
        main(*configs(inputs, tmp_path / "run", **changes))


def test_budget_counts_as_the_trainer_does(tmp_path: Path) -> None:
    args = TrainingArguments(
        str(tmp_path), use_cpu=True, per_device_train_batch_size=4, gradient_accumulation_steps=2, num_train_epochs=2
    )
    # 27 rows: 7 batches of 4, 4 steps of 2 batches an epoch
    budget = Budget.of(27, 16, args)
    assert (budget.steps, budget.tokens_per_step, budget.rows_per_step) == (8, 128, 8)


def test_flops_by_hand(inputs: Path) -> None:
    model = fresh_model.build(fresh_model.config(SHAPE, AutoTokenizer.from_pretrained(inputs / "tokenizer")))
    # the tied table is also the head, so it counts: 6 N + 12 L d T
    assert speed.flops_per_token(model, 32) == 6 * model.num_parameters() + 12 * 2 * 32 * 32


def test_training_loss_in_bits_per_byte_by_hand() -> None:
    log = [{"step": 2, "loss": math.log(4)}, {"step": 4, "eval_bits_per_byte": 0.7}, {"step": 4, "samples": []}]
    assert loss_curve.points(log, bytes_per_token=4.0, tokens_per_step=10) == ([(20, pytest.approx(0.5))], [(40, 0.7)])
    assert [loss_curve.short(number) for number in (0, 500, 1.5e6, 10e9)] == ["0", "500", "1.5M", "10B"]


def test_a_batch_of_prompts_continues_as_each_alone(tmp_path: Path) -> None:
    folder = stand_in.make(tmp_path)
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    prompts = ["Tom", "What is the capital of Veland?"]
    together = samples.continuations(model, tokenizer, prompts, 8)
    assert together == [samples.continuations(model, tokenizer, [prompt], 8)[0] for prompt in prompts]


@pytest.mark.slow
def test_kill_dash_nine(inputs: Path, tmp_path: Path) -> None:
    """The same command after SIGKILL ends with the weights of a run that was left alone."""

    def command(name: str) -> list[str]:
        recipe = {
            "output_dir": str(tmp_path / name),
            "tokenizer_name_or_path": str(inputs / "tokenizer"),
            "datasets": [{"path": str(inputs / "texts.jsonl")}],
            **{
                "model_config": SHAPE,
                "block_size": 32,
                "held_out_share": 0.1,
                "muon_learning_rate": 0.01,
                "threads": 1,
            },
            **{"max_steps": 300, "save_steps": 20, "logging_steps": 10, "eval_strategy": "steps", "eval_steps": 50},
            "lr_scheduler_type": "warmup_stable_decay",
        }
        (tmp_path / f"pretrain-{name}.yaml").write_text(yaml.safe_dump(recipe))
        return [sys.executable, "-m", "hfllm.stages.pretrain", str(tmp_path / f"pretrain-{name}.yaml")]

    subprocess.run(command("whole"), check=True)
    process = subprocess.Popen(command("cut"))
    while not list((tmp_path / "cut").glob("checkpoint-*/trainer_state.json")):
        assert process.poll() is None
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "cut/run.json").exists()
    subprocess.run(command("cut"), check=True)

    runs = [tmp_path / "whole", tmp_path / "cut"]
    whole, cut = (AutoModelForCausalLM.from_pretrained(run).state_dict() for run in runs)
    assert all(torch.equal(whole[name], cut[name]) for name in whole)
    first, second = (json.loads((run / "run.json").read_text())["numbers"] for run in runs)
    assert first["eval_bits_per_byte"] == second["eval_bits_per_byte"]
    assert first["train_loss"] == second["train_loss"]


def test_the_samples_after_the_last_step_are_in_the_log(inputs: Path, tmp_path: Path) -> None:
    config, data_args, args = configs(inputs, tmp_path, sample_prompts=["Anna"])
    args.eval_steps = 4  # the evaluation at step 6 comes after training
    main(config, data_args, args)
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in log if "samples" in entry] == [4, 6]
