"""A step that loses nearly everything is broken, or told the wrong thing: the run stops before it has read a crawl.

Measured on datatrove 0.10: with a package missing, every page of a crawl is dropped and the run ends with SUCCESS."""

from __future__ import annotations

from collections import Counter

from hfllm.errors import UserMistake

FIRST_PAGES = 100
FEWEST_PAGES = 20  # of a shorter unit; below that a share says nothing


class Guard:
    """Watches what one step drops of the first pages of a unit that reach it."""

    def __init__(self, key: str, max_lost: float) -> None:
        self.key, self.max_lost = key, max_lost
        self.seen = 0
        self.lost: Counter[str] = Counter()
        self.file = ""

    def see(self, reason: str | None, file: str) -> None:
        """One page more. Raises `UserMistake` when the first hundred are there and too many of them were dropped."""
        if self.seen == FIRST_PAGES:
            return
        self.file = file
        self.seen += 1
        self.lost[reason or ""] += 1
        if self.seen == FIRST_PAGES:
            self.decide()

    def end(self) -> None:
        """The unit has no more pages."""
        if FEWEST_PAGES <= self.seen < FIRST_PAGES:
            self.decide()

    def decide(self) -> None:
        reasons = Counter({reason: count for reason, count in self.lost.items() if reason})
        if reasons.total() <= self.max_lost * self.seen:
            return
        told = ", ".join(f"{reason}: {count}" for reason, count in reasons.most_common())
        raise UserMistake(
            f"step {self.key} dropped {reasons.total()} of the first {self.seen} pages that reached it in {self.file}\n"
            f"  ({told}); at most {self.max_lost:.0%} were expected, so no other file was begun.\n"
            "  to see what the step needs:  hfllm data doctor RECIPE\n"
            f"  if so many pages should go, write  max_lost: 1  among the options of {self.key}"
        )
