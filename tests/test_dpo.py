"""The stage dpo on a stand-in model: what it compares, its loss by hand, what it refuses, what it leaves behind."""

import json
import math
import re
import shutil
import warnings
from dataclasses import fields

import pytest
import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import DPOConfig, ModelConfig

from hfllm import labels
from hfllm.data import DatasetConfig, DatasetMixtureConfig
from hfllm.dpo import losses, pairs
from hfllm.errors import UserMistake
from hfllm.stages import dpo
from tests import stand_in

PAIRS = [
    {
        "prompt": [{"role": "user", "content": f"What is {n} + 1?"}],
        "chosen": [{"role": "assistant", "content": f"It is {n + 1}."}],
        "rejected": [{"role": "assistant", "content": "Why do you ask?" + "?" * (n % 3)}],
    }
    for n in range(24)
]
TEXTS = [{"prompt": f"{n} + 1 =", "chosen": f" {n + 1}", "rejected": " no"} for n in range(8)]
SETTINGS = {
    **{"use_cpu": True, "bf16": False, "gradient_checkpointing": False, "dataloader_pin_memory": False},
    **{"max_steps": 2, "per_device_train_batch_size": 4, "learning_rate": 1e-3, "max_length": 64, "logging_steps": 1},
}
MATRICES = ["q_proj", "v_proj"]
TEMPLATE = "hfllm/templates/chatml.jinja"


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.fixture(scope="module")
def chat(tmp_path_factory):
    return str(stand_in.make(tmp_path_factory.mktemp("chat")))


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return str(stand_in.make(tmp_path_factory.mktemp("base"), template=False))


@pytest.fixture
def arguments(tmp_path, chat):
    """What `main` is called with."""

    def make(rows=PAIRS, evaluation=None, model=chat, peft=False, folder="out", template=None, **values):
        held_out = [DatasetConfig(write(tmp_path / "test.jsonl", evaluation))] if evaluation else []
        data = DatasetMixtureConfig([DatasetConfig(write(tmp_path / "train.jsonl", rows))], held_out)
        with warnings.catch_warnings(action="ignore"):
            training_args = DPOConfig(str(tmp_path / folder), **(SETTINGS | values))
        model_args = ModelConfig(model, use_peft=peft, lora_r=4, lora_target_modules=MATRICES if peft else None)
        return dpo.PairConfig(template), data, training_args, model_args

    return make


@pytest.fixture
def run(tmp_path, arguments):
    """Run the stage; returns its numbers and its folder."""

    def start(*given, folder="out", **values):
        return dpo.main(*arguments(*given, folder=folder, **values)), tmp_path / folder

    return start


@pytest.fixture
def trainer(arguments):
    """The trainer of the stage before its first step."""

    def make(**values):
        config, data, training_args, model_args = arguments(**values)
        tokenizer = AutoTokenizer.from_pretrained(model_args.model_name_or_path)
        train, evaluation = dpo.encoded(config, data, tokenizer, training_args)
        return dpo.build(model_args, training_args, tokenizer, train, evaluation)

    return make


