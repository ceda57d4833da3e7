"""What does the model know? Ask each question several times, and write what it should learn: "I don't know" included.

    accelerate launch -m hfllm.stages.probe recipes/tiny/probe.yaml

Reads a chat model and questions with their answers (`datasets`; `templates` or another model can make them). Writes to
`output_dir` train.jsonl (`messages`, for the stage sft): a refusal for each question that it never answers rightly, its
own right answer for each that it always does; calibration.json, how often it is right out of `samples`; and
answers.jsonl, every reply with its verdict (hfllm/knowledge.py), one line a question. Started again after a crash it
goes on behind the last one in there.
Llama 3, arXiv 2407.21783, section 4.3.6."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hfllm import json_lines, knowledge, limits, models, progress, recipe, threads
from hfllm.answers import after_thinking
from hfllm.chat.model import is_base, load, load_tokenizer
from hfllm.chat.sampling import Sampling
from hfllm.data import DatasetConfig
from hfllm.errors import UserMistake, refuse
from hfllm.generate import Answer, generate
from hfllm.probing import lessons, questions, table, writing
from hfllm.probing.lessons import LessonConfig

if TYPE_CHECKING:
    from hfllm.chat.model import Talker

ANSWERS, ROWS, TABLE = "answers.jsonl", "train.jsonl", "calibration.json"
BATCHES_AT_ONCE = 4  # replies to so many are drawn before they are written down

Row = dict[str, Any]


@dataclass
class ProbeConfig:
    """Which model is asked what, and how often."""

    model_name_or_path: str = field(metadata={"help": "A chat model: a folder, an adapter folder, or a Hub id."})
    output_dir: str = field(metadata={"help": "Folder to write."})
    datasets: list[DatasetConfig] = field(
        metadata={
            "help": "Rows with question and answer (a text, a list, or null for what nobody can answer), or text."
        }
    )
    templates: list[str] = field(
        default_factory=list, metadata={"help": "Questions made of columns, each of each row: ['Who is {subject}?']"}
    )
    question_model: str | None = field(
        default=None, metadata={"help": "A chat model that writes a question about each row's text, and its answer."}
    )
    by: str | None = field(default=None, metadata={"help": "Column to tell the shares by, such as popularity."})
    samples: int = field(default=8, metadata={"help": "Replies drawn to each question."})
    temperature: float = field(default=1.0, metadata={"help": "Of the drawing; 1 is the model's own distribution."})
    top_p: float | None = field(
        default=None, metadata={"help": "Draw among the likeliest tokens that make up this share; null: among all."}
    )
    max_new_tokens: int = field(default=64, metadata={"help": "Longest reply; one cut off is judged, but not learned."})
    fuzzy: float | None = field(
        default=None, metadata={"help": "Words as alike as this (0 to 1) count as the answer, too; null: only itself."}
    )
    judge_model: str | None = field(
        default=None, metadata={"help": "A chat model that is asked about replies in which no answer is found."}
    )
    batch_size: int = field(default=64, metadata={"help": "Replies drawn at the same time."})
    seed: int = field(default=0, metadata={"help": "The same seed gives the same replies and rows."})


def main(config: ProbeConfig, lesson: LessonConfig) -> dict[str, Any]:
    """Ask, judge and write; returns the shares of right, wrong and refused, and how many rows there are to learn."""
    check(config, lesson)
    name = models.find_model(config.model_name_or_path)
    writer_name, judge_name = (
        models.find_model(one) if one else None for one in (config.question_model, config.judge_model)
    )
    for one in filter(None, (name, writer_name, judge_name)):
        if is_base(one, load_tokenizer(one)):
            raise UserMistake(f"{one} has not learned to answer; run the stage sft first")
    passages = writing.passages(config.datasets) if writer_name else []
    asked = [] if writer_name else questions.read(config.datasets, config.templates)
    check_columns(config, lesson, [questions.plain_columns(row) for row in passages] + [one["row"] for one in asked])

    from transformers.utils import logging

    logging.disable_progress_bar()  # of loading weights
    threads.choose(None)
    if writer_name:
        asked = writing.write(load(writer_name, base=False), passages, Path(config.output_dir), config.batch_size)
    answered = ask(config, load(name, base=False), load(judge_name, base=False) if judge_name else None, asked)
    found = table.calibration(answered, config.by)
    print(*table.lines(found, config.samples), sep="\n")
    folder = Path(config.output_dir)
    (folder / TABLE).write_text(json.dumps({"samples": config.samples} | found, indent=1), encoding="utf-8")
    rows = lessons.lessons(answered, lesson, random.Random(config.seed))
    if not rows:
        tried = f"{len(answered)} questions, {config.samples} replies each"
        raise UserMistake(f"{tried}: not both known and unknown ones; see {folder / TABLE}, or known_per_unknown: null")
    json_lines.write(folder / ROWS, rows)
    return numbers(answered, found, rows, lesson)


def check(config: ProbeConfig, lesson: LessonConfig) -> None:
    """Raises `UserMistake` for what can be seen wrong without loading anything."""
    refuse(mistakes(asdict(config) | asdict(lesson)))


def mistakes(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Key and message of what is wrong with a recipe's values."""
    yield from limits.of_drawing(values)
    yield from limits.too_small(values, {"samples": 1, "batch_size": 1})
    yield from lessons.mistakes(values)
    if not values.get("datasets"):
        yield "datasets", "the recipe needs questions:  datasets: [{path: mine.jsonl}]"
    temperature, samples = (values.get(key, getattr(ProbeConfig, key)) for key in ("temperature", "samples"))
    if temperature == 0 and samples > 1:
        yield "temperature", "0 gives the same reply each time; write  samples: 1  or for instance 0.7"
    if values.get("question_model") and values.get("templates"):
        yield "templates", "templates and question_model are two ways to make questions; remove one"
    if (fuzzy := values.get("fuzzy")) is not None and not 0 < fuzzy <= 1:
        yield "fuzzy", f"{fuzzy} must be above 0 and at most 1, such as 0.8"


