"""PPOTrainer on stand-in models: scoring is sampling, gradients of the critic, epochs and minibatches, tools."""

import copy
import json
import shutil

import pytest
import torch
from datasets import Dataset
from transformers import AutoTokenizer

from hfllm import tools
from hfllm.ppo import PPOConfig, PPOTrainer, critic
from tests import ppo_case, stand_in, tool_model

TEMPERATURE = 0.7


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return stand_in.make(tmp_path_factory.mktemp("qwen3"))


@pytest.fixture(scope="module", params=["llama", "qwen3", "gpt2"])
def generated(request, tmp_path_factory):
    """A trainer before its first step and one generation of it, of prompts that are padded on the left."""
    model = stand_in.make(tmp_path_factory.mktemp(request.param), shape=request.param)
    trainer = ppo_case.build(model, tmp_path_factory.mktemp("out"), temperature=TEMPERATURE, num_mini_batches=2)
    trainer.model.train()
    rollout = trainer._generate_and_score_completions(list(trainer.train_dataset.select(range(4))))
    assert (rollout["prompt_mask"] == 0).any(), "no row is padded: the test would prove nothing"
    return trainer, rollout


def test_the_ratio_is_1_and_the_kl_0_before_the_first_step(generated):
    trainer, rollout = generated
    mask = rollout["completion_mask"].bool()
    logps, values = ppo_case.score(trainer, rollout)
    ratio = (logps - rollout["old_per_token_logps"]).exp()[mask]
    torch.testing.assert_close(ratio, torch.ones_like(ratio), atol=1e-5, rtol=0)
    torch.testing.assert_close(values[mask], rollout["old_values"][mask], atol=1e-5, rtol=0)
    assert trainer._metrics["train"]["objective/kl"][0] == pytest.approx(0, abs=1e-4)


def test_a_value_is_read_where_its_token_is_predicted(generated):
    """V(s_t) knows everything up to token t - 1 and nothing of token t: reckoned for one row without padding."""
    trainer, rollout = generated
    torch.manual_seed(0)
    trainer.critic.score.weight.data.normal_()
    _, values = ppo_case.score(trainer, rollout)
    row = int((rollout["prompt_mask"] == 0).any(1).nonzero()[0])
    prompt = rollout["prompt_ids"][row][rollout["prompt_mask"][row].bool()]
    kept = rollout["completion_mask"][row].bool()
    ids = torch.cat([prompt, rollout["completion_ids"][row][kept]])[None]
    with torch.no_grad():
        hidden = trainer.model.base_model(ids).last_hidden_state[0]
    expected = hidden @ trainer.critic.score.weight[0] + trainer.critic.offset
    torch.testing.assert_close(values[row][kept], expected[len(prompt) - 1 : -1], atol=1e-4, rtol=0)
    trainer.critic.score.weight.data.zero_()


def test_the_critic_begins_with_the_mean_score(generated):
    trainer, rollout = generated
    mean = trainer._metrics["train"]["objective/score"][0]
    assert trainer.critic.offset.item() == pytest.approx(mean)
    own = rollout["completion_mask"].bool()
    torch.testing.assert_close(rollout["old_values"][own], torch.full_like(rollout["old_values"][own], mean))


def gradients(trainer, rollout, policy=True):
    """(norm of the policy's gradient, norm of the critic's) of one loss; of the value loss only without `policy`."""
    trainer.model.train()
    trainer.current_gradient_accumulation_steps = 1
    trainer.model.zero_grad()
    inputs = dict(rollout) if policy else {**rollout, "advantages": torch.zeros_like(rollout["advantages"])}
    trainer._compute_loss(trainer.model, inputs).backward()
    norms = {True: 0.0, False: 0.0}
    for name, parameter in trainer.model.named_parameters():
        if parameter.grad is not None:
            norms[critic.is_critics(name)] += parameter.grad.norm().item()
    return norms[False], norms[True]


@pytest.mark.parametrize(
    ("settings", "reaches_trunk"),
    [({}, True), ({"detach_critic": True}, False), ({"critic": "separate"}, False)],
    ids=["head", "detached", "separate"],
)
def test_where_the_gradient_of_the_critic_reaches(folder, tmp_path, settings, reaches_trunk):
    trainer = ppo_case.build(folder, tmp_path, **settings)
    trainer.critic.score.weight.data.normal_()  # with weights of 0 nothing would flow through it
    trainer.model.train()
    rollout = trainer._generate_and_score_completions(list(trainer.train_dataset.select(range(4))))
    of_policy, of_critic = gradients(trainer, rollout, policy=False)
    assert of_critic > 0
    assert (of_policy > 0) == reaches_trunk
    of_policy, _ = gradients(trainer, rollout)
    assert of_policy > 0


