"""The end of the stage `data`: the data set, the funnel as JSON and as a page, and the numbers of the card."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hfllm.errors import UserMistake
from hfllm.web.outcome import report, truth
from hfllm.web.outcome.funnel import EXAMPLE_CHARACTERS, Funnel, StepCount, added, histogram_json, largest
from hfllm.web.reading.units import Unit, shown
from hfllm.web.run import judging, store
from hfllm.web.run.plan import Pass, Plan
from hfllm.web.step import Step

MOST_DOMAINS = 10
MOST_EXAMPLES = 12  # of a step
MOST_BROKEN = 20  # told in the terminal; funnel.json has all

Counts = Mapping[str, Any]


def write(
    plan: Plan, units: Sequence[Unit], folder: Path, *, tokenizer: str | None, truth_file: str | None
) -> dict[str, Any]:
    """data/train-*.parquet, funnel.json and funnel.html in `folder`; returns the numbers of the receipt."""
    link_data(plan, units, folder / "data")
    funnel = funnel_of(plan, units, tokenizer) | {"name": str(folder)}
    if truth_file is not None:
        funnel["truth"] = truth.compare(Path(truth_file), plan, units, list(counts_of(plan, units)))
    tell_broken(funnel["broken"])
    store.write_json(folder / "funnel.json", funnel)
    (folder / "funnel.html").write_text(report.page(funnel), encoding="utf-8")
    if not funnel["output"]["documents"]:
        shown = folder / "funnel.html"
        raise UserMistake(f"no page is left of {funnel['documents']:,}; {shown} shows what became of them")
    return numbers_of(funnel)


def tell_broken(broken: Sequence[Mapping[str, Any]]) -> None:
    """A line for each broken file; of hundreds the first, the others are in funnel.json."""
    for one in broken[:MOST_BROKEN]:
        print(f"broken: {one['file']}: {one['message']}")
    if len(broken) > MOST_BROKEN:
        print(f"broken: {len(broken) - MOST_BROKEN} more; funnel.json names them")


def link_data(plan: Plan, units: Sequence[Unit], folder: Path) -> None:
    """The rows under the names that the Hub gives to the files of a split."""
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was cut off here, with other numbers in its names
    folder.mkdir(parents=True)
    for number, unit in enumerate(units):
        name = f"train-{number:05d}-of-{len(units):05d}.parquet"
        store.link(store.rows_file(plan.final, unit.name), folder / name)


def counts_of(plan: Plan, units: Sequence[Unit]) -> Iterator[dict[str, Any]]:
    """The counts of all units, one at a time: a dump has ninety thousand."""
    return (store.read_json(store.counts_file(plan.final, unit.name)) for unit in units)


def funnel_of(plan: Plan, units: Sequence[Unit], tokenizer: str | None) -> dict[str, Any]:
    """What funnel.json says. Raises `RuntimeError` when pages went in that neither came out nor were dropped."""
    total, reading, output = Funnel(plan.steps), Reading(), Output()
    seconds: Counter[str] = Counter()
    for unit, counts in zip(units, counts_of(plan, units), strict=True):
        total.add(counts["steps"])
        reading.add(unit.path, counts["read"])
        output.add(counts["output"])
        seconds.update(counts["seconds"])
    refuse_lost(total, reading, output)
    return {
        "files": len(units),
        "broken": reading.broken,
        "records": reading.records,
        "not_pages": dict(reading.not_pages.most_common()),
        "documents": reading.documents,
        "tokens_are": f"tokens of {tokenizer}" if tokenizer else None,
        "steps": [
            step_json(key, step, total.counts[key], seconds[key], twins(plan, units, key, total.counts[key]))
            for key, step in plan.steps.items()
        ],
        "output": output.as_json(tokens=tokenizer is not None),
        "truth": None,
    }


class Reading:
    """What all files held."""

    def __init__(self) -> None:
        self.records = self.documents = 0
        self.not_pages: Counter[str] = Counter()
        self.broken: list[dict[str, Any]] = []

    def add(self, path: str, read: Counts) -> None:
        self.records += read["records"]
        self.documents += read["documents"]
        self.not_pages.update(read["not_pages"])
        if read["broken"]:
            message = read["broken"].removeprefix(f"{path}: ")
            self.broken.append({"file": shown(path), "message": message, "records": read["records"]})


class Output:
    """What the data set holds."""

    def __init__(self) -> None:
        self.totals: Counter[str] = Counter()
        self.languages: Counter[str] = Counter()
        self.domains: Counter[str] = Counter()

    def add(self, output: Counts) -> None:
        self.totals.update({name: output[name] for name in ("documents", "characters", "tokens")})
        self.languages.update(output["languages"])
        self.domains = largest(added(self.domains, output["domains"]))

    def as_json(self, *, tokens: bool) -> dict[str, Any]:
        return {
            "documents": self.totals["documents"],
            "characters": self.totals["characters"],
            "tokens": self.totals["tokens"] if tokens else None,
            "languages": dict(self.languages.most_common()),
            "domains": [[domain, number] for domain, number in self.domains.most_common(MOST_DOMAINS)],
        }


def refuse_lost(total: Funnel, reading: Reading, output: Output) -> None:
    """In = out + dropped, from the records of the files to the rows of the data set."""
    if reading.records != reading.documents + reading.not_pages.total():
        raise RuntimeError(
            f"reading: {reading.records} records, {reading.documents} pages and {reading.not_pages.total()} others"
        )
    coming = reading.documents
    for key, count in total.counts.items():
        if count.documents_in != coming or coming != count.documents_out + count.dropped.total():
            raise RuntimeError(
                f"step {key}: {coming} pages came, {count.documents_in} were seen, {count.documents_out} went on, "
                f"{count.dropped.total()} were dropped"
            )
        coming = count.documents_out
    if coming != output.totals["documents"]:
        raise RuntimeError(f"writing: {coming} pages came, {output.totals['documents']} were written")


def step_json(
    key: str, step: Step, count: StepCount, seconds: float, twin_of: Mapping[int, dict[str, str]]
) -> dict[str, Any]:
    examples = [example for some in count.examples.values() for example in some][:MOST_EXAMPLES]
    return {
        "name": key,
        "options": step.measured_by() | asdict(step),
        **{name: getattr(count, name) for name in ("documents_in", "documents_out", "tokens_out")},
        "characters_out": None if count.unsized else count.characters_out,
        "dropped": dict(count.dropped.most_common()),
        "edited": count.edited,
        "removed_lines": dict(count.removed_lines.most_common()),
        "found": dict(count.found.most_common()),
        "flagged": dict(count.flagged.most_common()),
        "seconds": round(seconds, 1),
        "languages": dict(count.languages.most_common()),
        "domains": [[domain, number] for domain, number in count.domains.most_common(MOST_DOMAINS)],
        "examples": [
            {name: example[name] for name in ("reason", "url", "text", "scores", "lines")}
            | {"twin": twin_of.get(example["group"])}
            for example in examples
        ],
        "histograms": [
            one for limit in step.limits() if (one := histogram_json(limit, count.values.get(limit.score, [])))
        ],
    }


def twins(plan: Plan, units: Sequence[Unit], key: str, count: StepCount) -> dict[int, dict[str, str]]:
    """The page that was kept of each group among the examples, by the group's number."""
    wanted = {example["group"] for some in count.examples.values() for example in some} - {None}
    found: dict[int, dict[str, str]] = {}
    for one in plan.passes:
        if one.deduplication is not None and one.deduplication.key == key:
            for number, unit in enumerate(units):
                groups = set(judging.duplicates_of(one.deduplication.groups, number).group.values())
                found |= kept_of(one, unit, number, wanted) if (wanted - found.keys()) & groups else {}
    return found


