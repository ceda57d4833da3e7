"""The blocks that datatrove's executors run, one chain a pass: read a unit, let each step measure, write the rows.

A task is one unit: the unit whose number is the task's rank. The blocks of a chain share one `counts`, which ends up
beside the rows. A mistake of the user's that one task meets is written down, and no other task begins after that."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from datatrove.data import Document
from datatrove.pipeline.base import PipelineStep

from hfllm.errors import UserMistake
from hfllm.web.reading import records
from hfllm.web.reading.units import Unit, shown
from hfllm.web.run import groups, judging, store
from hfllm.web.run.guard import Guard
from hfllm.web.run.plan import Deduplication, Pass
from hfllm.web.step import Step

READ = "read"  # among the tags of a page: its size as it came in
MISTAKE = "mistake.txt"  # what a task met that only the user can mend; in the folder of its pass
Counts = dict[str, Any]
Ranked = Sequence[tuple[int, Unit]]  # the units that are still to do, each with its number among all units


def chain(
    one: Pass, before: Pass | None, units: Ranked, *, columns: Mapping[str, str], strict: bool
) -> list[PipelineStep]:
    """The blocks of one pass over `units`; `before` is the pass that it reads, None for the files themselves."""
    counts: Counts = {}
    source = ReadFiles(units, columns, strict, counts) if before is None else ReadPass(units, before)
    measuring = [Measure(key, step, counts) for key, step in one.steps.items()]
    return [source, *measuring, WriteRows(one.folder, units, counts)]


class ReadFiles(PipelineStep):
    """The pages of a unit's file; records that are no pages are counted."""

    type, name = "hfllm", "read files"

    def __init__(self, units: Ranked, columns: Mapping[str, str], strict: bool, counts: Counts) -> None:
        super().__init__()
        self.units, self.columns, self.strict, self.counts = units, columns, strict, counts

    def run(self, data: Any, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        tally = records.Tally()
        path = self.units[rank][1].path
        for document in records.read(path, tally, columns=self.columns, strict=self.strict):
            html = document.metadata.get("html", False)
            size = {} if html else {"characters": len(document.text)}
            document.metadata |= {"file": shown(path), "html": html, "copies": 1, "tags": {READ: size}}
            yield document
        self.counts["read"] = vars(tally)


class ReadPass(PipelineStep):
    """The pages that an earlier pass left, judged by today's thresholds."""

    type, name = "hfllm", "read pass"

    def __init__(self, units: Ranked, before: Pass) -> None:
        super().__init__()
        self.units, self.before = units, before

    def run(self, data: Any, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        number, unit = self.units[rank]
        yield from judging.kept(self.before, unit.name, number)


class Measure(PipelineStep):
    """One step of the recipe, on every page that no step before it stopped."""

    type = "hfllm"

    def __init__(self, key: str, step: Step, counts: Counts) -> None:
        super().__init__()
        self.name, self.step, self.counts = key, step, counts

    def run(self, data: Iterable[Document], rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        guard, seconds = Guard(self.name, self.step.max_lost), 0.0
        for document in data:
            if not document.metadata.get("stopped"):
                begun = time.perf_counter()
                reason = self.judged(document)
                seconds += time.perf_counter() - begun
                if not document.metadata.get("lost"):
                    guard.see(reason, document.metadata["file"])
                    document.metadata["lost"] = reason is not None
            yield document
        guard.end()
        self.counts.setdefault("seconds", {})[self.name] = round(seconds, 3)

    def judged(self, document: Document) -> str | None:
        """Measure a page, note its new size if it was edited, and stop it if the step says so."""
        before, was_html = document.text, document.metadata["html"]
        scores = self.step.measure(document)
        if document.text != before or document.metadata["html"] != was_html:
            scores |= {"characters": len(document.text)}
        document.metadata["tags"][self.name] = scores
        reason = self.step.judge(scores)
        if reason is not None and self.step.STOPS:
            document.metadata["stopped"] = self.name
        return reason


class WriteRows(PipelineStep):
    """Draws the pages through the chain; writes the rows of the unit, and then its counts."""

    type, name = "hfllm", "write rows"

    def __init__(self, folder: Path, units: Ranked, counts: Counts) -> None:
        super().__init__()
        self.folder, self.units, self.counts = folder, units, counts

    def run(self, data: Iterable[Document], rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        self.counts.clear()  # a worker may have run another task with these blocks
        with telling(self.folder) as stopped:
            if not stopped:
                self.write(data, self.units[rank][1].name)
        yield from ()

    def write(self, data: Iterable[Document], unit: str) -> None:
        rows = 0
        with store.Writer(store.rows_file(self.folder, unit)) as out:
            for rows, document in enumerate(data, start=1):  # noqa: B007 - the last number is how many there are
                out.write(store.row_of(document))
        store.write_json(store.counts_file(self.folder, unit), {"rows": rows, **self.counts})


class Signatures(PipelineStep):
    """MinHash signatures of the pages that a pass leaves in one unit."""

    type, name = "hfllm", "signatures"

    def __init__(self, one: Pass, deduplication: Deduplication, units: Ranked) -> None:
        super().__init__()
        self.one, self.deduplication, self.units = one, deduplication, units

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        with telling(self.deduplication.signatures) as stopped:
            if not stopped:
                self.write(self.units[rank][1].name)
        yield from ()

    def write(self, unit: str) -> None:
        folder, begun = self.deduplication.signatures, time.perf_counter()
        groups.write_signatures(self.deduplication.step, judging.kept_before_minhash(self.one, unit), folder / unit)
        seconds = {self.deduplication.key: round(time.perf_counter() - begun, 3)}
        store.write_json(store.counts_file(folder, unit), {"seconds": seconds})


@contextmanager
def telling(folder: Path) -> Iterator[bool]:
    """Around a task: a mistake of the user's goes into a file, for whoever started the run, whatever executor is in
    between. Gives whether another task has met one already: then there is nothing more to do."""
    try:
        yield (folder / MISTAKE).exists()
    except UserMistake as mistake:
        store.write_json(folder / MISTAKE, str(mistake))