def test_the_policy_rests_while_the_critic_warms_up(folder, tmp_path):
    settings = {"critic_warmup_steps": 2, "weight_decay": 0.5, "max_steps": 3, "kl_target": 1.0, "num_ppo_epochs": 1}
    trainer = ppo_case.build(folder, tmp_path, **settings)
    before = copy.deepcopy(dict(trainer.model.named_parameters()))
    moved = {}
    original = trainer.training_step

    def remember(*args, **kwargs):
        for name, parameter in trainer.model.named_parameters():
            if not torch.equal(parameter, before[name]):
                moved.setdefault(critic.is_critics(name), trainer.state.global_step)
        return original(*args, **kwargs)

    trainer.training_step = remember
    trainer.train()
    assert moved == {True: 1}  # seen before the third step: the critic alone has moved, and the policy not at all
    norm = "model.norm.weight"
    assert not torch.equal(trainer.model.get_parameter(norm), before[norm])
    assert trainer.kl_coef == pytest.approx(0.05 * (1 - 0.2 * 4 / 10_000))  # steered in the third generation only


def test_epochs_and_minibatches_are_what_they_are_called(folder, tmp_path, monkeypatch):
    """12 completions a generation, 3 minibatches of 2 x 2, 2 epochs: 6 steps, each completion in 2 of them."""
    settings = {"num_mini_batches": 3, "num_ppo_epochs": 2, "gradient_accumulation_steps": 2, "max_steps": 6}
    trainer = ppo_case.build(folder, tmp_path, **settings, per_device_train_batch_size=2)
    seen, steps, generations = [], [], []  # texts of each batch, optimizer steps, sizes
    compute, generate = trainer._compute_loss, trainer._generate_and_score_completions

    def compute_and_remember(model, inputs):
        rows = zip(inputs["prompt_ids"], inputs["prompt_mask"].bool(), strict=True)
        seen.append(frozenset(tuple(ids[mask].tolist()) for ids, mask in rows))
        return compute(model, inputs)

    def generate_and_remember(inputs):
        generations.append(len(inputs))
        return generate(inputs)

    monkeypatch.setattr(trainer, "_compute_loss", compute_and_remember)
    monkeypatch.setattr(trainer, "_generate_and_score_completions", generate_and_remember)
    trainer.create_optimizer()
    trainer.optimizer.register_step_post_hook(lambda *_: steps.append(1))
    trainer.train()
    assert generations == [12]
    assert len(steps) == trainer.state.global_step == 6
    assert [len(batch) for batch in seen] == [2] * 12
    first, second = seen[:6], seen[6:]
    for epoch in (first, second):
        assert len(frozenset().union(*epoch)) == 12  # each completion once
    assert set(first) != set(second)  # and each epoch draws its minibatches anew


def test_accumulated_batches_are_one_large_batch(folder, tmp_path):
    weights = []
    for name, batch, accumulation in (("large", 8, 1), ("small", 2, 4)):
        settings = ppo_case.same_for_any_launch(batch) | {"gradient_accumulation_steps": accumulation}
        trainer = ppo_case.build(folder, tmp_path / name, **settings)
        start = copy.deepcopy(trainer.model.state_dict())
        trainer.train()
        weights.append(trainer.model.state_dict())
    assert not torch.equal(weights[0]["model.norm.weight"], start["model.norm.weight"])
    for name, tensor in weights[0].items():
        torch.testing.assert_close(tensor, weights[1][name], rtol=1e-4, atol=1e-6)


