"""How well does the model guess text, and what did it write while it learned?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hfllm.pretraining import loss_curve
from hfllm.report import lines
from hfllm.report.blocks import Block, Facts, Said, Saying, Sayings, Section
from hfllm.report.files import Point, Row, has, number, points, text
from hfllm.report.lines import Curve
from hfllm.report.runs import Course, Run
from hfllm.report.words import shown
from hfllm.web.outcome import wording


@dataclass(frozen=True)
class Log:
    """Points are (tokens seen, bits per byte); `samples` are (step, [(prompt, text)])."""

    train: list[Point]
    unseen: list[Point]
    samples: list[tuple[int, list[tuple[str, str]]]]


def sections(course: Course) -> Iterator[Section]:
    for run in course.of("pretrain"):
        blocks = list(_blocks(course, run))
        if blocks:
            yield Section(
                f"pretraining-{run.name}",
                "Pretraining" if len(course.of("pretrain")) == 1 else f"Pretraining: {run.name}",
                "The model reads text and guesses each next token. The curve says how many bits it would need to "
                "write down one byte of text: the lower, the better it guesses. Look whether the line of unseen "
                "text stays near that of training; where it turns up again, the model learns by heart.",
                blocks,
                [run.name],
            )


def _blocks(course: Course, run: Run) -> Iterator[Block]:
    named = {
        **{"parameters": "parameters", "tokens": "tokens seen", "eval_bits_per_byte": "bits a byte, unseen text"},
        **{"tokens_per_second": "tokens a second", "eval_bytes": "bytes of unseen text"},
    }
    facts = [(words, shown(run.numbers[key])) for key, words in named.items() if has(run.numbers, key)]
    if facts:
        yield Facts(facts)
    log = course.reader.lines(run.folder / "log.jsonl", _log)
    if log and (log.train or log.unseen):
        yield _curve(run, log)
    if log and log.samples:
        yield _samples(log.samples)


def _log(rows: list[Row]) -> Log:
    """Held-out text says how many bits a byte a nat a token is: so the training loss is drawn in the same unit."""
    sized = [row for row in rows if has(row, "step", "tokens") and row["step"]]
    tokens_a_step = sized[-1]["tokens"] / sized[-1]["step"] if sized else None
    rated = [row for row in rows if has(row, "eval_loss", "eval_bits_per_byte") and row["eval_loss"]]
    bits = rated[-1]["eval_bits_per_byte"] / rated[-1]["eval_loss"] if rated else None
    seen = [row | {"seen": row["step"] * tokens_a_step} for row in rows if tokens_a_step and has(row, "step")]
    return Log(
        points(seen, "seen", "loss", bits) if bits is not None and math.isfinite(bits) else [],
        points(seen, "seen", "eval_bits_per_byte"),
        [
            (int(number(row["step"])), [(text(one["prompt"]), text(one["text"])) for one in row["samples"]])
            for row in rows
            if "samples" in row
        ],
    )


def _curve(run: Run, log: Log) -> Block:
    curves = [Curve("training text", log.train, 1), Curve("unseen text", log.unseen, 0, dots=True)]
    curves = [curve for curve in curves if curve.points]
    x = lines.along("tokens seen", [at for curve in curves for at, _ in curve.points], loss_curve.short)
    y = lines.axis("bits per byte", [value for curve in curves for _, value in curve.points])
    ends = ", ".join(f"{curve.name} ends at {wording.number(curve.points[-1][1])}" for curve in curves)
    return lines.chart(f"Bits per byte while {run.name} read", f"Bits per byte over tokens seen: {ends}", curves, x, y)


def _samples(samples: Sequence[tuple[int, list[tuple[str, str]]]]) -> Block:
    """Of the first evaluation, one in the middle, and the last."""
    places = sorted({0, len(samples) // 2, len(samples) - 1})
    chosen = [samples[place] for place in places]
    prompts = list(dict.fromkeys(prompt for _, some in chosen for prompt, _ in some))
    rows = [
        Saying(prompt, [Said(f"step {step:,}", said) for step, some in chosen for one, said in some if one == prompt])
        for prompt in prompts
    ]
    return Sayings("What it wrote as it learned: a beginning, and how it went on", rows)
