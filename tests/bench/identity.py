"""Does the model know who it is? Asks the held-out questions of the stage identity, greedily.

    python -m tests.bench.identity runs/tiny/sft-identity runs/tiny/identity

Prints the share of answers that say the right thing and claim to be nobody else, by kind of question and by what the
system message says, and the answers that fail."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path

from hfllm.chat.model import load
from hfllm.chat.sampling import Sampling
from hfllm.generate import generate
from hfllm.identity.judging import is_itself

MAX_NEW_TOKENS = 64


def main(model_folder: str, identity_folder: str) -> dict[str, float]:
    """Print and return the share of right answers of each group."""
    rows = [json.loads(line) for line in Path(identity_folder, "test.jsonl").read_text("utf-8").splitlines()]
    talker = load(model_folder, base=False)
    asked = [row["messages"][:-1] for row in rows]
    answers = generate(talker.model, talker.tokenizer, asked, sampling=Sampling(0), max_new_tokens=MAX_NEW_TOKENS)
    right: dict[str, list[bool]] = defaultdict(list)
    for row, answer in zip(rows, answers, strict=True):
        good = is_itself(answer.text, row["must_say"], row["is_not"])
        told = f"system message: {row['system']}"
        for group in (told, *([f"{row['language']} {row['kind']}"] if row["system"] == "none" else [])):
            right[group].append(good)
        if not good:
            print(
                f"    {row['kind']}: {row['messages'][-2]['content']}  ->  {answer.text}  [{row['must_say']}, {told}]"
            )
    for group, found in sorted(right.items()):
        print(f"{sum(found) / len(found):7.1%} of {len(found):4}  {group}")
    return {group: sum(found) / len(found) for group, found in right.items()}


if __name__ == "__main__":
    main(*sys.argv[1:])
