"""How well did each step find what it should? Only where the truth about every page is known: the crawl of the small
world, whose truth.jsonl says of each page what it is (hfllm/world/crawl.py).

Recall: of what should have been found, the share that was. Precision: of what the step dropped or replaced, the share
that should have been."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from hfllm import web
from hfllm.errors import UserMistake
from hfllm.web.reading.units import Unit
from hfllm.web.run import store
from hfllm.web.run.finish import KEPT
from hfllm.web.run.plan import Plan
from hfllm.web.text import ngrams

QUALITY = {"extract", "gopher_repetition", "gopher_quality", "c4_quality", "fineweb_quality"}
DUPLICATES = {"exact_duplicate", "near_duplicate", "broken_encoding"}

Page = dict[str, Any]


def compare(file: Path, plan: Plan, units: Sequence[Unit], counts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row a question that the truth can answer, for the steps that the plan has."""
    pages = read(file)
    fates = {url: fate for one in counts for url, fate in one["fates"].items()}
    columns = ["url", "text"]
    written = (row for unit in units for row in store.rows(plan.final, unit.name, columns=columns))
    texts = {row["url"]: row["text"] for row in written}
    if not fates.keys() <= pages.keys():
        raise UserMistake(
            f"truth: {file}: knows nothing of {min(fates.keys() - pages.keys())}; is it of another crawl?"
        )
    names = {web.name_of(key) for key in plan.steps}
    rows = [records(pages, fates)]
    rows += [blocked(pages, fates)] if "url_lists" in names else []
    rows += [extracted(pages, texts)] if "extract" in names else []
    rows += [foreign(pages, fates)] if "language" in names else []
    rows += [junk(pages, fates)] if names & QUALITY else []
    rows += [duplicates(pages, fates)] if "minhash" in names else []
    rows += [personal_data(pages, texts, plan, counts)] if "pii" in names else []
    rows += [contaminated(pages, fates, flagged(plan, units))] if "decontaminate" in names else []
    return rows


def read(file: Path) -> dict[str, Page]:
    """What each page is, by its address. Raises `UserMistake` when the file does not say so."""
    try:
        pages = [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line]
        return {page["url"]: {"test_problem": None, **page} for page in pages if page["kind"]}
    except (ValueError, KeyError, TypeError) as error:
        raise UserMistake(f"truth: {file}: not the truth.jsonl of a crawl of the stage world ({error!r})") from error


def row(step: str, what: str, found: float, of: float, dropped: float | None) -> dict[str, Any]:
    """`found` of `of` things that should be found; `dropped` is all that the step dropped, None where it drops none."""
    return {
        "step": step,
        "what": what,
        "recall": round(found / of, 4) if of else None,
        "precision": round(found / dropped, 4) if dropped else None,
        "found": found,
        "of": of,
        "dropped": dropped,
    }


def records(pages: Mapping[str, Page], fates: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Of the pages with text, those that the reader gave on."""
    with_text = {url for url, page in pages.items() if page["text"]}
    return row("read", "pages with text that were read", len(with_text & fates.keys()), len(with_text), None)


def blocked(pages: Mapping[str, Page], fates: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    wanted = of_kind(pages, {"blocked"})
    dropped = dropped_by(fates, {"url_lists"})
    return row("url_lists", "pages of blocked hosts", len(wanted & dropped), len(wanted), len(dropped))


def foreign(pages: Mapping[str, Page], fates: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Junk in no language at all is counted by `junk`: to lose it here is no fault."""
    wanted = of_kind(pages, {"foreign"})
    dropped = dropped_by(fates, {"language"}) - of_kind(pages, {"junk"})
    return row("language", "pages in other languages", len(wanted & dropped), len(wanted), len(dropped))


def junk(pages: Mapping[str, Page], fates: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """All quality steps together, and the language step for what is in no language: of the junk that was read."""
    wanted = of_kind(pages, {"junk"}) & fates.keys()
    lost = dropped_by(fates, QUALITY | {"language"})
    dropped = dropped_by(fates, QUALITY) | (wanted & lost)
    return row("quality", "pages without text worth reading", len(wanted & lost), len(wanted), len(dropped))


def duplicates(pages: Mapping[str, Page], fates: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Of the pages that came as far as minhash, all but one of each group should go."""
    dropped = dropped_by(fates, {"minhash"})
    reached = dropped | {url for url, (step, _) in fates.items() if step == KEPT}
    groups = Counter(origin(pages, url) for url in reached)
    should = sum(size - 1 for size in groups.values())
    gone = Counter(origin(pages, url) for url in dropped)
    right = sum(min(count, groups[group] - 1) for group, count in gone.items())
    return row("minhash", "copies of another page", right, should, len(dropped))


def extracted(pages: Mapping[str, Page], texts: Mapping[str, str]) -> dict[str, Any]:
    """Words of the kept pages: of those that the page was made from, and of those that came out."""
    right = wanted = found = 0
    for url, text in texts.items():
        true, got = Counter(ngrams.words(pages[url]["text"])), Counter(ngrams.words(text))
        right, wanted, found = right + (true & got).total(), wanted + true.total(), found + got.total()
    return row("extract", "words of the pages that were kept", right, wanted, found)


def personal_data(
    pages: Mapping[str, Page], texts: Mapping[str, str], plan: Plan, counts: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Of the planted addresses in kept pages, those that are gone; against all that was replaced."""
    planted = [(url, address) for url in texts for address in pages[url]["personal_data"]]
    gone = sum(address not in texts[url] for url, address in planted)
    keys = [key for key in plan.steps if web.name_of(key) == "pii"]
    replaced = sum(sum(one["steps"][key]["found"].values()) for one in counts for key in keys)
    return row("pii", "addresses of people in kept pages", gone, len(planted), replaced)


def contaminated(pages: Mapping[str, Page], fates: Mapping[str, Sequence[str]], flags: set[str]) -> dict[str, Any]:
    """Of the pages that came as far as the end, those that give a test problem away: flagged, or dropped for it."""
    found = flags | dropped_by(fates, {"decontaminate"})
    reached = found | {url for url, (step, _) in fates.items() if step == KEPT}
    wanted = {url for url in reached if pages[url]["test_problem"]}
    return row("decontaminate", "pages with a test problem", len(wanted & found), len(wanted), len(found))


def flagged(plan: Plan, units: Sequence[Unit]) -> set[str]:
    """The kept pages in which a row of an evaluation set was found."""
    columns = ["url", "contaminated_by"]
    rows = (row for unit in units for row in store.rows(plan.final, unit.name, columns=columns))
    return {row["url"] for row in rows if row["contaminated_by"]}


def of_kind(pages: Mapping[str, Page], kinds: Collection[str]) -> set[str]:
    return {url for url, page in pages.items() if page["kind"] in kinds}


def dropped_by(fates: Mapping[str, Sequence[str]], steps: Collection[str]) -> set[str]:
    return {url for url, (step, _) in fates.items() if web.name_of(step) in steps}


def origin(pages: Mapping[str, Page], url: str) -> str:
    return pages[url]["duplicate_of"] or url
