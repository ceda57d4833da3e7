"""Rejection-sampling fine-tuning: try each problem several times, and keep the right answers as a data set.

    accelerate launch -m hfllm.stages.rft recipes/tiny/rft.yaml

Reads a chat model and problems (`tasks`). Writes to `output_dir` train.jsonl (`messages`, with tools `tools` too),
which the stage sft learns from, and answers.jsonl: every answer, right or wrong, one line a problem. Started again
after a crash it goes on behind the last problem in there. STaR, arXiv 2203.14465; RFT, arXiv 2308.01825, 3.3."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hfllm import calls, json_lines, models, progress, recipe, tasks, threads, tools
from hfllm.calls import MAX_TOOL_CALLS
from hfllm.chat.model import is_base, load, load_tokenizer
from hfllm.chat.sampling import Sampling, check_options
from hfllm.errors import UserMistake
from hfllm.generate import Answer, generate
from hfllm.pass_at_k import pass_at_k
from hfllm.tasks import TaskConfig

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from hfllm.tools import Tool

ANSWERS, ROWS = "answers.jsonl", "train.jsonl"
BATCHES_AT_ONCE = 4  # sampled before they are written down: fuller batches after tool calls, less lost by a crash

Row = dict[str, Any]


@dataclass
class RejectionSamplingConfig:
    """Which model tries which problems, how often, and what is kept."""

    model_name_or_path: str = field(metadata={"help": "A chat model: a folder, an adapter folder, or a Hub id."})
    output_dir: str = field(metadata={"help": "Folder to write."})
    tasks: list[TaskConfig] = field(metadata={"help": "The tasks whose problems are tried."})
    samples: int = field(default=8, metadata={"help": "Answers drawn for each problem."})
    keep: int = field(default=4, metadata={"help": "Distinct right answers kept of each problem, at most."})
    temperature: float = field(
        default=0.7, metadata={"help": "Of the drawing; 1 is the model's own distribution (RFT: 0.7)."}
    )
    top_p: float | None = field(
        default=None, metadata={"help": "Draw among the likeliest tokens that make up this share; null: among all."}
    )
    max_new_tokens: int = field(
        default=512, metadata={"help": "Longest answer, results of tools included; longer ones are not kept."}
    )
    tools: dict[str, dict[str, Any] | None] = field(
        default_factory=dict,
        metadata={"help": "Tools by name with their options: of hfllm/tools, or mine.py:f. {calculator: {}}"},
    )
    max_tool_calls: int = field(default=MAX_TOOL_CALLS, metadata={"help": "Tool calls in one answer, at most."})
    batch_size: int = field(default=64, metadata={"help": "Answers drawn at the same time."})
    seed: int = field(default=0, metadata={"help": "The same seed gives the same answers."})


def main(config: RejectionSamplingConfig) -> dict[str, Any]:
    """Sample, judge and keep; returns pass@1 and pass@k, and how many problems are solved always, sometimes, never."""
    check(config)
    name = models.find_model(config.model_name_or_path)
    chosen = tools.find(config.tools)
    check_model(name, chosen)
    problems = list(tasks.load_all(config.tasks))

    from transformers.utils import logging

    logging.disable_progress_bar()  # of loading weights
    threads.choose(None)
    talker = load(name, base=False)
    answered = sample(config, talker.model, talker.tokenizer, chosen, problems)
    kept = [row for problem in answered for row in kept_rows(problem, config.keep)]
    if not kept:
        tried = f"{len(problems)} problems, {config.samples} answers each"
        raise UserMistake(f"{tried}, and none is right: nothing to learn from; see {Path(config.output_dir, ANSWERS)}")
    json_lines.write(Path(config.output_dir, ROWS), [row | shown_tools(chosen) for row in kept])
    return numbers(answered, config.samples) | {"rows": len(kept)}


def check(config: RejectionSamplingConfig) -> None:
    """What can be seen wrong without loading anything."""
    check_options({key: getattr(config, key) for key in ("temperature", "top_p", "max_new_tokens", "seed")})
    if not config.tasks:
        raise UserMistake("stage rft: the recipe needs problems:  tasks: [{name: gsm8k}]")
    for key in ("samples", "keep", "batch_size"):
        if getattr(config, key) < 1:
            raise UserMistake(f"{key}: {getattr(config, key)} is too few, write 1 or more")
    if config.temperature == 0 and config.samples > 1:
        raise UserMistake("temperature: 0 gives the same answer each time; write  samples: 1  or for instance 0.7")
    for task in config.tasks:
        tasks.find(task.name)


def check_model(name: str, chosen: Sequence[Tool]) -> None:
    """Whether the model answers, and its chat template shows it the tools; its weights are not needed for that."""
    tokenizer = load_tokenizer(name)
    if is_base(name, tokenizer):
        raise UserMistake(f"model_name_or_path: {name} has not learned to answer; run the stage sft first")
    if chosen:
        calls.check_template(tokenizer, tools.schemas(chosen))


def sample(
    config: RejectionSamplingConfig,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    chosen: Sequence[Tool],
    problems: list[Row],
) -> list[Row]:
    """Every problem with its judged answers, in order; written to answers.jsonl a few batches at a time."""
    file = Path(config.output_dir, ANSWERS)
    step = max(1, BATCHES_AT_ONCE * config.batch_size // config.samples)
    answered = json_lines.whole_steps(json_lines.read(file), step, len(problems))
    json_lines.write(file, answered)
    for start in range(len(answered), len(problems), step):
        some = problems[start : start + step]
        answers = generate(
            model,
            tokenizer,
            [problem["prompt"] for problem in some for _ in range(config.samples)],
            sampling=Sampling(config.temperature, None, config.top_p, seed=seed_of(config, start)),
            max_new_tokens=config.max_new_tokens,
            tools=chosen,
            max_tool_calls=config.max_tool_calls,
            batch_size=config.batch_size,
        )
        parts = [answers[place : place + config.samples] for place in range(0, len(answers), config.samples)]
        new = [judged(problem, part) for problem, part in zip(some, parts, strict=True)]
        json_lines.append(file, new)
        answered += new
        progress.report(len(answered), len(problems), f"{share_right(answered):.0%} right")
    return answered


def judged(problem: Row, answers: Sequence[Answer]) -> Row:
    """A problem with what was answered; an answer that was cut off is wrong, whatever it says."""
    scores = [tasks.score(answer.text, problem) for answer in answers]
    return {
        "task": problem["task"],
        "prompt": problem["prompt"],
        "answer": problem["answer"],
        "answers": [
            {
                "messages": answer.messages,
                "right": None if score is None else score == 1.0 and answer.ended,
                "ended": answer.ended,
                "tokens": sum(answer.own),
            }
            for answer, score in zip(answers, scores, strict=True)
        ],
    }


def kept_rows(problem: Row, keep: int) -> list[Row]:
    """The first `keep` right answers that differ, each behind its prompt."""
    right = {json.dumps(one["messages"]): one["messages"] for one in problem["answers"] if one["right"]}
    return [
        {"messages": problem["prompt"] + messages, "task": problem["task"]} for messages in [*right.values()][:keep]
    ]


def shown_tools(chosen: Sequence[Tool]) -> dict[str, str]:
    """As one text: in a column of structures each tool would get the parameters of all others, with null."""
    return {"tools": json.dumps(tools.schemas(chosen))} if chosen else {}


def numbers(answered: list[Row], samples: int) -> dict[str, Any]:
    """Means over the problems that could be judged."""
    rights = [[one["right"] for one in problem["answers"]] for problem in answered]
    counts = [sum(some) for some in rights if None not in some]
    means = {
        f"pass@{k}": round(sum(pass_at_k(samples, right, k) for right in counts) / len(counts), 4)
        for k in sorted({1, samples})
    }
    lengths = [one["tokens"] for problem in answered for one in problem["answers"]]
    ended = [one["ended"] for problem in answered for one in problem["answers"]]
    return {
        "problems": len(answered),
        **({"not_judged": len(answered) - len(counts)} if len(counts) < len(answered) else {}),
        **means,
        "always_solved": sum(right == samples for right in counts),
        "sometimes_solved": sum(0 < right < samples for right in counts),
        "never_solved": sum(right == 0 for right in counts),
        "mean_tokens": round(sum(lengths) / len(lengths), 1),
        "cut_off": round(1 - sum(ended) / len(ended), 4),
    }


def share_right(answered: list[Row]) -> float:
    rights = [bool(one["right"]) for problem in answered for one in problem["answers"]]
    return sum(rights) / len(rights)


def seed_of(config: RejectionSamplingConfig, start: int) -> int:
    """Other answers for each part of the problems, and for each `seed`."""
    return random.Random(f"{config.seed}/{start}").getrandbits(62)


if __name__ == "__main__":
    recipe.run(main)
