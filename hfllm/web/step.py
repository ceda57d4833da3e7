"""What is a step of the stage `data`? It measures a page, may edit it, and judges by what was measured.

Measuring costs time and is done once; judging compares numbers with thresholds, and can be done again and again. So
what a step measured is kept beside the page, and another threshold needs no page to be read again (dolma's taggers,
arXiv 2402.00159, section 4, in one chain with datatrove's blocks).

A step is one file in hfllm/web/steps, named as in the recipe: `gopher_quality: {min_doc_words: 40}` is `GopherQuality`
of gopher_quality.py. Its fields are the options of the recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from datatrove.data import Document

Scores = dict[str, Any]  # what a step measured of one page, as JSON; the numbers among it are scores


@dataclass(frozen=True)
class Limit:
    """A page is dropped for `reason` when its `score` is below `minimum` or above `maximum`."""

    reason: str
    score: str
    minimum: float | None = None
    maximum: float | None = None

    def broken_by(self, scores: Mapping[str, Any]) -> bool:
        value = scores.get(self.score)
        if value is None:
            return False
        return (self.minimum is not None and value < self.minimum) or (
            self.maximum is not None and value > self.maximum
        )


@dataclass(frozen=True)
class Need:
    """Something that a step cannot work without: a package, a model, a list."""

    what: str
    found: str | None  # where it is, or its version; None when it is missing
    mend: str = ""  # what to type when it is missing


@dataclass(kw_only=True)
class Step:
    """The base of all steps; the fields of a child are the options of the recipe."""

    MEASURED_BY: ClassVar[frozenset[str]] = frozenset()  # the options that change what `measure` gives
    VERSION: ClassVar[int] = 1  # raised when `measure` gives something else for the same page
    STOPS: ClassVar[bool] = False  # later steps do not measure the pages that this one drops

    max_lost: float = field(
        default=0.95,
        metadata={"help": "Stop the run when the step drops more than this share of the first pages that reach it."},
    )

    def check(self) -> None:
        """Raises `UserMistake` for options that make no sense; called before anything is read."""

    def needs(self) -> list[Need]:
        """What must be there: asked by `hfllm data doctor`, and before a run."""
        return []

    def prepare(self, folder: Path) -> None:
        """Once, before any worker starts: make files that all workers share, in `folder`."""

    def measured_by(self) -> dict[str, Any]:
        """All that decides what `measure` gives, as JSON: kept scores are valid while it stays the same."""
        options = asdict(self)
        return {"version": self.VERSION, **{name: options[name] for name in sorted(self.MEASURED_BY)}}

    def measure(self, document: Document) -> Scores:
        """The scores of one page; a step that edits changes `document.text`."""
        raise NotImplementedError

    def limits(self) -> list[Limit]:
        """The thresholds, in the order in which they are tried; None as a threshold switches it off."""
        return []

    def judge(self, scores: Mapping[str, Any]) -> str | None:
        """The reason to drop a page with these scores; None to keep it."""
        return next((limit.reason for limit in self.limits() if limit.broken_by(scores)), None)
