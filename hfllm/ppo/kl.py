"""The KL penalty of PPO: the k1 estimator in the reward, with a coefficient that is fixed or steered to a target.

k1 is log p(token) - log p_initial(token): unbiased, in the value and in the gradient, where the always positive k3
is biased as part of a reward (arXiv 2512.21852)."""

from __future__ import annotations

import torch

LARGEST_ERROR = 0.2  # arXiv 1909.08593, 2.2: the proportional error is clipped to it


def k1(logps: torch.Tensor, initial_logps: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
    """Nats (B, T) that each own token is likelier under the policy than under the initial policy; 0 elsewhere."""
    return (logps - initial_logps) * own


def adapted(coefficient: float, kl: float, target: float, completions: int, horizon: int) -> float:
    """The coefficient for the next generation, after `completions` had `kl` nats each (arXiv 1909.08593, 2.2).

    adapted(0.1, kl=12, target=6, completions=100, horizon=10_000) == 0.1 * (1 + 0.2 * 100 / 10_000)"""
    error = min(max(kl / target - 1, -LARGEST_ERROR), LARGEST_ERROR)
    return coefficient * (1 + error * completions / horizon)
