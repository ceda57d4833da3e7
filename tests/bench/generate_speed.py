"""Answers a CPU-second: `hfllm.generate` against the shortest loop over `model.generate`, turn by turn.

    python -m tests.bench.generate_speed [--model FOLDER] [--problems DATA] [--rounds 5] [--tokens 100]

Both lay out the same prompts and draw equally many tokens for each at temperature 1, in batches of 64: nothing ends an
answer but the padding token, or luck with the longest answer of a batch would decide. The peer decodes the ids; ours
also neutralises the prompts and reads thoughts and calls out of the answers."""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import torch
from datasets import disable_progress_bars
from transformers.utils import logging

from hfllm import data
from hfllm.chat.model import Message, Talker, load
from hfllm.chat.sampling import Sampling
from hfllm.generate import generate

BATCH_SIZE = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="runs/tiny/sft")
    parser.add_argument("--problems", default="runs/tiny/world/problems")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=100)
    options = parser.parse_args()
    disable_progress_bars()
    logging.disable_progress_bar()
    torch.set_num_threads(1)
    talker = load(options.model, base=False)
    prompts = data.load(data.DatasetConfig(options.problems, split="test", rows=256))["prompt"][:]
    plain(talker, prompts[:BATCH_SIZE], options.tokens)  # the first call prepares more than it answers
    ratios = []
    for number in range(options.rounds):
        speeds = [len(prompts) / seconds(how, talker, prompts, options.tokens) for how in (plain, ours)]
        ratios.append(speeds[1] / speeds[0])
        print(f"round {number + 1}: plain {speeds[0]:.0f}, hfllm {speeds[1]:.0f} answers a CPU-second", flush=True)
    print(f"hfllm / plain: {statistics.median(ratios):.2f} (median; {min(ratios):.2f} to {max(ratios):.2f})")


def seconds(how: Any, talker: Talker, prompts: list[list[Message]], tokens: int) -> float:
    started = time.process_time()
    how(talker, prompts, tokens)
    return time.process_time() - started


def ours(talker: Talker, prompts: list[list[Message]], tokens: int) -> None:
    generate(
        talker.model,
        talker.tokenizer,
        prompts,
        sampling=Sampling(1.0, seed=0),
        max_new_tokens=tokens,
        batch_size=BATCH_SIZE,
        stop_ids={talker.tokenizer.pad_token_id},
    )


def plain(talker: Talker, prompts: list[list[Message]], tokens: int) -> None:
    talker.tokenizer.padding_side = "left"
    torch.manual_seed(0)
    for start in range(0, len(prompts), BATCH_SIZE):
        batch = talker.tokenizer.apply_chat_template(
            prompts[start : start + BATCH_SIZE],
            add_generation_prompt=True, return_dict=True, return_tensors="pt", padding=True,
        )  # fmt: skip
        ids = talker.model.generate(
            **batch, do_sample=True, temperature=1.0, top_k=0, top_p=1.0, max_new_tokens=tokens,
            eos_token_id=talker.tokenizer.pad_token_id,
        )  # fmt: skip
        talker.tokenizer.batch_decode(ids[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)


if __name__ == "__main__":
    main()
