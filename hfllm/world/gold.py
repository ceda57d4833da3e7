"""The true worth of an answer in the small world, as a reward: what no rater sees, for measuring only.

rewards: {runs/tiny/reward: {}, hfllm/world/gold.py:joke_gold: {weight: 0}}      # in a recipe of grpo or ppo"""

from __future__ import annotations

from typing import Any

from hfllm.completion import Completion, text_of
from hfllm.world import jokes


def joke_gold(completions: list[Completion], *, prompts: list[Any], **columns: Any) -> list[float | None]:
    """`jokes.gold_score` of each completion, at most 2.5; the request is the last message of its prompt."""
    requests = [prompt if isinstance(prompt, str) else prompt[-1]["content"] for prompt in prompts]
    return [
        jokes.gold_score(request, text_of(completion))
        for request, completion in zip(requests, completions, strict=True)
    ]