def log(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def logged(folder, key):
    return [entry[key] for entry in log(folder) if key in entry]


def encode(rows, tokenizer, max_length=None):
    return pairs.encode(Dataset.from_list(rows), tokenizer, labels.Limits(max_length), "rows")


@pytest.fixture
def tokenizer(chat):
    found = AutoTokenizer.from_pretrained(chat)
    found.eos_token = "<|im_end|>"
    return found


def test_an_answer_is_compared_up_to_the_end_of_its_turn(tokenizer):
    (row,) = encode(PAIRS[3:4], tokenizer)
    prompt = "<|bos|><|im_start|>user\nWhat is 3 + 1?<|im_end|>\n<|im_start|>assistant\n"
    assert tokenizer.decode(row["prompt_ids"]) == prompt
    assert tokenizer.decode(row["chosen_ids"]) == "It is 4.<|im_end|>"
    assert tokenizer.decode(row["rejected_ids"]) == "Why do you ask?<|im_end|>"
    assert row["length"] == len(row["prompt_ids"]) + max(len(row["chosen_ids"]), len(row["rejected_ids"]))


def test_plain_text_ends_with_the_end_of_text(base):
    tokenizer = AutoTokenizer.from_pretrained(base)
    (row,) = encode(TEXTS[:1], tokenizer)
    assert tokenizer.decode(row["prompt_ids"]) == "<|bos|>0 + 1 ="
    assert tokenizer.decode(row["chosen_ids"]) == " 1<|eos|>"


def test_the_tokens_are_counted(tokenizer):
    encoded = encode(PAIRS[:2], tokenizer)
    parts = [sum(map(len, encoded[name])) for name in ("prompt_ids", "chosen_ids", "rejected_ids")]
    assert pairs.counts(encoded) == {
        "pairs": 2,
        "tokens": 2 * parts[0] + parts[1] + parts[2],  # each prompt is read twice
        "compared_tokens": parts[1] + parts[2],
    }


def test_pairs_that_do_not_differ_within_the_limit_are_left_out(tokenizer, capsys):
    long = [{**PAIRS[0], "prompt": [{"role": "user", "content": "word " * 30}]}]
    assert len(encode(PAIRS + long, tokenizer, max_length=40)) == len(PAIRS)
    assert "rows: 1 of 25 pairs do not differ within max_length 40; they are left out" in capsys.readouterr().out
    with pytest.raises(UserMistake, match="1 of 1 pairs do not differ within max_length 40"):
        encode(long, tokenizer, max_length=40)


def test_pairs_that_are_cut_are_told_of(tokenizer, capsys):
    longest = max(encode(PAIRS, tokenizer)["length"])
    encode(PAIRS, tokenizer, max_length=longest)
    assert capsys.readouterr().out == ""
    encode(PAIRS, tokenizer, max_length=longest - 1)
    assert f"pairs are longer than max_length {longest - 1} and are cut" in capsys.readouterr().out


def log_probability(model, prompt, answer):
    """Of the answer's tokens alone, one row at a time, nothing padded."""
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([prompt + answer])).logits[0]
    logps = logits[len(prompt) - 1 : -1].log_softmax(-1)  # (T, V): each token is predicted by the one before it
    return sum(logps[place, token].item() for place, token in enumerate(answer))


def moved(model, scale=0.02):
    """Another policy: noise on what is trained."""
    torch.manual_seed(0)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += scale * torch.randn_like(parameter)


def batch_of(trainer):
    return trainer.data_collator([trainer.train_dataset[number] for number in range(6)])


def test_the_loss_by_hand(trainer, chat):
    made = trainer(beta=0.3)
    moved(made.model)
    reference = AutoModelForCausalLM.from_pretrained(chat)
    expected = []
    for row in made.train_dataset.select(range(6)):
        gains = [
            log_probability(made.model, row["prompt_ids"], row[side])
            - log_probability(reference, row["prompt_ids"], row[side])
            for side in ("chosen_ids", "rejected_ids")
        ]
        expected.append(-math.log(1 / (1 + math.exp(-0.3 * (gains[0] - gains[1])))))
    loss = made.compute_loss(made.model, batch_of(made)).item()
    assert loss == pytest.approx(sum(expected) / 6, rel=1e-4)
    assert abs(loss - math.log(2)) > 0.01


def test_an_adapter_is_compared_with_the_model_without_it(trainer):
    """LoRA's reference is the adapter switched off: the same loss as with a second model."""
    made = trainer(peft=True)
    moved(made.model, scale=0.2)
    batch = batch_of(made)
    with made.model.disable_adapter():
        reference = made.compute_ref_log_probs(made.model, batch)
    assert made.ref_model is None
    for ours, theirs in zip(made.compute_ref_log_probs(made.model, batch), reference, strict=True):
        torch.testing.assert_close(ours, theirs)
    assert abs(made.compute_loss(made.model, batch).item() - math.log(2)) > 1e-3


