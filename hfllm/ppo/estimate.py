"""From the rewards of whole completions to what policy and critic learn of each token.

estimate = of(rollout, scores, values, args, kl_coef=0.05, stop_ids=[2], total=lambda tensor: tensor)
estimate.advantages, estimate.returns        # (B, T): for the policy, for the critic"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from hfllm.ppo import kl
from hfllm.ppo.gae import gae, length_adaptive, moments

if TYPE_CHECKING:
    from hfllm.ppo.config import PPOConfig

Total = Callable[[torch.Tensor], torch.Tensor]  # the sum of a tensor over all processes
TINY = 1e-8  # keeps advantages finite that are all the same


@dataclass(frozen=True)
class Estimate:
    """All tensors (B, T), 0 for tokens that are not the model's own; `measured` is over all processes."""

    own: torch.Tensor
    values: torch.Tensor  # of the critic when the completions were drawn
    advantages: torch.Tensor  # mean 0, spread 1 over the own tokens of all processes
    returns: torch.Tensor
    completions: int  # of all processes, those nobody could judge left out
    measured: dict[str, float]

    @property
    def missed(self) -> float:
        """What the critic was wrong by, on average."""
        return self.measured["objective/rlhf_reward"] - self.measured["value/mean"]

    @property
    def learned_from(self) -> dict[str, torch.Tensor]:
        """What the loss reads, under the names of the trainer's batches."""
        names = {"advantages": self.advantages, "old_values": self.values, "returns": self.returns}
        return names | {"own_mask": self.own}


def of(
    rollout: dict[str, Any],
    scores: torch.Tensor,
    values: torch.Tensor,
    args: PPOConfig,
    *,
    kl_coef: float,
    stop_ids: list[int],
    total: Total,
) -> Estimate:
    """Of a batch of TRL's with the scores (B,) of its completions (NaN: not judged) and the critic's values (B, T)."""
    judged = ~scores.isnan() & rollout["completion_mask"].any(1)  # TRL masks whole completions that were cut off
    own = rollout["completion_mask"] * rollout.get("tool_mask", 1) * judged[:, None]
    score = scores.nan_to_num()
    if args.missing_eos_penalty is not None:
        is_cut_off = judged & ~is_ended(rollout["completion_ids"], own, stop_ids)
        score = score - args.missing_eos_penalty * is_cut_off
    values, logps = values * own, rollout["old_per_token_logps"]
    divergence = kl.k1(logps, rollout.get("ref_per_token_logps", logps), own)
    advantages, returns = _advantages_and_returns(of_tokens(score, kl_coef * divergence, own), values, own, args)
    means, variances = moments(torch.stack([advantages, returns, returns - values, values]), own, total)
    sums = total(torch.stack([score.sum(), divergence.sum(), judged.sum()]))
    mean_score, sequence_kl, _ = (sums / sums[2].clamp(min=1)).tolist()
    return Estimate(
        own=own,
        values=values,
        advantages=(advantages - means[0]) * torch.rsqrt(variances[0] + TINY) * own,
        returns=returns,
        completions=int(sums[2]),
        measured={
            # without a reference model nobody knows it
            **({"objective/kl": sequence_kl, "objective/kl_coef": kl_coef} if "ref_per_token_logps" in rollout else {}),
            "objective/score": mean_score,
            "objective/rlhf_reward": mean_score - kl_coef * sequence_kl,
            "value/mean": means[3].item(),
            "value/explained_variance": explained_variance(variances[1], variances[2]).item(),
        },
    )


def _advantages_and_returns(
    rewards: torch.Tensor, values: torch.Tensor, own: torch.Tensor, args: PPOConfig
) -> tuple[torch.Tensor, torch.Tensor]:
    """At the lambdas of policy and critic, which may differ (VC-PPO, arXiv 2503.01491)."""
    lam = args.lam if args.length_adaptive_alpha is None else length_adaptive(own, args.length_adaptive_alpha)
    advantages = gae(rewards, values, own, args.gamma, lam)
    if args.critic_lam is None:
        return advantages, advantages + values
    return advantages, gae(rewards, values, own, args.gamma, args.critic_lam) + values


def explained_variance(returns: torch.Tensor, errors: torch.Tensor) -> torch.Tensor:
    """Of the variance of the returns by the critic, whose errors have this variance; NaN where all returns are alike.

    NaN is not logged and is no warning; minus infinity would be both."""
    return torch.where(returns > TINY, 1 - errors / returns, torch.nan)


def weighted(rewards: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """The score (B,) of rewards (B, functions), NaN where one could not judge: the sum of those that could.

    NaN where none of those that count (weight not 0) could judge."""
    weights = weights.to(rewards.device)  # (functions,)
    judged = (~rewards.isnan() & (weights != 0)).any(1)
    return (rewards * weights).nansum(1).masked_fill(~judged, torch.nan)


def last_own(own: torch.Tensor) -> torch.Tensor:
    """The place (B,) of the last 1 of each row of `own` (B, T); 0 in a row without one."""
    return (own * torch.arange(own.size(1), device=own.device)).argmax(1)


def is_ended(ids: torch.Tensor, own: torch.Tensor, stop_ids: list[int]) -> torch.Tensor:
    """Whether the last own token of each row (B,) is one of all that end an answer; it was cut off otherwise."""
    last = ids.gather(1, last_own(own)[:, None]).squeeze(1)
    return torch.isin(last, torch.tensor(stop_ids, device=ids.device))


def of_tokens(scores: torch.Tensor, costs: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
    """Rewards (B, T): what each token costs (B, T), and the completion's score (B,) on its last own token."""
    return (-costs).scatter_add(1, last_own(own)[:, None], scores[:, None].to(costs.dtype)) * own
