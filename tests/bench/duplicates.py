"""Are all copies found, and nothing else? The stage `data` with its step `minhash` alone, on books of which some stand
in the folder twice.

    python tests/bench/duplicates.py DATA/gutenberg/hf/train.parquet [--copies-only] [--workers 2]

The file has a column `text`. Books with exactly the same words are copies. Others that were dropped are listed with the
book that they are most like: other editions. `--copies-only` has one bucket of 112 hashes, where FineWeb has 14 of 8:
texts meet only when they share nearly everything."""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from hfllm.stages.data import main
from hfllm.web.config import DataConfig

NGRAM = 5
COPIES_ONLY = {"buckets": 1, "hashes_per_bucket": 112}


def numbered(file: Path, folder: str) -> dict[str, str]:
    """The texts by their number, which stands as `id` in `folder`/books.parquet: ids of the file may be missing."""
    texts = pq.read_table(file, columns=["text"])["text"].to_pylist()
    books = {str(number): text for number, text in enumerate(texts)}
    table = pa.table({"id": list(books), "text": pa.array(books.values(), pa.large_string())})
    pq.write_table(table, Path(folder, "books.parquet"))
    return books


def groups_of_copies(books: dict[str, str]) -> dict[str, int]:
    """The group of each book that has a copy."""
    same: dict[str, list[str]] = defaultdict(list)
    for book, text in books.items():
        same[" ".join(text.split())].append(book)
    groups = [some for some in same.values() if len(some) > 1]
    return {book: number for number, some in enumerate(groups) for book in some}


def kept_books(folder: str, step: dict[str, int], workers: int) -> set[str]:
    config = DataConfig(f"{folder}/out", steps=[{"minhash": step}], inputs=[f"{folder}/books.parquet"], workers=workers)
    Path(config.output_dir).mkdir()
    main(config)
    files = Path(config.output_dir, "data").glob("*.parquet")
    return {book for one in files for book in pq.read_table(one, columns=["id"])["id"].to_pylist()}


def shingles(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return set(zip(*(words[start:] for start in range(NGRAM)), strict=False))


def report(file: Path, step: dict[str, int], workers: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        books = numbered(file, folder)
        begun = time.monotonic()
        kept = kept_books(folder, step, workers)
        seconds = time.monotonic() - begun
    copies = groups_of_copies(books)
    groups, dropped = set(copies.values()), books.keys() - kept
    right = [group for group in groups if sum(book in kept for book in copies if copies[book] == group) == 1]
    print(f"{len(books)} books, {len(copies)} of them in {len(groups)} groups of copies; {seconds:.0f} s")
    print(f"groups of which one book is kept: {len(right)} of {len(groups)}")
    print(f"dropped: {len(dropped)}; of these in no group: {len(dropped - copies.keys())}")
    for book in sorted(dropped - copies.keys()):
        print_nearest(book, books, kept)


def print_nearest(book: str, books: dict[str, str], kept: set[str]) -> None:
    mine = shingles(books[book])
    best, other = max((similarity(mine, shingles(books[one])), one) for one in kept)
    print(f"  {book} {books[book][:60]!r} is most like {other} {books[other][:60]!r}:")
    print(f"    they share {best:.1%} of their groups of {NGRAM} words")


def similarity(one: set[tuple[str, ...]], other: set[tuple[str, ...]]) -> float:
    return len(one & other) / max(1, len(one | other))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--copies-only", action="store_true")
    options = parser.parse_args()
    report(options.file, COPIES_ONLY if options.copies_only else {}, options.workers)
