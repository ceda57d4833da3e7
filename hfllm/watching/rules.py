"""Is the reward being gamed? The stop rules, over all measurements so far.

    verdict = judge([start, ..., now], audits=["reward-careful"], config)      # verdict.reason: None, or why, in words

Nothing is remembered between calls: a run that goes on from its log judges as one that was never cut off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hfllm.watching.measures import Measurement

if TYPE_CHECKING:
    from hfllm.watch import WatchConfig


AGREED = 0.2  # an audit that agreed less than this with the proxy at step 0 looks at other things from the start


@dataclass(frozen=True)
class Verdict:
    """On the last measurement."""

    turned: dict[str, float]  # audits that no longer prefer what the proxy prefers: their smoothed agreement
    fallen: dict[str, float]  # audits below their best by more than is allowed while the proxy holds: by how much (z)
    signs: list[str]  # of collapse, in words
    best_step: int  # the evaluation that was best by audit
    reason: str | None  # why the run should stop


def judge(history: Sequence[Measurement], audits: Sequence[str], config: WatchConfig, since: int = -1) -> Verdict:
    """`history` begins at step 0. What was seen up to step `since` is settled: the KL was raised then."""
    turned = {audit: now for audit in audits if (now := turn_of(history, audit, config)) is not None}
    fallen = {audit: fall for audit in audits if (fall := fall_of(history, audit, config)) is not None}
    signs = signs_of_collapse(history[-1], history[0], config)
    reasons = []
    for audit, agreement in turned.items():
        if lasts(turn_of, history, audit, config, since):
            reasons.append(_turn_in_words(history, audit, agreement, config))
    for audit, fall in fallen.items():
        if lasts(fall_of, history, audit, config, since):
            reasons.append(_fall_in_words(history, audit, fall, config))
    if len(signs) >= config.collapse_signs and history[-1].step > since:
        reasons.append(f"the text collapses: {' and '.join(signs)}")
    return Verdict(turned, fallen, signs, best(history, audits, config).step, "; ".join(reasons) or None)


def turn_of(history: Sequence[Measurement], audit: str, config: WatchConfig) -> float | None:
    """The smoothed agreement of an audit with the proxy once following the proxy gains it hardly more.

    None before that, and for an audit that did not agree at step 0. The gain ends where they agree no more often than
    not, at 0; but the policy goes on between two evaluations, so a share of the first agreement is the limit."""
    values = [one.agreement[audit] for one in history]
    first = values[0] or 0.0
    if config.agreement is None or values[-1] is None or first < AGREED:
        return None
    now = smoothed(values, config.smoothing)[-1]
    return now if now <= config.agreement * first else None


def fall_of(history: Sequence[Measurement], audit: str, config: WatchConfig) -> float | None:
    """How far an audit lies below its best, smoothed, in z; None when that may be noise, or when the proxy fell too."""
    scores = [one.rewards[audit].z for one in history]
    if scores[-1] is None:
        return None
    smooth, proxy = smoothed(scores, config.smoothing), smoothed([one.proxy.z for one in history], config.smoothing)
    top = max(range(len(smooth)), key=smooth.__getitem__)
    allowed = allowance(history[-1], audit, config)
    fall = smooth[top] - smooth[-1]
    holds = proxy[-1] >= proxy[top] - allowed
    return fall if fall > allowed and holds else None


def lasts(
    rule: Callable[[Sequence[Measurement], str, WatchConfig], float | None],
    history: Sequence[Measurement],
    audit: str,
    config: WatchConfig,
    since: int = -1,
) -> bool:
    """Whether a rule spoke at each of the last `patience` evaluations, all of them after step `since`."""
    ends = range(len(history), max(0, len(history) - config.patience), -1)
    spoke = [history[end - 1].step > since and rule(history[:end], audit, config) is not None for end in ends]
    return len(spoke) == config.patience and all(spoke)


def allowance(now: Measurement, audit: str, config: WatchConfig) -> float:
    """So much below its best may be noise (z)."""
    return max(config.fall, config.standard_errors * (now.rewards[audit].standard_error or 0.0))


def best(history: Sequence[Measurement], audits: Sequence[str], config: WatchConfig) -> Measurement:
    """The evaluation with the highest mean z of the audits, among those at which none of them had fallen."""
    candidates = [
        history[end - 1]
        for end in range(1, len(history) + 1)
        if all(fall_of(history[:end], audit, config) is None for audit in audits)
    ]
    return max(candidates, key=lambda one: mean_audit(one, audits))


def mean_audit(one: Measurement, audits: Sequence[str]) -> float:
    """In z; below everything when no audit judged."""
    judged = [z for audit in audits if (z := one.rewards[audit].z) is not None]
    return sum(judged) / len(judged) if judged else float("-inf")


def signs_of_collapse(now: Measurement, start: Measurement, config: WatchConfig) -> list[str]:
    """What was so at step 0 already is no sign."""
    signs = {
        f"entropy is {now.entropy_ratio:.2f} of what it was": now.entropy_ratio < config.entropy_ratio,
        f"distinct pairs of tokens are {now.distinct_2_ratio:.2f} of what they were": now.distinct_2_ratio
        < config.distinct_2_ratio,
        f"answers are {now.length_ratio:.2f} times as long": not 1 / config.length_ratio
        <= now.length_ratio
        <= config.length_ratio,
        f"answers to different prompts are alike ({now.similarity:.2f})": now.similarity
        > config.similarity
        >= start.similarity,
        f"{now.truncated:.0%} of the answers are cut off": now.truncated > config.truncated >= start.truncated,
    }
    return [words for words, seen in signs.items() if seen]


def smoothed(values: Sequence[float | None], newest: float) -> list[float]:
    """Moving mean, `newest` the weight of each new value: smoothed([0, 1, 1], 0.5) == [0, 0.5, 0.75].

    None changes nothing; before the first value the mean is 0, which is z at step 0."""
    means: list[float] = []
    for value in values:
        before = means[-1] if means else 0.0 if value is None else value
        means.append(before if value is None else before + newest * (value - before))
    return means


def _turn_in_words(history: Sequence[Measurement], audit: str, agreement: float, config: WatchConfig) -> str:
    before, now = (f"{(1 + value) / 2:.0%}" for value in (history[0].agreement[audit] or 0.0, agreement))
    return (
        f"the audit {audit} hardly prefers what the proxy prefers, {_times(config)}: of two answers to a prompt "
        f"they chose the same one in {before} at first, in {now} now"
    )


def _fall_in_words(history: Sequence[Measurement], audit: str, fall: float, config: WatchConfig) -> str:
    smooth = smoothed([one.rewards[audit].z for one in history], config.smoothing)
    top = history[max(range(len(smooth)), key=smooth.__getitem__)]
    return (
        f"the audit {audit} lies {fall:.2f} spreads below its best (step {top.step}), {_times(config)}, while the "
        f"proxy holds (from {top.proxy.z:+.2f} to {history[-1].proxy.z:+.2f})"
    )


def _times(config: WatchConfig) -> str:
    return "once" if config.patience == 1 else f"at {config.patience} evaluations in a row"
