"""PPOTrainer with adapters, other critics, several rewards, and a model that is given; evaluation, vLLM."""

import copy
import types

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer
from trl import GRPOConfig
from trl.distributed import DistributedBackend
from trl.generation.vllm_generation import VLLMGeneration
from trl.trainer import grpo_trainer

from hfllm.ppo import PPOConfig, PPOTrainer, critic
from tests import ppo_case, stand_in


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return stand_in.make(tmp_path_factory.mktemp("qwen3"))


def test_the_adapter_is_off_in_the_reference_and_the_value_head_learns(folder, tmp_path):
    lora = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], lora_dropout=0.5, task_type="CAUSAL_LM")
    trainer = ppo_case.build(folder, tmp_path, named={"peft_config": lora}, learning_rate=0.05, num_ppo_epochs=2)
    before = copy.deepcopy(dict(trainer.model.named_parameters()))
    trainer.train()
    log = [entry for entry in trainer.state.log_history if "objective/kl" in entry]
    assert log[0]["objective/kl"] == pytest.approx(0, abs=1e-4)
    moved = {name for name, value in trainer.model.named_parameters() if not torch.equal(value, before[name])}
    assert any("lora_" in name for name in moved)
    assert any(critic.is_critics(name) for name in moved)
    assert all("lora_" in name or critic.is_critics(name) for name in moved)
    trainer.model.train()
    rollout = trainer._generate_and_score_completions(list(trainer.train_dataset.select(range(4))))
    base = AutoModelForCausalLM.from_pretrained(folder)
    ids = torch.cat([rollout["prompt_ids"], rollout["completion_ids"]], 1)
    mask = torch.cat([rollout["prompt_mask"], rollout["completion_mask"]], 1)
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    with torch.no_grad():
        logits = base(input_ids=ids, attention_mask=mask, position_ids=positions).logits.log_softmax(-1)
    count = rollout["completion_ids"].size(1)
    expected = logits[:, -count - 1 : -1].gather(2, rollout["completion_ids"][..., None]).squeeze(-1)
    own = rollout["completion_mask"].bool()
    torch.testing.assert_close(rollout["ref_per_token_logps"][own], expected[own], atol=1e-4, rtol=0)
    assert not torch.allclose(rollout["old_per_token_logps"][own], expected[own], atol=1e-2)
    _, values = ppo_case.score(trainer, rollout)
    torch.testing.assert_close(rollout["old_values"][own], values[own])  # the adapter is on where values are read


@pytest.mark.parametrize("kind", ["whole", "adapter"])
def test_a_separate_critic_starts_as_the_reward_model(folder, tmp_path, kind):
    torch.manual_seed(1)
    reward_model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=1)
    if kind == "adapter":
        lora = LoraConfig(r=2, target_modules=["q_proj"], task_type="SEQ_CLS", init_lora_weights=False)
        reward_model = get_peft_model(reward_model, lora)
    reward_model.save_pretrained(tmp_path / "reward")
    AutoTokenizer.from_pretrained(folder).save_pretrained(tmp_path / "reward")
    path = str(tmp_path / "reward")
    trainer = ppo_case.build(folder, tmp_path / "out", critic="separate", critic_model_name_or_path=path)
    ids = torch.tensor([[20, 30, 40, 50]])
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    with torch.no_grad():
        expected = reward_model(**inputs).logits  # (1, 1): at the last token
        values = trainer.critic(None, inputs)
    torch.testing.assert_close(values[:, -1:], expected)
    before = trainer.critic.backbone.norm.weight.clone()
    trainer.train()
    assert not torch.equal(trainer.critic.backbone.norm.weight, before)


def test_a_separate_critic_must_read_the_policys_tokens(folder, tmp_path):
    other = stand_in.make(tmp_path / "other")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["<new>"])
    named = {"processing_class": tokenizer}
    with pytest.raises(ValueError, match="1 differ, '<new>' the first"):
        PPOTrainer(
            str(folder),
            [ppo_case.even_share],
            PPOConfig(str(tmp_path), **ppo_case.SETTINGS, critic="separate", critic_model_name_or_path=str(other)),
            train_dataset=ppo_case.rows(),
            **named,
        )


def test_a_separate_critic_of_an_adapter_is_its_merged_copy(folder, tmp_path):
    lora = LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM", init_lora_weights=False)
    trainer = ppo_case.build(folder, tmp_path, named={"peft_config": lora}, critic="separate", kl_coef=0.0)
    ids = torch.tensor([[20, 30, 40, 50]])
    with torch.no_grad():
        expected = trainer.model.get_base_model().base_model(ids).last_hidden_state
        found = trainer.critic.backbone(ids).last_hidden_state
    torch.testing.assert_close(found, expected)
    assert all(parameter.requires_grad for parameter in trainer.critic.parameters())


