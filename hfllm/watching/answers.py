"""One completion of an evaluation, with all that the watch wants to know of it.

A run with a watch keeps the answers of each evaluation in output_dir/watch/step-N.jsonl: the adversarial pairs are
chosen from them, also by a run that went on after a crash, and people can read there how the answers changed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hfllm.completion import Completion

Row = dict[str, Any]  # of such a file: prompt, completion, rewards, tokens (their number), truncated, kl


@dataclass(frozen=True)
class Answer:
    """Log-probabilities in nats, at the temperature of sampling; `tokens` are those the model wrote, not a tool's.

    A reward is None where it could not judge."""

    prompt: Completion
    completion: Completion
    rewards: dict[str, float | None]
    tokens: list[int]  # ids
    truncated: bool  # cut off at max_completion_length
    logp: float  # of the whole completion, under the policy
    initial_logp: float  # the same under the policy of step 0
    entropy: float  # mean of a token, nats


def proxy(rewards: Mapping[str, float | None], weights: Mapping[str, float]) -> float | None:
    """What training maximises: the weighted sum of the rewards that judged; None where none with a weight did."""
    judged = [weight * value for name, weight in weights.items() if weight and (value := rewards[name]) is not None]
    return sum(judged) if judged else None


def file_of(output_dir: str | Path, step: int | str) -> Path:
    """`step` is that of an evaluation, or the name of other answers."""
    return Path(output_dir, "watch", f"step-{step}.jsonl")


def write(file: Path, answers: Iterable[Answer]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(_row(answer), ensure_ascii=False) + "\n" for answer in answers)


def read(file: Path) -> list[Row]:
    with file.open(encoding="utf-8") as lines:  # splitlines() would cut an answer at U+2028 too
        return [json.loads(line) for line in lines]


def _row(answer: Answer) -> Row:
    return {
        "prompt": answer.prompt,
        "completion": answer.completion,
        "rewards": answer.rewards,
        "tokens": len(answer.tokens),
        "truncated": answer.truncated,
        "kl": round(answer.logp - answer.initial_logp, 4),
    }