def test_prompts_and_padding_have_no_gradient(trainer):
    """What the answers do not predict moves nothing: with the answers masked, the gradient is zero."""
    made = trainer()
    moved(made.model)
    batch = batch_of(made)
    batch["completion_mask"] = torch.zeros_like(batch["completion_mask"])
    made.compute_loss(made.model, batch).backward()
    assert all(parameter.grad is None or not parameter.grad.any() for parameter in made.model.parameters())


def test_steps_raise_the_better_answer_over_the_worse(run):
    numbers, folder = run(evaluation=PAIRS[:5])
    assert numbers["steps"] == 2
    assert logged(folder, "loss")[0] == pytest.approx(math.log(2), abs=1e-6)  # the policy is the reference still
    assert numbers["eval_rewards/margins"] > 0
    assert numbers["eval_rewards/accuracies"] == 1
    assert numbers["eval_loss"] < math.log(2)
    assert {"rewards/accuracies", "rewards/margins", "train_loss", "training_seconds"} <= set(numbers)
    assert next(iter(numbers["data"].values()))["pairs"] == len(PAIRS)


def test_a_model_folder_that_stops_at_the_end_of_its_turn(run):
    _, folder = run()
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    assert tokenizer.eos_token == "<|im_end|>"
    assert tokenizer.eos_token_id in model.generation_config.eos_token_id
    assert not (folder / "training_args.bin").exists()


def test_an_adapter_goes_on_and_is_held_to_what_it_was(run):
    _, first = run(folder="first", peft=True)
    _, second = run(folder="second", model=str(first))
    assert logged(second, "loss")[0] == pytest.approx(math.log(2), abs=1e-6)
    assert (second / "adapter_model.safetensors").exists()
    assert not (second / "ref").exists()  # TRL's copy of the first adapter
    assert logged(second, "logps/chosen")[0] == pytest.approx(logged(first, "logps/chosen")[0], abs=5)
    with pytest.raises(UserMistake, match="is an adapter already"):
        run(folder="third", model=str(first), peft=True)


@pytest.mark.parametrize("adapter", [False, True])
def test_a_run_goes_on_as_if_it_had_never_stopped(run, tmp_path, adapter):
    start = {"model": str(run(folder="start", peft=True)[1])} if adapter else {}
    for folder in ("whole", "cut"):
        run(folder=folder, max_steps=4, save_steps=2, **start)
    for left in ("checkpoint-4", "adapter_model.safetensors", "model.safetensors"):  # as if cut off behind step 2
        shutil.rmtree(path) if (path := tmp_path / "cut" / left).is_dir() else path.unlink(missing_ok=True)
    run(folder="cut", max_steps=4, save_steps=2, **start)
    for key in ("loss", "grad_norm", "rewards/margins"):
        assert logged(tmp_path / "cut", key) == pytest.approx(logged(tmp_path / "whole", key), rel=1e-5)


def test_every_held_out_pair_counts_once(run):
    """5 pairs in batches of 4 and 1, or one by one: the same means."""
    keys = ["eval_loss", "eval_rewards/accuracies", "eval_rewards/margins", "eval_rewards/chosen"]
    four, one = (run(evaluation=PAIRS[:5], folder=str(size), per_device_eval_batch_size=size)[0] for size in (4, 1))
    assert [four[key] for key in keys] == pytest.approx([one[key] for key in keys], rel=1e-4)


def test_precomputed_references_give_the_same_losses(run):
    _, plain = run(folder="plain")
    _, computed = run(folder="computed", precompute_ref_log_probs=True)
    assert logged(computed, "loss") == pytest.approx(logged(plain, "loss"), rel=1e-5)


def test_like_lengths_in_a_batch(run):
    numbers, _ = run(train_sampling_strategy="group_by_length")
    assert numbers["steps"] == 2


def test_rankings_become_pairs(run):
    numbers, _ = run([{"prompt": "Tell me.", "responses": ["a", "b", "c"], "rank": [2, 1, 2]}] * 4)
    assert next(iter(numbers["data"].values()))["pairs"] == 4 * 2  # the tie says nothing


