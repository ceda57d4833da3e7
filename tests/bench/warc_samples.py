"""Does the stage `data` account for every record of real archives, broken ones among them?

    python -m tests.bench.warc_samples DATA/warc_samples

Runs the stage on a copy of each file below the folder (`x.warc.gz.bad` as `x.warc.gz`), then on all of them together,
with steps that drop next to nothing. Printed for each file: records, documents, records that are no pages, the records
that plain warcio finds (`-` where it complains), and what is broken. Ends with an error when records are not documents
and no pages, when warcio finds another number, or when all together are not the sum of each."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from warcio.archiveiterator import ArchiveIterator
from warcio.exceptions import ArchiveLoadFailed

from hfllm.errors import UserMistake
from hfllm.stages.data import main as clean
from hfllm.web.config import DataConfig

STEPS: list[str | dict[str, dict[str, Any] | None]] = [
    {"url_lists": {"lists": [], "words": False}},
    {"extract": {"max_lost": 1}},
    {"language": {"keep": [], "max_lost": 1}},
]


@dataclass(frozen=True)
class Line:
    """What became of the records of some files."""

    name: str
    records: int
    documents: int
    not_pages: int
    broken: str
    peer: int | None = None  # warcio's count; None where it cannot read all of the file

    @property
    def wrong(self) -> str | None:
        if self.records != self.documents + self.not_pages:
            return f"{self.name}: {self.records} records are not {self.documents} documents and {self.not_pages} others"
        if self.peer not in (None, self.records):
            return f"{self.name}: {self.records} records, and warcio finds {self.peer}"
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    with tempfile.TemporaryDirectory() as temporary:
        files = list(copies(folder, Path(temporary, "copies")))
        lines = [read([file], Path(temporary, f"out-{number}")) for number, file in enumerate(files)]
        together = read(files, Path(temporary, "out-all"))
    show([*lines, together])
    wrong = [line.wrong for line in [*lines, together] if line.wrong]
    for name in ("records", "documents", "not_pages"):
        each, all_ = sum(getattr(line, name) for line in lines), getattr(together, name)
        wrong += [f"{name}: {all_} together, {each} one by one"] if each != all_ else []
    if not lines or wrong:
        sys.exit("\n".join(wrong or [f"{folder}: no archives"]))


def copies(folder: Path, target: Path) -> Iterator[Path]:
    """All archives of the folder at the same places below `target`."""
    for file in sorted(folder.rglob("*")):
        copy = target / file.relative_to(folder).with_name(file.name.removesuffix(".bad"))
        if file.is_file() and {".warc", ".arc", ".wet", ".wat"} & set(copy.suffixes):
            copy.parent.mkdir(parents=True, exist_ok=True)
            yield Path(shutil.copyfile(file, copy))


def read(files: list[Path], output: Path) -> Line:
    """The stage on these files, by its funnel.json."""
    output.mkdir()
    config = DataConfig(output_dir=str(output), steps=STEPS, inputs=[str(file) for file in files], workers=1)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as said:
        try:
            clean(config)
        except UserMistake as mistake:  # none of the pages is kept: of some of these files none can be
            if not (output / "funnel.json").exists():
                raise UserMistake(f"{files[0]}: {mistake}\n{said.getvalue()}") from mistake
    funnel = json.loads((output / "funnel.json").read_text(encoding="utf-8"))
    others = sum(funnel["not_pages"].values())
    broken = [one["message"] for one in funnel["broken"]]
    if len(files) > 1:
        return Line("all together", funnel["records"], funnel["documents"], others, f"{len(broken)} files")
    name = "/".join(files[0].parts[-2:])
    return Line(name, funnel["records"], funnel["documents"], others, "".join(broken), warcio_count(files[0]))


def warcio_count(file: Path) -> int | None:
    with file.open("rb") as content, contextlib.redirect_stderr(io.StringIO()):
        records = ArchiveIterator(content, no_record_parse=True)
        try:
            count = sum(1 for _ in records)
        except (ArchiveLoadFailed, ValueError):
            return None
    return None if records.err_count else count


def show(lines: list[Line]) -> None:
    print(f"{'':48} {'records':>8} {'documents':>10} {'not pages':>10} {'warcio':>7}  broken")
    for line in lines:
        peer = "-" if line.peer is None else line.peer
        print(f"{line.name:48} {line.records:8} {line.documents:10} {line.not_pages:10} {peer:>7}  {line.broken}")


if __name__ == "__main__":
    main()
