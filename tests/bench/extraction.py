"""How much of what belongs to a page does `extract` find, and how much of what does not?

    python -m tests.bench.extraction DATA/trafilatura_pages           # the parquet files in hf/, a minute
    python -m tests.bench.extraction DATA/trafilatura_pages --peer    # and trafilatura without a process of its own
    python -m tests.bench.extraction DATA/readability_pages           # no labels: only whether all pages are survived

Counted as in trafilatura's own evaluation (adbar/trafilatura, tests/evaluate.py): segments that must be in the text
(`with`) and are, segments that must not be (`without`) and are; white space does not matter. Printed: precision, recall
and F1 over all segments of all pages, CPU milliseconds a page (of the child, too), empty and failed pages."""

from __future__ import annotations

import argparse
import resource
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from hfllm.web.reading.decoding import decode
from hfllm.web.text import extraction

Extractor = Callable[[str], str | None]


@dataclass
class Found:
    """Segments of all pages, by whether they should be in the text and are."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    def add(self, text: str, row: dict[str, Any]) -> None:
        text = plain(text)
        right = sum(plain(segment) in text for segment in row["with"])
        self.right += right
        self.missed += len(row["with"]) - right
        self.wrong += sum(plain(segment) in text for segment in row["without"])

    def scores(self) -> tuple[float, float, float]:
        precision = self.right / (self.right + self.wrong)
        recall = self.right / (self.right + self.missed)
        return precision, recall, 2 * precision * recall / (precision + recall)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--pages", type=int, help="only so many")
    parser.add_argument("--peer", action="store_true", help="also trafilatura in this process, as datatrove calls it")
    options = parser.parse_args()
    rows = pq.read_table(options.data / "hf").to_pylist()[: options.pages]
    pages = [decode(row["html"]) for row in rows]
    print(f"{len(rows)} pages\n{'':32} precision  recall      F1  CPU ms/page  empty  failed")
    for name, extract in extractors(options.peer).items():
        print(f"{name:32} {measure(extract, pages, rows)}", flush=True)


def extractors(peer: bool) -> dict[str, Extractor]:
    ours = {f"hfllm, {favor}": with_child(favor) for favor in extraction.FAVORS}
    if not peer:
        return ours
    peers = {f"trafilatura, {favor}": in_process(favor, fast=False) for favor in extraction.FAVORS}
    return ours | peers | {"trafilatura, precision, fast": in_process("precision", fast=True)}


def with_child(favor: str) -> Extractor:
    return lambda html: extraction.text_of(html, extraction.Options(favor=favor))


def in_process(favor: str, *, fast: bool) -> Extractor:
    from trafilatura import extract

    favors = {"favor_precision": favor == "precision", "favor_recall": favor == "recall"}
    return lambda html: extract(html, include_comments=False, deduplicate=True, fast=fast, **favors)


def measure(extract: Extractor, pages: list[str], rows: list[dict[str, Any]]) -> str:
    found, outcomes, before = Found(), Counter[str](), cpu_seconds()
    for html, row in zip(pages, rows, strict=True):
        try:
            text = extract(html) or ""
        except extraction.ExtractionError as error:
            text = ""
            outcomes[error.reason] += 1
        outcomes["empty"] += not text
        if "with" in row:
            found.add(text, row)
    extraction.close()  # a child's seconds are known when it has ended
    spent = 1000 * (cpu_seconds() - before) / len(pages)
    empty, labelled = outcomes.pop("empty"), found.right + found.missed
    scores = "{:9.3f} {:7.3f} {:7.3f}".format(*found.scores()) if labelled else f"{'no labels':>25}"
    return f"{scores} {spent:12.1f} {empty:6} {dict(outcomes) or 0!s:>7}"


def plain(text: str) -> str:
    return " ".join(text.split())


def cpu_seconds() -> float:
    usages = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


if __name__ == "__main__":
    main()
