"""Drop lists, menus and repeated lines: FineWeb's own three rules, and one for new lines.

Source: FineWeb, arXiv 2406.17557, section 3.6; datatrove's FineWebQualityFilter."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from hfllm.web.step import Limit, Scores
from hfllm.web.text.text_rules import TextRules

if TYPE_CHECKING:
    from datatrove.data import Document


@dataclass(kw_only=True)
class FinewebQuality(TextRules):
    """Drop lists, menus and repeated lines: FineWeb's own rules (arXiv 2406.17557, section 3.6)."""

    MEASURED_BY: ClassVar[frozenset[str]] = frozenset({"word_tokenizer", "short_line_length"})

    line_punct_thr: float | None = field(
        default=0.12,
        metadata={"help": "Smallest share of lines that end with a full stop or its like; null: no limit, also below."},
    )
    short_line_thr: float | None = field(default=0.67, metadata={"help": "Largest share of short lines."})
    short_line_length: int = field(default=30, metadata={"help": "Most characters of a short line."})
    char_duplicates_ratio: float | None = field(
        default=0.01, metadata={"help": "Largest share of the characters in lines that stood there before."}
    )
    new_line_ratio: float | None = field(default=0.3, metadata={"help": "Most new lines a word."})

    def measure(self, document: Document) -> Scores:
        """Shares of the lines that are not blank, but of the characters of all lines."""
        text = document.text
        lines = [line for line in text.split("\n") if line.strip()]
        if not lines:
            return {"lines": 0}
        repeated = sum(map(len, lines)) - sum(map(len, set(lines)))
        new_lines = text.count("\n")
        return {
            "lines": len(lines),
            "line_punct_ratio": sum(line.endswith(_stops()) for line in lines) / len(lines),
            "short_line_ratio": sum(len(line) <= self.short_line_length for line in lines) / len(lines),
            "char_dup_ratio": repeated / (len(text) - new_lines),
            "list_ratio": new_lines / len(self.words(text)),
        }

    def limits(self) -> list[Limit]:
        return [
            Limit("empty", "lines", minimum=1),
            Limit("line_punct_ratio", "line_punct_ratio", minimum=self.line_punct_thr),
            Limit("short_line_ratio", "short_line_ratio", maximum=self.short_line_thr),
            Limit("char_dup_ratio", "char_dup_ratio", maximum=self.char_duplicates_ratio),
            Limit("list_ratio", "list_ratio", maximum=self.new_line_ratio),
        ]


@functools.cache
def _stops() -> tuple[str, ...]:
    """What ends a sentence, in many scripts, as datatrove has it."""
    from datatrove.utils.text import TERMINAL_PUNCTUATION

    return tuple(TERMINAL_PUNCTUATION)
