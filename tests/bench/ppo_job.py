"""What ppo_speed asks of either trainer, and how both are judged and measured: the same lines for ours and the peer.

    python ppo_job.py JOB.json      # makes the model and the tokenizer that both start from

Imports nothing of the project, for the peer runs in an environment without it, and torch only where the model is made:
a process inherits the peak of memory of the one that starts it, so ppo_speed itself has to stay small."""

from __future__ import annotations

import json
import random
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

PADDING, END = 0, 1  # token ids. END is odd: ending early is no way to a better reward


@dataclass(frozen=True)
class Job:
    """The model and the practice. Every minibatch takes one optimizer step."""

    folder: str  # of model and tokenizer
    vocabulary: int
    hidden_size: int
    intermediate_size: int
    layers: int
    prompt_tokens: int  # in every prompt: nothing is padded on the left
    new_tokens: int
    rollouts: int
    completions: int  # a rollout
    mini_batches: int  # an epoch
    epochs: int
    learning_rate: float
    seed: int = 0
    common: int | None = None  # only so many first ids are likely at first, as in a trained model; None: all are
    critic: str = "separate"  # or head, or peer: whose critic is always separate
    kl_coef: float = 0.01  # at 0.05, the default of both, the best policy there is has a reward of 0.78
    # the defaults of both
    gamma: float = 1.0
    lam: float = 0.95
    vf_coef: float = 0.1
    cliprange: float = 0.2

    @classmethod
    def read(cls, path: str) -> Job:
        return cls(**json.loads(Path(path).read_text(encoding="utf-8")))

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @property
    def all_completions(self) -> int:
        return self.rollouts * self.completions

    @property
    def mini_batch(self) -> int:
        """Completions of an optimizer step."""
        return self.completions // self.mini_batches

    def prompts(self) -> list[list[int]]:
        """Random token ids, a prompt for each completion."""
        drawn = random.Random(0)
        ids = range(END + 1, self.common or self.vocabulary)
        return [drawn.choices(ids, k=self.prompt_tokens) for _ in range(self.all_completions)]


class EvenShare:
    """The reward: the share of even ids among a completion's tokens. Remembers what it gave for how many tokens."""

    def __init__(self) -> None:
        self.__name__ = "even_share"
        self.rewards: list[float] = []
        self.lengths: list[int] = []

    def __call__(self, completion_ids: Sequence[Sequence[int]], **_: Any) -> list[float]:
        rewards = [sum(token % 2 == 0 for token in ids) / len(ids) for ids in completion_ids]
        self.rewards += rewards
        self.lengths += [len(ids) for ids in completion_ids]
        return rewards


def measure(job: Job, result: str, build: Callable[[Job, EvenShare], Any]) -> None:
    """Build a trainer, train, write what it took. To be called when everything is imported, and nothing loaded."""
    imports_bytes = peak_bytes()
    reward = EvenShare()
    trainer = build(job, reward)
    cpu, wall = time.process_time(), time.perf_counter()
    trainer.train()
    measured = {
        "cpu_seconds": time.process_time() - cpu,
        "wall_seconds": time.perf_counter() - wall,
        "peak_bytes": peak_bytes(),
        "imports_bytes": imports_bytes,
        "rewards": reward.rewards,
        "lengths": reward.lengths,
    }
    Path(result).write_text(json.dumps(measured), encoding="utf-8")


def peak_bytes() -> int:
    """The most memory this process has held so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def make(job: Job) -> None:
    """Random weights, the same every time; a word for each id."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = {"<pad>": PADDING, "<eos>": END} | {f"w{number}": number for number in range(END + 1, job.vocabulary)}
    backend = Tokenizer(models.WordLevel(words, unk_token="<pad>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", eos_token="<eos>", padding_side="left"
    ).save_pretrained(job.folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=job.vocabulary,
        hidden_size=job.hidden_size,
        intermediate_size=job.intermediate_size,
        num_hidden_layers=job.layers,
        num_attention_heads=job.hidden_size // 32,
        max_position_embeddings=job.prompt_tokens + job.new_tokens,
        tie_word_embeddings=True,
        pad_token_id=PADDING,
        bos_token_id=None,
        eos_token_id=END,
    )
    model = LlamaForCausalLM(config)
    if job.common is not None:  # one direction for the common ids, the opposite one for all others: 10 nats apart
        with torch.no_grad():
            model.model.embed_tokens.weight[:, 0] = -1.5
            model.model.embed_tokens.weight[END + 1 : job.common, 0] = 1.5  # END is not: all completions are as long
    model.save_pretrained(job.folder)


if __name__ == "__main__":
    make(Job.read(sys.argv[1]))
