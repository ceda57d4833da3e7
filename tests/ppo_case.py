"""A small PPO run for tests: a stand-in model, prompts of very different lengths, and a reward without any randomness.

    trainer = ppo_case.build(folder_of_the_model, tmp_path / "out", num_ppo_epochs=2)

`fixed_completions` makes the completions a function of the prompt, so that runs of one and of two processes, or with
other batch sizes, learn from the same ones."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import AutoTokenizer, PrinterCallback

from hfllm.ppo import PPOConfig, PPOTrainer

QUESTIONS = ["Tom?", "Where does Tom live? Tom lives in a small town near the sea, and Anna has 12 apples."]
SETTINGS: dict[str, Any] = {
    **{"use_cpu": True, "bf16": False, "gradient_checkpointing": False, "report_to": "none", "disable_tqdm": True},
    **{"per_device_train_batch_size": 4, "per_device_eval_batch_size": 4, "max_completion_length": 8, "max_steps": 2},
    **{"logging_steps": 1, "save_strategy": "no", "learning_rate": 1e-3, "lr_scheduler_type": "constant"},
}


def same_for_any_launch(batch: int) -> dict[str, Any]:
    """Arguments of `build` for runs that learn the same: with `batch` completions a process.

    Two generations of two epochs; SGD, for AdamW's first steps only show the sign of a gradient."""
    return {
        **{"num_ppo_epochs": 2, "max_steps": 4, "optim": "sgd", "learning_rate": 0.5, "kl_target": 1.0, "lam": 0.9},
        **{"save_strategy": "steps", "save_steps": 4, "missing_eos_penalty": 0.5, "critic_learning_rate": 0.1},
        **{"per_device_train_batch_size": batch, "named": {"rollout_func": fixed_completions}},
    }


def even_share(completion_ids: Sequence[Sequence[int]], **_: Any) -> list[float]:
    """The share of even ids among a completion's tokens."""
    return [sum(token % 2 == 0 for token in ids) / len(ids) for ids in completion_ids]


def fixed_completions(prompts: list[Any], trainer: PPOTrainer) -> dict[str, list[list[int]]]:
    """TRL's `rollout_func`: 3 to 7 tokens that hang on the prompt alone; every second one ends by itself."""
    tokenizer = trainer.processing_class
    texts = [prompt[-1]["content"] for prompt in prompts]
    prompt_ids = [tokenizer(text)["input_ids"] for text in texts]
    stop = tokenizer.eos_token_id
    completions = [
        [(7 * sum(ids) + 13 * place) % 200 + 20 for place in range(3 + sum(ids) % 4)] + [stop] * (sum(ids) % 2)
        for ids in prompt_ids
    ]
    return {"prompt_ids": prompt_ids, "completion_ids": completions, "logprobs": [[0.0] * len(c) for c in completions]}


def rows(count: int = 16) -> Dataset:
    """Conversations, numbered as the stages do."""
    texts = [f"{number}. {QUESTIONS[number % 2]}" for number in range(count)]
    return Dataset.from_list(
        [{"prompt": [{"role": "user", "content": text}], "problem": n} for n, text in enumerate(texts)]
    )


def build(folder: Path, output_dir: Path, rewards: Any = even_share, named: Any = None, **settings: Any) -> PPOTrainer:
    """`named` are further arguments of the trainer, `settings` of the config."""
    with warnings.catch_warnings(action="ignore"):  # TRL's of `rollout_func`: it may change
        trainer = PPOTrainer(
            model=str(folder),
            reward_funcs=rewards,
            args=PPOConfig(str(output_dir), **(SETTINGS | settings)),
            train_dataset=rows(),
            eval_dataset=rows(4),
            processing_class=AutoTokenizer.from_pretrained(folder),
            **(named or {}),
        )
    trainer.remove_callback(PrinterCallback)
    return trainer


def score(trainer: PPOTrainer, rollout: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probabilities (B, T) and values (B, T) of the rollout now."""
    with trainer._reading_values() as read:
        logps, _, _ = trainer._get_per_token_logps_and_entropies(
            trainer.model,
            torch.cat([rollout["prompt_ids"], rollout["completion_ids"]], 1),
            torch.cat([rollout["prompt_mask"], rollout["completion_mask"]], 1),
            rollout["completion_ids"].size(1),
        )
    return logps, torch.cat(read)
