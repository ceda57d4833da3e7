"""The arithmetic of PPO by hand: advantages, returns, the KL and its controller, scores; and what PPOConfig refuses."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from transformers import GenerationConfig

from hfllm.ppo import PPOConfig, critic, estimate, kl, minibatches
from hfllm.ppo.gae import gae, length_adaptive, moments
from hfllm.ppo.sampling import switch_off_dropout, undistort

ONES = torch.ones(1, 3)
NOTHING = torch.zeros(1, 3)


def alone(tensor):
    """The sum over the processes of a run of one."""
    return tensor


def test_advantages_by_hand():
    rewards, values = torch.tensor([[0.0, 0.0, 1.0]]), torch.tensor([[0.1, 0.2, 0.4]])
    # surprises: .5 * .2 - .1 = 0; .5 * .4 - .2 = 0; 1 - .4 = .6. With gamma lambda = .5 * .8 = .4:
    # .6; 0 + .4 * .6 = .24; 0 + .4 * .24 = .096
    expected = torch.tensor([[0.096, 0.24, 0.6]])
    torch.testing.assert_close(gae(rewards, values, ONES, gamma=0.5, lam=0.8), expected)


def test_tokens_of_a_tool_are_stepped_over_without_decay():
    rewards, values = torch.tensor([[0.3, 0.0, 0.0, 1.0]]), torch.tensor([[0.1, 7.0, 9.0, 0.4]])
    own = torch.tensor([[1, 0, 0, 1]])
    short = gae(rewards[:, [0, 3]], values[:, [0, 3]], torch.ones(1, 2), gamma=0.9, lam=0.7)
    advantages = gae(rewards, values, own, gamma=0.9, lam=0.7)
    torch.testing.assert_close(advantages[:, [0, 3]], short)
    assert advantages[0, 1] == advantages[0, 2] == 0


def slow_gae(rewards, values, own, gamma, lam):
    """The definition: sums of (gamma lambda)^k surprises over the own tokens that follow. One row."""
    places = [t for t in range(len(rewards)) if own[t]]
    after = [values[place] for place in places[1:]] + [0.0]
    surprises = [
        rewards[place] + gamma * following - values[place] for place, following in zip(places, after, strict=True)
    ]
    found = [0.0] * len(rewards)
    for i, place in enumerate(places):
        found[place] = sum((gamma * lam) ** k * surprise for k, surprise in enumerate(surprises[i:]))
    return found


def test_advantages_are_those_of_the_definition():
    torch.manual_seed(0)
    rewards, values, own = torch.randn(20, 15), torch.randn(20, 15), torch.rand(20, 15) < 0.7
    lam = torch.rand(20)
    fast = gae(rewards, values, own.long(), gamma=0.97, lam=lam)
    slow = [
        slow_gae(rewards[row].tolist(), values[row].tolist(), own[row].tolist(), 0.97, lam[row].item())
        for row in range(20)
    ]
    torch.testing.assert_close(fast, torch.tensor(slow), atol=1e-5, rtol=1e-5)


def test_without_a_critic_lambda_1_is_reinforce():
    rewards, own = torch.tensor([[0.0, -0.1, 2.0, 5.0]]), torch.tensor([[1, 1, 1, 0]])
    # the return of every token is the sum of what follows: 2 - .1, 2 - .1, 2; the last is padding
    expected = torch.tensor([[1.9, 1.9, 2.0, 0.0]])
    torch.testing.assert_close(gae(rewards * own, torch.zeros(1, 4), own, gamma=1.0, lam=1.0), expected)


def test_the_longer_the_completion_the_larger_lambda():
    own = torch.tensor([[1] * 40, [1] * 30 + [0] * 10, [1] + [0] * 39])
    # alpha .05: 1 - 1 / (.05 x 40) = .5; 1 - 1 / (.05 x 30) = 1/3; 1 - 1 / .05 < 0: 0
    torch.testing.assert_close(length_adaptive(own, 0.05), torch.tensor([0.5, 1 / 3, 0.0]))


def test_moments_of_own_tokens_are_those_of_all_processes():
    each, own = torch.tensor([[[1.0, 3.0, 100.0]]]), torch.tensor([[1, 1, 0]])
    mean, variance = moments(each, own, alone)
    assert (mean.item(), variance.item()) == (2.0, 1.0)
    # another process had the tokens 5 and 7: mean 4, variance (9 + 1 + 1 + 9) / 4
    others = iter([torch.tensor(2), torch.tensor([12.0]), torch.tensor([1.0 + 9.0])])
    mean, variance = moments(each, own, lambda tensor: tensor + next(others))
    assert (mean.item(), variance.item()) == (4.0, 5.0)


def test_the_coefficient_of_the_kl_by_hand():
    # twice the target: error 1, clipped to .2; 100 of 10,000 completions: 1 + .2 / 100
    assert kl.adapted(0.1, kl=12.0, target=6.0, completions=100, horizon=10_000) == pytest.approx(0.1 * 1.002)
    # 5.7 of 6: error -.05
    assert kl.adapted(0.1, kl=5.7, target=6.0, completions=100, horizon=10_000) == pytest.approx(0.1 * 0.9995)
    assert kl.adapted(0.1, kl=-3.0, target=6.0, completions=100, horizon=10_000) == pytest.approx(0.1 * 0.998)


def test_the_kl_of_a_token_is_its_log_ratio():
    divergence = kl.k1(torch.tensor([[-1.0, -2.0]]), torch.tensor([[-3.0, -1.0]]), torch.tensor([[1, 0]]))
    assert divergence.tolist() == [[2.0, 0.0]]


def test_a_score_is_the_weighted_sum_of_those_that_could_judge():
    nan = float("nan")
    rewards = torch.tensor([[1.0, 2.0, 9.0], [nan, 2.0, 9.0], [nan, nan, 9.0]])
    scores = estimate.weighted(rewards, torch.tensor([1.0, 0.5, 0.0]))
    torch.testing.assert_close(scores, torch.tensor([2.0, 1.0, nan]), equal_nan=True)


def test_the_score_comes_with_the_last_own_token():
    own = torch.tensor([[1, 0, 1, 0], [1, 1, 1, 1]])
    costs = torch.tensor([[0.1, 0.0, 0.2, 0.0], [0.0, 0.0, 0.0, 0.3]])
    rewards = estimate.of_tokens(torch.tensor([1.0, 2.0]), costs, own)
    torch.testing.assert_close(rewards, torch.tensor([[-0.1, 0.0, 0.8, 0.0], [0.0, 0.0, 0.0, 1.7]]))


def test_a_completion_may_end_with_any_of_the_stop_tokens():
    ids = torch.tensor([[5, 9, 0], [5, 8, 0], [5, 6, 7]])
    own = torch.tensor([[1, 1, 0], [1, 1, 0], [1, 1, 1]])
    assert estimate.is_ended(ids, own, [8, 9]).tolist() == [True, True, False]


def reckoned(scores, **settings):
    """An estimate of three completions of three tokens, the second cut off, from a critic that says .5 everywhere."""
    args = {"gamma": 1.0, "lam": 1.0, "critic_lam": None, "length_adaptive_alpha": None, "missing_eos_penalty": None}
    rollout = {
        "completion_ids": torch.tensor([[5, 6, 9], [5, 6, 7], [5, 9, 0]]),
        "completion_mask": torch.tensor([[1, 1, 1], [1, 1, 1], [1, 1, 0]]),
        "old_per_token_logps": torch.full((3, 3), -1.0),
        "ref_per_token_logps": torch.full((3, 3), -3.0),
    }
    return estimate.of(
        rollout,
        torch.tensor(scores),
        torch.full((3, 3), 0.5),
        SimpleNamespace(**(args | settings)),
        kl_coef=0.1,
        stop_ids=[9],
        total=alone,
    )


def test_an_estimate_by_hand():
    found = reckoned([1.0, 2.0, 3.0], missing_eos_penalty=0.7)
    assert found.completions == 3
    # 2 nats a token, 8 tokens, 3 completions
    assert found.measured["objective/kl"] == pytest.approx(16 / 3)
    assert found.measured["objective/score"] == pytest.approx((1 + 2 - 0.7 + 3) / 3)
    assert found.measured["objective/rlhf_reward"] == pytest.approx(5.3 / 3 - 0.1 * 16 / 3)
    # a token costs .1 x 2 = .2: 1 - .6, 1 - .4, 1 - .2 are still to come; then 1.3 - ...; 3 - .4, 3 - .2
    expected = torch.tensor([[0.4, 0.6, 0.8], [0.7, 0.9, 1.1], [2.6, 2.8, 0.0]])
    torch.testing.assert_close(found.returns, expected)
    raw = (expected - 0.5)[found.own.bool()]  # the critic said .5
    whitened = (raw - raw.mean()) / raw.std(correction=0)
    torch.testing.assert_close(found.advantages[found.own.bool()], whitened)
    assert found.advantages[2, 2] == 0


def test_without_a_reference_no_kl_is_claimed():
    args = SimpleNamespace(gamma=1.0, lam=1.0, critic_lam=None, length_adaptive_alpha=None, missing_eos_penalty=None)
    ones = torch.ones(1, 2)
    rollout = {"completion_ids": ones.long(), "completion_mask": ones, "old_per_token_logps": -ones}
    found = estimate.of(rollout, torch.tensor([2.0]), ones, args, kl_coef=0.0, stop_ids=[9], total=alone)
    assert "objective/kl" not in found.measured
    assert found.measured["objective/rlhf_reward"] == 2.0


def test_what_nobody_could_judge_teaches_nothing():
    found = reckoned([1.0, float("nan"), 3.0], missing_eos_penalty=0.7)
    assert found.completions == 2
    assert found.measured["objective/score"] == pytest.approx(2.0)
    assert found.own[1].sum() == 0
    assert not found.advantages[1].any()
    assert not found.returns[1].any()


def test_policy_and_critic_may_have_lambdas_of_their_own():
    same, other = reckoned([1.0, 2.0, 3.0], lam=0.5), reckoned([1.0, 2.0, 3.0], lam=0.5, critic_lam=1.0)
    torch.testing.assert_close(same.advantages, other.advantages)
    torch.testing.assert_close(other.returns, reckoned([1.0, 2.0, 3.0]).returns)
    assert not torch.allclose(same.returns, other.returns)
    # 3 and 2 tokens at alpha 1: 1 - 1/3 and 1 - 1/2
    long = reckoned([1.0, 2.0, 3.0], length_adaptive_alpha=1.0)
    assert not torch.allclose(long.advantages, same.advantages)


def batch(ids, prompts):
    """A batch of TRL's: ids of completions, 0 is padding, and lengths of prompts."""
    completions = torch.tensor(ids)
    prompt = torch.tensor([[0] * (4 - length) + [1] * length for length in prompts])
    return {
        **{"prompt_ids": prompt * 5, "prompt_mask": prompt, "completion_ids": completions},
        **{"completion_mask": (completions > 0).long(), "returns": completions * 0.1},
        **{"num_items_in_batch": torch.tensor(7), "importance_sampling_ratio": torch.ones(len(ids), 1)},
    }


