"""Take out lines that are no text, then drop pages with little left, code or filler.

Source: C4, arXiv 1910.10683, section 2.2, as FineWeb applies it (arXiv 2406.17557, section 3.5: all but the rule that a
line must end with a stop, which takes away a third of the text for little); datatrove's C4QualityFilter."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from hfllm.web.step import Limit, Scores
from hfllm.web.text.text_rules import TextRules
from hfllm.web.text.words import sentence_count

if TYPE_CHECKING:
    from datatrove.data import Document

CITATION = re.compile(r"\[\d*]|\[edit]|\[citation needed]")
END_PUNCTUATION = (".", "?", "!", '"', "'")
POLICIES = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")
SHOWN_LINES, SHOWN_CHARACTERS = 5, 200  # of what was taken out, kept among the scores


@dataclass(kw_only=True)
class C4Quality(TextRules):
    """Take out lines that are no text, then drop pages with little left, code or filler (arXiv 1910.10683, 2.2)."""

    MEASURED_BY: ClassVar[frozenset[str]] = frozenset(
        {
            "word_tokenizer",
            "remove_citations",
            "filter_no_terminal_punct",
            "min_words_per_line",
            "max_word_length",
            "filter_javascript",
            "filter_policy",
        }
    )

    remove_citations: bool = field(default=True, metadata={"help": "Take out [1], [edit] and [citation needed]."})
    filter_no_terminal_punct: bool = field(
        default=False, metadata={"help": "Take out lines that do not end with . ? ! or a quotation mark: C4 does."}
    )
    min_words_per_line: int | None = field(
        default=3, metadata={"help": "Take out lines with fewer words between spaces; null: none, here and below."}
    )
    max_word_length: int | None = field(
        default=1000, metadata={"help": "Take out lines with a word of more characters than this."}
    )
    filter_javascript: bool = field(default=True, metadata={"help": "Take out lines that say javascript."})
    filter_policy: bool = field(
        default=True, metadata={"help": "Take out lines on cookies, terms of use and privacy policies."}
    )
    min_num_sentences: int | None = field(
        default=5, metadata={"help": "Drop pages with fewer sentences in the lines that are left."}
    )
    filter_lorem_ipsum: bool = field(default=True, metadata={"help": "Drop pages that say lorem ipsum."})
    filter_curly_bracket: bool = field(default=True, metadata={"help": "Drop pages with a curly bracket."})

    def measure(self, document: Document) -> Scores:
        """Edits every page, also those that a limit drops: what the next step sees depends on no threshold."""
        kept: list[str] = []
        removed: list[tuple[str, str]] = []
        marks: list[str] = []  # lorem_ipsum and curly_bracket, in the order of the lines
        lines = document.text.splitlines()
        for whole in lines:
            line = whole.strip()
            words = line.split()
            reason = self._too_long(line, words)
            if reason is None and self.remove_citations and "[" in line:
                line = CITATION.sub("", line)
            reason = reason or self._no_text(line, words) or self._no_content(line, marks)
            if reason is None:
                kept.append(line)
            else:
                removed.append((reason, whole.strip()))
        document.text = "\n".join(kept).strip()
        return {
            "lines": len(lines),
            "sentences": sum(sentence_count(line, self.word_tokenizer) for line in kept),
            "lorem_ipsum": int("lorem_ipsum" in marks),
            "curly_bracket": int("curly_bracket" in marks),
            "curly_bracket_first": int(marks[:1] == ["curly_bracket"]),
            "removed": dict(Counter(reason for reason, _ in removed)),
            "removed_lines": [[reason, line[:SHOWN_CHARACTERS]] for reason, line in removed[:SHOWN_LINES]],
        }

    def _too_long(self, line: str, words: list[str]) -> str | None:
        longest = self.max_word_length
        if longest is not None and len(line) > longest and any(len(word) > longest for word in words):
            return "too_long_word"
        return None

    def _no_text(self, line: str, words: list[str]) -> str | None:
        if self.filter_no_terminal_punct and (not line.endswith(END_PUNCTUATION) or line.endswith("...")):
            return "no_terminal_punc"
        if self.min_words_per_line is not None and len(words) < self.min_words_per_line:
            return "too_few_words"
        return None

    def _no_content(self, line: str, marks: list[str]) -> str | None:
        """Notes in `marks` what a page is dropped for, in the order in which datatrove looks at a line."""
        lowered = line.lower()
        if "lorem ipsum" in lowered:
            marks.append("lorem_ipsum")
        if self.filter_javascript and "javascript" in lowered:
            return "javascript"
        if "{" in line:
            marks.append("curly_bracket")
        if self.filter_policy and any(policy in lowered for policy in POLICIES):
            return "policy"
        return None

    def limits(self) -> list[Limit]:
        """The page goes for the filler or the bracket that comes first in it, then for its sentences."""
        lorem_ipsum = 0 if self.filter_lorem_ipsum else None
        curly_bracket = 0 if self.filter_curly_bracket else None
        return [
            Limit("curly_bracket", "curly_bracket_first", maximum=curly_bracket),
            Limit("lorem_ipsum", "lorem_ipsum", maximum=lorem_ipsum),
            Limit("curly_bracket", "curly_bracket", maximum=curly_bracket),
            Limit("too_few_sentences", "sentences", minimum=self.min_num_sentences),
        ]