def test_tokens_of_a_tool_have_neither_reward_nor_advantage(tool_folder, tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(tool_folder)
    tokenizer.eos_token = "<|im_end|>"
    row = {"prompt": [tool_model.user("12*12?")], "problem": 0}
    settings = {"max_completion_length": 100, "temperature": 0.01, "per_device_train_batch_size": 2}
    trainer = PPOTrainer(
        model=str(tool_folder),
        args=PPOConfig(str(tmp_path), **(ppo_case.SETTINGS | settings), kl_coef=0.3),
        reward_funcs=[ppo_case.even_share],
        train_dataset=Dataset.from_list([row]),
        processing_class=tokenizer,
        tools=tools.find({"calculator": {}}, tokenizer),
    )
    trainer.model.train()
    trainer.ref_model.base_model.embed_tokens.weight.data += 0.01  # so that there is a KL
    batch = trainer._generate_and_score_completions([row, row])
    others = (batch["completion_mask"] * (1 - batch["tool_mask"])).bool()
    own = (batch["completion_mask"] * batch["tool_mask"]).bool()
    assert others.any()
    for name in ("advantages", "old_values", "returns"):
        assert not batch[name][others].any()
    assert torch.equal(batch["own_mask"].bool(), own)
    divergence = (batch["old_per_token_logps"] - batch["ref_per_token_logps"])[own].sum().item() / 2
    assert trainer._metrics["train"]["objective/kl"][0] == pytest.approx(divergence, rel=1e-4)


def test_attention_drops_nothing_while_it_learns(folder, tmp_path):
    dropping = shutil.copytree(folder, tmp_path / "model")
    file = dropping / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"attention_dropout": 0.5}))
    trainer = ppo_case.build(dropping, tmp_path / "out", critic="separate")
    trainer.critic.score.weight.data.normal_()
    trainer.model.train()
    rollout = trainer._generate_and_score_completions(list(trainer.train_dataset.select(range(4))))
    in_training = ppo_case.score(trainer, rollout)
    trainer.model.eval()
    for found, expected in zip(in_training, ppo_case.score(trainer, rollout), strict=True):
        torch.testing.assert_close(found, expected)


def test_the_table_of_completions_has_their_own_advantages(generated):
    trainer, rollout = generated
    own = rollout["completion_mask"]
    expected = ((rollout["advantages"] * own).sum(1) / own.sum(1)).tolist()
    assert list(trainer._logs["advantages"])[-len(expected) :] == pytest.approx(expected)


def test_the_kl_is_in_the_reward_and_not_in_the_loss(generated):
    trainer, rollout = generated
    trainer.current_gradient_accumulation_steps = 1
    other = {**rollout, "ref_per_token_logps": rollout["ref_per_token_logps"] - 1}
    losses = [trainer._compute_loss(trainer.model, inputs).item() for inputs in (rollout, other)]
    assert losses[0] == losses[1]


def test_the_clipped_value_loss_by_hand(folder, tmp_path):
    trainer = ppo_case.build(folder, tmp_path, cliprange_value=0.2)
    trainer.model.train()
    trainer.current_gradient_accumulation_steps = 1
    inputs = {"old_values": torch.full((1, 3), 0.5), "returns": torch.ones(1, 3), "own_mask": torch.tensor([[1, 1, 0]])}
    inputs["num_items_in_batch"] = torch.tensor(2)
    # .9 - 1 = -.1, squared .01; within .2 of the old .5: .7 - 1 = -.3, squared .09, which is more: half of it is .045.
    # The third token is not the model's own
    loss = trainer._value_loss(torch.tensor([[0.9, 0.9, 7.0]]), inputs)
    assert loss.item() == pytest.approx(0.045)
    # .6 is no further than .2 from the old one: nothing is clipped, (.6 - 1)^2 / 2 = .08
    assert trainer._value_loss(torch.tensor([[0.6, 0.6, 7.0]]), inputs).item() == pytest.approx(0.08)
    assert trainer._metrics["train"]["value/loss"] == pytest.approx([0.045, 0.08])
    assert trainer._metrics["train"]["value/clip_ratio"] == [1, 0]


@pytest.mark.parametrize(("ends_with", "penalty"), [("<|eos|>", 0.0), ("<|im_end|>", 0.0), ("a", 0.5)])
def test_whatever_ends_an_answer_of_the_model_is_no_cut_off(folder, tmp_path, ends_with, penalty):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = shutil.copytree(folder, tmp_path / "model")
    stops = tokenizer.convert_tokens_to_ids(["<|eos|>", "<|im_end|>"])
    (model / "generation_config.json").write_text(json.dumps({"eos_token_id": stops}))
    ids = [20, 30, tokenizer.convert_tokens_to_ids(ends_with)]

    def same(prompts, trainer):
        count = len(prompts)
        return {"prompt_ids": [[40]] * count, "completion_ids": [ids] * count, "logprobs": [[0.0] * 3] * count}

    def one(completions, **_):
        return [1.0] * len(completions)

    named = {"rollout_func": same}
    trainer = ppo_case.build(model, tmp_path / "out", rewards=one, named=named, missing_eos_penalty=0.5)
    trainer.model.train()
    trainer._generate_and_score_completions(list(trainer.train_dataset.select(range(4))))
    assert trainer._metrics["train"]["objective/score"] == [1 - penalty]
