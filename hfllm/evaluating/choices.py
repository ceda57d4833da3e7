"""Which choice does a model find likeliest? Multiple choice as lm-eval counts it: acc, and acc_norm by length.

    judged(model, tokenizer, [{"context": "The sky is", "continuations": [" blue", " a"], "answer": "A"}], 16)
    == [Choice(said=" blue", acc=1.0, acc_norm=1.0)]

acc takes the highest log-probability of the whole choice; acc_norm the highest per character, as long choices are
unlikely by their length alone (EleutherAI lm-evaluation-harness 0.4.13, lm_eval/api/task.py, multiple_choice)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from hfllm.likelihood import log_likelihoods
from hfllm.multiple_choice import LETTERS

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class Choice(NamedTuple):
    """`said` is the likeliest choice; `logps` are those of all choices, in nats."""

    said: str
    acc: float
    acc_norm: float
    logps: list[float]


def judged(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[Mapping[str, Any]],
    batch_size: int,
) -> list[Choice]:
    """One for each row of a multiple-choice task: its `context`, its `continuations`, the letter that is right."""
    pairs = [(row["context"], continuation) for row in rows for continuation in row["continuations"]]
    found = iter(log_likelihoods(model, tokenizer, pairs, batch_size))
    return [_judged(row, [likelihood.logp for likelihood in islice(found, len(row["continuations"]))]) for row in rows]


def _judged(row: Mapping[str, Any], logps: list[float]) -> Choice:
    right = LETTERS.index(row["answer"])
    # the first character is the space that joins a choice to its context
    per_character = [logp / max(len(text) - 1, 1) for logp, text in zip(logps, row["continuations"], strict=True)]
    best = _highest(logps)
    return Choice(row["continuations"][best], float(best == right), float(_highest(per_character) == right), logps)


def _highest(scores: list[float]) -> int:
    """The first of the highest, as numpy's argmax."""
    return scores.index(max(scores))
