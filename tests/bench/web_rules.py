"""The rules of text quality and the MinHash signature: ours against datatrove's own blocks, by CPU-seconds.

    python -m tests.bench.web_rules DATA_FOLDER [--text FILE.parquet ...] [--rounds 3]

DATA_FOLDER has dolma_cc_docs and c4_demo, with parquet files of a column `text` somewhere below; --text adds more.
Datatrove's side is FineWeb's configuration: four filters with spaCy's words (`language="en"`), signatures with sha1.
Both are chains in which a dropped page goes no further, in turn in each round; the stage `data` measures all pages with
all steps, which is told as well. Loading spaCy is outside of the clocks. The project's own limits: 4 times the
documents a CPU-second, 97 % of the decisions equal."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.parquet as pq
from datatrove.data import Document
from datatrove.pipeline.dedup import MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)
from datatrove.pipeline.filters.base_filter import get_filter_result
from datatrove.utils.hashing import HashConfig
from datatrove.utils.logging import logger

from hfllm import web
from hfllm.web.run.signature import Signature
from hfllm.web.text import words

STEPS = ("gopher_repetition", "gopher_quality", "c4_quality", "fineweb_quality")
SETS = ("dolma_cc_docs", "c4_demo")
SHA1, XXHASH = (MinhashConfig(hash_config=HashConfig(64, name)) for name in ("sha1", "xxhash"))

Rule = Callable[[Document], str | None]  # the reason to drop a page


@dataclass
class Run:
    """What one side did with one set of documents."""

    reasons: list[str | None] = field(default_factory=list)
    kept: list[Document] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    seen: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> float:
        return sum(self.seconds.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data_folder", type=Path)
    parser.add_argument("--text", type=Path, nargs="*", default=[])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    logger.remove()
    sets = {name: list(texts(sorted((options.data_folder / name).rglob("*.parquet")))) for name in SETS}
    sets |= {file.stem: list(texts([file])) for file in options.text}
    theirs, ours = their_rules("en"), our_rules()
    for rules in (theirs, ours):
        chained(rules, ["A sentence to load everything with."], stop=False)
    for name, documents in sets.items():
        if not documents:
            print(f"\n{name}: no parquet files below {options.data_folder / name}")
            continue
        print(f"\n{name}: {len(documents):,} documents, {sum(map(len, documents)) / 1e6:.2f} M characters")
        compare(documents, theirs, ours, options.rounds)


def texts(files: list[Path]) -> Iterator[str]:
    for file in files:
        yield from (text for text in pq.read_table(file, columns=["text"])["text"].to_pylist() if text)


def their_rules(language: str) -> dict[str, Rule]:
    blocks = (
        GopherRepetitionFilter(language=language),
        GopherQualityFilter(language=language),
        C4QualityFilter(filter_no_terminal_punct=False, language=language),
        FineWebQualityFilter(language=language),
    )

    def rule(block: GopherRepetitionFilter) -> Rule:
        def reason(document: Document) -> str | None:
            keep, why = get_filter_result(block.filter(document))
            return None if keep else why

        return reason

    return dict(zip(STEPS, map(rule, blocks), strict=True))


def our_rules() -> dict[str, Rule]:
    return {
        name: lambda document, step=step: step.judge(step.measure(document)) for name, step in web.chain(STEPS).items()
    }


def chained(rules: dict[str, Rule], documents: list[str], *, stop: bool) -> Run:
    """Every document through the rules; with `stop` a dropped one goes no further."""
    run = Run()
    for number, text in enumerate(documents):
        document = Document(text=text, id=str(number))
        first = None
        for name, rule in rules.items():
            started = time.process_time()
            reason = rule(document)
            run.seconds[name] += time.process_time() - started
            run.seen[name] += 1
            first = first or reason
            if first and stop:
                break
        run.reasons.append(first)
        if first is None:
            run.kept.append(document)
    return run


def sign(run: Run, kind: type[MinhashDedupSignature], config: MinhashConfig, language: object) -> None:
    with tempfile.TemporaryDirectory() as folder:
        block = kind(folder, config, language=language)
        started = time.process_time()
        block.run(run.kept)
        run.seconds["minhash"] = time.process_time() - started
    run.seen["minhash"] = len(run.kept)


def compare(documents: list[str], theirs: dict[str, Rule], ours: dict[str, Rule], rounds: int) -> None:
    ratios, all_ratios = [], []
    for _ in range(rounds):
        reference = chained(theirs, documents, stop=True)
        sign(reference, MinhashDedupSignature, SHA1, "en")
        mine = chained(ours, documents, stop=True)
        sign(mine, Signature, XXHASH, words.for_datatrove("regex"))
        everything = chained(ours, documents, stop=False)
        sign(everything, Signature, XXHASH, words.for_datatrove("regex"))
        ratios.append(reference.total / mine.total)
        all_ratios.append(reference.total / everything.total)
    print_steps(reference, mine)
    equal = [(a is None) == (b is None) for a, b in zip(reference.reasons, mine.reasons, strict=True)]
    same = [a == b for a, b in zip(reference.reasons, mine.reasons, strict=True)]
    assert everything.reasons == mine.reasons
    print(f"  equal decisions {statistics.mean(equal):.1%}, equal reasons {statistics.mean(same):.1%}")
    for name, run in (("datatrove, spaCy", reference), ("ours", mine), ("ours, all scores", everything)):
        print(f"  {name:17} {len(documents) / run.total:7.0f} documents a CPU-second")
    for name, found in (("ours", ratios), ("ours, all scores", all_ratios)):
        spread = f"{min(found):.1f} to {max(found):.1f}"
        print(f"  {name:17} {statistics.median(found):7.1f} times datatrove (median; {spread})")
    print_signatures(mine)


def print_steps(reference: Run, mine: Run) -> None:
    print(f"  {'step':18} {'datatrove ms/document':>22} {'ours':>7} {'ratio':>6}   dropped: datatrove, ours")
    before = len(reference.reasons), len(mine.reasons)
    order = [*reference.seconds]
    for name, following in zip(order, [*order[1:], None], strict=True):
        a, b = (1000 * run.seconds[name] / max(1, run.seen[name]) for run in (reference, mine))
        after = tuple(run.seen[following] if following else run.seen[name] for run in (reference, mine))
        print(
            f"  {name:18} {a:22.2f} {b:7.2f} {a / max(b, 1e-9):6.1f}   {before[0] - after[0]}, {before[1] - after[1]}"
        )
        before = after


def print_signatures(run: Run) -> None:
    """What the words, the hash function and our class each bring."""
    print("  signature, ms/document:", end="")
    sides = {
        "datatrove spaCy sha1": (MinhashDedupSignature, SHA1, "en"),
        "datatrove regex sha1": (MinhashDedupSignature, SHA1, words.for_datatrove("regex")),
        "ours regex sha1": (Signature, SHA1, words.for_datatrove("regex")),
        "ours regex xxhash": (Signature, XXHASH, words.for_datatrove("regex")),
    }
    for name, side in sides.items():
        sign(run, *side)
        print(f"  {name} {1000 * run.seconds['minhash'] / max(1, len(run.kept)):.2f}", end=";")
    print()


if __name__ == "__main__":
    main()
