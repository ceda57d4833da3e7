"""Evaluation: what models know, can do, and make up, side by side, each number with its interval.

    accelerate launch -m hfllm.stages.evaluate recipes/tiny/evaluate.yaml

Reads models and the data of `tasks` (hfllm/tasks), `probes` (hfllm/evaluating/probes) and `lm_eval` (EleutherAI's
lm-eval, extra `eval`). Writes to `output_dir` results.json and results.md (every number), samples.jsonl and samples.md
(some questions and what each model said), and answers/MODEL/MEASURE.jsonl: every answer, one line a question. Started
again after a crash it goes on behind the last question in there."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from hfllm import json_lines, limits, models, named, progress, recipe, threads, whole_file
from hfllm.chat.model import load
from hfllm.errors import UserMistake, refuse
from hfllm.evaluating import harness, measures, tables
from hfllm.evaluating.answering import PLACE, Speaker
from hfllm.evaluating.measures import Drawing, Measure
from hfllm.tasks import TaskConfig

ASKED = ("tasks", "probes", "lm_eval")
BATCHES_AT_ONCE = 4  # asked before they are written down: rows of like length together, less lost by a crash

Row = dict[str, Any]


@dataclass
class EvaluateConfig:
    """Which models are asked what, and how."""

    output_dir: str = field(metadata={"help": "Folder to write."})
    models: list[str] = field(
        default_factory=list, metadata={"help": "The models to compare: folders, adapter folders, or Hub ids."}
    )
    model_name_or_path: str | None = field(default=None, metadata={"help": "Instead of `models`, where it is one."})
    tasks: list[TaskConfig] = field(default_factory=list, metadata={"help": "Tasks whose problems are asked."})
    probes: dict[str, dict[str, Any] | None] = field(
        default_factory=dict,
        metadata={
            "help": "Probes by name with their options: of hfllm/evaluating/probes, or mine.py. "
            "{hallucination: {names: 50}}"
        },
    )
    lm_eval: list[str] = field(
        default_factory=list, metadata={"help": "Tasks of lm-eval, or YAML files that define some: [hellaswag]."}
    )
    lm_eval_rows: int | None = field(default=None, metadata={"help": "The first so many questions of each of them."})
    lm_eval_shots: int | None = field(default=None, metadata={"help": "Solved examples; null: what each task says."})
    multiple_choice: Literal["likelihood", "answer"] = field(
        default="likelihood",
        metadata={
            "help": "How tasks with choices are asked: which choice is likeliest (acc, acc_norm, as lm-eval counts), "
            "or for the letter."
        },
    )
    samples: int = field(default=0, metadata={"help": "Answers drawn for each problem of a task besides the greedy."})
    temperature: float = field(default=0.7, metadata={"help": "Of that drawing."})
    top_p: float | None = field(
        default=None, metadata={"help": "Draw among the likeliest tokens that make up this share; null: among all."}
    )
    max_new_tokens: int = field(default=512, metadata={"help": "Longest answer; a longer one is cut off there."})
    base_prompt: str = field(
        default=f"Question: {PLACE}\nAnswer:",
        metadata={"help": "How a base model is asked; its answer ends where the next question would begin."},
    )
    batch_size: int = field(default=64, metadata={"help": "Answers drawn, or choices read, at the same time."})
    seed: int = field(default=0, metadata={"help": "The same seed gives the same answers and intervals."})


def main(config: EvaluateConfig) -> dict[str, Any]:
    """Ask every model everything; returns the means, as {model: {measure: {group: {metric: value}}}}."""
    names = check(config)
    asked = measures.of_recipe(config.tasks, config.probes, config.multiple_choice == "likelihood")

    from transformers.utils import logging

    logging.disable_progress_bar()  # of loading weights
    threads.choose(None)
    evaluation = Evaluation(config, asked, sum(len(one.rows) for one in asked) * len(names))
    for name in names:
        evaluation.ask(name)
    return evaluation.write(names)


def check(config: EvaluateConfig) -> list[str]:
    """The models; raises `UserMistake` for what can be seen wrong without loading anything."""
    refuse(mistakes(asdict(config)))
    harness.check(config.lm_eval)
    names = [models.find_model(name) for name in config.models or [str(config.model_name_or_path)]]
    if len({slug(name) for name in names}) < len(names):
        raise UserMistake("models: one of them stands there twice; remove it")
    return names


def mistakes(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Key and message of what is wrong with a recipe's values."""
    yield from limits.of_drawing(values)
    yield from limits.too_small(values, {"samples": 0, "batch_size": 1})
    if bool(values.get("models")) == bool(values.get("model_name_or_path")):
        yield "models", "the recipe needs  models:  or  model_name_or_path:  and not both"
    if values.get("samples", 0) > 1 and values.get("temperature") == 0:
        yield "temperature", "0 gives the same answer each time; write  samples: 0  or for instance 0.7"
    if PLACE not in values.get("base_prompt", PLACE):
        yield "base_prompt", f"has no {PLACE}, where the question goes"
    if not any(values.get(key) for key in ASKED):
        yield "tasks", "the recipe asks nothing; write  tasks:  probes:  or  lm_eval:"
    yield from named.problems(dict(values))
    yield from one_file_twice(values)


