"""The last pass: write the pages that are left of a unit, and count what became of all others."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from datatrove.data import Document
from datatrove.pipeline.base import PipelineStep

from hfllm.web.outcome import output
from hfllm.web.outcome.funnel import Funnel, host_of, language_of, sizes_of
from hfllm.web.run import judging, store
from hfllm.web.run.blocks import Ranked, telling
from hfllm.web.run.guard import Guard
from hfllm.web.run.judging import Fate, Row
from hfllm.web.run.plan import Pass, Plan

if TYPE_CHECKING:
    from hfllm.tokenizing.bpe import Encode

KEPT = "kept"


class Finish(PipelineStep):
    """Writes UNIT.parquet, and UNIT.json with all counts of the unit."""

    type, name = "hfllm", "finish"

    def __init__(self, plan: Plan, units: Ranked, *, tokenizer: str | None, fates: bool) -> None:
        super().__init__()
        self.plan, self.units, self.tokenizer, self.fates = plan, units, tokenizer, fates

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        number, unit = self.units[rank]
        with telling(self.plan.final) as stopped:
            if not stopped:
                self.finish(number, unit.name)
        yield from ()

    def finish(self, number: int, unit: str) -> None:
        schema = output.schema_of(self.plan.steps, tokens=self.tokenizer is not None)
        account = Account(self.plan, unit, self.tokenizer, self.fates)
        with store.Writer(store.rows_file(self.plan.final, unit), schema) as out:
            for one in self.plan.passes:
                for row, fate in account.rows_of(one, number):
                    if fate is None and one is self.plan.passes[-1]:
                        account.note_written(row)
                        out.write(output.row_of(row, schema))
        store.write_json(store.counts_file(self.plan.final, unit), account.as_json())


class Account:
    """All that is counted of one unit."""

    def __init__(self, plan: Plan, unit: str, tokenizer: str | None, tells_fates: bool) -> None:
        self.unit, self.tokenizer, self.tells_fates = unit, tokenizer, tells_fates
        self.funnel = Funnel(plan.steps)
        folders = [one.folder for one in plan.passes]
        folders += [one.deduplication.signatures for one in plan.passes if one.deduplication]
        self.counts = [store.read_json(store.counts_file(folder, unit)) for folder in folders]
        self.coming: int = self.counts[0]["read"]["documents"]
        self.tokens: Iterator[int | None] = iter(())  # of the pages that come, as the pass before left them
        self.output = {"documents": 0, "characters": 0, "tokens": 0}
        self.languages: dict[str, int] = {}
        self.domains: dict[str, int] = {}
        self.fates: dict[str, list[str]] = {}  # by the page's address: step and reason

    def rows_of(self, one: Pass, number: int) -> Iterator[tuple[Row, Fate | None]]:
        """The rows of a pass, counted and guarded. Raises `RuntimeError` when they are not the pages that came."""
        guards = {key: Guard(key, step.max_lost) for key, step in one.all_steps.items()}
        seen, kept = 0, []
        for row, fate in judging.fates(one, self.unit, number):
            seen += 1
            before, after = next(self.tokens, None), self.count_tokens(row)
            self.funnel.see(one.all_steps, row, fate, tokens=(before, after))
            watch(guards, row, fate)
            if fate is None:
                kept.append(after)
            if self.tells_fates:
                self.fates[row["url"]] = [KEPT, ""] if fate is None else [fate.step, fate.reason]
            yield row | {"tokens": after}, fate
        if seen != self.coming:
            raise RuntimeError(
                f"{self.unit}: {self.coming} pages should reach the pass {one.title}, and {seen} are in {one.folder}; "
                "delete that folder, and run again"
            )
        for guard in guards.values():
            guard.end()
        self.coming, self.tokens = len(kept), iter(kept)

    def count_tokens(self, row: Row) -> int | None:
        """Of the text as the pass left it; None while it is HTML."""
        if self.tokenizer is None or row["text"] is None or row["html"]:
            return None
        return len(encoder(self.tokenizer)([row["text"]])[0])

    def note_written(self, row: Row) -> None:
        row["characters"] = sizes_of(row["tags"])[-1]
        self.output["documents"] += 1
        self.output["characters"] += row["characters"]
        self.output["tokens"] += row["tokens"] or 0
        if (language := language_of(row["tags"])) is not None:
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


def watch(guards: dict[str, Guard], row: Row, fate: Fate | None) -> None:
    """Another threshold may lose nearly everything, too, and no page is measured again then."""
    for key, guard in guards.items():
        dropped = fate is not None and fate.step == key
        guard.see(fate.reason if fate is not None and dropped else None, row["file"])
        if dropped:
            return


@cache
def encoder(tokenizer: str) -> Encode:
    from hfllm.tokenizing import bpe

    return bpe.bulk_encoder(tokenizer)
