"""Does the chat model know the small world, and does it know what it does not know? Asks it every question, greedily,
with plain transformers; only the verdicts (right, wrong, refused) are those of hfllm/knowledge.py.

    python tests/bench/facts.py runs/tiny/sft runs/tiny/world
    python tests/bench/facts.py runs/tiny/sft-idk runs/tiny/world

Prints the share of each verdict by popularity of the person and by phrasing."""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from hfllm.knowledge import verdict

BATCH = 64
MAX_NEW_TOKENS = 32


def answers(model_folder: str, questions: list[str]) -> list[str]:
    """The greedy reply to each question."""
    tokenizer = AutoTokenizer.from_pretrained(model_folder, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(model_folder).eval()
    replies = []
    for start in range(0, len(questions), BATCH):
        chats = [[{"role": "user", "content": question}] for question in questions[start : start + BATCH]]
        prompts = tokenizer.apply_chat_template(
            chats, add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True
        )
        with torch.no_grad():
            ids = model.generate(**prompts, max_new_tokens=MAX_NEW_TOKENS, do_sample=False)
        replies += tokenizer.batch_decode(ids[:, prompts["input_ids"].shape[1] :], skip_special_tokens=True)
    return replies


def main(model_folder: str, world_folder: str) -> dict[str, dict[str, float]]:
    """Print and return the shares of right, wrong and refused of each group of questions."""
    lines = (Path(world_folder) / "questions" / "test.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    verdicts: dict[str, Counter[str]] = defaultdict(Counter)
    for row, reply in zip(rows, answers(model_folder, [row["question"] for row in rows]), strict=True):
        group = f"{row['popularity']}, {row['phrasing']} phrasing"
        verdicts[group][verdict(reply, row["answer"])] += 1
        if verdicts[group].total() <= 2:
            print(f"{group}: {row['question']}  ->  {reply}   (right: {row['answer']})")
    shares = {
        group: {kind: found[kind] / found.total() for kind in ("right", "wrong", "refused")}
        for group, found in verdicts.items()
    }
    print("  right    wrong  refused")
    for group, share in shares.items():
        count = verdicts[group].total()
        print(f"{share['right']:7.1%} {share['wrong']:8.1%} {share['refused']:8.1%} of {count:4}  {group}")
    return shares


if __name__ == "__main__":
    main(*sys.argv[1:])
