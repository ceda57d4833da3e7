"""What the model answered, as a table for people: the best and the worst completion of some problems.

Writes completions.md to the run folder, newest evaluation last."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback, TrainerControl, TrainerState

from hfllm.pretraining.samples import one_line

if TYPE_CHECKING:
    from transformers import TrainingArguments

    from hfllm.grpo.trainer import PracticeTrainer

PROBLEMS_SHOWN = 3
LONGEST = 600  # characters of a completion that are shown

Row = dict[str, Any]


class Completions(TrainerCallback):
    """Keeps the best and the worst completion of a few problems in the log, which checkpoints hold."""

    def __init__(self, trainer: PracticeTrainer) -> None:
        self.trainer = trainer

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        shown = best_and_worst(rows(self.trainer), self.trainer.num_generations_eval, self.trainer.args.reward_weights)
        state.log_history.append({"step": state.global_step, "completions": shown})
        if state.is_world_process_zero:
            Path(args.output_dir, "completions.md").write_text(page(state.log_history), encoding="utf-8")


def rows(trainer: PracticeTrainer) -> list[Row]:
    """The completions of the last batch, each with its prompt and its rewards by name."""
    logs = trainer._logs
    names = list(logs["rewards"])
    return [
        {"prompt": text_of(prompt), "completion": text_of(completion), "rewards": judged(names, values)}
        for prompt, completion, *values in zip(
            logs["prompt"], logs["completion"], *logs["rewards"].values(), strict=True
        )
    ]


def judged(names: list[str], values: list[float]) -> dict[str, float | None]:
    """The rewards by name; None where a reward could not judge, which TRL writes as NaN and JSON does not know."""
    return {name: None if math.isnan(value) else value for name, value in zip(names, values, strict=True)}


def best_and_worst(completions: list[Row], group: int, weights: list[float]) -> list[Row]:
    """Of the last groups of `group` completions the ones with the highest and the lowest weighted reward."""

    def total(row: Row) -> float:
        return sum(weight * (value or 0.0) for weight, value in zip(weights, row["rewards"].values(), strict=True))

    starts = range(len(completions) - group, -1, -group)[:PROBLEMS_SHOWN]
    ordered = [sorted(completions[start : start + group], key=total) for start in starts]
    return [row for one in ordered for row in ([one[-1], one[0]] if one[0] != one[-1] else [one[0]])]


def page(log_history: list[dict[str, Any]]) -> str:
    """All tables of a run as Markdown, one section an evaluation."""
    lines = ["# What the model answered while it practised", "", "The best and the worst completion of some problems."]
    for entry in log_history:
        if entry.get("completions"):
            names = list(entry["completions"][0]["rewards"])
            lines += ["", f"## step {entry['step']}", "", _table_row(["problem", "completion", *names])]
            lines += [_table_row(["---"] * (2 + len(names)))]
            lines += [_line(row) for row in entry["completions"]]
    return "\n".join(lines) + "\n"


def text_of(said: str | list[dict[str, Any]]) -> str:
    """Plain text, or messages as one text: tool calls and what the tools said included."""
    if isinstance(said, str):
        return said
    return " ".join(_message_text(message) for message in said)


def _message_text(message: dict[str, Any]) -> str:
    calls = [call.get("function", call) for call in message.get("tool_calls") or []]
    parts = [str(message.get("content") or ""), *(f"[calls {each['name']} {each['arguments']}]" for each in calls)]
    text = " ".join(part for part in parts if part)
    return f"[result: {text}]" if message["role"] == "tool" else text


def _line(row: Row) -> str:
    values = ["" if value is None else f"{value:.2f}" for value in row["rewards"].values()]
    return _table_row([_cell(row["prompt"]), _cell(row["completion"]), *values])


def _table_row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    short = text if len(text) <= LONGEST else f"{text[:LONGEST]} ... ({len(text):,} characters)"
    return one_line(short).replace("|", "\\|").replace("<", "&lt;")
