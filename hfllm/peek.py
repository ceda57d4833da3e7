"""Which columns will a data set have? Read off the first row of a local file, so that a check costs milliseconds."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from hfllm.data import DatasetConfig


def columns(config: DatasetConfig) -> list[str] | None:
    """The columns after the recipe's `columns`; None where only loading would tell (folders, the Hub, archives)."""
    path = Path(config.path).expanduser()
    found = _columns_of_file(path) if path.is_file() and path.stat().st_size else None
    if found is None:
        return None
    match config.columns:
        case dict() as renamed:
            return [renamed.get(name, name) for name in found]
        case list() as selected:
            return [name for name in found if name in selected]
    return found


def _columns_of_file(path: Path) -> list[str] | None:
    match path.suffix:
        case ".jsonl":
            return _keys_of_first_line(path)
        case ".csv":
            with path.open(encoding="utf-8", newline="") as file:
                return next(csv.reader(file))
        case ".parquet":
            from pyarrow import parquet

            return parquet.read_schema(path).names
        case ".txt":
            return ["text"]
    return None


def _keys_of_first_line(path: Path) -> list[str] | None:
    with path.open(encoding="utf-8") as file:
        line = file.readline()
    try:
        row = json.loads(line)
    except json.JSONDecodeError:  # loading it will say which line is broken
        return None
    return list(row) if isinstance(row, dict) and row else None