def check_columns(config: ProbeConfig, lesson: LessonConfig, rows: list[Row]) -> None:
    """Whether every {name} of the recipe, and the column `by`, is in every row."""
    for columns in {tuple(row) for row in rows}:
        if config.by is not None and config.by not in columns:
            raise UserMistake(f"by: {config.by}: a data set has the columns {', '.join(columns)}")
        for key, texts in {"refusals": lesson.refusals, "phrasings": lesson.phrasings}.items():
            for text in texts:
                questions.check_template(key, text, [*columns, "question"], "a data set")


def ask(config: ProbeConfig, talker: Talker, judge: Talker | None, asked: list[Row]) -> list[Row]:
    """Every question with its judged replies, in order; written to answers.jsonl a few batches at a time."""
    file = Path(config.output_dir, ANSWERS)
    step = max(1, BATCHES_AT_ONCE * config.batch_size // config.samples)
    answered = json_lines.whole_steps(json_lines.read(file), step, len(asked))
    json_lines.write(file, answered)
    for start in range(len(answered), len(asked), step):
        some = asked[start : start + step]
        prompts = [[{"role": "user", "content": one["question"]}] for one in some]
        answers = generate(
            talker.model,
            talker.tokenizer,
            [prompt for prompt in prompts for _ in range(config.samples)],
            sampling=Sampling(config.temperature, None, config.top_p, seed=seed_of(config, start)),
            max_new_tokens=config.max_new_tokens,
            batch_size=config.batch_size,
        )
        parts = [answers[place : place + config.samples] for place in range(0, len(answers), config.samples)]
        new = [judged(one, part, config.fuzzy) for one, part in zip(some, parts, strict=True)]
        if judge is not None:
            new = second_look(new, judge, config.batch_size)
        json_lines.append(file, new)
        answered += new
        share = sum(row["right"] for row in answered) / (len(answered) * config.samples)
        progress.report(len(answered), len(asked), f"{share:.0%} right")
    return answered


def judged(asked: Row, answers: Sequence[Answer], fuzzy: float | None) -> Row:
    """A question with what was replied."""
    replies = [
        {"text": one.text, "verdict": knowledge.verdict(one.text, asked["answers"], fuzzy=fuzzy), "ended": one.ended}
        for one in answers
    ]
    return counted(asked | {"replies": replies})


def counted(probed: Row) -> Row:
    verdicts = [reply["verdict"] for reply in probed["replies"]]
    return probed | {"right": verdicts.count("right"), "refused": verdicts.count("refused")}


def second_look(probed: list[Row], judge: Talker, batch_size: int) -> list[Row]:
    """The replies in which no accepted answer was found, judged by a model: "in 1889" for "the year of the fair"."""
    doubtful = [
        (row, reply) for row in probed if row["answers"] for reply in row["replies"] if reply["verdict"] == "wrong"
    ]
    verdicts = generate(
        judge.model,
        judge.tokenizer,
        [knowledge.judge_prompt(row["question"], row["answers"], reply["text"]) for row, reply in doubtful],
        sampling=Sampling(temperature=0.0),
        max_new_tokens=knowledge.JUDGE_TOKENS,
        batch_size=batch_size,
    )
    if verdicts and all(out_of_room(said.text) for said in verdicts):
        raise UserMistake(
            f"judge_model: it thinks first, and {knowledge.JUDGE_TOKENS} tokens are too few for that: not one of "
            f"{len(verdicts)} replies came to a yes or no.\n  Name a model that answers at once, or remove judge_model"
        )
    for (_, reply), said in zip(doubtful, verdicts, strict=True):
        reply["verdict"] = "right" if knowledge.says_yes(said.text) else "wrong"
    return [counted(row) for row in probed]


def out_of_room(text: str) -> bool:
    """out_of_room("<think>Let me see") and not out_of_room("<think></think>No.")"""
    return text.lstrip().startswith("<think>") and not after_thinking(text).strip()


def numbers(answered: list[Row], found: Row, rows: list[Row], lesson: LessonConfig) -> dict[str, Any]:
    """Shares of all replies; questions and rows by what they count as."""
    kinds = [lessons.kind(row, lesson) for row in answered]
    taught = [row["kind"] for row in rows]
    return {
        **found["all"],
        **{kind: kinds.count(kind) for kind in ("known", "between", "unknown")},
        **{f"rows_{kind}": taught.count(kind) for kind in ("known", "unknown")},
        **({"by": {name: shares(row) for name, row in found["by"].items()}} if "by" in found else {}),
    }


def shares(row: Row) -> Row:
    return {verdict: row[verdict] for verdict in ("right", "wrong", "refused")}


def seed_of(config: ProbeConfig, start: int) -> int:
    """Other replies to each part of the questions, and for each `seed`."""
    return random.Random(f"{config.seed}/{start}").getrandbits(62)


CHECK = mistakes  # asked by `hfllm check`


if __name__ == "__main__":
    recipe.run(main)
