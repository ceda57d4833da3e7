"""What became of the pages: counted step by step from the rows of a unit, and added up over all units.

Counting is also the check that nothing was lost: the rows of a pass are the pages that the pass before it kept, and
what a step let in is what it let out plus what it dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any
from urllib.parse import urlsplit

from hfllm.web.run.judging import Fate, Row
from hfllm.web.step import Limit, Step

EXAMPLES = 3  # of each reason
EXAMPLE_CHARACTERS = 600
VALUES_OF_UNIT, VALUES = 500, 10_000  # of each score, for the histograms: the first ones
DOMAINS = 10_000  # the largest; a crawl has hundreds of millions
EDITED, FLAGGED = "edited", "flagged"


@dataclass
class StepCount:
    """What one step did to the pages that reached it; None where HTML has no size yet, or no tokenizer is named."""

    documents_in: int = 0
    documents_out: int = 0
    characters_out: int | None = None
    tokens_out: int | None = None
    unsized: int = 0  # pages that are still HTML
    edited: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    removed_lines: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    flagged: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    domains: Counter[str] = field(default_factory=Counter)  # of dropped pages
    examples: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # by reason
    values: dict[str, list[float]] = field(default_factory=dict)  # by score, of the first pages

    def add(self, other: StepCount) -> None:
        """The counts of another unit; counters add up, examples and values are filled up."""
        for one in fields(self):
            setattr(self, one.name, added(getattr(self, one.name), getattr(other, one.name)))
        self.domains = largest(self.domains)
        self.examples = {reason: some[:EXAMPLES] for reason, some in self.examples.items()}
        self.values = {score: some[:VALUES] for score, some in self.values.items()}

    @classmethod
    def of_json(cls, content: Mapping[str, Any]) -> StepCount:
        counters = ("dropped", "removed_lines", "found", "flagged", "languages", "domains")
        return cls(**{**content, **{name: Counter(content[name]) for name in counters}})


def added(mine: Any, theirs: Any) -> Any:
    """Numbers and counters added up, lists by name put together; None is nothing yet."""
    match mine, theirs:
        case None, _:
            return theirs
        case _, None:
            return mine
        case Counter(), _:
            mine.update(theirs)
            return mine
        case dict(), _:
            return {key: [*mine.get(key, []), *theirs.get(key, [])] for key in [*mine, *theirs]}
    return mine + theirs


def largest(domains: Counter[str]) -> Counter[str]:
    """The largest ones, once there are twice as many as are wanted."""
    return domains if len(domains) < 2 * DOMAINS else Counter(dict(domains.most_common(DOMAINS)))


class Funnel:
    """The counts of all steps of a plan."""

    def __init__(self, steps: Mapping[str, Step]) -> None:
        self.steps = steps
        self.limits = {key: step.limits() for key, step in steps.items()}
        self.counts = {key: StepCount() for key in steps}

    def add(self, other: Mapping[str, Mapping[str, Any]]) -> None:
        """The counts of one unit, as `as_json` gave them."""
        for key, count in self.counts.items():
            count.add(StepCount.of_json(other[key]))

    def as_json(self) -> dict[str, Any]:
        return {key: vars(count) for key, count in self.counts.items()}

    def see(
        self, keys: Iterable[str], row: Row, fate: Fate | None, tokens: tuple[int | None, int | None] = (None, None)
    ) -> None:
        """One row of the pass with these steps: it goes from step to step until one drops it.

        `tokens` are those of its text before and behind the pass: which edit took how many is not known."""
        edited = False
        for key in keys:
            count, scores = self.counts[key], row["tags"].get(key, {})
            count.documents_in += 1
            self.note_scores(count, key, scores)
            if fate is not None and fate.step == key:
                self.note_dropped(count, row, fate, scores)
                return
            edited = edited or "characters" in scores
            self.note_kept(count, key, row, scores)
            count.tokens_out = added(count.tokens_out, tokens[edited or tokens[0] is None])

    def note_scores(self, count: StepCount, key: str, scores: Mapping[str, Any]) -> None:
        for limit in self.limits[key]:
            values = count.values.setdefault(limit.score, [])
            value = scores.get(limit.score)
            if isinstance(value, int | float) and len(values) < VALUES_OF_UNIT:
                values.append(float(value))

    def note_dropped(self, count: StepCount, row: Row, fate: Fate, scores: Mapping[str, Any]) -> None:
        count.dropped[fate.reason] += 1
        count.domains[host_of(row["url"])] += 1
        broken = [limit.score for limit in self.limits[fate.step] if limit.reason == fate.reason]
        note_example(count, row, fate.reason, scores={name: scores[name] for name in broken if name in scores})

    def note_kept(self, count: StepCount, key: str, row: Row, scores: Mapping[str, Any]) -> None:
        tags = tags_up_to(row["tags"], key)
        count.documents_out += 1
        sizes = sizes_of(tags)
        count.characters_out = added(count.characters_out, sizes[-1] if sizes else None)
        count.unsized += not sizes
        if (language := language_of(tags)) is not None:
            count.languages[language] += 1
        count.removed_lines.update(scores.get("removed", {}))
        count.found.update(scores.get("found", {}))
        count.edited += bool(scores.get("removed") or scores.get("found"))
        if lines := scores.get("removed_lines"):
            note_example(count, row, EDITED, lines=lines)
        if matches := scores.get("matches"):
            count.flagged.update({match["id"].rpartition("/")[0] for match in matches})
            lines = [[match["id"], match["ngram"]] for match in matches]
            note_example(count, row, FLAGGED, scores={"coverage": scores["coverage"]}, lines=lines)


def note_example(
    count: StepCount,
    row: Row,
    reason: str,
    *,
    scores: Mapping[str, Any] | None = None,
    lines: Sequence[Sequence[str]] = (),
) -> None:
    some = count.examples.setdefault(reason, [])
    if len(some) < EXAMPLES:
        example = {"reason": reason, "url": row["url"], "text": (row["text"] or "")[:EXAMPLE_CHARACTERS]}
        some.append(example | {"scores": dict(scores or {}), "lines": list(lines), "group": row.get("group")})


def host_of(url: str | None) -> str:
    """host_of("https://www.stories.example/page/1") == "stories.example"."""
    try:
        return (urlsplit(url or "").hostname or "").removeprefix("www.")
    except ValueError:  # such as an address in brackets that is none
        return ""


def tags_up_to(tags: Mapping[str, Any], key: str) -> dict[str, Any]:
    """What was measured up to the step `key`, itself included; all of it when that step measures nothing."""
    names = list(tags)
    return {name: tags[name] for name in names[: names.index(key) + 1 if key in tags else None]}


def sizes_of(tags: Mapping[str, Any]) -> list[int]:
    """The characters of a page as it came in and behind each edit; none while it is HTML."""
    return [scores["characters"] for scores in tags.values() if "characters" in scores]


def language_of(tags: Mapping[str, Any]) -> str | None:
    return next((scores["language"] for scores in tags.values() if "language" in scores), None)


def histogram(values: Sequence[float], bins: int = 24) -> tuple[list[float], list[int]]:
    """Edges and counts, without the farthest hundredth on either side, which would flatten all others.

    histogram([0, 1, 2, 3], bins=2)[1] == [2, 2]"""
    import numpy as np

    low, high = np.quantile(values, [0.01, 0.99])
    counts, edges = np.histogram(np.clip(values, low, high), bins=bins)
    return [float(f"{edge:.5g}") for edge in edges], counts.tolist()


def histogram_json(limit: Limit, values: Sequence[float]) -> dict[str, Any] | None:
    """The distribution of a score with its thresholds; None for one that hardly varies."""
    if len(set(values)) < 3:
        return None
    edges, counts = histogram(values)
    return {"score": limit.score, "minimum": limit.minimum, "maximum": limit.maximum, "edges": edges, "counts": counts}