def test_several_rewards_with_weights_and_one_that_only_measures(folder, tmp_path):
    def sometimes(completions, **_):
        return [None if n % 2 else 1.0 for n, _ in enumerate(completions)]

    def audit(completions, **_):
        return [100.0] * len(completions)

    rewards = [ppo_case.even_share, sometimes, audit]
    trainer = ppo_case.build(folder, tmp_path, rewards=rewards, reward_weights=[1.0, 0.5, 0.0], max_steps=1)
    trainer.train()
    (entry,) = [entry for entry in trainer.state.log_history if "objective/score" in entry]
    assert entry["objective/score"] == pytest.approx(entry["rewards/even_share/mean"] + 0.25)
    assert entry["rewards/audit/mean"] == 100
    assert "frac_reward_zero_std" not in entry  # of groups, which are none


def test_the_critic_learns_at_its_own_rate(folder, tmp_path):
    trainer = ppo_case.build(folder, tmp_path, critic_learning_rate=0.5)
    optimizer = trainer.create_optimizer()
    rates = {name: group["lr"] for group in optimizer.param_groups for name in names_of(trainer, group["params"])}
    assert {name: rate for name, rate in rates.items() if rate == 0.5} == {"critic.score.weight": 0.5}
    assert set(rates) == {name for name, _ in trainer.model.named_parameters()}


def names_of(trainer, parameters):
    wanted = {id(parameter) for parameter in parameters}
    return [name for name, parameter in trainer.model.named_parameters() if id(parameter) in wanted]


def test_an_evaluation_measures_and_changes_nothing(folder, tmp_path):
    trainer = ppo_case.build(folder, tmp_path, kl_target=1.0)
    before = copy.deepcopy(trainer.model.state_dict())
    metrics = trainer.evaluate()
    names = ("objective/kl", "objective/score", "value/loss", "value/mean", "reward", "loss")
    assert all(f"eval_{name}" in metrics for name in names)
    assert trainer.kl_coef == 0.05
    assert all(torch.equal(value, before[name]) for name, value in trainer.model.state_dict().items())


def test_a_critic_that_foresees_nothing_is_told_of_once(folder, tmp_path, caplog):
    trainer = ppo_case.build(folder, tmp_path)
    trainer.state.global_step = 1
    bad = types.SimpleNamespace(measured={"value/explained_variance": -0.1, "objective/kl": 0.0}, completions=4)
    for _ in range(25):
        trainer._adapt(bad)
    assert sum("explained_variance" in record.message for record in caplog.records) == 1


class WithoutEngine(VLLMGeneration):
    """vLLM itself is not needed to see which weights a trainer would send to it."""

    def __init__(self, model, accelerator, mode, **_):
        self.model, self.accelerator, self.mode = model, accelerator, mode
        self._dist = DistributedBackend(accelerator)


@pytest.mark.parametrize("kind", ["whole", "lora"])
def test_no_weight_of_the_critic_is_sent_to_vllm(folder, tmp_path, monkeypatch, kind):
    monkeypatch.setattr(grpo_trainer, "VLLMGeneration", WithoutEngine)
    lora = LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM")
    named = {"peft_config": lora} if kind == "lora" else {}
    trainer = ppo_case.build(folder, tmp_path, named=named, kl_coef=0.0, use_vllm=True)
    engine = trainer.vllm_generation
    unfiltered = [name for name, _ in VLLMGeneration._iter_named_params(engine)]
    assert any(map(critic.is_critics, unfiltered))
    sent = {name for name, _ in engine._iter_named_params()}
    assert sent == {name for name, _ in AutoModelForCausalLM.from_pretrained(folder).named_parameters()}


def test_the_reference_is_the_very_model_that_was_given(folder, tmp_path):
    changed = AutoModelForCausalLM.from_pretrained(folder)
    changed.model.norm.weight.data.add_(0.3)
    given = {"reward_funcs": [ppo_case.even_share], "train_dataset": ppo_case.rows()}
    given["processing_class"] = AutoTokenizer.from_pretrained(folder)
    trainer = PPOTrainer(changed, args=PPOConfig(str(tmp_path), **ppo_case.SETTINGS), **given)
    trainer.train()
    assert trainer.state.log_history[0]["objective/kl"] == pytest.approx(0, abs=1e-4)
    fresh = AutoModelForCausalLM.from_config(changed.config)
    fresh.config._name_or_path = ""
    with pytest.raises(ValueError, match="save the model and give its folder"):
        PPOTrainer(fresh, args=PPOConfig(str(tmp_path), **ppo_case.SETTINGS), **given)
    PPOTrainer(fresh, args=PPOConfig(str(tmp_path), **ppo_case.SETTINGS, kl_coef=0.0), **given).train()


def test_it_reads_its_own_settings_only(folder):
    with pytest.raises(TypeError, match="PPOConfig"):
        PPOTrainer(str(folder), [ppo_case.even_share], GRPOConfig("out", use_cpu=True, bf16=False))
