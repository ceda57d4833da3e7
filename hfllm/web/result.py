"""The end of the stage `data`: the data set, the funnel as JSON and as a page, and the numbers of the card."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hfllm.web import groups, judging, report, store, truth
from hfllm.web.funnel import EXAMPLE_CHARACTERS, EXAMPLES, Funnel, StepCount, histogram
from hfllm.web.plan import Pass, Plan
from hfllm.web.step import Step
from hfllm.web.units import Unit

MOST_DOMAINS = 10
MOST_BROKEN = 20
MOST_EXAMPLES = 12  # of a step


def write(
    plan: Plan, units: Sequence[Unit], folder: Path, *, tokenizer: str | None, truth_file: str | None
) -> dict[str, Any]:
    """data/train-*.parquet, funnel.json and funnel.html in `folder`; returns the numbers of the receipt."""
    counts = [store.read_json(store.counts_file(plan.final, unit.name)) for unit in units]
    link_data(plan, units, folder / "data")
    funnel = funnel_of(plan, units, counts, str(folder), tokenizer)
    if truth_file is not None:
        funnel["truth"] = truth.compare(Path(truth_file), plan, units, counts)
    tell_broken(funnel["broken"])
    store.write_json(folder / "funnel.json", funnel)
    (folder / "funnel.html").write_text(report.page(funnel), encoding="utf-8")
    return numbers_of(funnel)


def tell_broken(broken: Sequence[Mapping[str, Any]]) -> None:
    """A line for each broken file; of hundreds the first, the others are in funnel.json."""
    for one in broken[:MOST_BROKEN]:
        print(f"broken: {one['message']}")
    if len(broken) > MOST_BROKEN:
        print(f"broken: {len(broken) - MOST_BROKEN} more; funnel.json names them")


def link_data(plan: Plan, units: Sequence[Unit], folder: Path) -> None:
    """The rows under the names that the Hub gives to the files of a split."""
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was cut off here, with other numbers in its names
    folder.mkdir(parents=True)
    for number, unit in enumerate(units):
        name = f"train-{number:05d}-of-{len(units):05d}.parquet"
        groups.link(store.rows_file(plan.final, unit.name), folder / name)


def funnel_of(
    plan: Plan, units: Sequence[Unit], counts: Sequence[Mapping[str, Any]], name: str, tokenizer: str | None
) -> dict[str, Any]:
    """What funnel.json says. Raises `RuntimeError` when pages went in that neither came out nor were dropped."""
    total = Funnel(plan.steps)
    for one in counts:
        total.add(one["steps"])
    read = [one["read"] for one in counts]
    documents = sum(one["documents"] for one in read)
    refuse_lost(total, documents)
    seconds = sum((Counter(one["seconds"]) for one in counts), Counter())
    broken = [
        {"file": unit.path, "message": one["broken"], "records": one["records"]}
        for unit, one in zip(units, read, strict=True)
        if one["broken"]
    ]
    return {
        "name": name,
        "files": len(units),
        "broken": broken,
        "records": sum(one["records"] for one in read),
        "not_pages": dict(sum((Counter(one["not_pages"]) for one in read), Counter()).most_common()),
        "documents": documents,
        "tokens_are": f"tokens of {tokenizer}" if tokenizer else None,
        "steps": [
            step_json(key, step, total.counts[key], seconds[key], twins(plan, units, key, total.counts[key]))
            for key, step in plan.steps.items()
        ],
        "output": output_json([one["output"] for one in counts], with_tokens=tokenizer is not None),
        "truth": None,
    }


def refuse_lost(total: Funnel, documents: int) -> None:
    """In = out + dropped, from the files to the data set."""
    coming = documents
    for key, count in total.counts.items():
        if count.documents_in != coming or coming != count.documents_out + count.dropped.total():
            raise RuntimeError(
                f"step {key}: {coming} pages came, {count.documents_in} were seen, {count.documents_out} went on, "
                f"{count.dropped.total()} were dropped"
            )
        coming = count.documents_out


def step_json(
    key: str, step: Step, count: StepCount, seconds: float, twin_of: Mapping[int, dict[str, str]]
) -> dict[str, Any]:
    examples = [example for some in count.examples.values() for example in some][:MOST_EXAMPLES]
    return {
        "name": key,
        "options": asdict(step),
        **{name: getattr(count, name) for name in ("documents_in", "documents_out", "characters_out", "tokens_out")},
        "dropped": dict(count.dropped.most_common()),
        "edited": count.edited,
        "removed_lines": dict(count.removed_lines.most_common()),
        "found": dict(count.found.most_common()),
        "seconds": round(seconds, 1),
        "languages": dict(count.languages.most_common()),
        "domains": [[domain, number] for domain, number in count.domains.most_common(MOST_DOMAINS)],
        "examples": [
            {name: example[name] for name in ("reason", "url", "text", "scores", "lines")}
            | {"twin": twin_of.get(example["group"])}
            for example in examples
        ],
        "histograms": [one for limit in step.limits() if (one := histogram_json(limit, count.values))],
    }


def histogram_json(limit: Any, values: Mapping[str, Sequence[float]]) -> dict[str, Any] | None:
    """The distribution of a score that varies, with its thresholds."""
    if len(set(values.get(limit.score, []))) < 3:
        return None
    edges, counts = histogram(values[limit.score])
    return {"score": limit.score, "minimum": limit.minimum, "maximum": limit.maximum, "edges": edges, "counts": counts}


def output_json(outputs: Sequence[Mapping[str, Any]], *, with_tokens: bool) -> dict[str, Any]:
    total = {name: sum(one[name] for one in outputs) for name in ("documents", "characters", "tokens")}
    languages, domains = (sum((Counter(one[name]) for one in outputs), Counter()) for name in ("languages", "domains"))
    return {
        **total,
        "tokens": total["tokens"] if with_tokens else None,
        "languages": dict(languages.most_common()),
        "domains": [[domain, number] for domain, number in domains.most_common(MOST_DOMAINS)],
    }


def twins(plan: Plan, units: Sequence[Unit], key: str, count: StepCount) -> dict[int, dict[str, str]]:
    """The page that was kept of each group among the examples, by the group's number."""
    one = next((one for one in plan.passes if one.minhash_key == key), None)
    groups_shown = {example["group"] for some in count.examples.values() for example in some[:EXAMPLES]}
    if one is None or not groups_shown:
        return {}
    found: dict[int, dict[str, str]] = {}
    for number, unit in enumerate(units):
        if groups_shown - found.keys() and groups_shown & set(judging.duplicates_of(one.groups, number).group.values()):
            found |= kept_of(one, unit, number, groups_shown)
    return found


def kept_of(one: Pass, unit: Unit, number: int, wanted: set[int]) -> dict[int, dict[str, str]]:
    return {
        row["group"]: {"url": row["url"], "text": row["text"][:EXAMPLE_CHARACTERS]}
        for row, fate in judging.fates(one, unit.name, number)
        if fate is None and row["group"] in wanted
    }


def numbers_of(funnel: Mapping[str, Any]) -> dict[str, Any]:
    """What the receipt and the card say."""
    output = funnel["output"]
    return {
        "files": funnel["files"],
        "broken_files": len(funnel["broken"]),
        "records": funnel["records"],
        "pages": funnel["documents"],
        "documents": output["documents"],
        "characters": output["characters"],
        **({"tokens": output["tokens"]} if output["tokens"] is not None else {}),
        "languages": output["languages"],
        "dropped": {step["name"]: sum(step["dropped"].values()) for step in funnel["steps"] if step["dropped"]},
        "recall": {row["step"]: row["recall"] for row in funnel["truth"] or []},
        "precision": {row["step"]: row["precision"] for row in funnel["truth"] or [] if row["precision"] is not None},
    }
