"""What is asked? The rows of data sets as questions with their accepted answers, and other wordings of a question."""

from __future__ import annotations

from collections.abc import Sequence
from string import Formatter
from typing import Any

from hfllm import data
from hfllm.data import DatasetConfig
from hfllm.errors import UserMistake
from hfllm.tasks import closed_book

Row = dict[str, Any]
ANSWERS = {"answer", "possible_answers"}
PLAIN = (str, int, float, bool, type(None))


def read(configs: Sequence[DatasetConfig], templates: Sequence[str]) -> list[Row]:
    """Rows with `question`, `answers` and, as `row`, the plain columns of the data set; one for each template, if any.

    Answers may be one text, a list, or as in TriviaQA, PopQA and SimpleQA; none at all for what nobody can answer.
    Raises `UserMistake` for missing columns."""
    return [asked for config in configs for asked in _questions(config, templates)]


def _questions(config: DatasetConfig, templates: Sequence[str]) -> list[Row]:
    dataset = data.load(config)
    columns = dataset.column_names
    if not templates:
        found = next((name for name in ("question", "problem") if name in columns), None)
        if found is None:
            raise UserMistake(
                f"{config.place} has the columns {', '.join(columns)}; the stage probe reads question and answer.\n"
                "  to mend it:   columns: {OLD: question}   or make questions:   templates: ['Who wrote {title}?']"
            )
        templates = [f"{{{found}}}"]
    if not ANSWERS & set(columns):
        raise UserMistake(f"{config.place} has the columns {', '.join(columns)}; the stage probe needs answer, too.")
    for template in templates:
        check_template("templates", template, columns, config.place)
    return [
        {
            "question": template.format_map(row),
            "answers": [str(one) for one in closed_book.accepted(row)],
            "row": plain_columns(row),
        }
        for row in dataset
        for template in templates
    ]


def plain_columns(row: Row) -> Row:
    """Texts and numbers: what is nested, such as the web pages of TriviaQA, is left out."""
    return {name: value for name, value in row.items() if isinstance(value, PLAIN)}


def check_template(key: str, template: str, columns: Sequence[str], place: str) -> None:
    """Raises `UserMistake` when a template of the recipe has a {name} that is no column, or is broken."""
    try:
        names = {name for _, name, _, _ in Formatter().parse(template) if name is not None}
    except ValueError as error:
        raise UserMistake(f"{key}: {template!r} is no template: {error}") from error
    unknown = sorted(names - set(columns))
    if unknown:
        wrong = ", ".join(f"{{{name}}}" for name in unknown)
        raise UserMistake(f"{key}: {template!r} has {wrong}; {place} has {', '.join(columns)}")


def wordings(asked: Row, phrasings: Sequence[str]) -> list[str]:
    """The question as it was asked, and in each of `phrasings`, whose {names} are columns or {question}."""
    values = asked["row"] | {"question": asked["question"]}
    return list(dict.fromkeys([asked["question"], *(phrasing.format_map(values) for phrasing in phrasings)]))
