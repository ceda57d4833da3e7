"""Which pages does an input file of the stage `data` hold, and what became of its other records?

Every record is either given as a document or counted with a reason; a broken file gives what could be read of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from hfllm.errors import UserMistake
from hfllm.web.reading import rows, warc
from hfllm.web.reading.opening import BrokenFileError, opened, unpacked

if TYPE_CHECKING:
    from datatrove.data import Document

FORMAT = re.compile(
    r"\.(?:(?P<archive>warc|wet|wat|arc)|(?P<lines>jsonl|json))(?:\.gz|\.zst)?$|\.(?P<parquet>parquet)$"
)


@dataclass
class Tally:
    """What one file held: `records == documents + sum(not_pages.values())`."""

    records: int = 0
    documents: int = 0
    not_pages: Counter[str] = field(default_factory=Counter)
    broken: str | None = None  # one line: the file, how many records were read before, what is wrong

    def keep(self, document: Document) -> Document:
        self.records += 1
        self.documents += 1
        return document

    def skip(self, reason: str) -> None:
        self.records += 1
        self.not_pages[reason] += 1

    def note(self, path: str, what: str) -> None:
        """What is wrong, but does not end the reading: only the first of it."""
        if not self.broken:
            self.break_at(path, what)

    def break_at(self, path: str, what: str) -> None:
        counted = "1 record" if self.records == 1 else f"{self.records:,} records"
        self.broken = " ".join(f"{path}: after {counted}: {what}".split())


def read(path: str, tally: Tally, *, columns: Mapping[str, str], strict: bool = False) -> Iterator[Document]:
    """The pages of one file, in its order; `tally` (a fresh one) is complete when they are used up.

    `columns` says where rows hold our text, id, url and date: `{"url": "metadata.warc_url"}`. Metadata of a document:
    `url` and `date` (ISO; both empty if unknown), `file`, and `html`, which is True while the text is HTML."""
    places = rows.places(columns)
    file_format = format_of(path)
    try:
        yield from documents(path, file_format, tally, places)
    except BrokenFileError as error:
        tally.break_at(path, str(error))
    if strict and tally.broken:
        raise UserMistake(tally.broken)


def documents(path: str, file_format: str, tally: Tally, places: rows.Places) -> Iterator[Document]:
    if file_format == "parquet":
        with opened(path) as file:
            yield from rows.parquet_pages(file, path, tally, places)
        return
    with unpacked(path) as content:
        if file_format == "archive":
            yield from warc.pages(content, path, tally)
        else:
            yield from rows.json_pages(content, path, tally, places)


def format_of(path: str) -> str:
    """`format_of("crawl/a.warc.gz") == "archive"`"""
    name = urlsplit(path).path if path.startswith(("http://", "https://")) else path
    found = FORMAT.search(name.lower())
    if not found:
        raise UserMistake(
            f"{path}: its name tells no format that can be read; it must end in\n"
            "    .warc .wet .wat .arc .jsonl .json (or one of these and .gz or .zst)  |  .parquet"
        )
    return str(found.lastgroup)
