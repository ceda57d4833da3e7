"""The last pass: write the pages that are left of a unit, and count what became of all others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from datatrove.data import Document
from datatrove.pipeline.base import PipelineStep

from hfllm.web import judging, output, store
from hfllm.web.blocks import Ranked, telling
from hfllm.web.funnel import Funnel, host_of, size_behind
from hfllm.web.judging import Fate, Row
from hfllm.web.plan import Pass, Plan

KEPT = "kept"


class Finish(PipelineStep):
    """Writes UNIT.parquet, and UNIT.json with all counts of the unit."""

    type, name = "hfllm", "finish"

    def __init__(self, plan: Plan, units: Ranked, *, tokens: bool, fates: bool) -> None:
        super().__init__()
        self.plan, self.units, self.tokens, self.fates = plan, units, tokens, fates

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        number, unit = self.units[rank]
        with telling(self.plan.final, unit.name):
            self.finish(number, unit.name)
        yield from ()

    def finish(self, number: int, unit: str) -> None:
        schema = output.schema_of(self.plan.steps, tokens=self.tokens)
        account = Account(self.plan, unit, self.fates)
        with store.Writer(store.rows_file(self.plan.final, unit), schema) as out:
            for one in self.plan.passes:
                for row, fate in account.rows_of(one, number):
                    if fate is None and one is self.plan.passes[-1]:
                        row |= dict(zip(("characters", "tokens"), size_behind(row["tags"], ""), strict=True))
                        account.written(row)
                        out.write(output.row_of(row, schema))
        store.write_json(store.counts_file(self.plan.final, unit), account.as_json())


@dataclass
class Account:
    """All that is counted of one unit."""

    plan: Plan
    unit: str
    tells_fates: bool  # costs memory: only where the truth is known to compare with
    output: dict[str, Any] = field(default_factory=lambda: {"documents": 0, "characters": 0, "tokens": 0})
    languages: dict[str, int] = field(default_factory=dict)
    domains: dict[str, int] = field(default_factory=dict)
    fates: dict[str, list[str]] = field(default_factory=dict)  # by the page's address: step and reason

    def __post_init__(self) -> None:
        self.funnel = Funnel(self.plan.steps)
        folders = [folder for one in self.plan.passes for folder in (one.folder, one.signatures) if folder]
        self.counts = [store.read_json(store.counts_file(folder, self.unit)) for folder in folders]
        self.coming = self.counts[0]["read"]["documents"]

    def rows_of(self, one: Pass, number: int) -> Iterator[tuple[Row, Fate | None]]:
        """The rows of a pass, counted. Raises `RuntimeError` when they are not the pages that came."""
        seen = kept = 0
        keys = [*one.steps, *([one.minhash_key] if one.minhash_key else [])]
        for row, fate in judging.fates(one, self.unit, number):
            seen += 1
            kept += fate is None
            self.funnel.see(keys, row, fate)
            if self.tells_fates:
                self.fates[row["url"]] = [KEPT, ""] if fate is None else [fate.step, fate.reason]
            yield row, fate
        if seen != self.coming:
            raise RuntimeError(
                f"{self.unit}: {self.coming} pages should reach the pass {one.name}, and {seen} are in {one.folder}; "
                "delete that folder, and run again"
            )
        self.coming = kept

    def written(self, row: Row) -> None:
        self.output["documents"] += 1
        self.output["characters"] += row["characters"] or 0
        self.output["tokens"] += row["tokens"] or 0
        language = next((scores["language"] for scores in row["tags"].values() if "language" in scores), None)
        if language is not None:
            self.languages[language] = self.languages.get(language, 0) + 1
        host = host_of(row["url"])
        self.domains[host] = self.domains.get(host, 0) + 1

    def as_json(self) -> dict[str, Any]:
        seconds = {key: value for counts in self.counts for key, value in counts.get("seconds", {}).items()}
        return {
            "read": self.counts[0]["read"],
            "steps": self.funnel.as_json(),
            "seconds": seconds,
            "output": self.output | {"languages": self.languages, "domains": self.domains},
            "fates": self.fates,
        }
