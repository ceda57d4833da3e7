"""What do tools bring? Accuracy on held-out problems that need one, with both tools at hand and without them.

    python -m tests.bench.tool_use runs/tiny/sft-tools runs/tiny/world

Greedy answers. A product is right when its number is the last one said, an owner when the name is said."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import mean
from typing import Any

from transformers import AutoModelForCausalLM, AutoTokenizer

from hfllm import tools
from hfllm.chat.sampling import Sampling
from hfllm.generate import Answer, generate
from hfllm.tasks import tool_problems

TOKENS = 120  # of an answer, the results of tools included


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("world")
    options = parser.parse_args()
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    model = AutoModelForCausalLM.from_pretrained(options.model).eval()
    text = Path(options.world, "tool_problems", "test.jsonl").read_text(encoding="utf-8")
    problems = [json.loads(line) for line in text.splitlines()]
    at_hand = tools.find({"calculator": {}, "search": {"path": f"{options.world}/register"}}, tokenizer)
    for kind in ("product", "lookup"):
        rows = [row for row in problems if row["kind"] == kind]
        for chosen in (at_hand, []):
            answers = generate(
                model,
                tokenizer,
                [row["prompt"] for row in rows],
                sampling=Sampling(temperature=0),
                max_new_tokens=TOKENS,
                tools=chosen,
            )
            report(kind, "with both tools" if chosen else "without", rows, answers)


def report(kind: str, tool: str, rows: list[dict[str, Any]], answers: list[Answer]) -> None:
    scores = [tool_problems.score(answer.text, row) for answer, row in zip(answers, rows, strict=True)]
    called = mean(any(message["role"] == "tool" for message in answer.messages) for answer in answers)
    print(f"{mean(scores):7.1%} of {len(rows):4} {kind}, {tool} (called: {called:.0%})")


if __name__ == "__main__":
    main()
