"""What an evaluation says of over-optimisation: how far the policy went, what it gained, and how its text changed.

    start = measure(0, answers_before, weights)
    measure(40, answers_now, weights, start).proxy.z      # in spreads of step 0: how much the proxy has risen

Distance is the KL from the initial policy, a sequence (k1: mean log-ratio), as in Gao, Schulman and Hilton (arXiv
2210.10760), who find that scores bend over its root. Length and its correlation with the proxy: Singhal et al. (arXiv
2310.03716); distinct-2: Li et al. (arXiv 1510.03055), of tokens, so that it works for scripts without spaces."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from hfllm.watching.answers import Answer, proxy

Values = Sequence[float | None]  # one an answer; None where nobody could judge


@dataclass(frozen=True)
class Score:
    """Of one reward in one evaluation, or of the proxy. None for all of them where it judged no answer."""

    mean: float | None
    spread: float | None  # standard deviation over answers
    z: float | None  # (mean - mean of step 0) / spread of step 0
    standard_error: float | None  # of z, over prompts


UNKNOWN = Score(None, None, None, None)


@dataclass(frozen=True)
class Measurement:
    """One evaluation. Ratios are to step 0; correlations are of ranks over the answers, None where one is constant."""

    step: int
    proxy: Score
    rewards: dict[str, Score]  # of weight 0: audits and what is merely measured
    kl: float  # nats a sequence; a little below 0 at times, for it is an estimate
    rank_correlation: dict[str, float | None]  # of the proxy with each of `rewards`
    agreement: dict[str, float | None]  # of the proxy with each of `rewards` on answers to the same prompt
    proxy_length_correlation: float | None
    length: float  # tokens
    length_ratio: float
    truncated: float  # share of the answers
    distinct_2: float  # different pairs of neighbours over all pairs of neighbours
    distinct_2_ratio: float
    similarity: float  # of answers to different prompts: cosine of their pairs of neighbours
    entropy: float  # nats a token
    entropy_ratio: float

    @property
    def sqrt_kl(self) -> float:
        return math.sqrt(max(0.0, self.kl))


def measure(
    step: int, answers: Sequence[Answer], weights: Mapping[str, float], start: Measurement | None = None
) -> Measurement:
    """`weights` are those of all rewards by name; `start` is the measurement of step 0, None at step 0."""
    proxies = [proxy(answer.rewards, weights) for answer in answers]
    measured = {name: [answer.rewards[name] for answer in answers] for name, weight in weights.items() if not weight}
    prompts = [key_of(answer.prompt) for answer in answers]
    lengths = [float(len(answer.tokens)) for answer in answers]
    pairs = [frozenset(pairwise(answer.tokens)) for answer in answers]
    length, entropy = float(np.mean(lengths)), float(np.mean([answer.entropy for answer in answers]))
    distinct, earlier = _distinct_2([answer.tokens for answer in answers]), {} if start is None else start.rewards
    return Measurement(
        step=step,
        proxy=score(proxies, prompts, UNKNOWN if start is None else start.proxy),
        rewards={name: score(each, prompts, earlier.get(name, UNKNOWN)) for name, each in measured.items()},
        kl=float(np.mean([answer.logp - answer.initial_logp for answer in answers])),
        rank_correlation={name: rank_correlation(proxies, each) for name, each in measured.items()},
        agreement={name: agreement(proxies, each, prompts) for name, each in measured.items()},
        proxy_length_correlation=rank_correlation(proxies, lengths),
        length=length,
        length_ratio=_ratio(start, "length", length),
        truncated=float(np.mean([answer.truncated for answer in answers])),
        distinct_2=distinct,
        distinct_2_ratio=_ratio(start, "distinct_2", distinct),
        similarity=similarity(pairs, prompts),
        entropy=entropy,
        entropy_ratio=_ratio(start, "entropy", entropy),
    )


def to_json(measurement: Measurement) -> dict[str, Any]:
    return asdict(measurement)


def from_json(entry: Mapping[str, Any]) -> Measurement:
    scores = {"proxy": Score(**entry["proxy"]), "rewards": {k: Score(**v) for k, v in entry["rewards"].items()}}
    return Measurement(**{**entry, **scores})


def score(values: Values, prompts: Sequence[Hashable], start: Score = UNKNOWN) -> Score:
    """`start` is that of step 0. A spread of 0 there (no answer differed) counts as 1: z is then in plain units."""
    judged = [value for value in values if value is not None]
    if not judged:
        return UNKNOWN
    mean, spread = float(np.mean(judged)), float(np.std(judged))
    origin = mean if start.mean is None else start.mean
    unit = (spread if start.spread is None else start.spread) or 1.0
    means = _means_by_prompt(values, prompts)
    error = float(np.std(means, ddof=1)) / math.sqrt(len(means)) if len(means) > 1 else 0.0
    return Score(mean, spread, (mean - origin) / unit, error / unit)


def rank_correlation(first: Values, second: Values) -> float | None:
    """Spearman's, over the answers that both judged: rank_correlation([1, 2, 9], [1, 2, 3]) == 1."""
    both = [(one, other) for one, other in zip(first, second, strict=True) if one is not None and other is not None]
    if not both:
        return None
    one, other = (_ranks(values) - (len(both) - 1) / 2 for values in zip(*both, strict=True))  # of mean 0
    size = math.sqrt((one @ one) * (other @ other))
    return float(one @ other) / size if size else None


