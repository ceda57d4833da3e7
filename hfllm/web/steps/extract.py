"""HTML becomes text: the step `extract`, with trafilatura, as in FineWeb (arXiv 2406.17557, section 3.2).

Drops pages with no text, and those that trafilatura did not survive. Pages that came as text pass as they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from hfllm.errors import UserMistake
from hfllm.mistakes import near
from hfllm.web.step import Need, Scores, Step
from hfllm.web.text import extraction

if TYPE_CHECKING:
    from datatrove.data import Document

PAGE = "<html><body><h1>A test</h1>{}</body></html>".format("<p>This is a paragraph of a page, long enough.</p>" * 3)


@dataclass(kw_only=True)
class Extract(Step):
    """Extract the text of a web page, without menus, comments and advertisements."""

    MEASURED_BY = frozenset(field.name for field in fields(extraction.Options))
    STOPS = True

    max_lost: float = field(
        default=0.5,
        metadata={"help": "Stop the run when more than this share of the first pages that reach it gives no text."},
    )
    favor: str = field(
        default="precision",
        metadata={"help": "precision: less text, and less of it boilerplate; recall: more of both; or balanced."},
    )
    deduplicate: bool = field(
        default=True,
        metadata={"help": "Drop a segment of over 100 characters that came three times before on the same page."},
    )
    include_tables: bool = field(default=True, metadata={"help": "Take the text of tables, a row a line."})
    include_links: bool = field(default=False, metadata={"help": "Write links with their targets: [text](url)."})
    max_cpu_seconds: float = field(
        default=30, metadata={"help": "Give a page up after this many seconds of CPU time, however busy the machine."}
    )
    max_html_characters: int = field(
        default=5_000_000, metadata={"help": "Do not even try pages with more characters of HTML."}
    )

    def check(self) -> None:
        if self.favor not in extraction.FAVORS:
            choices = ", ".join(extraction.FAVORS)
            raise UserMistake(
                f"step extract: favor: {self.favor!r} is none of {choices}{near(str(self.favor), extraction.FAVORS)}"
            )
        for name in ("max_cpu_seconds", "max_html_characters"):
            if getattr(self, name) <= 0:
                raise UserMistake(f"step extract: {name}: {getattr(self, name)} is not above 0")

    def needs(self) -> list[Need]:
        try:
            text = extraction.text_of(PAGE)
        except ImportError as error:
            return [Need("trafilatura", None, f"pip install trafilatura lxml_html_clean    ({error})")]
        finally:
            extraction.close()
        works = "This is a paragraph" in text
        return [
            Need("trafilatura", version("trafilatura") if works else None, "pip install --force-reinstall trafilatura")
        ]

    def measured_by(self) -> dict[str, Any]:
        return super().measured_by() | {"trafilatura": version("trafilatura")}  # each version has its own rules

    def measure(self, document: Document) -> Scores:
        if not document.metadata.get("html"):
            return {"characters": len(document.text)}
        try:
            document.text = extraction.text_of(document.text, self._options())
        except extraction.ExtractionError as error:
            return {"failed": error.reason}
        document.metadata["html"] = False
        return {"characters": len(document.text)}

    def judge(self, scores: Mapping[str, Any]) -> str | None:
        return scores.get("failed") or (None if scores["characters"] else "empty")

    def _options(self) -> extraction.Options:
        return extraction.Options(
            favor=self.favor,
            deduplicate=self.deduplicate,
            include_tables=self.include_tables,
            include_links=self.include_links,
            max_cpu_seconds=self.max_cpu_seconds,
            max_html_characters=self.max_html_characters,
        )
