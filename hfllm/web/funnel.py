"""What became of the pages: counted step by step from the rows of a unit, and added up over all units.

Counting is also the check that nothing was lost: the rows of a pass are the pages that the pass before it kept, and
what a step let in is what it let out plus what it dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any
from urllib.parse import urlsplit

from hfllm.web.judging import Fate, Row
from hfllm.web.step import Step

EXAMPLES = 3  # of each reason
EXAMPLE_CHARACTERS = 600
VALUES = 500  # of each score and unit, for the histograms
EDITED = "edited"


@dataclass
class StepCount:
    """What one step did to the pages that reached it; None where HTML has no size yet, or no tokenizer is named."""

    documents_in: int = 0
    documents_out: int = 0
    characters_out: int | None = None
    tokens_out: int | None = None
    edited: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    removed_lines: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    domains: Counter[str] = field(default_factory=Counter)  # of dropped pages
    examples: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # by reason
    values: dict[str, list[float]] = field(default_factory=dict)  # by score, of the first pages

    def add(self, other: StepCount) -> None:
        """The counts of another unit; counters add up, examples and values are filled up."""
        for one in fields(self):
            mine, theirs = getattr(self, one.name), getattr(other, one.name)
            setattr(self, one.name, _sum(mine, theirs))
        self.examples = {reason: some[:EXAMPLES] for reason, some in self.examples.items()}

    @classmethod
    def of_json(cls, content: Mapping[str, Any]) -> StepCount:
        counters = ("dropped", "removed_lines", "found", "languages", "domains")
        return cls(**{**content, **{name: Counter(content[name]) for name in counters}})


def _sum(mine: Any, theirs: Any) -> Any:
    match mine, theirs:
        case None, _:
            return theirs
        case _, None:
            return mine
        case Counter(), _:
            return mine + theirs
        case dict(), _:
            return {key: [*mine.get(key, []), *theirs.get(key, [])] for key in [*mine, *theirs]}
    return mine + theirs


class Funnel:
    """The counts of all steps of a plan."""

    def __init__(self, steps: Mapping[str, Step]) -> None:
        self.steps = steps
        self.counts = {key: StepCount() for key in steps}

    def add(self, other: Mapping[str, Mapping[str, Any]]) -> None:
        """The counts of one unit, as `as_json` gave them."""
        for key, count in self.counts.items():
            count.add(StepCount.of_json(other[key]))

    def as_json(self) -> dict[str, Any]:
        return {key: vars(count) for key, count in self.counts.items()}

    def see(self, keys: Iterable[str], row: Row, fate: Fate | None) -> None:
        """One row of the pass with these steps: it goes from step to step until one drops it."""
        for key in keys:
            count, scores = self.counts[key], row["tags"].get(key, {})
            count.documents_in += 1
            self.note_scores(count, key, scores)
            if fate is not None and fate.step == key:
                self.note_dropped(count, row, fate, scores)
                return
            self.note_kept(count, key, row, scores)

    def note_scores(self, count: StepCount, key: str, scores: Mapping[str, Any]) -> None:
        for limit in self.steps[key].limits():
            values = count.values.setdefault(limit.score, [])
            value = scores.get(limit.score)
            if isinstance(value, int | float) and len(values) < VALUES:
                values.append(float(value))

    def note_dropped(self, count: StepCount, row: Row, fate: Fate, scores: Mapping[str, Any]) -> None:
        count.dropped[fate.reason] += 1
        count.domains[host_of(row["url"])] += 1
        limits = [limit for limit in self.steps[fate.step].limits() if limit.reason == fate.reason]
        decisive = {limit.score: scores[limit.score] for limit in limits if limit.score in scores}
        note_example(count, fate.reason, row, decisive, scores)

    def note_kept(self, count: StepCount, key: str, row: Row, scores: Mapping[str, Any]) -> None:
        count.documents_out += 1
        characters, tokens = size_behind(row["tags"], key)
        count.characters_out = _sum(count.characters_out, characters)
        count.tokens_out = _sum(count.tokens_out, tokens)
        if (language := language_behind(row["tags"], key)) is not None:
            count.languages[language] += 1
        count.removed_lines.update(scores.get("removed", {}))
        count.found.update(scores.get("found", {}))
        if scores.get("removed") or scores.get("found"):
            count.edited += 1
        if scores.get("removed_lines"):
            note_example(count, EDITED, row, {}, scores)


def note_example(
    count: StepCount, reason: str, row: Row, decisive: Mapping[str, Any], scores: Mapping[str, Any]
) -> None:
    some = count.examples.setdefault(reason, [])
    if len(some) < EXAMPLES:
        example = {"reason": reason, "url": row["url"], "text": (row["text"] or "")[:EXAMPLE_CHARACTERS]}
        lines = scores.get("removed_lines", []) if reason == EDITED else []
        some.append(example | {"scores": dict(decisive), "lines": lines, "group": row.get("group")})


def host_of(url: str | None) -> str:
    """host_of("https://www.stories.example/page/1") == "stories.example"."""
    try:
        return (urlsplit(url or "").hostname or "").removeprefix("www.")
    except ValueError:  # such as an address in brackets that is none
        return ""


def tags_up_to(tags: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """What the steps measured up to the step `key`, itself included; all of it when the step measures nothing."""
    names = list(tags)
    return list(tags.values())[: names.index(key) + 1 if key in names else None]


def size_behind(tags: Mapping[str, Any], key: str) -> tuple[int | None, int | None]:
    """Characters and tokens of a page behind a step; None while it is HTML, or when tokens are not counted."""
    sizes = [scores for scores in tags_up_to(tags, key) if "characters" in scores]
    return (sizes[-1]["characters"], sizes[-1].get("tokens")) if sizes else (None, None)


def language_behind(tags: Mapping[str, Any], key: str) -> str | None:
    return next((scores["language"] for scores in tags_up_to(tags, key) if "language" in scores), None)


def histogram(values: Sequence[float], bins: int = 24) -> tuple[list[float], list[int]]:
    """Edges and counts, without the farthest hundredth on either side, which would flatten all others.

    histogram([0, 1, 2, 3], bins=2) == ([0, 1.5, 3], [2, 2])"""
    import numpy as np

    low, high = np.quantile(values, [0.01, 0.99])
    counts, edges = np.histogram(np.clip(values, low, high), bins=bins)
    return [float(f"{edge:.5g}") for edge in edges], counts.tolist()
