"""Which pages do the rows of a JSON Lines or parquet file hold? Common Crawl's derivatives (C4, Dolma, FineWeb).

Where a row has what is asked by its columns; `metadata.warc_url` is the field `warc_url` of the object `metadata`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date
from io import BufferedReader
from typing import TYPE_CHECKING, Any, BinaryIO

from hfllm.errors import UserMistake
from hfllm.web.reading.decoding import clean
from hfllm.web.reading.opening import MAX_BYTES, BrokenFileError

if TYPE_CHECKING:
    from datatrove.data import Document

    from hfllm.web.reading.records import Tally

Row = dict[str, Any]
Places = dict[str, tuple[str, ...]]  # our name -> the columns to look in, in this order

# C4 has a `timestamp`, Dolma the address as it was crawled in `warc_url`; datatrove writes both into `metadata`
USUAL_PLACES: Places = {
    "text": ("text",),
    "id": ("id",),
    "url": ("url", "metadata.warc_url", "metadata.url"),
    "date": ("date", "metadata.date", "timestamp", "created"),
}
FIRST_ROWS = 100  # what none of so many rows has is no column of the file
BATCH_ROWS = 256


def places(columns: Mapping[str, str]) -> Places:
    unknown = sorted(set(columns) - set(USUAL_PLACES))
    if unknown:
        raise UserMistake(f"columns: no such name: {', '.join(unknown)}; there are {', '.join(USUAL_PLACES)}")
    return USUAL_PLACES | {name: (column,) for name, column in columns.items() if column != name}


def json_pages(file: BufferedReader, path: str, tally: Tally, where: Places) -> Iterator[Document]:
    """One JSON object a line; blank lines are no records."""
    asked = AskedColumns(path, where)
    for line in json_lines(file):
        if len(line) > MAX_BYTES:
            tally.skip("too large")
        elif (row := json_object(line)) is None:
            tally.skip("not JSON")
        else:
            asked.look_at(row)
            yield from page(row, path, tally, where)
    asked.check()


def json_lines(file: BufferedReader) -> Iterator[bytes]:
    """Cut at b"\\n" alone: U+2028 and the other line ends of Unicode occur inside texts. Long ones come shortened."""
    if file.peek(3).startswith(b"\xef\xbb\xbf"):
        file.read(3)
    if file.peek(1).startswith(b"["):
        raise BrokenFileError(
            "one JSON array, where each line must be a JSON object:   jq -c '.[]' old.json > new.jsonl"
        )
    while line := file.readline(MAX_BYTES + 1):
        rest = line
        while len(rest) > MAX_BYTES and not rest.endswith(b"\n"):
            rest = file.readline(MAX_BYTES + 1)
        if line.strip():
            yield line


def json_object(line: bytes) -> Row | None:
    try:
        row = json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def parquet_pages(file: BinaryIO, path: str, tally: Tally, where: Places) -> Iterator[Document]:
    for row in parquet_rows(file, path, where):
        yield from page(row, path, tally, where)


def parquet_rows(file: BinaryIO, path: str, where: Places) -> Iterator[Row]:
    """Only the columns that are asked for are read."""
    import pyarrow
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(file) as parquet:
            wanted = parquet_columns(parquet.schema, path, where)
            for batch in parquet.iter_batches(BATCH_ROWS, columns=wanted):
                yield from batch.to_pylist()
    except (pyarrow.ArrowInvalid, UnicodeDecodeError) as error:
        raise BrokenFileError(f"damaged parquet ({error})") from error
    except OSError as error:
        if type(error) is not OSError:  # the network's; pyarrow's own are plain
            raise
        raise BrokenFileError(f"damaged parquet ({error})") from error


def parquet_columns(schema: Any, path: str, where: Places) -> list[str]:
    leaves = [schema.column(number).path for number in range(len(schema))]
    there = {*leaves, *(leaf.split(".")[0] for leaf in leaves)}
    for name, columns in asked_columns(where).items():
        if columns[0] not in there:
            raise missing_column(path, name, columns[0], leaves)
    return [column for columns in where.values() for column in columns if column in there]


class AskedColumns:
    """Stops at a JSON Lines file that lacks a column, which only its first rows together can show."""

    def __init__(self, path: str, where: Places) -> None:
        self.path, self.missing = path, asked_columns(where)
        self.seen: dict[str, None] = {}  # a set in order
        self.rows = 0

    def look_at(self, row: Row) -> None:
        if not self.missing or self.rows == FIRST_ROWS:
            return
        self.rows += 1
        self.missing = {name: at for name, at in self.missing.items() if first_of(row, at) is None}
        self.seen |= dict.fromkeys(column for name in row for column in nested(name, row[name]))
        if self.rows == FIRST_ROWS:
            self.check()

    def check(self) -> None:
        if self.rows and self.missing:
            name, columns = next(iter(self.missing.items()))
            raise missing_column(self.path, name, columns[0], list(self.seen))


def asked_columns(where: Places) -> Places:
    """The text, and the columns that somebody named."""
    return {name: columns for name, columns in where.items() if name == "text" or columns != USUAL_PLACES[name]}


def missing_column(path: str, name: str, column: str, there: list[str]) -> UserMistake:
    return UserMistake(
        f"{path}: no column '{column}' for the {name}; it has: {', '.join(there[:40])}\n"
        f"  to mend it, name the column in the recipe:   columns: {{{name}: {there[0] if there else '...'}}}"
    )


def nested(name: str, value: Any) -> list[str]:
    return [f"{name}.{key}" for key in value] if isinstance(value, dict) else [name]


def page(row: Row, path: str, tally: Tally, where: Places) -> Iterator[Document]:
    from datatrove.data import Document

    text = first_of(row, where["text"])
    if not isinstance(text, str) or not text.strip():
        tally.skip("no text")
    elif len(text) > MAX_BYTES:
        tally.skip("too large")
    else:
        row_id = as_text(first_of(row, where["id"])) or f"{path.rsplit('/', 1)[-1]}/{tally.records}"
        metadata = {name: as_text(first_of(row, where[name])) for name in ("url", "date")}
        yield tally.keep(Document(clean(text), row_id, metadata={**metadata, "file": path, "html": False}))


def first_of(row: Row, columns: tuple[str, ...]) -> Any:
    """What the row has in the first of these columns in which it has anything."""
    return next((value for column in columns if (value := in_column(row, column)) is not None), None)


def in_column(row: Row, column: str) -> Any:
    """`in_column({"metadata": {"url": "x"}}, "metadata.url") == "x"`"""
    if column in row:
        return row[column]
    value: Any = row
    for name in column.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def as_text(value: Any) -> str:
    """Empty for what is not there, ISO for dates."""
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, date) else clean(str(value))
