"""Find the rows of evaluation sets in the text: pages that a model must not be trained on if it is to be measured.

N-grams of 13 words, as GPT-3 (arXiv 2005.14165, appendix C). Each page is told which rows it holds, and how much of
them. It flags by default: shared n-grams are mostly innocent (quotations, news, lists of numbers: 88 of 114 sources
were false alarms in marin, #6852), so look at `matches` before dropping.

    - decontaminate:
        against:
          - {task: gsm8k}
          - {path: data/my_test.jsonl, split: train, columns: [question, answer]}
        action: drop"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import yaml

from hfllm import keys, mistakes, tasks
from hfllm.data import DatasetConfig
from hfllm.data import load as load_rows
from hfllm.errors import UserMistake
from hfllm.web.step import Limit, Need, Scores, Step

if TYPE_CHECKING:
    from datasets import Dataset
    from datatrove.data import Document

    from hfllm.web.text.ngrams import NgramIndex

Action = Literal["flag", "drop"]
EVAL_SPLITS = {"countdown": "train", "hellaswag": "validation", "ifeval": "train", "piqa": "validation"}  # else test
TASK_COLUMNS = ("prompt", "solution")  # an answer alone is a letter or a number
MATCHES_KEPT = 5


@dataclass(kw_only=True)
class Decontaminate(Step):
    """Flag or drop pages that hold rows of evaluation sets."""

    MEASURED_BY: ClassVar[frozenset[str]] = frozenset({"ngram", "min_words"})

    against: list[dict[str, Any]] = field(
        default_factory=list,
        metadata={
            "help": "Evaluation sets: {task: gsm8k, split: test}, the split being the task's own by default, or "
            "{path: FILE_FOLDER_OR_HUB_ID, split: test, columns: [question, answer]}, all texts by default."
        },
    )
    action: Action = field(
        default="flag", metadata={"help": "flag: the page is kept and says what it holds; drop: see min_coverage."}
    )
    ngram: int = field(default=13, metadata={"help": "Words of an n-gram; GPT-3, appendix C."})
    min_words: int = field(
        default=8, metadata={"help": "Rows shorter than an n-gram are looked for whole from this many words on."}
    )
    min_coverage: float = field(
        default=0.5,
        metadata={
            "help": "Drop a page that holds at least this share of a row's n-grams. Chosen by us: a question of 40 "
            "words in which one word was changed keeps .54 of them, a row that shares a quotation has less."
        },
    )

    index_folder = ""  # these are set by `prepare`, and are no options
    digest = ""
    not_looked_for = 0

    def check(self) -> None:
        if not self.against:
            raise UserMistake("step decontaminate: against: no evaluation set; write  against: [{task: gsm8k}]")
        for entry in self.against:
            _check(entry)
        if not 1 <= self.min_words <= self.ngram:
            raise UserMistake(
                f"step decontaminate: min_words: {self.min_words} is not between 1 and ngram ({self.ngram})"
            )
        if not 0 < self.min_coverage <= 1:
            raise UserMistake(f"step decontaminate: min_coverage: {self.min_coverage} is not a share above 0, up to 1")

    def needs(self) -> list[Need]:
        return [_set_need(entry) for entry in self.against]

    def prepare(self, folder: Path) -> None:
        """Reads the sets and writes the index of their n-grams, under a name that tells the content."""
        index = self._index()
        self.index_folder = str((folder / f"ngrams-{self.digest}").resolve())
        index.save(Path(self.index_folder))
        if self.not_looked_for:
            print(
                f"decontaminate: {self.not_looked_for:,} rows are not looked for: under {self.min_words} words, "
                "or all in the wording of their set"
            )

    def measured_by(self) -> dict[str, Any]:
        if not self.digest:
            self._index()
        return {**super().measured_by(), "rows": self.digest}

    def measure(self, document: Document) -> Scores:
        from hfllm.web.text import ngrams  # here, as in all functions of this file: numpy takes 70 ms

        found = ngrams.matches(document.text, self.index_folder)
        if not found:
            return {"coverage": 0.0}
        kept = [{"id": match.id, "coverage": match.coverage, "ngram": match.ngram} for match in found[:MATCHES_KEPT]]
        return {"coverage": found[0].coverage, "matches": kept}

    def limits(self) -> list[Limit]:
        if self.action == "flag":
            return []
        below = math.nextafter(self.min_coverage, 0)  # a limit is broken above its maximum; here, from it on
        return [Limit("contaminated", "coverage", maximum=below)]

    def _index(self) -> NgramIndex:
        from hfllm.web.text import ngrams

        rows = [list(_rows(entry)) for entry in self.against]
        parts = partial(_parts, ngram=self.ngram, min_words=self.min_words)
        index = ngrams.index([[(id_, part) for id_, texts in one for part in parts(texts)] for one in rows], self.ngram)
        looked_for = {id_ for id_, size in zip(index.ids, index.sizes.tolist(), strict=True) if size}
        self.not_looked_for = sum(map(len, rows)) - len(looked_for)
        self.digest = index.digest
        return index


def _parts(texts: list[str], *, ngram: int, min_words: int) -> list[list[str]]:
    """The words of each text of a row, since a page may have the question alone; short ones are taken together."""
    from hfllm.web.text import ngrams

    found = [ngrams.words(text) for text in texts]
    long = [words for words in found if len(words) >= ngram]
    together = [word for words in found for word in words]
    return long or [together] * (len(together) >= min_words)


def _rows(entry: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """The id of each row, such as gsm8k/test/12, and its texts."""
    place, dataset, columns = _read(entry)
    for number, row in enumerate(dataset.select_columns(columns)):
        yield f"{place}/{number}", [text for column in columns if (text := _text(row[column]))]


def _read(entry: dict[str, Any]) -> tuple[str, Dataset, list[str]]:
    if "task" in entry:
        task = _task(entry)
        dataset = tasks.load(task)
        return f"{task.name}/{task.split}", dataset, [name for name in TASK_COLUMNS if name in dataset.column_names]
    config = DatasetConfig(**{"split": "test", **entry})
    dataset = load_rows(config)
    named = entry.get("columns") or [name for name, kind in dataset.features.items() if _holds_text(kind)]
    columns = list(named.values() if isinstance(named, dict) else named)
    return "/".join(part for part in (config.path.rstrip("/"), config.name, config.split) if part), dataset, columns


def _holds_text(kind: Any) -> bool:
    """Whether a column of this kind has words in it, alone, in lists or in mappings."""
    from datasets import LargeList, List, Translation, Value
    from datasets.features import Json

    match kind:
        case Value():
            return kind.dtype in ("string", "large_string")
        case List() | LargeList():
            return _holds_text(kind.feature)
        case dict():
            return any(map(_holds_text, kind.values()))
        case _:
            return isinstance(kind, Json | Translation)


def _task(entry: dict[str, Any]) -> tasks.TaskConfig:
    rest = {key: value for key, value in entry.items() if key != "task"}
    return tasks.TaskConfig(entry["task"], **{"split": EVAL_SPLITS.get(entry["task"], "test"), **rest})


def _check(entry: dict[str, Any]) -> None:
    """Raises `UserMistake` for an entry of `against` with wrong keys or values, or of an unknown task."""
    if not {"task", "path"} & entry.keys():
        raise UserMistake(
            f"step decontaminate: against: {entry} names neither a task nor a path; write  {{task: gsm8k}}"
        )
    known = keys.properties_of(tasks.TaskConfig if "task" in entry else DatasetConfig)
    if "task" in entry:
        known["task"] = known.pop("name")
    node = mistakes.compose(yaml.safe_dump(entry))
    assert node is not None, "the mapping is not empty"
    schema = {"type": "object", "properties": known, "additionalProperties": False}
    for one in mistakes.problems(node, schema):
        raise UserMistake(f"step decontaminate: against: {one.key}: {one.message}")
    if "task" in entry:
        tasks.find(entry["task"])


def _set_need(entry: dict[str, Any]) -> Need:
    what = f"evaluation set {entry.get('task') or entry.get('path')}"
    try:
        place, dataset, _ = _read(entry)
    except UserMistake as mistake:
        return Need(what, None, str(mistake))
    return Need(what, f"{place}, {len(dataset):,} rows")


def _text(value: Any) -> str:
    """The words of a cell: a text, a list of texts (choices), chat messages, or a mapping of these."""
    match value:
        case str():
            return value
        case {"role": _, "content": content}:
            return _text(content)
        case dict():
            return " ".join(map(_text, value.values()))
        case list():
            return " ".join(map(_text, value))
    return ""
