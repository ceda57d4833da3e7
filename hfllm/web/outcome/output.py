"""What the stage leaves: a row a page with its text, where it is from, its language and its scores.

load_dataset("runs/tiny/data", split="train")[0]["scores"]["gopher_quality"]["words"]"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from hfllm.web.run.judging import Row
from hfllm.web.step import Step
from hfllm.web.steps.decontaminate import Decontaminate

MATCHES = pa.list_(pa.struct([("id", pa.string()), ("coverage", pa.float64()), ("ngram", pa.string())]))


def schema_of(steps: Mapping[str, Step], *, tokens: bool) -> pa.Schema:
    """The columns of the data set: `scores` has a part for each step with thresholds, `contaminated_by` for a step
    `decontaminate`, `tokens` when a tokenizer is named."""
    columns = [(name, pa.string()) for name in ("id", "text", "url", "date", "file", "language")]
    columns += [("language_score", pa.float64()), ("copies", pa.int64()), ("characters", pa.int64())]
    columns += [("tokens", pa.int64())] if tokens else []
    parts = [(key, pa.struct([(score, pa.float64()) for score in scores_of(step)])) for key, step in steps.items()]
    filled = [(key, part) for key, part in parts if part.num_fields]
    columns += [("scores", pa.struct(filled))] if filled else []
    columns += [("contaminated_by", MATCHES)] if any(isinstance(step, Decontaminate) for step in steps.values()) else []
    return pa.schema(columns)


def scores_of(step: Step) -> list[str]:
    """The scores that thresholds compare, each once."""
    return list(dict.fromkeys(limit.score for limit in step.limits()))


def row_of(row: Row, schema: pa.Schema) -> dict[str, Any]:
    """The row of a kept page; what a step did not measure is null."""
    tags = row["tags"]
    flat = {name: value for scores in tags.values() for name, value in scores.items()}
    filled: dict[str, Any] = {name: row.get(name, flat.get(name)) for name in schema.names}
    if "scores" in schema.names:
        filled["scores"] = tags
    if "contaminated_by" in schema.names:
        filled["contaminated_by"] = [match for scores in tags.values() for match in scores.get("matches", [])]
    return filled
