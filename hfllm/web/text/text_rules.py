"""What the four steps with rules of text quality have in common: thresholds that are numbers or null, and words.

They measure all scores of a page, also those behind the first threshold that it breaks, so that thresholds can be
changed later; names of reasons and the order of the rules are those of datatrove's filters."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

from hfllm.errors import UserMistake
from hfllm.web.step import Need, Step
from hfllm.web.text.words import words_of


@dataclass(kw_only=True)
class TextRules(Step):
    """The base of the steps that judge a text by its lines and words."""

    word_tokenizer: Literal["regex", "spacy"] = field(
        default="regex",
        metadata={"help": "How words are found: regex, or spacy, which is FineWeb's way and several times slower."},
    )

    def check(self) -> None:
        for option in fields(self):
            value = getattr(self, option.name)
            if isinstance(value, int | float):
                self.check_number(option.name, value, share=option.name.endswith("_frac"))

    def check_number(self, option: str, value: float, *, share: bool = False) -> None:
        """Raises `UserMistake` for a number below 0, with which datatrove switches a rule off; a share is at most 1."""
        if value < 0:
            raise self.mistake(option, value, "is below 0; null switches a rule off")
        if share and value > 1:
            raise self.mistake(option, value, "is more than all of it; a share of 30 % is written 0.3")

    def mistake(self, option: str, value: Any, problem: str) -> UserMistake:
        name = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in type(self).__name__)
        return UserMistake(f"step {name.lstrip('_')}: {option}: {value!r} {problem}")

    def needs(self) -> list[Need]:
        if self.word_tokenizer != "spacy":
            return []
        try:
            return [Need("spacy", version("spacy"))]
        except PackageNotFoundError:
            return [Need("spacy", None, "pip install spacy, or write  word_tokenizer: regex")]

    def words(self, text: str) -> tuple[str, ...]:
        return words_of(text, self.word_tokenizer)
