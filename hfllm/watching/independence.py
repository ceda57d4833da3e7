"""Do the audits know anything that the proxy does not? Reward models of the same data share its mistakes.

The receipt (run.json) of a reward model that was trained here says from which data sets it learned."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hfllm import receipt
from hfllm.reward_model import RewardModel

SAME_DATA = (
    "every audit is a reward model of the same data as the proxy: {audits}. Such audits share its mistakes and did\n"
    "  not notice in our measurements; add one that learned from other raters, or a rule:   repetition: {{weight: 0}}"
)


def warning(trained: Sequence[Any], audits: Sequence[Any]) -> str | None:
    """What to say of the reward functions that are `trained` on and of those that audit; None when all is well.

    A function that is no reward model, and a model without a receipt, counts as independent."""
    seen = set().union(*(data_of(reward) for reward in trained))
    if not seen or any(not data_of(audit) or data_of(audit) - seen for audit in audits):
        return None
    return SAME_DATA.format(audits=", ".join(audit.__name__ for audit in audits))


def data_of(reward: Any) -> set[str]:
    """The data sets that a reward model learned from, as its recipe names them; empty where nobody knows."""
    if not isinstance(reward, RewardModel):
        return set()
    file = Path(reward.name_or_path, receipt.FINISHED)
    values = (receipt.load(file) or {}).get("values", {})
    return {json.dumps(entry, sort_keys=True) for entry in values.get("datasets") or []}
