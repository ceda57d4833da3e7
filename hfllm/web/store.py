"""What a pass leaves behind: one parquet file a unit, a row a page, and a small JSON file with what was counted.

The pages that a step of the pass dropped are in it too, without their text: whoever reads decides again which rows
are kept, from the scores and today's thresholds."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from datatrove.data import Document

ROWS_AT_ONCE = 500
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("text", pa.large_string()),
        ("url", pa.string()),
        ("date", pa.string()),
        ("file", pa.string()),
        ("html", pa.bool_()),
        ("tags", pa.string()),  # JSON: step -> what it measured
        ("stopped", pa.string()),  # the step behind which nothing was measured
    ]
)


def rows_file(folder: Path, unit: str) -> Path:
    return folder / f"{unit}.parquet"


def counts_file(folder: Path, unit: str) -> Path:
    """Written last: where it is, the unit is finished."""
    return folder / f"{unit}.json"


def is_finished(folder: Path, unit: str) -> bool:
    return counts_file(folder, unit).exists()


class Writer:
    """Rows into a parquet file that appears whole, or not at all."""

    def __init__(self, path: Path, schema: pa.Schema = SCHEMA) -> None:
        self.path, self.schema = path, schema
        self.temporary = temporary_name(path)
        self.waiting: list[dict[str, Any]] = []

    def __enter__(self) -> Writer:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.file = pq.ParquetWriter(self.temporary, self.schema, compression="zstd")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._flush()
        self.file.close()
        if kind is None:
            self.temporary.replace(self.path)
        else:
            self.temporary.unlink()

    def write(self, row: dict[str, Any]) -> None:
        self.waiting.append(row)
        if len(self.waiting) >= ROWS_AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        self.file.write_table(pa.Table.from_pylist(self.waiting, schema=self.schema))
        self.waiting.clear()


def row_of(document: Document) -> dict[str, Any]:
    metadata = document.metadata
    stopped = metadata.get("stopped")
    return {
        "id": document.id,
        "text": None if stopped else document.text,
        **{name: metadata.get(name) for name in ("url", "date", "file", "html")},
        "tags": json.dumps(metadata["tags"], ensure_ascii=False),
        "stopped": stopped,
    }


def rows(folder: Path, unit: str, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """The rows of a unit in their order, `tags` read from JSON."""
    with pq.ParquetFile(rows_file(folder, unit)) as file:
        for batch in file.iter_batches(ROWS_AT_ONCE, columns=columns):
            for row in batch.to_pylist():
                yield row | ({"tags": json.loads(row["tags"])} if "tags" in row else {})


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def write_json(path: Path, content: Any) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_name(path)
    temporary.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    temporary.replace(path)


def temporary_name(path: Path) -> Path:
    """A name of this process's own: two runs, or a killed one and its successor, never write into each other."""
    return path.with_name(f".{path.name}.{os.uname().nodename}.{os.getpid()}")
