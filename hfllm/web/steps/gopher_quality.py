"""Drop texts that do not look like prose: length, word length, symbols, bullets, letters, stop words.

Source: Gopher, arXiv 2112.11446, A.1.1, as FineWeb applies it (arXiv 2406.17557, section 3.3)."""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from hfllm.web.step import Limit, Scores
from hfllm.web.text.text_rules import TextRules

if TYPE_CHECKING:
    from datatrove.data import Document

STOP_WORDS = ["the", "be", "to", "of", "and", "that", "have", "with"]
BULLETS, ELLIPSES = ("•", "-"), ("...", "…")


@dataclass(kw_only=True)
class GopherQuality(TextRules):
    """Drop texts that do not look like prose: Gopher's quality rules (arXiv 2112.11446, A.1.1)."""

    MEASURED_BY: ClassVar[frozenset[str]] = frozenset({"word_tokenizer", "stop_words"})

    min_doc_words: int | None = field(
        default=50, metadata={"help": "Fewest words, punctuation not counted; null: no limit, here and below."}
    )
    max_doc_words: int | None = field(default=100_000, metadata={"help": "Most words, punctuation not counted."})
    min_avg_word_length: float | None = field(default=3, metadata={"help": "Shortest mean word, in characters."})
    max_avg_word_length: float | None = field(default=10, metadata={"help": "Longest mean word, in characters."})
    max_symbol_word_ratio: float | None = field(
        default=0.1, metadata={"help": "Most hash signs a word, and most ellipses a word (punctuation is a word here)."}
    )
    max_bullet_lines_ratio: float | None = field(
        default=0.9, metadata={"help": "Largest share of lines that begin with a bullet."}
    )
    max_ellipsis_lines_ratio: float | None = field(
        default=0.3, metadata={"help": "Largest share of lines that end with an ellipsis."}
    )
    min_alpha_words_ratio: float | None = field(
        default=0.8,
        metadata={"help": "Smallest share of words with a letter in them; datatrove says max_non_alpha_words_ratio."},
    )
    min_stop_words: int | None = field(default=2, metadata={"help": "Fewest different words of stop_words."})
    stop_words: list[str] = field(
        default_factory=STOP_WORDS.copy, metadata={"help": "Words that prose cannot do without, in lower case."}
    )

    def measure(self, document: Document) -> Scores:
        """Counts and ratios; a ratio of nothing (no words, no lines) is left out, and no limit applies to it."""
        text = document.text
        words = self.words(text)
        times = Counter(words)
        punctuation = _punctuation()
        real = {word: count for word, count in times.items() if word.strip(punctuation)}
        scores: Scores = {
            "words": sum(real.values()),
            "stop_words": sum(word in times for word in set(self.stop_words)),
        }
        if real:
            scores["avg_word_length"] = sum(len(word) * count for word, count in real.items()) / scores["words"]
        if words:
            alpha = sum(count for word, count in real.items() if word.isalpha() or any(map(str.isalpha, word)))
            scores["alpha_words_ratio"] = alpha / len(words)
            scores["hash_word_ratio"] = text.count("#") / len(words)
            scores["ellipsis_word_ratio"] = sum(map(text.count, ELLIPSES)) / len(words)
        if lines := text.splitlines():
            scores["bullet_lines_ratio"] = sum(line.lstrip().startswith(BULLETS) for line in lines) / len(lines)
            scores["ellipsis_lines_ratio"] = sum(line.rstrip().endswith(ELLIPSES) for line in lines) / len(lines)
        return scores

    def limits(self) -> list[Limit]:
        return [
            Limit("gopher_short_doc", "words", minimum=self.min_doc_words),
            Limit("gopher_long_doc", "words", maximum=self.max_doc_words),
            Limit("gopher_below_avg_threshold", "avg_word_length", minimum=self.min_avg_word_length),
            Limit("gopher_above_avg_threshold", "avg_word_length", maximum=self.max_avg_word_length),
            Limit("gopher_too_many_hashes", "hash_word_ratio", maximum=self.max_symbol_word_ratio),
            Limit("gopher_too_many_ellipsis", "ellipsis_word_ratio", maximum=self.max_symbol_word_ratio),
            Limit("gopher_too_many_bullets", "bullet_lines_ratio", maximum=self.max_bullet_lines_ratio),
            Limit("gopher_too_many_end_ellipsis", "ellipsis_lines_ratio", maximum=self.max_ellipsis_lines_ratio),
            Limit("gopher_below_alpha_threshold", "alpha_words_ratio", minimum=self.min_alpha_words_ratio),
            Limit("gopher_enough_stop_words", "stop_words", minimum=self.min_stop_words),
        ]


@functools.cache
def _punctuation() -> str:
    """The characters that make no word, as datatrove has them."""
    from datatrove.utils.text import PUNCTUATION_SET

    return "".join(sorted(PUNCTUATION_SET))
