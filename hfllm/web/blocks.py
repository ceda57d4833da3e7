"""The blocks that datatrove's executors run, one chain a pass: read a unit, let each step measure, write the rows.

A task is one unit: the unit whose number is the task's rank. The blocks of a chain share one `counts`, which ends up
beside the rows."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datatrove.data import Document
from datatrove.pipeline.base import PipelineStep

from hfllm.errors import UserMistake
from hfllm.web import judging, records, store
from hfllm.web.guard import Guard
from hfllm.web.plan import Pass
from hfllm.web.step import Step
from hfllm.web.units import Unit

if TYPE_CHECKING:
    from hfllm.tokenizing.bpe import Encode

READ = "read"  # among the tags of a page: its size as it came in
Counts = dict[str, Any]
Ranked = Sequence[tuple[int, Unit]]  # the units that are still to do, each with its number among all units


def chain(one: Pass, before: Pass | None, units: Ranked, reading: Mapping[str, Any]) -> list[PipelineStep]:
    """The blocks of one pass over `units`; `before` is the pass that it reads, None for the files themselves."""
    counts: Counts = {}
    source = ReadFiles(units, reading, counts) if before is None else ReadPass(units, before)
    measuring = [Measure(key, step, reading["tokenizer"], counts) for key, step in one.steps.items()]
    return [source, *measuring, WriteRows(one.folder, units, counts)]


class ReadFiles(PipelineStep):
    """The pages of a unit's file; records that are no pages are counted."""

    type, name = "hfllm", "read files"

    def __init__(self, units: Ranked, reading: Mapping[str, Any], counts: Counts) -> None:
        super().__init__()
        self.units, self.reading, self.counts = units, reading, counts

    def run(self, data: Any, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        tally = records.Tally()
        path = self.units[rank][1].path
        for document in records.read(path, tally, columns=self.reading["columns"], strict=self.reading["strict"]):
            html = document.metadata.get("html", False)
            size = {} if html else size_of(document.text, self.reading["tokenizer"])
            document.metadata |= {"file": path, "html": html, "tags": {READ: size}}
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

    def __init__(self, key: str, step: Step, tokenizer: str | None, counts: Counts) -> None:
        super().__init__()
        self.name, self.step, self.tokenizer, self.counts = key, step, tokenizer, counts

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
            scores |= size_of(document.text, self.tokenizer)
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
        unit = self.units[rank][1].name
        self.counts.clear()  # a worker may have run another task with these blocks
        with telling(self.folder, unit):
            rows = 0
            with store.Writer(store.rows_file(self.folder, unit)) as out:
                for rows, document in enumerate(data, start=1):  # noqa: B007 - the last number is how many there are
                    out.write(store.row_of(document))
            store.write_json(store.counts_file(self.folder, unit), {"rows": rows, **self.counts})
        yield from ()


class Signatures(PipelineStep):
    """MinHash signatures of the pages that a pass leaves in one unit, by datatrove's own block."""

    type, name = "hfllm", "signatures"

    def __init__(self, one: Pass, units: Ranked) -> None:
        super().__init__()
        self.one, self.units = one, units

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        from hfllm.web import groups

        assert self.one.minhash is not None
        assert self.one.signatures is not None
        unit = self.units[rank][1].name
        with telling(self.one.signatures, unit):
            begun = time.perf_counter()
            pages = judging.kept_before_minhash(self.one, unit)
            groups.write_signatures(self.one.minhash, pages, self.one.signatures / unit)
            seconds = {self.one.minhash_key: round(time.perf_counter() - begun, 3)}
            store.write_json(store.counts_file(self.one.signatures, unit), {"seconds": seconds})
        yield from ()


@contextmanager
def telling(folder: Path, unit: str) -> Iterator[None]:
    """A mistake of the user's goes into a file for whoever started the run, whatever executor is in between."""
    try:
        yield
    except UserMistake as mistake:
        store.write_json(mistake_file(folder, unit), str(mistake))


def mistake_file(folder: Path, unit: str) -> Path:
    return folder / f"{unit}.mistake"


def size_of(text: str, tokenizer: str | None) -> dict[str, int]:
    """Characters, and tokens when the recipe names a tokenizer."""
    size = {"characters": len(text)}
    return size if tokenizer is None else size | {"tokens": len(encoder(tokenizer)([text])[0])}


@cache
def encoder(tokenizer: str) -> Encode:
    from hfllm.tokenizing import bpe

    return bpe.bulk_encoder(tokenizer)
