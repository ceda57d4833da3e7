"""Keep the pages of some languages: the step `language`, as in FineWeb (arXiv 2406.17557, section 3.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from hfllm.errors import UserMistake
from hfllm.mistakes import near
from hfllm.web.step import Limit, Need, Scores, Step
from hfllm.web.text import language_models

if TYPE_CHECKING:
    from pathlib import Path

    from datatrove.data import Document


@dataclass(kw_only=True)
class Language(Step):
    """Find the language of a page; drop what is not in `keep`, or too uncertain."""

    max_lost: float = field(
        default=0.99,
        metadata={"help": "Stop the run when more than this share of the first pages is in other languages."},
    )
    keep: list[str] = field(
        default_factory=lambda: ["en"],
        metadata={"help": "The languages to keep, by ISO 639-1 codes: [en, de]; [] keeps all."},
    )
    min_score: float | None = field(
        default=0.65,
        metadata={"help": "Drop pages whose language has a lower probability than this, 0 to 1. FineWeb: 0.65."},
    )
    model: str | None = field(
        default=None,
        metadata={
            "help": "lid.176, py3langid, or a fastText model's file. Default: lid.176 if it is here, else py3langid."
        },
    )

    def check(self) -> None:
        if self.min_score is not None and not 0 <= self.min_score <= 1:
            raise UserMistake(f"step language: min_score: {self.min_score} is no probability, 0 to 1")

    def needs(self) -> list[Need]:
        try:
            found = self.resolved
        except UserMistake as mistake:
            return [Need("language model", None, str(mistake))]
        return [Need("language model", found.name if found.is_py3langid else found.path)]

    def prepare(self, folder: Path) -> None:
        """Say which model it is, and that it knows the languages to keep."""
        known = self.resolved.languages()
        for language in self.keep:
            if language not in known:
                close = near(language, known)
                raise UserMistake(f"step language: keep: {self.resolved.name} does not know {language!r}{close}")
        print(f"language: {self.resolved.name}{self._advice()}", flush=True)

    @cached_property
    def resolved(self) -> language_models.Model:
        """Found once, in the process that starts the run, and taken to its workers."""
        return language_models.resolve(self.model)

    def measured_by(self) -> dict[str, Any]:
        return super().measured_by() | {"model": self.resolved.name, "sha256": self.resolved.sha256}

    def measure(self, document: Document) -> Scores:
        language, score = self.resolved.identify(document.text)
        scores = {"language": language, "language_score": score}
        document.metadata.update(scores)
        return scores

    def limits(self) -> list[Limit]:
        return [Limit("low_score", "language_score", minimum=self.min_score)]

    def judge(self, scores: Mapping[str, Any]) -> str | None:
        if self.keep and scores["language"] not in self.keep:
            return "language"
        return super().judge(scores)

    def _advice(self) -> str:
        if self.model is not None or not self.resolved.is_py3langid:
            return ""
        missing = "" if language_models.fasttext_is_here() else f"{language_models.INSTALL}; "
        return f", as lid.176, which FineWeb used, is not here. To get it:  {missing}{language_models.FETCH}"
