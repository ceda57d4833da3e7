"""Is personal data found, and nothing else? Recall and precision on labelled sentences, hits and speed on web text.

    python -m tests.bench.pii DATA/presidio_pii --web DATA/c4_demo DATA/dolma_cc_docs [--show 30]

A labelled span counts as found when all of it is in one hit; a hit counts as right when it overlaps with a label of its
kind. DATA/presidio_pii has the columns `full_text` and `spans` (presidio-research, synth_dataset_v2). Beside ours:
datatrove's PIIFormatter, as FineWeb has it, for e-mail and IP addresses; and for telephone numbers Google's
libphonenumber (`pip install phonenumbers`; left out without it), which must be told of which countries to think.
--show prints that many of the web's telephone numbers with what stands beside them, to be judged by eye."""

from __future__ import annotations

import argparse
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
from datatrove.pipeline.formatters.pii import PIIFormatter, PIIReplacer

from hfllm.web.text import personal_data

Span = tuple[int, int]
Finder = Callable[[str], Iterable[Span]]

LABELS = {
    "email": "EMAIL_ADDRESS",
    "ip": "IP_ADDRESS",
    "iban": "IBAN_CODE",
    "credit_card": "CREDIT_CARD",
    "phone": "PHONE_NUMBER",
}
FIVE = ["US", "GB", "DE", "FR", "IN"]
FIFTEEN = [*FIVE, "AU", "ZA", "ES", "IT", "CH", "BE", "SE", "PT", "BR", "JP"]
CONTEXT = 40


class Label(NamedTuple):
    kind: str
    start: int
    end: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("labelled", type=Path)
    parser.add_argument("--web", type=Path, nargs="*", default=[])
    parser.add_argument("--show", type=int, default=0)
    options = parser.parse_args()
    rows = [(row["full_text"], labels(row)) for row in read(options.labelled)]
    texts = [row["text"] for folder in options.web for row in read(folder)]
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    print(f"{len(rows)} labelled texts; {len(texts)} texts of the web, {megabytes:.1f} MB")
    print(f"{'':12} {'':24} {'recall':>16} {'precision':>16} {'web hits':>9} {'MB/CPU-s':>9}  wrong hits, by label")
    for kind, name, finder in finders():
        found, wanted, right, hits, wrong = judged(rows, LABELS[kind], finder)
        web_hits, seconds = timed(texts, finder)
        numbers = f"{share(found, wanted):>16} {share(right, hits):>16} {web_hits:9} {megabytes / seconds:9.1f}"
        print(f"{kind:12} {name:24} {numbers}  {dict(wrong.most_common(3)) or ''}", flush=True)
    for name, change in (("hfllm, all five kinds", replaced), ("datatrove, two kinds", PIIFormatter().format)):
        seconds = timed(texts, change)[1]
        print(f"{name}: {megabytes / seconds:.1f} MB of web text a CPU-second")
    show(texts, options.show)


def read(folder: Path) -> list[dict[str, Any]]:
    return [row for file in sorted(folder.rglob("*.parquet")) for row in pq.read_table(file).to_pylist()]


def labels(row: dict[str, Any]) -> list[Label]:
    spans = json.loads(row["spans"])
    return [Label(span["entity_type"], span["start_position"], span["end_position"]) for span in spans]


def finders() -> Iterator[tuple[str, str, Finder]]:
    """Kind, name and finder: ours of every kind, and its peers."""
    peer = PIIFormatter()
    for kind in LABELS:
        yield kind, "hfllm", partial(ours, kind)
        if kind in ("email", "ip"):
            yield kind, "datatrove", partial(datatrove, peer.emails_replacer if kind == "email" else peer.ip_replacer)
    if find_spec("phonenumbers"):
        for leniency in ("POSSIBLE", "VALID", "STRICT_GROUPING"):
            yield "phone", f"{leniency.lower()}, US", partial(libphonenumber, leniency, ["US"])
        for name, regions in (("5 countries", FIVE), ("15 countries", FIFTEEN)):
            yield "phone", f"valid, {name}", partial(libphonenumber, "VALID", regions)


def ours(kind: str, text: str) -> list[Span]:
    return [(found.start, found.end) for found in personal_data.find(text, [kind])]


def datatrove(replacer: PIIReplacer, text: str) -> list[Span]:
    found = replacer.regex.finditer(text)
    return [one.span() for one in found if not replacer.validator or replacer.validator(one[0])]


def libphonenumber(leniency: str, regions: list[str], text: str) -> set[Span]:
    from phonenumbers import Leniency, PhoneNumberMatcher

    kind = getattr(Leniency, leniency)
    return {
        (found.start, found.end)
        for region in regions
        for found in PhoneNumberMatcher(text, region, leniency=kind, max_tries=len(text))
    }


def replaced(text: str) -> str:
    found = personal_data.find(text, LABELS)
    return personal_data.replaced(text, [(one, "<PII>") for one in found])


def judged(rows: list[tuple[str, list[Label]]], label: str, finder: Finder) -> tuple[int, int, int, int, Counter[str]]:
    """Labelled spans found, how many there are, right hits, all hits, and what the wrong ones are labelled as."""
    found = wanted = right = 0
    wrong: Counter[str] = Counter()
    for text, labelled in rows:
        hits = list(finder(text))
        mine = [one for one in labelled if one.kind == label]
        wanted += len(mine)
        found += sum(any(start <= one.start and one.end <= end for start, end in hits) for one in mine)
        for start, end in hits:
            kinds = {one.kind for one in labelled if one.start < end and start < one.end}
            right += label in kinds
            wrong.update([] if label in kinds else [min(kinds, default="none")])
    return found, wanted, right, right + wrong.total(), wrong


def timed(texts: list[str], function: Callable[[str], Any]) -> tuple[int, float]:
    """The lengths of all results together, and CPU-seconds."""
    started = time.process_time()
    count = sum(len(function(text)) for text in texts)
    return count, max(time.process_time() - started, 1e-9)


def share(part: int, whole: int) -> str:
    return f"{part}/{whole} = {part / whole:.3f}" if whole else "-"


def show(texts: list[str], count: int) -> None:
    """Different hits in a random order that is the same each time."""
    hits = {
        f"{text[max(0, start - CONTEXT) : start]}[[{text[start:end]}]]{text[end : end + CONTEXT // 2]}"
        for text in texts
        for start, end in ours("phone", text)
    }
    for hit in random.Random(0).sample(sorted(hits), min(count, len(hits))):
        print(f"  {hit!r}")


if __name__ == "__main__":
    main()