def test_a_batch_is_no_longer_than_its_longest_row():
    found = minibatches.trimmed(batch([[5, 6, 0, 0], [7, 8, 9, 0]], prompts=[1, 2]))
    assert found["prompt_ids"].tolist() == [[0, 5], [5, 5]]
    assert found["completion_ids"].tolist() == [[5, 6, 0], [7, 8, 9]]
    assert found["completion_mask"].shape == found["returns"].shape == (2, 3)
    assert found["importance_sampling_ratio"].shape == (2, 1)
    assert found["num_items_in_batch"] == 7
    masked = minibatches.trimmed(batch([[0, 0, 0, 0]], prompts=[1]))
    assert masked["completion_ids"].shape == (1, 1)


def test_an_epoch_has_the_same_rows_in_other_batches():
    batches = [batch([[n, 1, 1, 1], [n + 1, 1, 1, 1]], prompts=[1, 2]) for n in (10, 20, 30)]
    torch.manual_seed(0)
    drawn = minibatches.reshuffled(batches)
    rows = [[row[0] for row in each["completion_ids"].tolist()] for each in drawn]
    assert sorted(number for row in rows for number in row) == [10, 11, 20, 21, 30, 31]
    assert [len(row) for row in rows] == [2, 2, 2]
    assert rows != [[10, 11], [20, 21], [30, 31]]
    for each in drawn:  # whole rows move
        torch.testing.assert_close(each["returns"], each["completion_ids"] * 0.1)
    with_images = [{**each, "pixel_values": torch.zeros(2, 3, 4, 4)} for each in batches]
    assert minibatches.reshuffled(with_images) is with_images


