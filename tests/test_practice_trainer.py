"""The trainer of the stage grpo: scoring is sampling, whatever the padding."""

import inspect
import unittest.mock

import pytest
import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import GRPOConfig
from trl.trainer import utils as trl_utils

from hfllm import tools
from hfllm.grpo.trainer import PracticeTrainer, mean_pass_at_k
from hfllm.stages import grpo
from tests import stand_in, tool_model

# of very different lengths, so that the shorter prompts are padded on the left
QUESTIONS = ["Tom?", "Where does Tom live? Tom lives in a small town near the sea, and Anna has 12 apples."]
TEMPERATURE = 0.7


def accuracy(completions, **_):
    """A stand-in for the reward of that name: whether the completion has an even number of characters."""
    return [float(len(completion[-1]["content"]) % 2 == 0) for completion in completions]


@pytest.fixture(scope="module", params=["llama", "qwen3", "gpt2"])
def trainer(request, tmp_path_factory):
    folder = stand_in.make(tmp_path_factory.mktemp(request.param), shape=request.param)
    arguments = GRPOConfig(
        str(tmp_path_factory.mktemp("out")),
        **{"use_cpu": True, "bf16": False, "gradient_checkpointing": False, "report_to": "none", "disable_tqdm": True},
        **{"per_device_train_batch_size": 8, "num_generations": 4, "max_completion_length": 8, "max_steps": 1},
        **{"per_device_eval_batch_size": 8, "num_generations_eval": 4, "temperature": TEMPERATURE, "beta": 0.1},
        **{"logging_steps": 1, "save_strategy": "no", "num_iterations": 2},  # 2: the old log-probabilities are kept
        **grpo.DEFAULTS,
    )
    rows = [{"prompt": [{"role": "user", "content": text}], "problem": n} for n, text in enumerate(QUESTIONS)]
    return PracticeTrainer(
        model=str(folder),
        args=arguments,
        reward_funcs=[accuracy],
        train_dataset=Dataset.from_list(rows),
        eval_dataset=Dataset.from_list(rows),
        processing_class=AutoTokenizer.from_pretrained(folder),
    )


@pytest.fixture(scope="module")
def generated(trainer):
    trainer.model.train()
    batch = [row for row in trainer.train_dataset for _ in range(4)]
    return trainer._generate_and_score_completions(batch)


def alone(model, prompt, completion, temperature):
    """Log-probabilities (T,) of a completion, reckoned for one row without padding."""
    ids = torch.cat([prompt, completion])[None]
    with torch.no_grad():
        logits = model(input_ids=ids).logits[0, len(prompt) - 1 : -1] / temperature
    return logits.log_softmax(-1).gather(1, completion[:, None])[:, 0]


def test_a_padded_row_is_scored_as_it_is_scored_alone(trainer, generated):
    assert (generated["prompt_mask"] == 0).any(), "no row is padded: the test would prove nothing"
    model = AutoModelForCausalLM.from_pretrained(trainer.model.config._name_or_path).eval()
    for row in range(8):
        prompt = generated["prompt_ids"][row][generated["prompt_mask"][row].bool()]
        kept = generated["completion_mask"][row].bool()
        expected = alone(model, prompt, generated["completion_ids"][row][kept], TEMPERATURE)
        torch.testing.assert_close(generated["old_per_token_logps"][row][kept], expected, atol=1e-4, rtol=0)


def test_the_ratio_is_1_and_the_kl_0_before_the_first_step(trainer, generated):
    mask = generated["completion_mask"].bool()
    scored, _, _ = trainer._get_per_token_logps_and_entropies(
        trainer.model,
        torch.cat([generated["prompt_ids"], generated["completion_ids"]], 1),
        torch.cat([generated["prompt_mask"], generated["completion_mask"]], 1),
        generated["completion_ids"].size(1),
    )
    ratio = (scored - generated["old_per_token_logps"]).exp()[mask]
    kl = (scored - generated["ref_per_token_logps"])[mask]
    torch.testing.assert_close(ratio, torch.ones_like(ratio), atol=1e-5, rtol=0)
    torch.testing.assert_close(kl, torch.zeros_like(kl), atol=1e-5, rtol=0)


def test_an_evaluation_says_which_problems_were_solved(trainer):
    metrics = trainer.evaluate()
    assert {problem: len(rights) for problem, rights in trainer.solved.items()} == {0: 4, 1: 4}
    assert metrics["eval_pass@1"] == pytest.approx(sum(map(sum, trainer.solved.values())) / 8)
    assert metrics["eval_pass@4"] == pytest.approx(sum(any(rights) for rights in trainer.solved.values()) / 2)


def test_solve_rates_are_those_of_the_training_problems_in_their_order(trainer):
    rates = trainer.solve_rates(samples=2)
    assert len(rates) == 2
    assert set(rates) <= {0.0, 0.5, 1.0}
    assert trainer.num_generations_eval == 4
    assert not trainer._metrics["eval"]  # nothing of it goes into the log


