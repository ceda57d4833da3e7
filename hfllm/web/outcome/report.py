"""What did a crawl lose on its way to training text, and why? The page that draws a funnel.json.

    Path("funnel.html").write_text(page(json.loads(Path("funnel.json").read_text())), encoding="utf-8")

The page needs nothing but a browser: no network, no script. What crawled pages say is untrusted: it is shown as text,
addresses too. Personal data that is found in it is masked: examples come from before the step `pii`, or there is none.
The layout is hfllm/templates/funnel.html; charts.py computes where the bars lie, wording.py how numbers are written."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from hfllm import places
from hfllm.web.outcome import charts, wording
from hfllm.web.steps.c4_quality import SHOWN_CHARACTERS
from hfllm.web.steps.pii import PLACEHOLDERS
from hfllm.web.text import personal_data

if TYPE_CHECKING:
    from jinja2 import Template

PAGE = places.PACKAGE / "templates" / "funnel.html"
SNIPPET = 600  # characters of a page in an example; funnel.json has no more, and a longer text is cut
LAST_WORD = re.compile(r"\S{1,64}\Z")
EMPTY: dict[str, Any] = {
    **{"name": "", "files": 0, "broken": [], "records": 0, "not_pages": {}, "documents": 0, "tokens_are": None},
    **{"steps": [], "output": {}, "truth": None},
}
EMPTY_STEP: dict[str, Any] = {
    **{"name": "", "options": {}, "documents_in": 0, "documents_out": 0, "characters_out": None, "tokens_out": None},
    **{"dropped": {}, "edited": 0, "removed_lines": {}, "found": {}, "seconds": None, "languages": {}, "domains": []},
    **{"flagged": {}, "examples": [], "histograms": []},
}
EMPTY_OUTPUT: dict[str, Any] = {"documents": 0, "characters": 0, "tokens": None, "languages": {}, "domains": []}
EMPTY_EXAMPLE: dict[str, Any] = {"reason": "", "url": "", "text": "", "scores": {}, "twin": None, "lines": []}
EMPTY_TRUTH = dict.fromkeys(("recall", "precision", "found", "of", "dropped")) | {"step": "", "what": ""}


def page(funnel: Mapping[str, Any]) -> str:
    """The whole page; fields that are missing from the funnel count as empty."""
    funnel = _complete(funnel)
    return _template().render(funnel=funnel, rows=rows(funnel), headline=headline(funnel), worst=worst_steps(funnel))


@dataclass(frozen=True)
class Row:
    """A line of the funnel: what came in, what went on, and what became of the rest."""

    name: str
    came: int
    kept: int
    reasons: dict[str, int]
    seconds: float | None = None
    characters: int | None = None  # None before the pages are text
    characters_before: int | None = None
    tokens: int | None = None

    @property
    def unexplained(self) -> int:
        """Pages that are neither out nor dropped for a reason: anything but 0 is a mistake in the accounts."""
        return self.came - self.kept - sum(self.reasons.values())

    def bar(self, whole: int) -> list[charts.Segment]:
        """What is kept, then what is lost by reason; neighbours are hatched in different ways."""
        parts = [("kept", f"{self.kept:,} kept", self.kept)]
        for i, entry in enumerate(charts.ranking(self.reasons)):
            parts.append((f"lost{i % 2}", f"{entry.count:,} lost: {wording.shorten(entry.name)}", entry.count))
        return charts.segments(parts, whole)

    def text_bar(self, whole: int) -> list[charts.Segment]:
        kept = self.characters or 0
        lost = max((self.characters_before or 0) - kept, 0)
        parts = [("kept", f"{kept:,} characters kept", kept), ("lost0", f"{lost:,} characters lost", lost)]
        return charts.segments(parts, whole)


def rows(funnel: Mapping[str, Any]) -> list[Row]:
    """The funnel from records to documents: a line for the reading, and one for each step."""
    made = [Row("reading", funnel["records"], funnel["documents"], funnel["not_pages"])]
    for step in funnel["steps"]:
        made.append(
            Row(
                name=step["name"],
                came=step["documents_in"],
                kept=step["documents_out"],
                reasons=step["dropped"],
                seconds=step["seconds"],
                characters=step["characters_out"],
                characters_before=made[-1].characters,
                tokens=step["tokens_out"],
            )
        )
    return made


def headline(funnel: Mapping[str, Any]) -> str:
    """Of 1,002 records in 2 files, 980 were pages; 611 became documents: 62.3 % of the pages."""
    records, pages, kept = funnel["records"], funnel["documents"], funnel["output"]["documents"]
    files = f" in {wording.plural(funnel['files'], 'file')}" if funnel["files"] else ""
    if not records:
        return f"No records were read{files}."
    read = f"Of {wording.plural(records, 'record')}{files}, {pages:,} {'was a page' if pages == 1 else 'were pages'}"
    if not pages:
        return f"{read}."
    if not kept:
        return f"{read}; none of them was kept."
    return f"{read}; {kept:,} became {'a document' if kept == 1 else 'documents'}: {', '.join(shares(funnel))}."


def shares(funnel: Mapping[str, Any]) -> list[str]:
    """What share of the pages is in the output, and of their characters since they are text."""
    output = funnel["output"]
    of_pages = f"{wording.share(output['documents'], funnel['documents'])} of the pages"
    sized = next((step for step in funnel["steps"] if step["characters_out"]), None)
    if sized is None or sized is funnel["steps"][-1]:
        return [of_pages]
    of_text = f"{wording.share(output['characters'], sized['characters_out'])} of the text after {sized['name']}"
    return [of_pages, of_text]


def worst_steps(funnel: Mapping[str, Any], most: int = 3) -> list[Mapping[str, Any]]:
    """The steps that dropped most pages."""
    dropping = [step for step in funnel["steps"] if sum(step["dropped"].values())]
    return sorted(dropping, key=lambda step: -sum(step["dropped"].values()))[:most]


@dataclass(frozen=True)
class Score:
    """A score of a dropped page; `broken` is the threshold that it breaks: "below 50"."""

    name: str
    value: str
    broken: str | None


def scores(example: Mapping[str, Any], histograms: Iterable[Mapping[str, Any]]) -> list[Score]:
    """The scores of an example, those that break a threshold first."""
    limits = {histogram["score"]: histogram for histogram in charts.merged(histograms)}
    found = [
        Score(name, wording.number(value), _broken(value, limits.get(name, {})))
        for name, value in example["scores"].items()
    ]
    return sorted(found, key=lambda score: score.broken is None)


def _broken(value: Any, limits: Mapping[str, Any]) -> str | None:
    low, high = limits.get("minimum"), limits.get("maximum")
    if not isinstance(value, int | float):
        return None
    if low is not None and value < low:
        return f"below {wording.number(low)}"
    return f"above {wording.number(high)}" if high is not None and value > high else None


def kept_from_to(histogram: Mapping[str, Any]) -> str:
    """The thresholds in words."""
    low, high = histogram.get("minimum"), histogram.get("maximum")
    if low is None and high is None:
        return "no threshold"
    from_low = "" if low is None else f" from {wording.number(low)}"
    return f"kept{from_low}" if high is None else f"kept{from_low} up to {wording.number(high)}"


def masked(text: str, most: int) -> str:
    """Placeholders in the place of personal data; of a text that was cut after `most` characters, without its last
    word, which may be half an address."""
    text = text if len(text) < most else LAST_WORD.sub("", text[:most])
    found = personal_data.find(text, PLACEHOLDERS)
    return personal_data.replaced(text, [(one, PLACEHOLDERS[one.kind]) for one in found])


def differences(text: str, other: str, *, cut: bool = False) -> list[tuple[str, bool]]:
    """`text` in pieces, each with whether `other` lacks it: of "a b" and "a c", [("a ", False), ("b", True)].

    Two texts of which one was `cut` end in different places: what differs only there is not called a difference."""
    words, others = _words(text), _words(other)
    matcher = SequenceMatcher(None, [word.strip() for word in words], [word.strip() for word in others], autojunk=False)
    runs = [("".join(words[i:j]), tag != "equal") for tag, i, j, _, _ in matcher.get_opcodes() if j > i]
    if runs and cut:
        runs[-1] = (runs[-1][0], False)
    return [piece for run in runs for piece in _without_space(*run)]


def _words(text: str) -> list[str]:
    """Each with the space around it."""
    return re.findall(r"\s*\S+\s*", text)


def _without_space(text: str, differs: bool) -> Iterator[tuple[str, bool]]:
    """The space after a difference is none."""
    end = len(text.rstrip()) if differs else len(text)
    yield text[:end], differs
    if text[end:]:
        yield text[end:], False


def _complete(funnel: Mapping[str, Any]) -> dict[str, Any]:
    """With all fields, so that the template need not ask; null counts as missing."""
    complete = _filled(EMPTY, funnel)
    complete["output"] = _filled(EMPTY_OUTPUT, complete["output"])
    complete["broken"] = [_filled({"file": "", "message": "", "records": 0}, file) for file in complete["broken"]]
    complete["steps"] = [_filled(EMPTY_STEP, step) for step in complete["steps"]]
    complete["truth"] = [_filled(EMPTY_TRUTH, line) for line in complete["truth"] or []]
    for step in complete["steps"]:
        step["examples"] = [_example(example) for example in step["examples"]]
    return complete


def _example(example: Mapping[str, Any]) -> dict[str, Any]:
    complete = _filled(EMPTY_EXAMPLE, example)
    twin = _filled({"url": "", "text": ""}, complete["twin"]) if complete["twin"] else None
    return complete | {
        "cut": any(len(one["text"]) >= SNIPPET for one in (complete, twin or complete)),
        "text": masked(complete["text"], SNIPPET),
        "lines": [[what, masked(line, SHOWN_CHARACTERS)] for what, line in complete["lines"]],
        "twin": twin and twin | {"text": masked(twin["text"], SNIPPET)},
    }


def _filled(empty: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    return {**empty, **{name: value for name, value in given.items() if value is not None}}


@functools.cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, finalize=wording.visible, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    filters = [
        *(scores, kept_from_to, differences, charts.ranking, charts.histogram_bars, charts.merged, charts.thresholds),
        *(charts.ticks, wording.as_json, wording.number, wording.compact, wording.rounded, wording.share),
        *(wording.duration, wording.plural, wording.shorten),
    ]
    environment.filters |= {function.__name__: function for function in filters}
    return environment.from_string(PAGE.read_text(encoding="utf-8"))