@pytest.mark.parametrize("prefix", ["", "module.", "base_model.model.", "_fsdp_wrapped_module."])
def test_a_state_dict_falls_into_policy_and_critic(prefix):
    state = {f"{prefix}model.norm.weight": 1, f"{prefix}critic.score.weight": 2, f"{prefix}critic.backbone.a.b": 3}
    policy, own = critic.split(state)
    assert policy == {f"{prefix}model.norm.weight": 1}
    assert own == {"score.weight": 2, "backbone.a.b": 3}


def test_the_critic_may_learn_at_its_own_rate():
    policy, head = nn.Linear(2, 2), nn.Linear(2, 1)
    optimizer = torch.optim.AdamW([{"params": [*policy.parameters(), *head.parameters()], "weight_decay": 0.1}], lr=0.1)
    critic.set_learning_rate(optimizer, head.parameters(), 0.5)
    rates = [(group["lr"], group["weight_decay"], len(group["params"])) for group in optimizer.param_groups]
    assert rates == [(0.1, 0.1, 2), (0.5, 0.1, 2)]


def test_what_a_model_would_do_to_the_distribution_is_unset():
    config = GenerationConfig(min_p=0.1, no_repeat_ngram_size=3, top_k=20, temperature=0.6, suppress_tokens=[4])
    assert undistort(config) == ["min_p", "no_repeat_ngram_size", "suppress_tokens"]
    assert (config.min_p, config.no_repeat_ngram_size, config.suppress_tokens) == (None, None, None)
    assert (config.top_k, config.temperature) == (20, 0.6)  # the trainer says its own at every generation
    assert undistort(config) == []


