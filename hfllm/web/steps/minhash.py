"""Near duplicates, by datatrove's MinHash: of pages that share most of their word groups, one is kept.

Source: Broder 1997; 14 buckets of 8 hashes over groups of 5 words as in FineWeb (arXiv 2406.17557, section 3.4)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import Any, Literal

from hfllm.errors import UserMistake
from hfllm.web.step import Step


@dataclass(kw_only=True)
class Minhash(Step):
    """Keep one page of each group of near duplicates."""

    ngram: int = field(default=5, metadata={"help": "Words in a group; texts are compared by the groups they share."})
    buckets: int = field(
        default=14, metadata={"help": "Chances to meet: two texts are compared when all hashes of one bucket agree."}
    )
    hashes_per_bucket: int = field(
        default=8,
        metadata={"help": "Hashes a bucket; (1 / buckets) ** (1 / hashes) = 0.72 is the similarity half are found at."},
    )
    seed: int = field(default=1, metadata={"help": "Of the hash functions."})
    word_tokenizer: Literal["regex", "spacy"] = field(default="regex", metadata={"help": "How words are found."})

    def check(self) -> None:
        for option in ("ngram", "buckets", "hashes_per_bucket"):
            if getattr(self, option) < 1:
                raise UserMistake(f"step minhash: {option}: {getattr(self, option)} is too few, write 1 or more")

    def measured_by(self) -> dict[str, Any]:
        options = {name: value for name, value in asdict(self).items() if name != "max_lost"}
        return {"version": self.VERSION, "datatrove": version("datatrove"), **options}