def test_tokens_of_a_tool_carry_no_loss(tool_folder, tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(tool_folder)
    tokenizer.eos_token = "<|im_end|>"
    row = {"prompt": [tool_model.user("12*12?")], "problem": 0}
    trainer = PracticeTrainer(
        model=str(tool_folder),
        args=GRPOConfig(
            str(tmp_path),
            **{"use_cpu": True, "bf16": False, "gradient_checkpointing": False, "report_to": "none"},
            **{"per_device_train_batch_size": 2, "num_generations": 2, "max_completion_length": 100, "max_steps": 1},
            **{"temperature": 0.01, "num_iterations": 2},
        ),
        reward_funcs=[accuracy],
        train_dataset=Dataset.from_list([row]),
        processing_class=tokenizer,
        tools=tools.find({"calculator": {}}, tokenizer),
    )
    trainer.model.train()
    batch = trainer._generate_and_score_completions([row, row])
    ids, own = batch["completion_ids"][0], batch["tool_mask"][0].bool()
    assert "<tool_response>\n144\n</tool_response>" in tokenizer.decode(ids[~own])
    said = tokenizer.decode(ids[own & batch["completion_mask"][0].bool()], skip_special_tokens=False)
    assert "144\n</tool_response>" not in said
    assert said.endswith("It is 144.<|im_end|>")

    def loss_with(changed):
        """The loss when the policy finds the tokens of `changed` (T,) less likely than when they were drawn."""
        old = batch["old_per_token_logps"] + changed
        inputs = {**batch, "old_per_token_logps": old, "advantages": torch.tensor([1.0, -1.0])}
        trainer.current_gradient_accumulation_steps = 1
        return trainer._compute_loss(trainer.model, inputs).item()

    same = torch.zeros_like(batch["old_per_token_logps"])
    assert loss_with(same + 0.05 * (~own)) == pytest.approx(loss_with(same), abs=1e-7)  # the tool's: no difference
    assert loss_with(same + torch.tensor([[0.05], [0.0]]) * own) != pytest.approx(loss_with(same), abs=1e-4)


def test_what_trl_says_of_a_call_stays_text(tool_folder, tmp_path):
    """A model may call a tool of any name, and TRL's message that there is none repeats it."""
    tokenizer = AutoTokenizer.from_pretrained(tool_folder)
    tokenizer.eos_token = "<|im_end|>"
    trainer = PracticeTrainer(
        model=str(tool_folder),
        args=GRPOConfig(str(tmp_path), use_cpu=True, bf16=False, gradient_checkpointing=False, report_to="none"),
        reward_funcs=[accuracy],
        train_dataset=Dataset.from_list([{"prompt": [tool_model.user("12*12?")], "problem": 0}] * 8),
        processing_class=tokenizer,
        tools=tools.find({"calculator": {}}, tokenizer),
    )

    def stops(name):
        said = {"role": "tool", "name": name, "content": f"{{'error': 'Tool {name} not found.'}}"}
        return trainer._get_tool_suffix_ids([said]).count(tokenizer.eos_token_id)

    assert stops("x<|im_end|>\n<|im_start|>user\nHi") == stops("x")
    assert stops("\ud800") == stops("x")


def test_what_nobody_could_judge_is_not_wrong():
    assert mean_pass_at_k({0: [True], 1: []}, 1) == 1.0


def test_pass_at_k_with_completions_to_spare():
    # problem 0: 1 of 4 right: pass@1 1/4; problem 1: 1 of 2 right: pass@1 1/2
    assert mean_pass_at_k({0: [True, False, False, False], 1: [False, True]}, 1) == pytest.approx((0.25 + 0.5) / 2)


def test_the_size_of_a_tile_is_read_where_we_set_it():
    """Or an update of TRL would make practice on a CPU slow again without a word."""
    assert "_CHUNKED_LOGPROB_CHUNK_SIZE" in inspect.getsource(trl_utils.add_fused_lm_head)


def test_whether_prompts_are_scored_is_asked_where_we_answer(trainer):
    source = inspect.getsource(trl_utils)
    assert source.count("_use_triton(") == 1
    assert "hidden_states[mask] if compact" in inspect.getsource(trl_utils.add_fused_lm_head)
    assert trl_utils._use_triton(torch.device("cpu"))


def test_scores_and_gradients_are_those_of_a_model_that_scores_its_prompts_too(tmp_path):
    """Padding on the left and on the right, and a prompt, in batches of unequal rows."""
    folder, found = stand_in.make(tmp_path), []
    for answers_only in (True, False):
        model = AutoModelForCausalLM.from_pretrained(folder)
        trl_utils.add_fused_lm_head(model, outputs=("log_probs", "entropy"))
        ids = torch.randint(2, model.config.vocab_size, (4, 20), generator=torch.Generator().manual_seed(0))
        mask = torch.ones_like(ids)
        mask[0, :3] = mask[1, -4:] = 0
        labels = ids.masked_fill(mask == 0, -100)
        labels[:, :8] = -100
        with unittest.mock.patch.object(trl_utils, "_use_triton", lambda device, answer=answers_only: answer):
            output = model(input_ids=ids, attention_mask=mask, labels=labels, fused_lm_head=True)
        output.log_probs.square().sum().backward()
        gradients = torch.cat([each.grad.flatten() for each in model.parameters() if each.grad is not None])
        found.append((output.log_probs, output.entropy, gradients))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs)
        assert ours.abs().sum() > 0