def one_file_twice(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What would read the answers to another measure as its own: lm_eval: [old/arc.yaml, new/arc.yaml]"""
    try:
        task_names = measures.task_names([TaskConfig(**entry) for entry in values.get("tasks") or []])
    except UserMistake as mistake:
        yield "tasks", str(mistake).removeprefix("tasks: ")
        return
    found: dict[str, str] = {}
    probe_names = [name.removesuffix(".py").rpartition("/")[2] for name in values.get("probes") or {}]
    lm_eval_names = [lm_eval_name(task) for task in values.get("lm_eval") or []]
    for key, names in (("tasks", task_names), ("probes", probe_names), ("lm_eval", lm_eval_names)):
        for name in names:
            if other := found.get(slug(name)):
                yield key, f"{other!r} and {name!r} would share the file answers/MODEL/{slug(name)}; rename one of them"
            found[slug(name)] = name


class Evaluation:
    """What has been asked so far: lines and results by model and measure."""

    def __init__(self, config: EvaluateConfig, asked: Sequence[Measure], questions: int) -> None:
        self.config, self.asked, self.questions, self.done = config, asked, questions, 0
        self.drawing = Drawing(config.samples, config.temperature, config.top_p, config.max_new_tokens, config.seed)
        self.lines: dict[str, dict[str, list[Row]]] = {one: {} for one in self.measure_names()}
        self.others: list[Row] = []

    def measure_names(self) -> list[str]:
        return [*(one.name for one in self.asked), *map(lm_eval_name, self.config.lm_eval)]

    def ask(self, name: str) -> None:
        """All questions to one model that an earlier call has not asked; it is loaded when the first is needed."""
        speaker = functools.cache(
            lambda: Speaker(load(name, base=False), self.config.base_prompt, self.config.batch_size)
        )
        for measure in self.asked:
            self.lines[measure.name][name] = self.ask_measure(name, measure, speaker)
        for task in self.config.lm_eval:
            found = self.ask_lm_eval(name, task, speaker)
            self.lines[lm_eval_name(task)][name] = found["lines"]
            self.others += [{"measure": lm_eval_name(task), **row, "model": name} for row in found["others"]]

    def ask_measure(self, name: str, measure: Measure, speaker: Callable[[], Speaker]) -> list[Row]:
        """A line for each question, written down a few batches at a time."""
        file = self.file_of(name, measure.name)
        step = max(1, BATCHES_AT_ONCE * self.config.batch_size // measure.answers_of_a_row(self.drawing))
        lines = json_lines.whole_steps(json_lines.read(file), step, len(measure.rows))
        json_lines.write(file, lines)
        self.done += len(lines)
        while len(lines) < len(measure.rows):
            some = measure.rows[len(lines) : len(lines) + step]
            new = measure.ask(speaker(), some, self.drawing, len(lines))
            json_lines.append(file, new)
            lines += new
            self.done += len(new)
            progress.report(self.done, self.questions, f"{Path(name).name}: {measure.name}")
        return lines

    def ask_lm_eval(self, name: str, task: str, speaker: Callable[[], Speaker]) -> dict[str, list[Row]]:
        """What lm-eval found, whole or not at all."""
        file = self.file_of(name, lm_eval_name(task)).with_suffix(".json")
        if file.exists():
            return json.loads(file.read_text(encoding="utf-8"))
        lines, others = harness.run(
            speaker().talker.model,
            speaker().talker.tokenizer,
            task,
            rows=self.config.lm_eval_rows,
            shots=self.config.lm_eval_shots,
            batch_size=self.config.batch_size,
        )
        whole_file.write(file, json.dumps({"lines": lines, "others": others}, ensure_ascii=False))
        return {"lines": lines, "others": others}

    def write(self, names: Sequence[str]) -> dict[str, Any]:
        """The pages; returns the means."""
        folder = Path(self.config.output_dir)
        differences = {one.name: one.difference for one in self.asked}
        found = [
            {**row, "model": name}
            for measure, by_model in self.lines.items()
            for name, lines in by_model.items()
            for row in measures.results(measure, lines, differences.get(measure), self.config.seed)
        ] + self.others
        shown = [
            {"measure": measure, **sample}
            for measure, by_model in self.lines.items()
            if all(by_model.values())
            for sample in tables.chosen_samples(by_model)
        ]
        whole_file.write(folder / "results.json", json.dumps({"models": names, "results": found}, indent=1) + "\n")
        whole_file.write(folder / "results.md", tables.results(found, names))
        json_lines.write(folder / "samples.jsonl", shown)
        whole_file.write(folder / "samples.md", tables.samples(shown, names))
        print(f"{folder}/results.md has {len(found)} numbers with their intervals, samples.md what the models said")
        return means(found)

    def file_of(self, name: str, measure: str) -> Path:
        return Path(self.config.output_dir, "answers", slug(name), f"{slug(measure)}.jsonl")


def means(found: Sequence[Row]) -> dict[str, Any]:
    """The values of results as {model: {measure: {group: {metric: value}}}}, without a level for no group."""
    numbers: dict[str, Any] = {}
    for row in found:
        level = numbers.setdefault(row["model"], {}).setdefault(row["measure"], {})
        level = level.setdefault(row["group"], {}) if row["group"] else level
        level[row["metric"]] = round(row["value"], 4)
    return numbers


def slug(name: str) -> str:
    """A file name: slug("runs/tiny/sft") == "runs-tiny-sft" """
    return re.sub(r"[^\w.]+", "-", name).strip("-.")


def lm_eval_name(task: str) -> str:
    """lm_eval_name("mine/arc.yaml") == "lm-eval arc" """
    return f"lm-eval {Path(task).stem if task.endswith('.yaml') else task}"


CHECK = mistakes  # asked by `hfllm check`

if __name__ == "__main__":
    recipe.run(main)
