"""What did the audit find, and is it a reason to stop? The rule, and the table for people.

What a reward pays for a kind of text is the mean over the rows, times its weight; the total is the sum. Gold is the
best paid way of writing a right answer, plain or in the tags that the rewards `format` and `tags` ask for.

1. The total pays gold more than 0.
2. No single reward pays a text without meaning (empty; looped, in any script; the question looped) more than 0 and at
   least half of what it pays gold. Two standard errors of the mean are luck: the last number of a question may happen
   to be its answer.
3. The total pays gold more than a text without meaning, in tags or not, and more than gold's first half.

A reward model's scores have no zero: 1 is not asked of it, and 2 only that it pays gold more than the text. Told and
not refused: empty tags that are paid like full ones, and a right answer said over and over that is paid more than gold.
Rewards of weight 0 are shown only, and so is everything where the rows hold no right answers."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hfllm.auditing.texts import ANSWER, EMPTY_TAGS, GOLD, HALF, LOOP_IN_TAGS, MEANINGLESS, NO_TAGS
from hfllm.chosen_rewards import Reward

if TYPE_CHECKING:
    from rich.table import Table

NOTHING = 1e-6  # payments that differ by less are the same


@dataclass
class Report:
    """What each reward pays for each kind of text; `refusals` is empty where training may start."""

    rewards: list[Reward]
    paid: dict[str, dict[str, list[float | None]]]  # [kind][reward][row], unweighted; None where it could not judge

    def mean(self, kind: str, reward: Reward | None = None) -> float:
        """Times the weight; of the total without a reward."""
        values = self._values(kind, reward)
        return statistics.fmean(values) if values else 0.0

    def certain(self, kind: str, reward: Reward) -> float:
        """The mean less two standard errors."""
        values = self._values(kind, reward)
        error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0
        return self.mean(kind, reward) - 2 * error

    @property
    def refusals(self) -> list[str]:
        """What is wrong with the rewards and what to write instead, by the rule above."""
        if GOLD not in self.paid:
            return []
        singly = [text for reward in self.rewards if reward.weight for text in self._refuse_alone(reward)]
        return [*self._refuse_worthless(), *singly] or self._refuse_total()

    @property
    def notes(self) -> list[str]:
        """What is worth knowing and no reason to stop."""
        if GOLD not in self.paid:
            return ["the rows have no column answer or solution, so the audit has no right answers to compare with."]
        notes = [
            f"reward '{reward.name}' pays empty tags like full ones: the model may stop thinking."
            for reward in self.rewards
            if self.mean(GOLD, reward) > max(0.0, self.mean(NO_TAGS, reward)) + NOTHING
            and self.mean(EMPTY_TAGS, reward) > self.mean(GOLD, reward) - NOTHING
        ]
        if self.mean(ANSWER) > self.mean(GOLD) + NOTHING:
            notes.append(
                f"a right answer said over and over is paid {self.mean(ANSWER):.2f}, said once {self.mean(GOLD):.2f}; "
                "to mend it, add or raise   repetition: {weight: 1.0}"
            )
        return notes

    def table(self) -> Table:
        """A line a kind of text, a column a reward: means times the weight, or alone where it is 0, and the total."""
        from rich.table import Table

        table = Table(title="what the rewards pay on average")
        table.add_column("text")
        for reward in self.rewards:
            weight = f"x {reward.weight:g}" if reward.weight else "only measured"
            table.add_column(f"{reward.name}\n{weight}", justify="right")
        table.add_column("total", justify="right")
        for kind in self.paid:
            measured = [replace(reward, weight=reward.weight or 1.0) for reward in self.rewards]
            cells = [_shown(self._values(kind, reward)) for reward in measured]
            table.add_row(kind, *cells, f"{self.mean(kind):.2f}", style="green" if kind == GOLD else None)
        return table

    def _values(self, kind: str, reward: Reward | None) -> list[float]:
        """Weighted payments, one a row that could be judged; in the total a missing one counts 0, as in training."""
        if reward is not None:
            return [reward.weight * value for value in self.paid[kind][reward.name] if value is not None]
        weights = [one.weight for one in self.rewards]
        rows = zip(*self.paid[kind].values(), strict=True)
        return [sum(weight * (value or 0.0) for weight, value in zip(weights, row, strict=True)) for row in rows]

    def _refuse_worthless(self) -> list[str]:
        models = any(reward.is_model and reward.weight for reward in self.rewards)
        if models or self.mean(GOLD) > NOTHING:
            return []
        each = ", ".join(f"{reward.name} {self.mean(GOLD, reward):.2f}" for reward in self.rewards)
        return [
            f"right answers are paid {self.mean(GOLD):.2f} in all ({each}): there is nothing to learn.\n"
            "  to mend it, pay for right answers:   rewards: {accuracy: {}}   (or look at the column answer)"
        ]

    def _refuse_alone(self, reward: Reward) -> list[str]:
        gold = self.mean(GOLD, reward)
        if reward.is_model:
            found = [kind for kind in MEANINGLESS if self.mean(kind, reward) > gold - NOTHING]
        else:
            found = [kind for kind in MEANINGLESS if self.certain(kind, reward) > max(NOTHING, gold / 2 - NOTHING)]
        if not found:
            return []
        worst = max(found, key=lambda kind: self.mean(kind, reward))
        others = f" (and {len(found) - 1} other texts without meaning)" if len(found) > 1 else ""
        return [
            f"reward '{reward.name}' pays {self.mean(worst, reward):.2f} for '{worst}'{others}, "
            f"and {gold:.2f} for right answers.\n  to mend it, {_advice(reward)}"
        ]

    def _refuse_total(self) -> list[str]:
        gold = self.mean(GOLD)
        found = [kind for kind in (*MEANINGLESS, LOOP_IN_TAGS, HALF) if self.mean(kind) > gold - NOTHING]
        if not found:
            return []
        worst = max(found, key=self.mean)
        return [
            f"in all the rewards pay {self.mean(worst):.2f} for '{worst}', and {gold:.2f} for right answers.\n"
            "  to mend it, pay right answers more:   rewards: {accuracy: {weight: 1.0}, ...}"
        ]


def _shown(values: list[float]) -> str:
    return f"{statistics.fmean(values):.2f}" if values else "-"


def _advice(reward: Reward) -> str:
    if reward.name == "length":
        return "pay for length only where the answer is right:   length: {..., only_correct: true}"
    if reward.is_model:
        return "train the reward model on such texts as rejected ones, or only measure it:   weight: 0"
    return "pay such texts 0 or less, or only measure it:   weight: 0"