def test_a_base_model_gets_a_template_or_goes_on_with_text(run, base):
    with pytest.raises(UserMistake, match="has no chat template, but the data has 'messages'"):
        run(model=base)
    _, folder = run(model=base, template=TEMPLATE)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer.chat_template
    assert tokenizer.eos_token == "<|im_end|>"
    assert tokenizer.eos_token_id in AutoModelForCausalLM.from_pretrained(folder).generation_config.eos_token_id
    _, folder = run(TEXTS, model=base, folder="text")
    assert AutoTokenizer.from_pretrained(folder).eos_token == "<|eos|>"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"loss_type": ["sigmod"]}, "loss_type: 'sigmod' is not one of sigmoid, .*; did you mean sigmoid"),
        ({"label_smoothing": 0.1}, "label_smoothing: the loss sigmoid does not read it"),
        ({"loss_type": ["robust"], "label_smoothing": 0.5}, "label_smoothing: 0.5: the share of wrong labels"),
        ({"loss_type": ["exo_pair"]}, "loss_type: exo_pair divides by it"),
        ({"beta": 0.0}, "beta: how strongly"),
        ({"ld_alpha": 1.5}, "ld_alpha: 1.5 is no weight"),
        ({"loss_type": ["aot"], "use_weighting": True}, "use_weighting: the loss aot sorts"),
        ({"f_divergence_type": "forward"}, "did you mean forward_kl"),
        ({"f_divergence_type": "forward_kl", "loss_type": ["apo_zero"]}, "the loss apo_zero has no form"),
        ({"padding_free": True}, "padding_free: TRL 1.16 warns"),
        ({"eval_strategy": "steps"}, "eval_strategy: there are no held-out pairs"),
        ({"sync_ref_model": True, "precompute_ref_log_probs": True}, "sync_ref_model: the reference does not move"),
    ],
)
def test_mistakes_are_told_before_a_model_loads(arguments, values, message):
    config, data, training_args, model_args = arguments(**values)
    model_args.model_name_or_path = "runs/nowhere/model"  # it is not even looked for
    with pytest.raises(UserMistake, match=message):
        dpo.main(config, data, training_args, model_args)
    assert [re.search(message, f"{key}: {told}") is not None for key, told in dpo.CHECK(values)] == [True]


def test_model_and_data_must_be_given(arguments):
    config, _, training_args, model_args = arguments()
    with pytest.raises(UserMistake, match="needs  model_name_or_path:  and  datasets:"):
        dpo.main(config, DatasetMixtureConfig(), training_args, model_args)


def test_columns_that_are_no_pair_are_named(run):
    with pytest.raises(UserMistake, match=r"train\.jsonl \[train\] has the columns question, answer"):
        run([{"question": "1 + 1?", "answer": "2"}])


@pytest.mark.parametrize(
    ("targets", "message"), [(["q_proj", "v_prj"], "no module v_prj; did you mean v_proj"), (["lm_head"], "lm_head")]
)
def test_adapter_targets_are_looked_up(arguments, targets, message):
    config, data, training_args, model_args = arguments(peft=True)
    model_args.lora_target_modules = targets
    with pytest.raises(UserMistake, match=f"lora_target_modules: .*{message}"):
        dpo.main(config, data, training_args, model_args)


def test_four_bit_weights_need_an_adapter(arguments):
    config, data, training_args, model_args = arguments()
    model_args.load_in_4bit = True
    with pytest.raises(UserMistake, match="add  use_peft: true"):
        dpo.main(config, data, training_args, model_args)


def test_our_list_of_losses_is_upstreams(trainer):
    (loss_type,) = [one for one in fields(DPOConfig) if one.name == "loss_type"]
    assert re.findall(r"`'(\w+)'`", loss_type.metadata["help"]) == losses.LOSSES
    made = trainer()
    made.label_smoothing = 0.1
    for name in losses.LOSSES:
        made.loss_types, made.loss_weights = [name], [1.0]
        assert math.isfinite(made.compute_loss(made.model, batch_of(made)).item())