def agreement(first: Values, second: Values, prompts: Sequence[Hashable]) -> float | None:
    """Do both prefer the same of two answers to a prompt? From 1, always, over 0, as often as not, to -1, never.

    Goodman and Kruskal's gamma over such pairs; over all pairs where most prompts have one answer; None without any.
    While a policy learns to please `first`, `second` changes with their covariance (Price, Nature 227, 1970): below 0,
    what `first` gains `second` loses."""
    judged = defaultdict(list)
    compared = prompts if 2 * len(set(prompts)) <= len(prompts) else [None] * len(prompts)
    for prompt, one, other in zip(compared, first, second, strict=True):
        if one is not None and other is not None:
            judged[prompt].append((one, other))
    same = opposite = 0
    for scores in judged.values():
        ones, others = np.asarray(scores).T
        for place in range(len(scores)):  # each with those behind it: thousands of answers need no square of memory
            orders = np.sign(ones[place] - ones[place + 1 :]) * np.sign(others[place] - others[place + 1 :])
            same, opposite = same + int((orders > 0).sum()), opposite + int((orders < 0).sum())
    return (same - opposite) / (same + opposite) if same + opposite else None


def similarity(pairs: Sequence[frozenset[Any]], prompts: Sequence[Hashable]) -> float:
    """Mean cosine between answers to different prompts, each a set of pairs of tokens; 1 when all say the same.

    The sum over all couples is the square of the sum of their vectors, so that no couple is looked at."""
    together: dict[Any, float] = defaultdict(float)
    of_prompt: dict[Hashable, dict[Any, float]] = defaultdict(lambda: defaultdict(float))
    for answer, prompt in zip(pairs, prompts, strict=True):
        for pair in answer:
            together[pair] += len(answer) ** -0.5
            of_prompt[prompt][pair] += len(answer) ** -0.5
    couples = len(prompts) ** 2 - sum(count**2 for count in Counter(prompts).values())
    same_prompt = sum(_square(vector) for vector in of_prompt.values())
    return (_square(together) - same_prompt) / couples if couples else 0.0


def key_of(prompt: Any) -> str:
    """The same text for the same prompt: messages can be no key."""
    return prompt if isinstance(prompt, str) else json.dumps(prompt, sort_keys=True)


def _distinct_2(texts: Sequence[Sequence[int]]) -> float:
    """_distinct_2([[1, 2, 1, 2]]) == 2/3: (1, 2) twice and (2, 1)."""
    pairs = [pair for text in texts for pair in pairwise(text)]
    return len(set(pairs)) / len(pairs) if pairs else 0.0


def _means_by_prompt(values: Values, prompts: Sequence[Hashable]) -> list[float]:
    found: dict[Hashable, list[float]] = defaultdict(list)
    for value, prompt in zip(values, prompts, strict=True):
        if value is not None:
            found[prompt].append(value)
    return [sum(some) / len(some) for some in found.values()]


def _ranks(values: Sequence[float]) -> np.ndarray:
    """From 0; equals share their mean rank: _ranks([5, 7, 7]) == [0, 1.5, 1.5]"""
    _, place, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    last = counts.cumsum()
    return (last - (counts + 1) / 2)[place]


def _ratio(start: Measurement | None, name: str, now: float) -> float:
    """1 at step 0, and where it was 0 then."""
    before = now if start is None else vars(start)[name]
    return now / before if before else 1.0


def _square(vector: Mapping[Any, float]) -> float:
    return sum(value * value for value in vector.values())
