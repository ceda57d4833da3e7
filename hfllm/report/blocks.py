"""What is a section of the page made of? Charts, tables, texts of models, notes: what the template can draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from hfllm.report.bars import Bars
from hfllm.report.lines import Lines
from hfllm.report.table import Table


@dataclass(frozen=True)
class Facts:
    """A few numbers with their names."""

    kind: ClassVar[str] = "facts"
    items: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Said:
    """What somebody wrote: a model, or a run of it at some step; `right` is None where nobody judged."""

    who: str
    text: str
    right: bool | None = None


@dataclass(frozen=True)
class Saying:
    """What was asked, and what was said to it."""

    prompt: str
    said: Sequence[Said]
    expected: str = ""


@dataclass(frozen=True)
class Sayings:
    kind: ClassVar[str] = "sayings"
    caption: str
    rows: Sequence[Saying]


@dataclass(frozen=True)
class Piece:
    """A part of a text that is one token, or several that make up one character."""

    text: str
    colour: str
    title: str


@dataclass(frozen=True)
class Tokens:
    kind: ClassVar[str] = "tokens"
    caption: str
    pieces: Sequence[Piece]


@dataclass(frozen=True)
class Note:
    """A sentence; `alarm` for what a reader must not miss."""

    kind: ClassVar[str] = "note"
    text: str
    alarm: bool = False


@dataclass(frozen=True)
class Code:
    """Text as it is, behind a click; `note` stands on the line that one clicks."""

    kind: ClassVar[str] = "code"
    caption: str
    text: str
    anchor: str
    note: str = ""
    facts: Sequence[tuple[str, str]] = ()


Block = Lines | Bars | Table | Facts | Sayings | Tokens | Note | Code


@dataclass(frozen=True)
class Section:
    """`runs` are the names of the runs that it is about; the overview links them to it."""

    anchor: str
    title: str
    lead: str
    blocks: Sequence[Block]
    runs: Sequence[str] = ()