def test_dropout_is_off_wherever_it_is_kept():
    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention_dropout, self.scale, self.inner = 0.2, 0.5, nn.Dropout(0.3)

    layer = Layer()
    switch_off_dropout(layer)
    assert (layer.attention_dropout, layer.inner.p, layer.scale) == (0.0, 0.0, 0.5)


def config(**settings):
    return PPOConfig("out", **({"use_cpu": True, "bf16": False, "report_to": "none"} | settings))


def test_epochs_and_minibatches_are_what_trl_is_told():
    args = config(
        per_device_train_batch_size=2, gradient_accumulation_steps=3, num_mini_batches=4, num_ppo_epochs=5, kl_coef=0.1
    )
    assert args.generation_batch_size == 2 * 3 * 4
    assert (args.steps_per_generation, args.num_iterations, args.num_generations) == (12, 5, 1)
    assert args.beta == 0.1  # TRL's word for: there is a reference model
    assert config(num_generations=4, per_device_train_batch_size=8).num_generations == 4
    assert config(per_device_train_batch_size=1, num_mini_batches=3).num_generations_eval == 1
    assert config(num_mini_batches=2, steps_per_generation=2, num_iterations=4).num_iterations == 4  # the same thing


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"beta": 0.1}, "write  kl_coef"),
        ({"scale_rewards": "batch"}, "there are no groups"),
        ({"multi_objective_aggregation": "normalize_then_sum"}, "summed by their weights"),
        ({"off_policy_mask_threshold": 0.1}, "one for each token"),
        ({"sync_ref_model": True}, "stays as it was"),
        ({"disable_dropout": False}, "ratio is not 1"),
        ({"top_p": 0.9}, "drawn from the very distribution"),
        ({"top_k": 50}, "drawn from the very distribution"),
        ({"min_p": 0.05}, "drawn from the very distribution"),
        ({"repetition_penalty": 1.1}, "drawn from the very distribution"),
        ({"generation_kwargs": {"no_repeat_ngram_size": 3}}, "no_repeat_ngram_size"),
        ({"temperature": 0.0}, "temperature: 0.0 is not above 0"),
        ({"num_iterations": 2}, "write  num_ppo_epochs"),
        ({"steps_per_generation": 8}, "write  num_mini_batches"),
        ({"generation_batch_size": 8}, "write  num_mini_batches"),
        ({"num_mini_batches": 0}, "num_mini_batches: 0 is not above 0"),
        ({"lam": 1.5}, "from 0 to 1"),
        ({"kl_coef": -0.1}, "below 0"),
        ({"kl_coef": 0.0, "kl_target": 6.0}, "stays 0"),
        ({"critic_model_name_or_path": "runs/reward"}, "critic: separate"),
        ({"critic": "separate", "detach_critic": True}, "no trunk in common"),
        ({"per_device_train_batch_size": 1}, "one completion a generation"),
    ],
)
def test_what_ppo_cannot_follow_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        config(**settings)


def test_every_setting_says_what_it_is():
    own = [field for name, field in PPOConfig.__dataclass_fields__.items() if name in PPOConfig.__annotations__]
    assert all(len(field.metadata["help"]) > 20 for field in own)


def test_explained_variance_by_hand():
    returns, errors = torch.tensor([2.0, 2.0, 0.0, 0.0]), torch.tensor([0.5, 3.0, 0.0, 1.0])
    found = estimate.explained_variance(returns, errors)
    assert found[:2].tolist() == [0.75, -0.5]
    assert found[2:].isnan().all()  # returns that are all alike: not minus infinity, which would be logged
