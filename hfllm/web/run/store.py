"""What a pass leaves behind: one parquet file a unit, a row a page, and a small JSON file with what was counted.

The pages that a step of the pass dropped are in it too, without their text: whoever reads decides again which rows
are kept, from the scores and today's thresholds."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from hfllm.web import whole

if TYPE_CHECKING:
    from datatrove.data import Document

ROWS_AT_ONCE = 500
CHARACTERS_AT_ONCE = 2**25  # a crawl may hold pages of 20 million characters, a thousand times over
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("text", pa.large_string()),
        ("url", pa.string()),
        ("date", pa.string()),
        ("file", pa.string()),
        ("html", pa.bool_()),
        ("copies", pa.int64()),  # pages in its group of near duplicates
        ("tags", pa.string()),  # JSON: step -> what it measured
        ("stopped", pa.string()),  # the step behind which nothing was measured
    ]
)
METADATA = ("url", "date", "file", "html", "copies")


def rows_file(folder: Path, unit: str) -> Path:
    return folder / f"{unit}.parquet"


def counts_file(folder: Path, unit: str) -> Path:
    """Written last: where it is, the unit is finished."""
    return folder / f"{unit}.json"


def finished(folder: Path) -> set[str]:
    """The names of all finished units, by one look at the folder: a dump has ninety thousand."""
    if not folder.is_dir():
        return set()
    return {name.removesuffix(".json") for name in os.listdir(folder) if name.endswith(".json") and name[0] != "."}


class Writer:
    """Rows into a parquet file that appears whole, or not at all."""

    def __init__(self, path: Path, schema: pa.Schema = SCHEMA) -> None:
        self.path, self.schema = path, schema
        self.temporary = temporary_name(path)
        self.waiting: list[dict[str, Any]] = []
        self.characters = 0

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
        self.characters += len(row["text"] or "")
        if len(self.waiting) >= ROWS_AT_ONCE or self.characters >= CHARACTERS_AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        if not self.waiting:  # a row group without rows is a file that `datasets` cannot load
            return
        self.file.write_table(pa.Table.from_pylist(self.waiting, schema=self.schema))
        self.waiting.clear()
        self.characters = 0


def row_of(document: Document) -> dict[str, Any]:
    metadata = document.metadata
    stopped = metadata.get("stopped")
    return {
        "id": document.id,
        "text": None if stopped else document.text,
        **{name: metadata.get(name) for name in METADATA},
        "tags": json.dumps(metadata["tags"], ensure_ascii=False),
        "stopped": stopped,
    }


def rows(folder: Path, unit: str, columns: list[str] | None = None) -> Iterator[dict[str, Any]]:
    """The rows of a unit in their order, `tags` read from JSON; no more in memory than were written at once."""
    with pq.ParquetFile(rows_file(folder, unit)) as file:
        for group in range(file.num_row_groups):
            for row in file.read_row_group(group, columns=columns).to_pylist():
                yield row | ({"tags": json.loads(row["tags"])} if "tags" in row else {})


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def write_json(path: Path, content: Any) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole.writing(path) as file:
        file.write(json.dumps(content, ensure_ascii=False).encode())


def link(file: Path, target: Path) -> None:
    """The same bytes under a second name; a copy where the file system has no links."""
    try:
        os.link(file, target)
    except OSError:
        shutil.copyfile(file, target)


def temporary_name(path: Path) -> Path:
    """A name of this process's own: two runs, or a killed one and its successor, never write into each other."""
    return path.with_name(f".{path.name}.{os.uname().nodename}.{os.getpid()}")


def sweep(work: Path) -> None:
    """Remove what killed runs left half written; only while nobody else works in the folder."""
    for left in [*work.glob("*/.*"), *work.glob("*/*.part")]:
        shutil.rmtree(left) if left.is_dir() else left.unlink()