def kept_of(one: Pass, unit: Unit, number: int, wanted: set[int]) -> dict[int, dict[str, str]]:
    return {
        row["group"]: {"url": row["url"], "text": row["text"][:EXAMPLE_CHARACTERS]}
        for row, fate in judging.fates(one, unit.name, number)
        if fate is None and row["group"] in wanted
    }


def numbers_of(funnel: Mapping[str, Any]) -> dict[str, Any]:
    """What the receipt and the card say."""
    output, truths = funnel["output"], funnel["truth"] or []
    numbers = {"files": funnel["files"], "broken_files": len(funnel["broken"]), "records": funnel["records"]}
    numbers |= {"pages": funnel["documents"], "documents": output["documents"], "characters": output["characters"]}
    numbers |= {"tokens": output["tokens"]} if output["tokens"] is not None else {}
    dropped = {step["name"]: sum(step["dropped"].values()) for step in funnel["steps"] if step["dropped"]}
    flagged = {set_name: count for step in funnel["steps"] for set_name, count in step["flagged"].items()}
    numbers |= {"languages": output["languages"], "dropped": dropped} | ({"flagged": flagged} if flagged else {})
    for measure in ("recall", "precision") if truths else ():
        numbers[measure] = {row["step"]: row[measure] for row in truths if row[measure] is not None}
    return numbers
