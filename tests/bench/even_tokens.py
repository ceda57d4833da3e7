"""Does PPO learn from the same number of completions what GRPO learns? The reward is the share of even token ids.

    nice python -m tests.bench.even_tokens              # three seeds at each of three learning rates: about 5 minutes
    nice python -m tests.bench.even_tokens --seeds 1 --learning_rates 0.001

A Llama of 0.23 M parameters with random weights; one thread; 512 completions of 16 tokens. All make as many epochs and
minibatches of them, at the same learning rate; TRL's GRPOTrainer draws 8 completions of a prompt, PPO one. Printed: the
mean reward of the first and of the last 128 completions, and CPU seconds of training."""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, PrinterCallback
from transformers.utils.logging import disable_progress_bar
from trl import GRPOConfig, GRPOTrainer

from hfllm.ppo import PPOConfig, PPOTrainer

VOCABULARY = 64
PADDING, END = 0, 1  # token ids. END is odd: ending early is no way to a better reward
GENERATIONS, COMPLETIONS, EPOCHS, MINI_BATCHES = 16, 32, 4, 4
TRAINERS: dict[str, dict[str, Any]] = {
    "GRPO": {},
    "PPO, value head": {},  # as PPOConfig has it
    # a critic of its own, and a lambda that trusts it more
    "PPO, separate": {"critic": "separate", "lam": 0.9, "critic_lam": 1.0, "vf_coef": 1.0},
}


@dataclass(frozen=True)
class Learned:
    """Of one run."""

    first: float  # mean reward of the first quarter of the generations
    last: float  # of the last quarter
    cpu_seconds: float


def even_share(completion_ids: Sequence[Sequence[int]], **_: Any) -> list[float]:
    return [sum(token % 2 == 0 for token in ids) / len(ids) for ids in completion_ids]


def make(folder: Path, seed: int) -> Path:
    """Write the model with its tokenizer: one word for each id."""
    words = {"<pad>": PADDING, "<eos>": END} | {f"w{number}": number for number in range(2, VOCABULARY)}
    backend = Tokenizer(models.WordLevel(words, unk_token="<pad>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>", eos_token="<eos>").save_pretrained(folder)
    torch.manual_seed(seed)
    config = LlamaConfig(
        **{"vocab_size": VOCABULARY, "hidden_size": 96, "intermediate_size": 288, "num_hidden_layers": 2},
        **{"num_attention_heads": 4, "max_position_embeddings": 64, "tie_word_embeddings": True},
        **{"pad_token_id": PADDING, "eos_token_id": END, "bos_token_id": None},
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def prompts() -> Dataset:
    drawn = torch.randint(2, VOCABULARY, (512, 4), generator=torch.Generator().manual_seed(0)).tolist()
    return Dataset.from_dict({"prompt": [" ".join(f"w{number}" for number in row) for row in drawn]})


def settings(folder: Path, seed: int, learning_rate: float) -> dict[str, Any]:
    """What both trainers are told."""
    return {
        **{"output_dir": str(folder / "out"), "seed": seed, "learning_rate": learning_rate},
        **{"use_cpu": True, "bf16": False, "gradient_checkpointing": False, "report_to": "none", "disable_tqdm": True},
        **{"per_device_train_batch_size": COMPLETIONS // MINI_BATCHES, "max_completion_length": 16},
        **{"max_steps": GENERATIONS * EPOCHS * MINI_BATCHES, "lr_scheduler_type": "constant", "logging_steps": 1},
        **{"save_strategy": "no"},
    }


def learn(trainer_name: str, seed: int, learning_rate: float, **more: Any) -> Learned:
    """Train a fresh model with one of TRAINERS."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = make(Path(temporary), seed)
        common = settings(folder, seed, learning_rate) | TRAINERS[trainer_name] | more
        if trainer_name == "GRPO":
            theirs = {"num_iterations": EPOCHS, "steps_per_generation": MINI_BATCHES, "num_generations": 8}
            trainer = GRPOTrainer(str(folder), even_share, GRPOConfig(**(theirs | common)), prompts())
        else:  # without a KL, as GRPO is
            ours = {"num_ppo_epochs": EPOCHS, "num_mini_batches": MINI_BATCHES, "kl_coef": 0.0}
            trainer = PPOTrainer(str(folder), even_share, PPOConfig(**(ours | common)), prompts())
        trainer.remove_callback(PrinterCallback)
        started = time.process_time()
        trainer.train()
        seconds = time.process_time() - started
    rewards = [entry["reward"] for entry in trainer.state.log_history if "reward" in entry]
    quarter = len(rewards) // 4
    return Learned(mean(rewards[:quarter]), mean(rewards[-quarter:]), seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--learning_rates", type=float, nargs="+", default=[1e-3, 2e-3, 4e-3])
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    disable_progress_bar()
    print("learning rate  seed  " + "  ".join(f"{name:>22}" for name in TRAINERS))
    for learning_rate in chosen.learning_rates:
        for seed in range(chosen.seeds):
            runs = [learn(name, seed, learning_rate) for name in TRAINERS]
            cells = "  ".join(f"{run.first:.2f} -> {run.last:.3f} ({run.cpu_seconds:4.1f} s)" for run in runs)
            print(f"{learning_rate:>13g}  {seed:>4}  {cells}", flush=True)


if __name__ == "__main__":
    main()
