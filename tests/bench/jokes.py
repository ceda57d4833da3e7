"""What became of the jokes? Their true worth, laughter and form; how far each model went from the first one; best of n.

    python -m tests.bench.jokes runs/tiny/world runs/tiny/sft runs/tiny/dpo
    python -m tests.bench.jokes runs/tiny/world runs/tiny/sft --best_of 16 --judge runs/tiny/reward

One joke at temperature 1 for each held-out request, for each seed. `in form`: a whole joke of the small world, with an
animal, a setup and a punchline that it knows, and nothing behind the laughter. KL: nats a joke, from the first model.
With `--best_of` a reward model, the judge, picks one joke of n; the KL is log n - (n-1)/n (arXiv 2009.01325, G.3)."""

from __future__ import annotations

import argparse
import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from hfllm.chat.model import encode_chat
from hfllm.chat.sampling import Sampling
from hfllm.generate import Answer, generate
from hfllm.world import jokes, words

TOKENS = 128  # of a joke: long enough for sixty laughs
FORM = re.compile(
    rf"Why did the ({'|'.join(words.ANIMALS)}) ({'|'.join(jokes.PUNCHLINES)})\? "
    rf"Because ({'|'.join(jokes.PUNCHLINES.values())})!( Ha( ha)*)?"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("world")
    parser.add_argument("models", nargs="+")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--best_of", type=int)
    parser.add_argument("--judge")
    options = parser.parse_args()
    text = Path(options.world, "rankings", "test.jsonl").read_text(encoding="utf-8")
    requests = [json.loads(line)["prompt"] for line in text.splitlines()]
    print(f"{'':40} gold  animal   fits  laughs  in form  distinct  tokens     KL")
    start = load(options.models[0])
    for folder in options.models:
        model = load(folder)
        for seed in range(options.seeds):
            answers = tell(model, requests, seed)
            report(
                f"{folder}, seed {seed}", requests, [one.text for one in answers], kl(model, start, requests, answers)
            )
    if options.best_of:
        for seed in range(options.seeds):
            best_of(start, requests, options.best_of, options.judge, seed)


def load(folder: str) -> tuple[Any, Any]:
    return AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)


def tell(model: tuple[Any, Any], requests: Sequence[str], seed: int) -> list[Answer]:
    conversations = [[{"role": "user", "content": request}] for request in requests]
    sampling = Sampling(temperature=1.0, seed=seed)
    return generate(*model, conversations, sampling=sampling, max_new_tokens=TOKENS, batch_size=200)


def report(name: str, requests: Sequence[str], told: Sequence[str], kl_nats: float) -> None:
    forms = [FORM.fullmatch(joke.strip()) for joke in told]
    found = [(form, jokes.asked_animal(request)) for form, request in zip(forms, requests, strict=True) if form]
    gold = mean(jokes.gold_score(request, joke) for request, joke in zip(requests, told, strict=True))
    print(
        f"{name:40} {gold:4.2f} {sum(form[1] == asked for form, asked in found) / len(told):7.0%}"
        f" {sum(jokes.PUNCHLINES[form[2]] == form[3] for form, _ in found) / len(told):6.0%}"
        f" {mean(map(jokes.count_laughs, told)):7.1f} {len(found) / len(told):8.0%} {len(set(told)) / len(told):9.0%}"
        f" {mean(len(joke.split()) for joke in told):7.1f} {kl_nats:6.2f}"
    )


def kl(model: tuple[Any, Any], start: tuple[Any, Any], requests: Sequence[str], answers: Sequence[Answer]) -> float:
    """E[log p(answer) - log p_start(answer)], nats an answer: of the model's own answers."""
    prompts = [encode_chat(model[1], [{"role": "user", "content": request}]) for request in requests]
    ratios = [
        log_probability(model[0], prompt, answer.ids) - log_probability(start[0], prompt, answer.ids)
        for prompt, answer in zip(prompts, answers, strict=True)
    ]
    return mean(ratios)


def log_probability(model: Any, prompt: list[int], ids: list[int]) -> float:
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([prompt + ids]), use_cache=False).logits[0, len(prompt) - 1 : -1]
    return logits.log_softmax(-1).gather(-1, torch.tensor(ids)[:, None]).sum().item()


def best_of(start: tuple[Any, Any], requests: Sequence[str], n: int, judge: str, seed: int) -> None:
    """The joke that the judge likes best of the first 2, 4, ... n."""
    from hfllm.reward_model import RewardModel

    many = [request for request in requests for _ in range(n)]
    told = [answer.text for answer in tell(start, many, seed)]
    conversations = [[{"role": "user", "content": request}] for request in many]
    answers = [[{"role": "assistant", "content": joke}] for joke in told]
    scores = RewardModel(judge)(prompts=conversations, completions=answers)
    for size in (2**power for power in range(1, n.bit_length())):
        groups = [range(first, first + size) for first in range(0, len(many), n)]
        picked = [told[max(group, key=scores.__getitem__)] for group in groups]
        report(f"best of {size}, seed {seed}", requests, picked, math.log(size) - (size - 1) / size)


if __name__ == "__main__":
    main()
