"""Drop texts that repeat themselves: lines, paragraphs, groups of words.

Source: Gopher, arXiv 2112.11446, A.1.1 and table A1, as FineWeb applies it (arXiv 2406.17557, section 3.3)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar

from hfllm.web.step import Limit, Scores
from hfllm.web.text.text_rules import TextRules

if TYPE_CHECKING:
    from datatrove.data import Document

PARAGRAPH_BREAK, LINE_BREAK = re.compile(r"\n{2,}"), re.compile(r"\n+")
TOP_N_GRAMS: dict[int, float | None] = {2: 0.2, 3: 0.18, 4: 0.16}
DUP_N_GRAMS: dict[int, float | None] = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.1}
HEAD = 16  # characters


@dataclass(kw_only=True)
class GopherRepetition(TextRules):
    """Drop texts that repeat themselves: Gopher's repetition rules (arXiv 2112.11446, table A1)."""

    dup_line_frac: float | None = field(
        default=0.3,
        metadata={"help": "Largest share of lines that stood there before; null: no limit, here and below."},
    )
    dup_para_frac: float | None = field(default=0.3, metadata={"help": "The same of paragraphs."})
    dup_line_char_frac: float | None = field(
        default=0.2, metadata={"help": "Largest share of the characters that stand in repeated lines."}
    )
    dup_para_char_frac: float | None = field(default=0.2, metadata={"help": "The same in repeated paragraphs."})
    top_n_grams: dict[int, float | None] | None = field(
        default_factory=TOP_N_GRAMS.copy,
        metadata={"help": "Largest share of the characters in the most frequent group of 2 words, of 3, ..."},
    )
    dup_n_grams: dict[int, float | None] | None = field(
        default_factory=DUP_N_GRAMS.copy,
        metadata={"help": "Largest share of the characters in all repeated groups of 5 words, of 6, ..."},
    )

    def check(self) -> None:
        super().check()
        for option in ("top_n_grams", "dup_n_grams"):
            for n, share in (getattr(self, option) or {}).items():
                if not isinstance(n, int) or n < 1:
                    raise self.mistake(option, n, "is no number of words; write  {2: 0.2, 3: 0.18}")
                if share is not None:
                    self.check_number(f"{option}[{n}]", share, share=True)

    def measured_by(self) -> dict[str, Any]:
        """Which groups are counted, not their thresholds; the usual ones are counted with no threshold too."""
        return {
            "version": self.VERSION,
            "word_tokenizer": self.word_tokenizer,
            "top_n_grams": self._counted(TOP_N_GRAMS, self.top_n_grams),
            "dup_n_grams": self._counted(DUP_N_GRAMS, self.dup_n_grams),
        }

    @staticmethod
    def _counted(usual: Mapping[int, float | None], asked: Mapping[int, float | None] | None) -> list[int]:
        return sorted({*usual, *(asked or {})})

    def measure(self, document: Document) -> Scores:
        """Shares, each of all lines, paragraphs or characters; of an empty text only that it is empty."""
        text = document.text
        if not text:
            return {"length": 0}
        paragraphs, lines = PARAGRAPH_BREAK.split(text.strip()), LINE_BREAK.split(text)
        scores: Scores = {
            "length": len(text),
            "dup_para_frac": repeated(paragraphs) / len(paragraphs),
            "dup_para_char_frac": repeated_characters(paragraphs) / len(text),
            "dup_line_frac": repeated(lines) / len(lines),
            "dup_line_char_frac": repeated_characters(lines) / len(text),
        }
        words, counted = self.words(text), self.measured_by()
        for n in counted["top_n_grams"]:
            scores[f"top_{n}_gram"] = top_characters(words, n) / len(text)
        places = Places.of(words)
        for n in counted["dup_n_grams"]:
            scores[f"duplicated_{n}_n_grams"] = places.repeated_characters(n) / len(text)
        return scores

    def limits(self) -> list[Limit]:
        names = ("dup_para_frac", "dup_para_char_frac", "dup_line_frac", "dup_line_char_frac")
        return [
            Limit("empty", "length", minimum=1),
            *(Limit(name, name, maximum=getattr(self, name)) for name in names),
            *(Limit(f"top_{n}_gram", f"top_{n}_gram", maximum=top) for n, top in (self.top_n_grams or {}).items()),
            *(
                Limit(f"duplicated_{n}_n_grams", f"duplicated_{n}_n_grams", maximum=top)
                for n, top in (self.dup_n_grams or {}).items()
            ),
        ]


def repeated(parts: Sequence[str]) -> int:
    """repeated(["a", "b", "a", "a"]) == 2: how many stood there before."""
    return len(parts) - len(set(parts))


def repeated_characters(parts: Sequence[str]) -> int:
    return sum(map(len, parts)) - sum(map(len, set(parts)))


def top_characters(words: Sequence[str], n: int) -> int:
    """The characters, spaces included, of all copies of the most frequent group of `n` words; of ties the first."""
    groups = Counter(zip(*(words[start:] for start in range(n)), strict=False))
    if not groups:
        return 0
    group, count = max(groups.items(), key=itemgetter(1))
    return (sum(map(len, group)) + n - 1) * count


@dataclass(frozen=True)
class Places:
    """The places in a text where a repeated group of at least `SHORTEST` words can begin.

    Two equal groups begin with the same `HEAD` characters, so the other places, most of a good text, need no look."""

    SHORTEST: ClassVar[int] = 5

    joined: str  # the words with nothing between them: groups are compared as datatrove does
    offsets: list[int]  # where each word begins, and the end
    candidates: Sequence[int]  # by number of the word

    @staticmethod
    def of(words: Sequence[str]) -> Places:
        joined = "".join(words)
        offsets = list(accumulate(map(len, words), initial=0))
        heads = [joined[start : start + HEAD] for start in offsets[:-1]]
        times = Counter(heads)
        ends = offsets[Places.SHORTEST :]
        candidates = [
            place
            for place, (head, end) in enumerate(zip(heads, ends, strict=False))
            if times[head] > 1 or end - offsets[place] < HEAD  # the head of a short group reaches behind it
        ]
        return Places(joined, offsets, candidates)

    def repeated_characters(self, n: int) -> int:
        """The characters of the groups of `n` words that were there before; groups do not overlap."""
        joined, offsets, last = self.joined, self.offsets, len(self.offsets) - 1 - n
        places = self.candidates if n >= self.SHORTEST else range(last + 1)
        seen: set[str] = set()
        free = characters = 0
        for place in places:
            if place < free:
                continue
            if place > last:
                break
            group = joined[offsets[place] : offsets[place + n]]
            if group in seen:
                characters += len(group)
                free = place + n
            else:
                seen.add(group)
        return characters
