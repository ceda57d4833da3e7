"""Generalised advantage estimation (arXiv 1506.02438) over the tokens that the model wrote itself.

    advantages = gae(rewards, values, own, gamma=1.0, lam=0.95)      # all (B, T)
    returns = advantages + values                                    # what the critic learns, at the same lambda

Tokens that are not the model's own (a tool's answer, padding) are stepped over: they have no reward, no value and no
advantage, and nothing decays while they pass."""

from __future__ import annotations

from collections.abc import Callable

import torch


def gae(
    rewards: torch.Tensor, values: torch.Tensor, own: torch.Tensor, gamma: float, lam: float | torch.Tensor
) -> torch.Tensor:
    """Advantages (B, T) of rewards (B, T) against values (B, T); `own` (B, T) is 1 for the model's tokens, else 0.

    values[:, t] is what the critic expected before token t was drawn; after the last own token nothing follows.
    `lam` is one number or one for each row (B,).

    gae([[0, 0, 1]], [[.5, .5, .5]], [[1, 1, 1]], gamma=1, lam=1) == [[.5, .5, .5]]"""
    device = rewards.device
    # on the CPU: T small steps one after the other are cheaper there than the launch of a dozen kernels for each
    rewards, values, own = (each.detach().cpu().float() for each in (rewards, values, own))
    lam = lam.cpu() if isinstance(lam, torch.Tensor) else lam
    advantages = torch.zeros_like(rewards)
    following, following_value = torch.zeros(len(rewards)), torch.zeros(len(rewards))  # (B,)
    for t in reversed(range(rewards.size(1))):
        is_own = own[:, t] > 0
        surprise = rewards[:, t] + gamma * following_value - values[:, t]
        following = torch.where(is_own, surprise + gamma * lam * following, following)
        following_value = torch.where(is_own, values[:, t], following_value)
        advantages[:, t] = following * is_own
    return advantages.to(device)


def length_adaptive(own: torch.Tensor, alpha: float) -> torch.Tensor:
    """Lambda for each row (B,): 1 - 1 / (alpha x own tokens), not below 0 (VAPO, arXiv 2504.05118, 4.2).

    The longer the completion, the farther its reward is carried: the weights of GAE then sum up to alpha x length."""
    return (1 - 1 / (alpha * own.sum(1).clamp(min=1))).clamp(min=0)


def moments(
    each: torch.Tensor, own: torch.Tensor, total: Callable[[torch.Tensor], torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and variance (N,) of N quantities (N, B, T) over the own tokens (B, T) of all processes.

    `total` sums a tensor over the processes. In two rounds: a mean of 1,000 would swallow a spread of 1 in one."""
    count = total(own.sum()).clamp(min=1)
    mean = total((each * own).sum((1, 2))) / count
    return mean, total(((each - mean[:, None, None]) ** 2 * own).sum((1, 2))) / count
