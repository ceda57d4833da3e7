"""What does the page say, and in which order? All sections of a course, drawn by hfllm/templates/report.html.

    Path("report.html").write_text(page(runs.find([Path("runs/tiny")])), encoding="utf-8")

The page needs nothing but a browser: no network, no script. What models and crawled pages say is untrusted: it is shown
as text, cut to a sensible length."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from hfllm import places
from hfllm.report import (
    arena,
    cost,
    identity,
    knowledge,
    over_optimisation,
    overview,
    practice,
    preferences,
    pretraining,
    recipes,
    skills,
    text,
    tuning,
)
from hfllm.report.bars import Bars
from hfllm.report.blocks import Block, Section
from hfllm.report.lines import Lines
from hfllm.report.runs import Course
from hfllm.web.outcome import wording

if TYPE_CHECKING:
    from jinja2 import Template

TEMPLATES = places.PACKAGE / "templates"
THEMES = (
    *(text, pretraining, tuning, knowledge, identity, skills, practice, preferences, over_optimisation, arena),
    *(cost, recipes),
)


def page(course: Course) -> str:
    """The whole page; what could not be read is told at its end."""
    sections = [section for theme in THEMES for section in theme.sections(course)]
    return _template().render(
        name=course.name,
        lead=overview.lead(course),
        headline=overview.headline(course),
        rows=overview.rows(course, sections),
        sections=sections,
        notes=list(dict.fromkeys(course.reader.notes)),
    )


def rows_of_blocks(section: Section) -> list[tuple[str, list[Block]]]:
    """Neighbours that stand side by side together: ("lines" or "bars", them), others as ("", them)."""
    return [(kind, list(some)) for kind, some in groupby(section.blocks, key=_beside)]


def _beside(block: Block) -> str:
    match block:
        case Lines():
            return "lines"
        case Bars(wide=False):
            return "bars"
    return ""


def cut(value: str, most: int) -> str:
    """The beginning of a text: cut("abcdef", 3) == "abc …" """
    return value if len(value) <= most else f"{value[:most]} …"


def numeric(rows: Sequence[Sequence[str]], column: int) -> bool:
    """Whether the cells of a column begin with a figure, so that they stand at the right."""
    cells = [row[column] for row in rows if column < len(row) and row[column]]
    return column > 0 and all(cell.lstrip("+-< >")[:1].isdigit() and len(cell) < 40 for cell in cells)


@functools.cache
def _template() -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        autoescape=True,
        finalize=wording.visible,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FileSystemLoader(TEMPLATES),
    )
    filters = (rows_of_blocks, cut, numeric, wording.shorten, wording.number)
    environment.filters |= {function.__name__: function for function in filters}
    return environment.get_template("report.html")
