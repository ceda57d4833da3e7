"""Where did the text come from, and into which pieces is it cut? The funnel of a crawl, and a text in tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from hfllm.report import bars
from hfllm.report.bars import Bars, Group
from hfllm.report.blocks import Block, Facts, Piece, Section, Tokens
from hfllm.report.files import has, number, text
from hfllm.report.runs import Course, Run
from hfllm.report.table import Table
from hfllm.report.words import plain
from hfllm.web.outcome import wording

COLOURS = 7  # of the page's .t0 to .t6
LONGEST = 320  # characters of the sample
SAMPLE = (
    "Once there was a small donkey that lived by the garden. One day Cleo counted: 47 + 36 = 83. "
    "“Unbelievable!” said the otter, who had never heard of antidisestablishmentarianism. Straße, Ελλάδα, 🙂"
)


def sections(course: Course) -> Iterator[Section]:
    for run in course.of("data"):
        if steps := course.reader.json(run.folder / "funnel.json", _steps):
            yield _funnel(run, steps)
    if cut := [one for run in course.of("tokenizer") for one in _tokens(course, run)]:
        yield Section(
            "tokens",
            "Tokens",
            "A model reads no letters but tokens: pieces of text that stand often in it. Each colour below is one "
            "token; common words are whole, rare ones fall apart, and what the tokenizer never saw goes byte by "
            "byte.",
            cut,
            [run.name for run in course.of("tokenizer")],
        )


@dataclass(frozen=True)
class Step:
    """What one step of the crawl's funnel let in and out, and why it dropped the rest."""

    name: str
    came: int
    kept: int
    reasons: dict[str, int]

    @property
    def lost(self) -> int:
        return self.came - self.kept


def _steps(funnel: Any) -> list[Step]:
    read = _step("pages read", funnel["records"], funnel["documents"], funnel["not_pages"])
    return [read] + [
        _step(text(step["name"]), step["documents_in"], step["documents_out"], step["dropped"])
        for step in funnel["steps"]
    ]


def _step(name: str, came: Any, kept: Any, reasons: Any) -> Step:
    return Step(name, int(number(came)), int(number(kept)), _counts(reasons))


def _counts(found: dict[str, Any]) -> dict[str, int]:
    return {name: int(number(size)) for name, size in found.items()}


def _funnel(run: Run, steps: Sequence[Step]) -> Section:
    pages, kept = steps[0].kept, steps[-1].kept
    drawn = [
        bars.stack(
            plain(step.name),
            f"{step.kept:,}",
            [("c0", f"{step.kept:,} kept", step.kept), ("lost", f"{step.lost:,} lost", step.lost)],
            max(step.came for step in steps),
        )
        for step in steps
    ]
    table = Table(
        "What was lost, and why",
        ["step", "in", "out", "lost", "reasons"],
        [
            [step.name, f"{step.came:,}", f"{step.kept:,}", wording.share(step.lost, step.came), _told(step)]
            for step in steps
        ],
    )
    legend = [("c0", "goes on to the next step"), ("lost", "lost here")]
    return Section(
        f"funnel-{run.name}",
        "From the web to text",
        "Most of a crawl is no text worth reading: menus, spam, copies, other languages. Each step looks at what the "
        f"one before it kept; of {wording.plural(pages, 'page')} {kept:,} are left ({wording.share(kept, pages)}). The "
        "folder's own funnel.html shows examples of what went.",
        [Bars("Documents left after each step", "", [Group("", drawn)], legend, table)],
        [run.name],
    )


def _told(step: Step) -> str:
    ordered = sorted(step.reasons.items(), key=lambda pair: -pair[1])
    told = [f"{wording.shorten(name, 40)} {size:,}" for name, size in ordered if size]
    return ", ".join(told[:5] + ([f"{len(told) - 5} more reasons"] if len(told) > 5 else []))


def _tokens(course: Course, run: Run) -> Iterator[Block]:
    named = {"vocab_size": "tokens that it knows", "bytes_per_token": "bytes a token, on unseen text"}
    known = [(words, wording.number(run.numbers[key])) for key, words in named.items() if has(run.numbers, key)]
    longest = run.numbers.get("longest_tokens")
    if isinstance(longest, list) and longest:
        known.append(("longest tokens", wording.shorten(", ".join(str(token).strip() for token in longest[:6]), 120)))
    if known:
        yield Facts(known)
    if pieces := course.reader.read(run.folder / "tokenizer.json", _pieces):
        yield Tokens(f"A text as {run.name} cuts it", pieces)


def _pieces(file: Path) -> list[Piece]:
    from hfllm.tokenizing import segments

    view = segments.view(SAMPLE[:LONGEST], str(file.parent))
    place = count()
    return [
        Piece(
            segment.text,
            "special" if segment.special else f"t{next(place) % COLOURS}" if segment.ids else "dropped",
            f"{wording.plural(len(segment.ids), 'token')}: {' '.join(map(str, segment.ids))}",
        )
        for segment in view.segments
    ]
