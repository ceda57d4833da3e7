"""What is asked, and what is counted of the answers? Tasks and probes of a recipe, all as questions with shares.

A measure asks each of its rows and gives one line for it: what was said, and how good that was, as {metric: value}."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hfllm import tasks
from hfllm.chat.sampling import Sampling
from hfllm.errors import UserMistake
from hfllm.evaluating import bootstrap, choices, probes
from hfllm.evaluating.answering import Prompt, Said, Speaker
from hfllm.evaluating.probes import Judge
from hfllm.pass_at_k import pass_at_k
from hfllm.tasks import TaskConfig

Row = dict[str, Any]


@dataclass(frozen=True)
class Drawing:
    """How answers are drawn: a greedy one always, and for tasks `samples` more at `temperature`."""

    samples: int
    temperature: float
    top_p: float | None
    max_new_tokens: int
    seed: int


@dataclass(frozen=True)
class Measure:
    """A task or a probe: its rows, and how an answer is judged; None: the likeliest of a row's choices counts."""

    name: str
    rows: list[Row]
    judge: Judge | None
    sampled: bool = False
    difference: tuple[str, str, str] | None = None  # metric, group, the group that it is compared with

    def answers_of_a_row(self, drawing: Drawing) -> int:
        return 1 + (drawing.samples if self.sampled else 0)

    def ask(self, speaker: Speaker, rows: Sequence[Row], drawing: Drawing, start: int) -> list[Row]:
        """One line for each of `rows`, which begin at `start`: that decides the seed."""
        if self.judge is None:
            found = choices.judged(speaker.talker.model, speaker.talker.tokenizer, rows, speaker.batch_size)
            return [
                _line(row, [one.said.strip()], {"acc": one.acc, "acc_norm": one.acc_norm}, row["context"])
                for row, one in zip(rows, found, strict=True)
            ]
        prompts = [_prompt(row, speaker) for row in rows]
        greedy = speaker.say(prompts, Sampling(0), drawing.max_new_tokens)
        several = self.answers_of_a_row(drawing) - 1
        seed = random.Random(f"{drawing.seed}/{self.name}/{start}").getrandbits(62)
        sampling = Sampling(drawing.temperature, None, drawing.top_p, seed)
        repeated = [prompt for prompt in prompts for _ in range(several)]
        drawn = speaker.say(repeated, sampling, drawing.max_new_tokens) if several else []
        return [
            self._judged(row, prompts[i], greedy[i], drawn[i * several : (i + 1) * several])
            for i, row in enumerate(rows)
        ]

    def _judged(self, row: Row, prompt: Prompt, greedy: Said, drawn: Sequence[Said]) -> Row:
        assert self.judge is not None
        values = self.judge(greedy, row)
        if drawn and values:
            right = sum(self.judge(one, row).get("right") == 1.0 for one in drawn)
            values |= {f"pass@{k}": pass_at_k(len(drawn), right, k) for k in sorted({1, len(drawn)})}
        said = prompt if isinstance(prompt, str) else "\n".join(str(message["content"]) for message in prompt)
        return _line(row, [one.text for one in [greedy, *drawn]], values, said)


def of_recipe(
    task_configs: Sequence[TaskConfig], probe_options: Mapping[str, Mapping[str, Any] | None], by_likelihood: bool
) -> list[Measure]:
    """All tasks and probes in the order of the recipe. Raises `UserMistake` for what cannot be read."""
    rows = [list(tasks.load(config)) for config in task_configs]
    of_tasks = [
        Measure(name, some, None) if by_likelihood and "continuations" in some[0] else Measure(name, some, score, True)
        for name, some in zip(task_names(task_configs), rows, strict=True)
    ]
    of_probes = [probe(name, options or {}) for name, options in probe_options.items()]
    names = [one.name for one in of_tasks + of_probes]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UserMistake(f"there is a task and a probe of the name {', '.join(twice)}; rename the file of one")
    return of_tasks + of_probes


def probe(name: str, options: Mapping[str, Any]) -> Measure:
    module = probes.find(name, options)
    label = name.removesuffix(".py").rpartition("/")[2]
    judge = probes.judge_of(name, module)
    return Measure(label, probes.load(name, options), judge, difference=vars(module).get("DIFFERENCE"))


def score(said: Said, row: Row) -> dict[str, float]:
    """A task's score; nothing where it cannot judge."""
    value = tasks.score(said.text, row)
    return {} if value is None else {"right": value}


def task_names(configs: Sequence[TaskConfig]) -> list[str]:
    """A task that stands there twice is told apart by its options: "arithmetic sum" and "arithmetic shop"."""
    plain = [config.name.removesuffix(".py").rpartition("/")[2] for config in configs]
    names = [
        name if plain.count(name) == 1 else f"{name} {_option_words(config)}".strip()
        for name, config in zip(plain, configs, strict=True)
    ]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UserMistake(f"tasks: {', '.join(twice)} stands there twice, with the same options; remove one")
    return names


def results(name: str, lines: Sequence[Row], difference: tuple[str, str, str] | None, seed: int) -> list[Row]:
    """The mean of every metric in every group, each with its interval, and the difference of two groups."""
    groups = list(dict.fromkeys(line["group"] for line in lines))
    metrics = list(dict.fromkeys(metric for line in lines for metric in line["measures"]))
    found = []
    for group in groups:
        for metric in metrics:
            some = [line["measures"] for line in lines if line["group"] == group]
            values = [measures[metric] for measures in some if metric in measures]
            if values:
                found.append(_result(name, group, metric, values, seed))
    return found + (_difference(name, lines, *difference, seed) if difference else [])


def _difference(name: str, lines: Sequence[Row], metric: str, one: str, other: str, seed: int) -> list[Row]:
    """Over the questions that stand in both groups: pairs, so that hard questions weigh on both sides alike."""
    by_group = [
        {line["question"]: line["measures"][metric] for line in lines
         if line["group"] == group and metric in line["measures"]}
        for group in (one, other)
    ]  # fmt: skip
    gains = [by_group[0][question] - by_group[1][question] for question in by_group[0] if question in by_group[1]]
    return [_result(name, f"{one} - {other}", metric, gains, seed)] if gains else []


def _result(name: str, group: str, metric: str, values: Sequence[float], seed: int) -> Row:
    estimate = bootstrap.interval(values, seed)
    return {"measure": name, "group": group, "metric": metric, **estimate._asdict()}


def _prompt(row: Row, speaker: Speaker) -> Prompt:
    return row["text"] if speaker.talker.base and row.get("text") else row["prompt"]


def _line(row: Row, answers: list[str], values: dict[str, float], prompt: str) -> Row:
    group = row.get("group")
    return {
        "group": "" if group is None else str(group),  # a probe of the user's own may count by numbers
        "question": row.get("question") or prompt,
        "prompt": prompt,
        "expected": _expected(row),
        "answers": answers,
        "measures": values,
    }


def _expected(row: Row) -> Any:
    """The choice that the answer's letter names; in a task of the user's own the answer may be the choice itself."""
    several, answer = row.get("choices"), row.get("answer")
    if isinstance(several, list) and answer in list(choices.LETTERS[: len(several)]):
        return several[choices.LETTERS.index(answer)]
    return row.get("expected", row.get("answer", ""))


def _option_words(config: TaskConfig) -> str:
    parts = [value for one in config.options.values() for value in (one if isinstance(one, list) else [one])]
    return " ".join(map(str, parts)) or (config.path or "")
